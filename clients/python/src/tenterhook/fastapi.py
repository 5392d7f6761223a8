"""FastAPI: a parameter `event: WebhookEvent = Depends(webhook(verifier))`."""
from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import HTTPException, Request

from .webhooks import SignatureError, WebhookEvent, WebhookVerifier


def webhook(verifier: WebhookVerifier) -> Callable[[Request], Awaitable[WebhookEvent]]:
    """A dependency that verifies; `await request.body()` still has the raw body. What is not the sender's is answered 401 with the reason."""

    async def dependency(request: Request) -> WebhookEvent:
        try:
            return verifier.construct_event(await request.body(), request.headers.raw, request.method)
        except SignatureError as error:
            raise HTTPException(401, str(error)) from None

    # FastAPI reads annotations as text, in the module where the function stands.
    dependency.__annotations__ = {"request": Request, "return": WebhookEvent}
    return dependency
