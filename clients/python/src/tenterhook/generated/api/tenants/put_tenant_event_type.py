from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.event_type import EventType
from ...models.event_type_put import EventTypePut
from ...models.problem import Problem
from ...types import UNSET, Response, Unset


def _get_kwargs(
    tenant: str,
    type_: str,
    *,
    body: EventTypePut,
    dry_run: bool | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}

    params: dict[str, Any] = {}

    params["dry_run"] = dry_run

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "put",
        "url": "/v1/tenants/{tenant}/event-types/{type_}".format(
            tenant=quote(str(tenant), safe=""),
            type_=quote(str(type_), safe=""),
        ),
        "params": params,
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Any | EventType | Problem | None:
    if response.status_code == 200:
        response_200 = EventType.from_dict(response.json())

        return response_200

    if response.status_code == 201:
        response_201 = EventType.from_dict(response.json())

        return response_201

    if response.status_code == 204:
        response_204 = cast(Any, None)
        return response_204

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
) -> Response[Any | EventType | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    tenant: str,
    type_: str,
    *,
    client: AuthenticatedClient,
    body: EventTypePut,
    dry_run: bool | Unset = UNSET,
) -> Response[Any | EventType | Problem]:
    """Create or change an event type of a tenant's own, which goes before the installation's

    Args:
        tenant (str):
        type_ (str):
        dry_run (bool | Unset):
        body (EventTypePut):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | EventType | Problem]
    """

    kwargs = _get_kwargs(
        tenant=tenant,
        type_=type_,
        body=body,
        dry_run=dry_run,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    tenant: str,
    type_: str,
    *,
    client: AuthenticatedClient,
    body: EventTypePut,
    dry_run: bool | Unset = UNSET,
) -> Any | EventType | Problem | None:
    """Create or change an event type of a tenant's own, which goes before the installation's

    Args:
        tenant (str):
        type_ (str):
        dry_run (bool | Unset):
        body (EventTypePut):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | EventType | Problem
    """

    return sync_detailed(
        tenant=tenant,
        type_=type_,
        client=client,
        body=body,
        dry_run=dry_run,
    ).parsed


async def asyncio_detailed(
    tenant: str,
    type_: str,
    *,
    client: AuthenticatedClient,
    body: EventTypePut,
    dry_run: bool | Unset = UNSET,
) -> Response[Any | EventType | Problem]:
    """Create or change an event type of a tenant's own, which goes before the installation's

    Args:
        tenant (str):
        type_ (str):
        dry_run (bool | Unset):
        body (EventTypePut):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | EventType | Problem]
    """

    kwargs = _get_kwargs(
        tenant=tenant,
        type_=type_,
        body=body,
        dry_run=dry_run,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    tenant: str,
    type_: str,
    *,
    client: AuthenticatedClient,
    body: EventTypePut,
    dry_run: bool | Unset = UNSET,
) -> Any | EventType | Problem | None:
    """Create or change an event type of a tenant's own, which goes before the installation's

    Args:
        tenant (str):
        type_ (str):
        dry_run (bool | Unset):
        body (EventTypePut):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | EventType | Problem
    """

    return (
        await asyncio_detailed(
            tenant=tenant,
            type_=type_,
            client=client,
            body=body,
            dry_run=dry_run,
        )
    ).parsed
