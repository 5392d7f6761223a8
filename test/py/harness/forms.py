"""SQL that takes the database of a stopped server back to an earlier storage form, as an earlier program would have left it."""

TO_6 = """
drop table backlog;
drop table roll;
update event set time = at where time = 1;
update attempt set signed_at = at / 1000 where signed_at = 1;
update queue set lane = lane & 3, tries = tries & 255;
update delivery set lane = lane & 3;
alter table event drop column checked;
alter table event drop column deliver_at;
alter table event drop column expires_at;
alter table event drop column order_key;
alter table event drop column channels;
alter table event drop column traceparent;
alter table event drop column content_type;
alter table fan drop column more;
alter table attempt drop column batch;
alter table event rename column external_id to own_id;
pragma user_version = 6;
"""
TO_5 = TO_6 + "delete from meta where k like 'plain_%'; pragma user_version = 5;"
TO_1 = TO_5 + """
drop table fan;
drop table usage;
drop table erasure;
drop table erasing;
alter table fact drop column rest_since;
alter table fact drop column rest_until;
pragma user_version = 1;
"""
