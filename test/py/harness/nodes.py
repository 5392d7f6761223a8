"""What the programs that run several nodes on one database share."""
import time


def wait_for_parts(asked, count, timeout_s=30):
    """Until so many nodes have an even part each; gives how long that took."""
    began = time.monotonic()
    while time.monotonic() < began + timeout_s:
        rows = asked.api.get("/v1/nodes").expect(200).json["data"]
        slots = [row["slots"] for row in rows if row["slots"]]
        if len(slots) == count and sum(slots) == 256 and max(slots) - min(slots) <= 1:
            return time.monotonic() - began
        time.sleep(0.1)
    raise RuntimeError(f"the slots are not divided over {count} nodes within {timeout_s} s")
