"""A data directory of an earlier program with a large backlog: brought up in time, whenever the start is killed."""
import contextlib
import signal
import sqlite3
import subprocess
import time

import pytest

from harness import forms
from harness.expect import eventually
from harness.metrics import metrics
from harness.server import clean_env

PENDING = 1_000_000
EVENT = {"type": "order.created", "data": {"n": 1}}
# One row made many: the numbers follow, the rest is the same.
MULTIPLY = f"""
create temp table i as with recursive i(i) as (select 1 union all select i + 1 from i where i < {PENDING - 1}) select i from i;
insert into event(no,tenant,at,time,rnd,first,n,type,own_id,resource_type,resource_id,data)
  select no + i, tenant, at, time, (rnd + i) % 134217728, first + i, n, type, own_id, resource_type, resource_id, data
  from i cross join (select * from event order by no desc limit 1) order by i;
insert into queue(no,event,endpoint,due,lane,tries,attempts,last)
  select no + i, event + i, endpoint, due, lane, tries, attempts, last
  from i cross join (select * from queue order by no desc limit 1) order by i;
"""


@pytest.mark.release
def test_a_million_pending_of_the_form_before(server):
    running = server()
    hook = running.api.post("/v1/webhooks", {"url": "https://example.com/hook"}).expect(201).json["id"]
    running.api.patch(f"/v1/webhooks/{hook}", {"active": False}).expect(200)
    running.api.post("/v1/events", EVENT).expect(202)
    running.stop()
    with contextlib.closing(sqlite3.connect(running.data / "tenterhook.db")) as db:
        db.executescript(forms.TO_6 + MULTIPLY)
        db.execute("delete from counter")  # nothing is noted: the start reads everything, as after an upgrade from form 2
        db.commit()
    env = clean_env(running.env) | {"TENTERHOOK_ADMIN_KEY": running.admin_key}
    for delay in (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.0, 1.5):
        process = subprocess.Popen(running.command(), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    begun = time.monotonic()
    running.start()
    eventually(lambda: running.api.get("/readyz").status == 200)
    ready_s = time.monotonic() - begun
    assert ready_s < 30
    print(f"ready after {ready_s:.2f} s")
    eventually(lambda: "queue loaded" in running.text())
    assert metrics(running.api)[0]["tenterhook_deliveries_pending"] == PENDING
    running.stop()
    with contextlib.closing(sqlite3.connect(running.data / "tenterhook.db")) as db:
        assert db.execute("select count(*) from queue").fetchone() == (PENDING,)
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        assert db.execute("select count(*) from pragma_table_info('event') where name = 'external_id'").fetchone() == (1,)
