from http import HTTPStatus
from typing import Any, cast

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.create_webhook_tenterhook_form import CreateWebhookTenterhookForm
from ...models.problem import Problem
from ...models.webhook_created import WebhookCreated
from ...models.webhook_new import WebhookNew
from ...types import UNSET, Response, Unset


def _get_kwargs(
    *,
    body: WebhookNew,
    dry_run: bool | Unset = UNSET,
    dialect: str | Unset = UNSET,
    moved: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: CreateWebhookTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(tenterhook_tenant, Unset):
        headers["Tenterhook-Tenant"] = tenterhook_tenant

    if not isinstance(tenterhook_form, Unset):
        headers["Tenterhook-Form"] = str(tenterhook_form)

    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key

    params: dict[str, Any] = {}

    params["dry_run"] = dry_run

    params["dialect"] = dialect

    params["moved"] = moved

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/webhooks",
        "params": params,
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Any | Problem | WebhookCreated | None:
    if response.status_code == 201:
        response_201 = WebhookCreated.from_dict(response.json())

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
) -> Response[Any | Problem | WebhookCreated]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: WebhookNew,
    dry_run: bool | Unset = UNSET,
    dialect: str | Unset = UNSET,
    moved: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: CreateWebhookTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[Any | Problem | WebhookCreated]:
    """Register an endpoint; its secret is shown once

    Args:
        dry_run (bool | Unset):
        dialect (str | Unset):
        moved (bool | Unset):
        tenterhook_tenant (str | Unset):
        tenterhook_form (CreateWebhookTenterhookForm | Unset):
        idempotency_key (str | Unset):
        body (WebhookNew):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Problem | WebhookCreated]
    """

    kwargs = _get_kwargs(
        body=body,
        dry_run=dry_run,
        dialect=dialect,
        moved=moved,
        tenterhook_tenant=tenterhook_tenant,
        tenterhook_form=tenterhook_form,
        idempotency_key=idempotency_key,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    body: WebhookNew,
    dry_run: bool | Unset = UNSET,
    dialect: str | Unset = UNSET,
    moved: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: CreateWebhookTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Any | Problem | WebhookCreated | None:
    """Register an endpoint; its secret is shown once

    Args:
        dry_run (bool | Unset):
        dialect (str | Unset):
        moved (bool | Unset):
        tenterhook_tenant (str | Unset):
        tenterhook_form (CreateWebhookTenterhookForm | Unset):
        idempotency_key (str | Unset):
        body (WebhookNew):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Problem | WebhookCreated
    """

    return sync_detailed(
        client=client,
        body=body,
        dry_run=dry_run,
        dialect=dialect,
        moved=moved,
        tenterhook_tenant=tenterhook_tenant,
        tenterhook_form=tenterhook_form,
        idempotency_key=idempotency_key,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: WebhookNew,
    dry_run: bool | Unset = UNSET,
    dialect: str | Unset = UNSET,
    moved: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: CreateWebhookTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[Any | Problem | WebhookCreated]:
    """Register an endpoint; its secret is shown once

    Args:
        dry_run (bool | Unset):
        dialect (str | Unset):
        moved (bool | Unset):
        tenterhook_tenant (str | Unset):
        tenterhook_form (CreateWebhookTenterhookForm | Unset):
        idempotency_key (str | Unset):
        body (WebhookNew):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Problem | WebhookCreated]
    """

    kwargs = _get_kwargs(
        body=body,
        dry_run=dry_run,
        dialect=dialect,
        moved=moved,
        tenterhook_tenant=tenterhook_tenant,
        tenterhook_form=tenterhook_form,
        idempotency_key=idempotency_key,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    body: WebhookNew,
    dry_run: bool | Unset = UNSET,
    dialect: str | Unset = UNSET,
    moved: bool | Unset = UNSET,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: CreateWebhookTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Any | Problem | WebhookCreated | None:
    """Register an endpoint; its secret is shown once

    Args:
        dry_run (bool | Unset):
        dialect (str | Unset):
        moved (bool | Unset):
        tenterhook_tenant (str | Unset):
        tenterhook_form (CreateWebhookTenterhookForm | Unset):
        idempotency_key (str | Unset):
        body (WebhookNew):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Problem | WebhookCreated
    """

    return (
        await asyncio_detailed(
            client=client,
            body=body,
            dry_run=dry_run,
            dialect=dialect,
            moved=moved,
            tenterhook_tenant=tenterhook_tenant,
            tenterhook_form=tenterhook_form,
            idempotency_key=idempotency_key,
        )
    ).parsed
