"""The client of the API: what most programs need under short names, and `api` for every other route, by the functions of
`tenterhook.generated`. Made from `_async.py` by tools/make-clients; do not edit."""
from __future__ import annotations

import datetime
import os
import random
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import httpx

from . import errors
from .generated import AuthenticatedClient
from .generated.api.deliveries import get_delivery, list_attempts, list_deliveries, retry_delivery
from .generated.api.endpoints import (
    create_webhook,
    delete_webhook,
    get_secrets,
    get_webhook,
    list_webhook_deliveries,
    list_webhooks,
    retry_webhook,
    revoke_previous_secret,
    rotate_secret,
    start_replay,
    test_webhook,
    update_webhook,
)
from .generated.api.events import erase_event, get_event, list_events, publish_event, publish_events
from .generated.api.replays import cancel_replay, get_replay, list_replays
from .generated.api.tenants import create_key, delete_key, delete_tenant, get_tenant, list_keys, list_tenants, put_tenant
from .generated.models import (
    AttemptRow,
    Delivery,
    DeliveryDetail,
    DeliveryQueued,
    Event,
    EventAccepted,
    EventDetail,
    EventNew,
    Key,
    KeyCreated,
    KeyNew,
    Replay,
    ReplayNew,
    ReplayStarted,
    Secret,
    SecretRotate,
    Tenant,
    TenantPut,
    Webhook,
    WebhookCreated,
    WebhookNew,
    WebhookPatch,
    WebhookRetried,
)

Row = TypeVar("Row")
_List = list  # inside the classes that have a method of this name
_AGAIN = {408, 429, 500, 502, 503, 504}


class Tenterhook:
    """One server and one key. Use it as a context, or close it.

    server, key: by default TENTERHOOK_SERVER and TENTERHOOK_KEY of the environment. tenant: with the operator's key, the tenant to act
    for. timeout: seconds of one attempt. retries: how often a request that was not answered, or with 429 or 5xx, is made again, after
    first_wait seconds, twice as long each time, at most max_wait; a longer Retry-After ends it."""

    def __init__(self, server: str | None = None, key: str | None = None, *, tenant: str | None = None, timeout: float = 10.0, retries: int = 4,
                 first_wait: float = 0.5, max_wait: float = 30.0, transport: httpx.BaseTransport | None = None):
        server = (server or os.environ.get("TENTERHOOK_SERVER") or "http://127.0.0.1:8420").rstrip("/")
        key = key or os.environ.get("TENTERHOOK_KEY") or ""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        if tenant:
            headers["Tenterhook-Tenant"] = tenant
        own = _Again(transport or httpx.HTTPTransport(), timeout, retries, first_wait, max_wait)
        self._http = httpx.Client(base_url=server, headers=headers, timeout=timeout, transport=own)
        #: For the functions of tenterhook.generated.api: every route, with the same repetitions and keys.
        self.api = AuthenticatedClient(base_url=server, token=key).set_httpx_client(self._http)
        self.events = Events(self)
        self.webhooks = Webhooks(self)
        self.deliveries = Deliveries(self)
        self.attempts = Attempts(self)
        self.replays = Replays(self)
        self.tenants = Tenants(self)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Tenterhook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, operation: Any, model: Any = None, *place: str, content_type: str | None = None, **arguments: Any) -> Any:
        """Makes a generated call and gives its answer as a model; raises an error of this package."""
        kwargs = operation._get_kwargs(*place, **{name: value for name, value in arguments.items() if value is not None})
        if content_type:
            kwargs["headers"]["Content-Type"] = content_type
        try:
            response = self._http.request(**kwargs)
        except httpx.TimeoutException as error:
            raise errors.ConnectionFailed("timeout", f"no answer in time: {kwargs['method'].upper()} {kwargs['url']}") from error
        except httpx.TransportError as error:
            raise errors.ConnectionFailed("connection", f"no answer: {kwargs['method'].upper()} {kwargs['url']}: {error}") from error
        if not response.is_success:
            raise errors.error_of(response.status_code, response.content, response.headers)
        if model is None or response.status_code == 204:
            return None
        try:
            return model(response.json())
        except (ValueError, KeyError, TypeError) as error:
            raise errors.TenterhookError("api", "the answer is not what the API says: is this the address of Tenterhook?") from error


