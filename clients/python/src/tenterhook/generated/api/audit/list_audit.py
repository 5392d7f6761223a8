import datetime
from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.audit_page import AuditPage
from ...models.problem import Problem
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    limit: int | Unset = 100,
    cursor: str | Unset = UNSET,
    operation: str | Unset = UNSET,
    result: str | Unset = UNSET,
    key: str | Unset = UNSET,
    session: str | Unset = UNSET,
    tenant: str | Unset = UNSET,
    object_: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    params["limit"] = limit

    params["cursor"] = cursor

    params["operation"] = operation

    params["result"] = result

    params["key"] = key

    params["session"] = session

    params["tenant"] = tenant

    params["object"] = object_

    json_since: str | Unset = UNSET
    if not isinstance(since, Unset):
        json_since = since.isoformat()
    params["since"] = json_since

    json_until: str | Unset = UNSET
    if not isinstance(until, Unset):
        json_until = until.isoformat()
    params["until"] = json_until

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/audit",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> AuditPage | Problem | None:
    if response.status_code == 200:
        response_200 = AuditPage.from_dict(response.json())

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
) -> Response[AuditPage | Problem]:
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
    operation: str | Unset = UNSET,
    result: str | Unset = UNSET,
    key: str | Unset = UNSET,
    session: str | Unset = UNSET,
    tenant: str | Unset = UNSET,
    object_: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
) -> Response[AuditPage | Problem]:
    """List who did what, newest first: changes, what was refused, and reading of secrets

    Args:
        limit (int | Unset):  Default: 100.
        cursor (str | Unset):
        operation (str | Unset):
        result (str | Unset):
        key (str | Unset):
        session (str | Unset):
        tenant (str | Unset):
        object_ (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AuditPage | Problem]
    """

    kwargs = _get_kwargs(
        limit=limit,
        cursor=cursor,
        operation=operation,
        result=result,
        key=key,
        session=session,
        tenant=tenant,
        object_=object_,
        since=since,
        until=until,
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
    operation: str | Unset = UNSET,
    result: str | Unset = UNSET,
    key: str | Unset = UNSET,
    session: str | Unset = UNSET,
    tenant: str | Unset = UNSET,
    object_: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
) -> AuditPage | Problem | None:
    """List who did what, newest first: changes, what was refused, and reading of secrets

    Args:
        limit (int | Unset):  Default: 100.
        cursor (str | Unset):
        operation (str | Unset):
        result (str | Unset):
        key (str | Unset):
        session (str | Unset):
        tenant (str | Unset):
        object_ (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AuditPage | Problem
    """

    return sync_detailed(
        client=client,
        limit=limit,
        cursor=cursor,
        operation=operation,
        result=result,
        key=key,
        session=session,
        tenant=tenant,
        object_=object_,
        since=since,
        until=until,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 100,
    cursor: str | Unset = UNSET,
    operation: str | Unset = UNSET,
    result: str | Unset = UNSET,
    key: str | Unset = UNSET,
    session: str | Unset = UNSET,
    tenant: str | Unset = UNSET,
    object_: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
) -> Response[AuditPage | Problem]:
    """List who did what, newest first: changes, what was refused, and reading of secrets

    Args:
        limit (int | Unset):  Default: 100.
        cursor (str | Unset):
        operation (str | Unset):
        result (str | Unset):
        key (str | Unset):
        session (str | Unset):
        tenant (str | Unset):
        object_ (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[AuditPage | Problem]
    """

    kwargs = _get_kwargs(
        limit=limit,
        cursor=cursor,
        operation=operation,
        result=result,
        key=key,
        session=session,
        tenant=tenant,
        object_=object_,
        since=since,
        until=until,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    limit: int | Unset = 100,
    cursor: str | Unset = UNSET,
    operation: str | Unset = UNSET,
    result: str | Unset = UNSET,
    key: str | Unset = UNSET,
    session: str | Unset = UNSET,
    tenant: str | Unset = UNSET,
    object_: str | Unset = UNSET,
    since: datetime.datetime | Unset = UNSET,
    until: datetime.datetime | Unset = UNSET,
) -> AuditPage | Problem | None:
    """List who did what, newest first: changes, what was refused, and reading of secrets

    Args:
        limit (int | Unset):  Default: 100.
        cursor (str | Unset):
        operation (str | Unset):
        result (str | Unset):
        key (str | Unset):
        session (str | Unset):
        tenant (str | Unset):
        object_ (str | Unset):
        since (datetime.datetime | Unset):
        until (datetime.datetime | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        AuditPage | Problem
    """

    return (
        await asyncio_detailed(
            client=client,
            limit=limit,
            cursor=cursor,
            operation=operation,
            result=result,
            key=key,
            session=session,
            tenant=tenant,
            object_=object_,
            since=since,
            until=until,
        )
    ).parsed
