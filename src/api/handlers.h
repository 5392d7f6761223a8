/* The handlers: one for each row of the table of routes (routes.c), which describes them. Private to api/. */
#ifndef TH_API_HANDLERS_H
#define TH_API_HANDLERS_H

struct th_api_req;

void th_h_publish(struct th_api_req *r);
void th_h_publish_batch(struct th_api_req *r);
void th_h_events(struct th_api_req *r);
void th_h_events_stream(struct th_api_req *r);
void th_h_event_erase(struct th_api_req *r);
void th_h_event_cancel(struct th_api_req *r);
void th_h_delivery_cancel(struct th_api_req *r);
void th_h_event_matches(struct th_api_req *r);
void th_h_template_preview(struct th_api_req *r);
void th_h_event(struct th_api_req *r);
void th_h_deliveries(struct th_api_req *r);
void th_h_attempts(struct th_api_req *r);
void th_h_attempts_stream(struct th_api_req *r);
void th_h_delivery(struct th_api_req *r);
void th_h_retry(struct th_api_req *r);
void th_h_replay_start(struct th_api_req *r);
void th_h_replays(struct th_api_req *r);
void th_h_config(struct th_api_req *r);
void th_h_stats(struct th_api_req *r);
void th_h_search(struct th_api_req *r);
void th_h_replay(struct th_api_req *r);
void th_h_replay_cancel(struct th_api_req *r);
void th_h_webhooks(struct th_api_req *r);
void th_h_webhook_add(struct th_api_req *r);
void th_h_webhook(struct th_api_req *r);
void th_h_webhook_set(struct th_api_req *r);
void th_h_webhook_del(struct th_api_req *r);
void th_h_webhook_test(struct th_api_req *r);
void th_h_webhook_retry(struct th_api_req *r);
void th_h_webhook_deliveries(struct th_api_req *r);
void th_h_secrets(struct th_api_req *r);
void th_h_secret_rotate(struct th_api_req *r);
void th_h_secret_revoke(struct th_api_req *r);
void th_h_tenants(struct th_api_req *r);
void th_h_endpoint_health(struct th_api_req *r);
void th_h_tenant_put(struct th_api_req *r);
void th_h_tenant_get(struct th_api_req *r);
void th_h_tenant_del(struct th_api_req *r);
void th_h_key_add(struct th_api_req *r);
void th_h_keys(struct th_api_req *r);
void th_h_key_del(struct th_api_req *r);
void th_h_session_add(struct th_api_req *r);
void th_h_sessions(struct th_api_req *r);
void th_h_session_link(struct th_api_req *r);
void th_h_session_current(struct th_api_req *r);
void th_h_session_leave(struct th_api_req *r);
void th_h_session_del(struct th_api_req *r);
void th_h_operator_key_add(struct th_api_req *r);
void th_h_operator_keys(struct th_api_req *r);
void th_h_operator_key_del(struct th_api_req *r);
void th_h_dialects(struct th_api_req *r);
void th_h_dialect(struct th_api_req *r);
void th_h_source_addresses(struct th_api_req *r);
void th_h_livez(struct th_api_req *r);
void th_h_readyz(struct th_api_req *r);
void th_h_nodes(struct th_api_req *r);
void th_h_inboxes(struct th_api_req *r);
void th_h_inbox_rejected(struct th_api_req *r);
void th_h_inbox_retry(struct th_api_req *r);
void th_h_inbox_drop(struct th_api_req *r);
void th_h_metrics(struct th_api_req *r);
void th_h_openapi_json(struct th_api_req *r);
#endif
