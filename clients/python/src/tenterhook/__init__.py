"""Client of Tenterhook, the webhook engine, and verifier of what it sends."""
from ._async import AsyncPages, AsyncTenterhook
from ._sync import Pages, Tenterhook
from .errors import (
    ApiError,
    BadRequestError,
    ConflictError,
    ConnectionFailed,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    PreconditionFailedError,
    RateLimitedError,
    TenterhookError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
)
from .publisher import Publisher
from .webhooks import SignatureError, WebhookEvent, WebhookVerifier

__all__ = [
    "ApiError", "AsyncPages", "AsyncTenterhook", "BadRequestError", "ConflictError", "ConnectionFailed", "ForbiddenError", "InvalidError", "NotFoundError",
    "Pages", "PreconditionFailedError", "Publisher", "RateLimitedError", "SignatureError", "Tenterhook", "TenterhookError", "TooLargeError",
    "UnauthorizedError", "UnavailableError", "WebhookEvent", "WebhookVerifier",
]
