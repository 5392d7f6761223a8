from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.get_webhook_tenterhook_form import GetWebhookTenterhookForm
from ...models.problem import Problem
from ...models.webhook import Webhook
from ...types import UNSET, Response, Unset


def _get_kwargs(
    id: str,
    *,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: GetWebhookTenterhookForm | Unset = UNSET,
    if_none_match: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(tenterhook_tenant, Unset):
        headers["Tenterhook-Tenant"] = tenterhook_tenant

    if not isinstance(tenterhook_form, Unset):
        headers["Tenterhook-Form"] = str(tenterhook_form)

    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/v1/webhooks/{id}".format(
            id=quote(str(id), safe=""),
        ),
    }

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Any | Problem | Webhook | None:
    if response.status_code == 200:
        response_200 = Webhook.from_dict(response.json())

        return response_200

    if response.status_code == 304:
        response_304 = cast(Any, None)
        return response_304

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
) -> Response[Any | Problem | Webhook]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: GetWebhookTenterhookForm | Unset = UNSET,
    if_none_match: str | Unset = UNSET,
) -> Response[Any | Problem | Webhook]:
    """Show one endpoint

    Args:
        id (str):
        tenterhook_tenant (str | Unset):
        tenterhook_form (GetWebhookTenterhookForm | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Problem | Webhook]
    """

    kwargs = _get_kwargs(
        id=id,
        tenterhook_tenant=tenterhook_tenant,
        tenterhook_form=tenterhook_form,
        if_none_match=if_none_match,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    id: str,
    *,
    client: AuthenticatedClient,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: GetWebhookTenterhookForm | Unset = UNSET,
    if_none_match: str | Unset = UNSET,
) -> Any | Problem | Webhook | None:
    """Show one endpoint

    Args:
        id (str):
        tenterhook_tenant (str | Unset):
        tenterhook_form (GetWebhookTenterhookForm | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Problem | Webhook
    """

    return sync_detailed(
        id=id,
        client=client,
        tenterhook_tenant=tenterhook_tenant,
        tenterhook_form=tenterhook_form,
        if_none_match=if_none_match,
    ).parsed


async def asyncio_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: GetWebhookTenterhookForm | Unset = UNSET,
    if_none_match: str | Unset = UNSET,
) -> Response[Any | Problem | Webhook]:
    """Show one endpoint

    Args:
        id (str):
        tenterhook_tenant (str | Unset):
        tenterhook_form (GetWebhookTenterhookForm | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Problem | Webhook]
    """

    kwargs = _get_kwargs(
        id=id,
        tenterhook_tenant=tenterhook_tenant,
        tenterhook_form=tenterhook_form,
        if_none_match=if_none_match,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    id: str,
    *,
    client: AuthenticatedClient,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: GetWebhookTenterhookForm | Unset = UNSET,
    if_none_match: str | Unset = UNSET,
) -> Any | Problem | Webhook | None:
    """Show one endpoint

    Args:
        id (str):
        tenterhook_tenant (str | Unset):
        tenterhook_form (GetWebhookTenterhookForm | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Problem | Webhook
    """

    return (
        await asyncio_detailed(
            id=id,
            client=client,
            tenterhook_tenant=tenterhook_tenant,
            tenterhook_form=tenterhook_form,
            if_none_match=if_none_match,
        )
    ).parsed
