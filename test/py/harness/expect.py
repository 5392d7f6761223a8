"""Assertions that several test files share."""
import time


def problem(answer, status):
    """Checks an RFC 9457 error answer and gives its members."""
    assert answer.status == status, answer
    assert answer.header("Content-Type").split(";")[0] == "application/problem+json", answer.headers
    body = answer.json
    assert body["status"] == status
    for member in ("type", "title", "detail", "request_id"):
        assert isinstance(body.get(member), str) and body[member], f"{member} is missing: {body}"
    assert answer.header("Request-Id") == body["request_id"]
    return body


def pointers(answer, status=422):
    """The JSON pointers that a validation error names."""
    errors = problem(answer, status)["errors"]
    assert errors and all(error["detail"] for error in errors), errors
    return [error["pointer"] for error in errors]


def eventually(condition, timeout_s=30, what="the condition", every_s=0.02):
    """Calls condition until it gives something true, and returns that. A machine with much else to do takes its time: the
    limit is for what never comes."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s"
        time.sleep(every_s)


def until(condition, timeout_s=30, every_s=0.02):
    """As eventually; gives the value and how long it took, in seconds."""
    began = time.monotonic()
    return eventually(condition, timeout_s, every_s=every_s), time.monotonic() - began


def deliveries(api, limit=None, **filters):
    """All deliveries that the filters leave, or the first `limit` of them. A page may be short, or empty, and have a next one: a
    test that took the first page for the list could find nothing where there is something."""
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return api.pages("/v1/deliveries" + (f"?{query}" if query else ""), limit=min(limit or 100, 1000), most=limit)


def settled(api, count, status="delivered", timeout_s=30, **filters):
    """Waits until `count` deliveries have this status, and gives them."""
    def look():
        rows = [row for row in deliveries(api, **filters) if row["status"] == status]
        return rows if len(rows) == count else None
    return eventually(look, timeout_s, f"{count} deliveries {status}")
