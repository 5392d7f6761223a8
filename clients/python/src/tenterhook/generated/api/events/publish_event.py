from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.event_accepted import EventAccepted
from ...models.event_new import EventNew
from ...models.problem import Problem
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: EventNew,
    tenterhook_tenant: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(tenterhook_tenant, Unset):
        headers["Tenterhook-Tenant"] = tenterhook_tenant

    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/events",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> EventAccepted | Problem | None:
    if response.status_code == 202:
        response_202 = EventAccepted.from_dict(response.json())

        return response_202

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = Problem.from_dict(response.json())

        return response_403

    if response.status_code == 404:
        response_404 = Problem.from_dict(response.json())

        return response_404

    if response.status_code == 409:
        response_409 = Problem.from_dict(response.json())

        return response_409

    if response.status_code == 413:
        response_413 = Problem.from_dict(response.json())

        return response_413

    if response.status_code == 415:
        response_415 = Problem.from_dict(response.json())

        return response_415

    if response.status_code == 422:
        response_422 = Problem.from_dict(response.json())

        return response_422

    if response.status_code == 429:
        response_429 = Problem.from_dict(response.json())

        return response_429

    if response.status_code == 503:
        response_503 = Problem.from_dict(response.json())

        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[EventAccepted | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: EventNew,
    tenterhook_tenant: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[EventAccepted | Problem]:
    """Publish one event; answered after it is stored durably

    Args:
        tenterhook_tenant (str | Unset):
        idempotency_key (str | Unset):
        body (EventNew):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[EventAccepted | Problem]
    """

    kwargs = _get_kwargs(
        body=body,
        tenterhook_tenant=tenterhook_tenant,
        idempotency_key=idempotency_key,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: EventNew,
    tenterhook_tenant: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> EventAccepted | Problem | None:
    """Publish one event; answered after it is stored durably

    Args:
        tenterhook_tenant (str | Unset):
        idempotency_key (str | Unset):
        body (EventNew):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        EventAccepted | Problem
    """

    return sync_detailed(
        client=client,
        body=body,
        tenterhook_tenant=tenterhook_tenant,
        idempotency_key=idempotency_key,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: EventNew,
    tenterhook_tenant: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[EventAccepted | Problem]:
    """Publish one event; answered after it is stored durably

    Args:
        tenterhook_tenant (str | Unset):
        idempotency_key (str | Unset):
        body (EventNew):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[EventAccepted | Problem]
    """

    kwargs = _get_kwargs(
        body=body,
        tenterhook_tenant=tenterhook_tenant,
        idempotency_key=idempotency_key,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: EventNew,
    tenterhook_tenant: str | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> EventAccepted | Problem | None:
    """Publish one event; answered after it is stored durably

    Args:
        tenterhook_tenant (str | Unset):
        idempotency_key (str | Unset):
        body (EventNew):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        EventAccepted | Problem
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
            tenterhook_tenant=tenterhook_tenant,
            idempotency_key=idempotency_key,
        )
    ).parsed
