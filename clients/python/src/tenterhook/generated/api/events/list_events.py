import datetime
from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.event_page import EventPage
from ...models.problem import Problem
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    limit: int | Unset = 100,
    cursor: str | Unset = UNSET,
    after: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(tenterhook_tenant, Unset):
        headers["Tenterhook-Tenant"] = tenterhook_tenant

    params: dict[str, Any] = {}

    params["limit"] = limit

    params["cursor"] = cursor

    params["after"] = after

    params["event_type"] = event_type

    params["outcome"] = outcome

    params["status_code"] = status_code

    json_since: str | Unset = UNSET
    if not isinstance(since, Unset):
        json_since = since.isoformat()
    params["since"] = json_since

    json_until: str | Unset = UNSET
    if not isinstance(until, Unset):
        json_until = until.isoformat()
    params["until"] = json_until

    params["include_tests"] = include_tests

    params["all_tenants"] = all_tenants

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/events",
        "params": params,
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> EventPage | Problem | None:
    if response.status_code == 200:
        response_200 = EventPage.from_dict(response.json())

        return response_200

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
) -> Response[EventPage | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 100,
    cursor: str | Unset = UNSET,
    after: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Response[EventPage | Problem]:
    """List events, newest first; with `after` oldest first, to follow them without a gap

    Args:
        limit (int | Unset):  Default: 100.
        cursor (str | Unset):
        after (str | Unset):
        event_type (str | Unset):
        outcome (str | Unset):
        status_code (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):
        include_tests (bool | Unset):
        all_tenants (bool | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[EventPage | Problem]
    """

    kwargs = _get_kwargs(
        limit=limit,
        cursor=cursor,
        after=after,
        event_type=event_type,
        outcome=outcome,
        status_code=status_code,
        since=since,
        until=until,
        include_tests=include_tests,
        all_tenants=all_tenants,
        tenterhook_tenant=tenterhook_tenant,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 100,
    cursor: str | Unset = UNSET,
    after: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> EventPage | Problem | None:
    """List events, newest first; with `after` oldest first, to follow them without a gap

    Args:
        limit (int | Unset):  Default: 100.
        cursor (str | Unset):
        after (str | Unset):
        event_type (str | Unset):
        outcome (str | Unset):
        status_code (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):
        include_tests (bool | Unset):
        all_tenants (bool | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        EventPage | Problem
    """

    return sync_detailed(
        client=client,
        limit=limit,
        cursor=cursor,
        after=after,
        event_type=event_type,
        outcome=outcome,
        status_code=status_code,
        since=since,
        until=until,
        include_tests=include_tests,
        all_tenants=all_tenants,
        tenterhook_tenant=tenterhook_tenant,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 100,
    cursor: str | Unset = UNSET,
    after: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Response[EventPage | Problem]:
    """List events, newest first; with `after` oldest first, to follow them without a gap

    Args:
        limit (int | Unset):  Default: 100.
        cursor (str | Unset):
        after (str | Unset):
        event_type (str | Unset):
        outcome (str | Unset):
        status_code (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):
        include_tests (bool | Unset):
        all_tenants (bool | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[EventPage | Problem]
    """

    kwargs = _get_kwargs(
        limit=limit,
        cursor=cursor,
        after=after,
        event_type=event_type,
        outcome=outcome,
        status_code=status_code,
        since=since,
        until=until,
        include_tests=include_tests,
        all_tenants=all_tenants,
        tenterhook_tenant=tenterhook_tenant,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 100,
    cursor: str | Unset = UNSET,
    after: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> EventPage | Problem | None:
    """List events, newest first; with `after` oldest first, to follow them without a gap

    Args:
        limit (int | Unset):  Default: 100.
        cursor (str | Unset):
        after (str | Unset):
        event_type (str | Unset):
        outcome (str | Unset):
        status_code (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):
        include_tests (bool | Unset):
        all_tenants (bool | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        EventPage | Problem
    """

    return (
        await asyncio_detailed(
            client=client,
            limit=limit,
            cursor=cursor,
            after=after,
            event_type=event_type,
            outcome=outcome,
            status_code=status_code,
            since=since,
            until=until,
            include_tests=include_tests,
            all_tenants=all_tenants,
            tenterhook_tenant=tenterhook_tenant,
        )
    ).parsed
