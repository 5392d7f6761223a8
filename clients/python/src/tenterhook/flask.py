"""Flask: `@webhook(verifier)` under `@app.post(…)` verifies, and gives the view the event."""
from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import flask

from .webhooks import SignatureError, WebhookVerifier


def webhook(verifier: WebhookVerifier) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The view gets the WebhookEvent as its first argument; `flask.request.get_data()` still has the raw body. What is not the sender's
    is answered 401 with the reason."""

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            try:
                event = verifier.construct_event(flask.request.get_data(cache=True), list(flask.request.headers.items()), flask.request.method)
            except SignatureError as error:
                return flask.Response(f"{error}\n", 401, mimetype="text/plain")
            return view(event, *args, **kwargs)

        return checked

    return decorate