class _Again(httpx.BaseTransport):
    """Gives each POST its Idempotency-Key and makes requests again until they are answered for good."""

    def __init__(self, inner: httpx.BaseTransport, timeout: float, retries: int, first_wait: float, max_wait: float):
        self._inner, self._timeout, self._retries, self._first_wait, self._max_wait = inner, timeout, retries, first_wait, max_wait

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST" and "Idempotency-Key" not in request.headers:
            request.headers["Idempotency-Key"] = str(uuid.uuid4())
        if request.url.path.startswith("/v1/webhooks"):
            request.headers["Tenterhook-Form"] = "native"  # what the models are, in every dialect
        unanswered = False  # an earlier attempt may have been carried out
        attempt = 0
        while True:
            last, asked = attempt >= self._retries, None
            try:
                response = self._once(request)
                if request.method == "DELETE" and unanswered and response.status_code == 404:
                    return httpx.Response(204, request=request)
                again = response.status_code in _AGAIN or (response.status_code == 409 and unanswered and "Idempotency-Key" in request.headers)
                asked = errors.retry_after(response.headers)
                if last or not again or (asked or 0) > self._max_wait:
                    return response
            except httpx.TransportError:
                unanswered = True
                if last:
                    raise
            step = min(self._max_wait, self._first_wait * 2**attempt)
            time.sleep(asked + random.random() * min(step, 1.0) if asked else step * (0.5 + random.random() / 2))
            attempt += 1

    def _once(self, request: httpx.Request) -> httpx.Response:
        """One attempt, with the answer's body: an answer that breaks off is none."""
        end = time.monotonic() + self._timeout
        response = self._inner.handle_request(request)
        parts = []
        try:
            for part in response.stream:  # type: ignore[union-attr]
                parts.append(part)
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("the answer takes too long", request=request)
        finally:
            response.close()
        return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(b"".join(parts)), extensions=response.extensions,
                              request=request)

    def close(self) -> None:
        self._inner.close()


class Pages(Generic[Row]):
    """A list: iterating over it asks for page after page."""

    def __init__(self, client: Tenterhook, operation: Any, model: Any, place: tuple[str, ...], query: dict[str, Any]):
        self._client, self._operation, self._model, self._place, self._query = client, operation, model, place, query

    def first(self) -> list[Row]:
        """The rows of the first page."""
        for page in self.pages():
            return page
        return []

    def pages(self) -> Iterator[list[Row]]:
        """All pages, one request each."""
        cursor = None
        while True:
            answer = self._client._call(self._operation, dict, *self._place, **self._query, cursor=cursor)
            yield [self._model.from_dict(row) for row in answer["data"]]
            cursor = answer.get("next_cursor")
            if cursor is None:
                return

    def all(self, most: int | None = None) -> list[Row]:
        """The rows of all pages, at most `most`."""
        rows: list[Row] = []
        if most == 0:
            return rows
        for row in self:
            rows.append(row)
            if len(rows) == most:
                break
        return rows

    def __iter__(self) -> Iterator[Row]:
        for page in self.pages():
            for row in page:
                yield row


class _Body:
    """A dict in the place of a generated model: it is sent as it is."""

    def __init__(self, value: Mapping[str, Any]):
        self._value = dict(value)

    def to_dict(self) -> dict[str, Any]:
        return self._value


def _body(value: Any) -> Any:
    return _Body(value) if isinstance(value, Mapping) else value


def _query(query: dict[str, Any]) -> dict[str, Any]:
    """Times may be given as text."""
    return {name: datetime.datetime.fromisoformat(value) if name in ("since", "until") and isinstance(value, str) else value for name, value in query.items()}


class _Part:
    def __init__(self, client: Tenterhook):
        self._client = client
        self._call = client._call

    def _list(self, operation: Any, model: Any, *place: str, **query: Any) -> Pages[Any]:
        return Pages(self._client, operation, model, place, _query(query))


class Events(_Part):
    def publish(self, event: EventNew | Mapping[str, Any], *, idempotency_key: str | None = None) -> EventAccepted:
        """Publishes an event; it is stored durably when the answer comes."""
        return self._call(publish_event, EventAccepted.from_dict, body=_body(event), idempotency_key=idempotency_key)

    def publish_batch(self, events: _List[EventNew | Mapping[str, Any]], *, idempotency_key: str | None = None) -> _List[EventAccepted]:
        """Publishes 1 to 1000 events of one tenant, all or none."""
        return self._call(publish_events, lambda rows: [EventAccepted.from_dict(row) for row in rows], body=[_body(event) for event in events],
                                idempotency_key=idempotency_key)

    def list(self, **query: Any) -> Pages[Event]:
        return self._list(list_events, Event, **query)

    def get(self, id: str) -> EventDetail:
        return self._call(get_event, EventDetail.from_dict, id)

    def erase(self, id: str, *, cancel: bool | None = None) -> None:
        """Erases the content of an event; cancel ends deliveries that wait."""
        self._call(erase_event, None, id, cancel=cancel)


