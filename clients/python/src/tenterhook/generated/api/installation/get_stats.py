import datetime
from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.get_stats_step import GetStatsStep
from ...models.problem import Problem
from ...models.stats import Stats
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    tenant: str | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    step: GetStatsStep | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(tenterhook_tenant, Unset):
        headers["Tenterhook-Tenant"] = tenterhook_tenant

    params: dict[str, Any] = {}

    params["tenant"] = tenant

    params["endpoint"] = endpoint

    json_since: str | Unset = UNSET
    if not isinstance(since, Unset):
        json_since = since.isoformat()
    params["since"] = json_since

    json_until: str | Unset = UNSET
    if not isinstance(until, Unset):
        json_until = until.isoformat()
    params["until"] = json_until

    json_step: str | Unset = UNSET
    if not isinstance(step, Unset):
        json_step = step.value

    params["step"] = json_step

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/stats",
        "params": params,
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | Stats | None:
    if response.status_code == 200:
        response_200 = Stats.from_dict(response.json())

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
) -> Response[Problem | Stats]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    tenant: str | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    step: GetStatsStep | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Response[Problem | Stats]:
    """Count attempts by minute, hour or day: of an endpoint, the tenant, or with the operator's key of all
    tenants

    Args:
        tenant (str | Unset):
        endpoint (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):
        step (GetStatsStep | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | Stats]
    """

    kwargs = _get_kwargs(
        tenant=tenant,
        endpoint=endpoint,
        since=since,
        until=until,
        step=step,
        tenterhook_tenant=tenterhook_tenant,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    tenant: str | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    step: GetStatsStep | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Problem | Stats | None:
    """Count attempts by minute, hour or day: of an endpoint, the tenant, or with the operator's key of all
    tenants

    Args:
        tenant (str | Unset):
        endpoint (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):
        step (GetStatsStep | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | Stats
    """

    return sync_detailed(
        client=client,
        tenant=tenant,
        endpoint=endpoint,
        since=since,
        until=until,
        step=step,
        tenterhook_tenant=tenterhook_tenant,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    tenant: str | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    step: GetStatsStep | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Response[Problem | Stats]:
    """Count attempts by minute, hour or day: of an endpoint, the tenant, or with the operator's key of all
    tenants

    Args:
        tenant (str | Unset):
        endpoint (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):
        step (GetStatsStep | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | Stats]
    """

    kwargs = _get_kwargs(
        tenant=tenant,
        endpoint=endpoint,
        since=since,
        until=until,
        step=step,
        tenterhook_tenant=tenterhook_tenant,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    tenant: str | Unset = UNSET,
    endpoint: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
    step: GetStatsStep | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Problem | Stats | None:
    """Count attempts by minute, hour or day: of an endpoint, the tenant, or with the operator's key of all
    tenants

    Args:
        tenant (str | Unset):
        endpoint (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):
        step (GetStatsStep | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | Stats
    """

    return (
        await asyncio_detailed(
            client=client,
            tenant=tenant,
            endpoint=endpoint,
            since=since,
            until=until,
            step=step,
            tenterhook_tenant=tenterhook_tenant,
        )
    ).parsed
