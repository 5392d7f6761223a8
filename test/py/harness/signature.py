"""Standard Webhooks 1.0.0, the receiver's side, written from the specification and from nothing of ours."""
import base64
import hashlib
import hmac
import time


class SignatureError(Exception):
    """The request does not prove that the holder of the secret sent it."""


def sign(secret, message_id, timestamp, body):
    """The `v1,...` item for one message: HMAC-SHA256 under the base64 key after `whsec_`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def verify(secret, request, now=None, tolerance_s=300):
    """Checks one request; raises SignatureError, or returns the message id.

    request needs header(name) and body. One matching item of the list is enough, as the specification says.
    """
    message_id, timestamp, given = (request.header("webhook-" + part) for part in ("id", "timestamp", "signature"))
    if not (message_id and timestamp and given):
        raise SignatureError("a webhook header is missing")
    if not timestamp.isdigit():
        raise SignatureError(f"timestamp {timestamp!r} is no whole number of seconds")
    if abs((time.time() if now is None else now) - int(timestamp)) > tolerance_s:
        raise SignatureError(f"timestamp {timestamp} is outside the tolerance")
    expected = sign(secret, message_id, timestamp, request.body)
    if not any(hmac.compare_digest(item, expected) for item in given.split(" ")):
        raise SignatureError("no signature matches")
    return message_id
