"""What calls fail with. `kind` is the same word in every client of Tenterhook."""
from __future__ import annotations

import datetime
import email.utils
import json
from collections.abc import Mapping
from typing import Any


class TenterhookError(Exception):
    """Every error of this package but SignatureError is one."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


class ConnectionFailed(TenterhookError):
    """There was no answer, or none in time (`kind` is `timeout`)."""


class ApiError(TenterhookError):
    """The server refused: a problem as in RFC 9457. `errors` names each wrong value, `request_id` is the one in the server's log,
    `retry_after` the seconds that it asks to wait, `problem` the whole answer."""

    def __init__(self, kind: str, status: int, problem: Mapping[str, Any], headers: Mapping[str, str]):
        self.status = status
        self.title: str = str(problem.get("title", ""))
        self.detail: str = str(problem.get("detail") or self.title or f"HTTP status {status}")
        self.request_id: str | None = problem.get("request_id") or headers.get("Request-Id")
        self.errors: list[dict[str, str]] = problem.get("errors") or []
        self.retry_after = retry_after(headers)
        self.problem = dict(problem)
        super().__init__(kind, f"{status}: {self.detail}")


class BadRequestError(ApiError): ...


class UnauthorizedError(ApiError): ...


class ForbiddenError(ApiError): ...


class NotFoundError(ApiError): ...


class ConflictError(ApiError): ...


class PreconditionFailedError(ApiError): ...


class TooLargeError(ApiError): ...


class InvalidError(ApiError): ...


class RateLimitedError(ApiError): ...


class UnavailableError(ApiError): ...


_KINDS: dict[int, tuple[str, type[ApiError]]] = {
    400: ("bad_request", BadRequestError),
    401: ("unauthorized", UnauthorizedError),
    403: ("forbidden", ForbiddenError),
    404: ("not_found", NotFoundError),
    409: ("conflict", ConflictError),
    412: ("precondition_failed", PreconditionFailedError),
    413: ("too_large", TooLargeError),
    415: ("unsupported_media_type", ApiError),
    422: ("invalid", InvalidError),
    429: ("rate_limited", RateLimitedError),
}


def error_of(status: int, body: bytes, headers: Mapping[str, str]) -> ApiError:
    """The error of an answer that is no success."""
    kind, type_ = _KINDS.get(status) or (("unavailable", UnavailableError) if status >= 500 else ("api", ApiError))
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    return type_(kind, status, problem if isinstance(problem, dict) else {}, headers)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds: a number, or a date."""
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    try:
        at = email.utils.parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return max(0.0, (at - datetime.datetime.now(at.tzinfo or datetime.timezone.utc)).total_seconds()) if at and at.tzinfo else None