class Webhooks(_Part):
    def create(self, webhook: WebhookNew | Mapping[str, Any], *, idempotency_key: str | None = None) -> WebhookCreated:
        """Registers an endpoint; the answer shows its secret."""
        return self._call(create_webhook, WebhookCreated.from_dict, body=_body(webhook), idempotency_key=idempotency_key)

    def list(self, **query: Any) -> Pages[Webhook]:
        return self._list(list_webhooks, Webhook, **query)

    def get(self, id: str) -> Webhook:
        return self._call(get_webhook, Webhook.from_dict, id)

    def update(self, id: str, changes: WebhookPatch | Mapping[str, Any], *, if_match: str | None = None) -> Webhook:
        """Changes the members that are given; None resets one."""
        changes = changes if isinstance(changes, WebhookPatch) else _patch(changes)
        return self._call(update_webhook, Webhook.from_dict, id, content_type="application/merge-patch+json", body=changes, if_match=if_match)

    def delete(self, id: str, *, if_match: str | None = None) -> None:
        self._call(delete_webhook, None, id, if_match=if_match)

    def test(self, id: str, type: str | None = None) -> Delivery:
        """Sends a sample event to this endpoint alone."""
        return self._call(test_webhook, Delivery.from_dict, id, body=_Body({"type": type} if type else {}))

    def deliveries(self, id: str, **query: Any) -> Pages[Delivery]:
        return self._list(list_webhook_deliveries, Delivery, id, **query)

    def secrets(self, id: str) -> _List[Secret]:
        """The active secrets, newest first."""
        return self._call(get_secrets, _secrets, id)

    def rotate_secret(self, id: str, rotation: SecretRotate | Mapping[str, Any] | None = None, *, idempotency_key: str | None = None) -> _List[Secret]:
        """Makes or takes a new secret beside the old one, which ends after the overlap."""
        return self._call(rotate_secret, _secrets, id, body=_body(rotation or {}), idempotency_key=idempotency_key)

    def revoke_previous_secret(self, id: str) -> None:
        self._call(revoke_previous_secret, None, id)

    def retry(self, id: str) -> WebhookRetried:
        """Makes everything that waits for another attempt due now."""
        return self._call(retry_webhook, WebhookRetried.from_dict, id, body=_Body({}))

    def replay(self, id: str, replay: ReplayNew | Mapping[str, Any], *, idempotency_key: str | None = None) -> ReplayStarted:
        """Sends deliveries that have ended again."""
        return self._call(start_replay, ReplayStarted.from_dict, id, body=_body(replay), idempotency_key=idempotency_key)


class Deliveries(_Part):
    def list(self, **query: Any) -> Pages[Delivery]:
        return self._list(list_deliveries, Delivery, **query)

    def get(self, id: str) -> DeliveryDetail:
        return self._call(get_delivery, DeliveryDetail.from_dict, id)

    def retry(self, id: str) -> DeliveryQueued:
        """Makes an attempt now."""
        return self._call(retry_delivery, DeliveryQueued.from_dict, id, body=_Body({}))


class Attempts(_Part):
    def list(self, **query: Any) -> Pages[AttemptRow]:
        return self._list(list_attempts, AttemptRow, **query)


class Replays(_Part):
    def list(self, **query: Any) -> Pages[Replay]:
        return self._list(list_replays, Replay, **query)

    def get(self, id: str) -> Replay:
        return self._call(get_replay, Replay.from_dict, id)

    def cancel(self, id: str) -> None:
        self._call(cancel_replay, None, id)


class Tenants(_Part):
    """With the operator's key."""

    def put(self, tenant: str, settings: TenantPut | Mapping[str, Any], *, if_match: str | None = None) -> Tenant:
        """Makes or changes a tenant."""
        return self._call(put_tenant, Tenant.from_dict, tenant, body=_body(settings), if_match=if_match)

    def get(self, tenant: str) -> Tenant:
        return self._call(get_tenant, Tenant.from_dict, tenant)

    def list(self, **query: Any) -> Pages[Tenant]:
        return self._list(list_tenants, Tenant, **query)

    def delete(self, tenant: str, *, erase: bool | None = None) -> None:
        self._call(delete_tenant, None, tenant, erase=erase)

    def create_key(self, tenant: str, key: KeyNew | Mapping[str, Any], *, idempotency_key: str | None = None) -> KeyCreated:
        """Makes a key; the answer shows its text, once."""
        return self._call(create_key, KeyCreated.from_dict, tenant, body=_body(key), idempotency_key=idempotency_key)

    def list_keys(self, tenant: str) -> Pages[Key]:
        return self._list(list_keys, Key, tenant)

    def delete_key(self, tenant: str, id: str) -> None:
        self._call(delete_key, None, tenant, id)


class _Patch(WebhookPatch):
    """Changes as they were given: a generated model knows no difference between what is absent and what it does not know."""

    def __init__(self, value: Mapping[str, Any]):
        super().__init__()
        self._given = dict(value)

    def to_dict(self) -> dict[str, Any]:
        return self._given


def _patch(value: Mapping[str, Any]) -> WebhookPatch:
    return _Patch(value)


def _secrets(answer: dict[str, Any]) -> list[Secret]:
    return [Secret.from_dict(row) for row in answer["secrets"]]


