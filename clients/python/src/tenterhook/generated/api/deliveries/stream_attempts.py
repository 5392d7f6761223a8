from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.problem import Problem
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    after: str | Unset = UNSET,
    max_rate: int | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    event: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    last_event_id: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(tenterhook_tenant, Unset):
        headers["Tenterhook-Tenant"] = tenterhook_tenant

    if not isinstance(last_event_id, Unset):
        headers["Last-Event-ID"] = last_event_id

    params: dict[str, Any] = {}

    params["after"] = after

    params["max_rate"] = max_rate

    params["endpoint"] = endpoint

    params["event"] = event

    params["event_type"] = event_type

    params["outcome"] = outcome

    params["status_code"] = status_code

    params["include_tests"] = include_tests

    params["all_tenants"] = all_tenants

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/attempts/stream",
        "params": params,
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | str | None:
    if response.status_code == 200:
        response_200 = response.text
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
) -> Response[Problem | str]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    after: str | Unset = UNSET,
    max_rate: int | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    event: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    last_event_id: str | Unset = UNSET,
) -> Response[Problem | str]:
    """Follow attempts as they end, as server-sent events

    Args:
        after (str | Unset):
        max_rate (int | Unset):
        endpoint (str | Unset):
        event (str | Unset):
        event_type (str | Unset):
        outcome (str | Unset):
        status_code (str | Unset):
        include_tests (bool | Unset):
        all_tenants (bool | Unset):
        tenterhook_tenant (str | Unset):
        last_event_id (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | str]
    """

    kwargs = _get_kwargs(
        after=after,
        max_rate=max_rate,
        endpoint=endpoint,
        event=event,
        event_type=event_type,
        outcome=outcome,
        status_code=status_code,
        include_tests=include_tests,
        all_tenants=all_tenants,
        tenterhook_tenant=tenterhook_tenant,
        last_event_id=last_event_id,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    after: str | Unset = UNSET,
    max_rate: int | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    event: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    last_event_id: str | Unset = UNSET,
) -> Problem | str | None:
    """Follow attempts as they end, as server-sent events

    Args:
        after (str | Unset):
        max_rate (int | Unset):
        endpoint (str | Unset):
        event (str | Unset):
        event_type (str | Unset):
        outcome (str | Unset):
        status_code (str | Unset):
        include_tests (bool | Unset):
        all_tenants (bool | Unset):
        tenterhook_tenant (str | Unset):
        last_event_id (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | str
    """

    return sync_detailed(
        client=client,
        after=after,
        max_rate=max_rate,
        endpoint=endpoint,
        event=event,
        event_type=event_type,
        outcome=outcome,
        status_code=status_code,
        include_tests=include_tests,
        all_tenants=all_tenants,
        tenterhook_tenant=tenterhook_tenant,
        last_event_id=last_event_id,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    after: str | Unset = UNSET,
    max_rate: int | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    event: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    last_event_id: str | Unset = UNSET,
) -> Response[Problem | str]:
    """Follow attempts as they end, as server-sent events

    Args:
        after (str | Unset):
        max_rate (int | Unset):
        endpoint (str | Unset):
        event (str | Unset):
        event_type (str | Unset):
        outcome (str | Unset):
        status_code (str | Unset):
        include_tests (bool | Unset):
        all_tenants (bool | Unset):
        tenterhook_tenant (str | Unset):
        last_event_id (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | str]
    """

    kwargs = _get_kwargs(
        after=after,
        max_rate=max_rate,
        endpoint=endpoint,
        event=event,
        event_type=event_type,
        outcome=outcome,
        status_code=status_code,
        include_tests=include_tests,
        all_tenants=all_tenants,
        tenterhook_tenant=tenterhook_tenant,
        last_event_id=last_event_id,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    after: str | Unset = UNSET,
    max_rate: int | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    event: str | Unset = UNSET,
    event_type: str | Unset = UNSET,
    outcome: str | Unset = UNSET,
    status_code: str | Unset = UNSET,
    include_tests: bool | Unset = UNSET,
    all_tenants: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    last_event_id: str | Unset = UNSET,
) -> Problem | str | None:
    """Follow attempts as they end, as server-sent events

    Args:
        after (str | Unset):
        max_rate (int | Unset):
        endpoint (str | Unset):
        event (str | Unset):
        event_type (str | Unset):
        outcome (str | Unset):
        status_code (str | Unset):
        include_tests (bool | Unset):
        all_tenants (bool | Unset):
        tenterhook_tenant (str | Unset):
        last_event_id (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | str
    """

    return (
        await asyncio_detailed(
            client=client,
            after=after,
            max_rate=max_rate,
            endpoint=endpoint,
            event=event,
            event_type=event_type,
            outcome=outcome,
            status_code=status_code,
            include_tests=include_tests,
            all_tenants=all_tenants,
            tenterhook_tenant=tenterhook_tenant,
            last_event_id=last_event_id,
        )
    ).parsed
