from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.problem import Problem
from ...models.sparks import Sparks
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    endpoints: str | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(tenterhook_tenant, Unset):
        headers["Tenterhook-Tenant"] = tenterhook_tenant

    params: dict[str, Any] = {}

    params["endpoints"] = endpoints

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/stats/sparks",
        "params": params,
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Problem | Sparks | None:
    if response.status_code == 200:
        response_200 = Sparks.from_dict(response.json())

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
) -> Response[Problem | Sparks]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    endpoints: str | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Response[Problem | Sparks]:
    """Count the attempts of several endpoints in the last two hours, by five minutes, for a list of them

    Args:
        endpoints (str | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | Sparks]
    """

    kwargs = _get_kwargs(
        endpoints=endpoints,
        tenterhook_tenant=tenterhook_tenant,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    endpoints: str | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Problem | Sparks | None:
    """Count the attempts of several endpoints in the last two hours, by five minutes, for a list of them

    Args:
        endpoints (str | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | Sparks
    """

    return sync_detailed(
        client=client,
        endpoints=endpoints,
        tenterhook_tenant=tenterhook_tenant,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    endpoints: str | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Response[Problem | Sparks]:
    """Count the attempts of several endpoints in the last two hours, by five minutes, for a list of them

    Args:
        endpoints (str | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | Sparks]
    """

    kwargs = _get_kwargs(
        endpoints=endpoints,
        tenterhook_tenant=tenterhook_tenant,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    endpoints: str | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
) -> Problem | Sparks | None:
    """Count the attempts of several endpoints in the last two hours, by five minutes, for a list of them

    Args:
        endpoints (str | Unset):
        tenterhook_tenant (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | Sparks
    """

    return (
        await asyncio_detailed(
            client=client,
            endpoints=endpoints,
            tenterhook_tenant=tenterhook_tenant,
        )
    ).parsed
