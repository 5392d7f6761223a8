from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.explain import Explain
from ...models.explain_request_tenterhook_form import ExplainRequestTenterhookForm
from ...models.explained import Explained
from ...models.problem import Problem
from ...types import UNSET, Response, Unset


def _get_kwargs(
    id: str,
    *,
    body: Explain,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: ExplainRequestTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(tenterhook_tenant, Unset):
        headers["Tenterhook-Tenant"] = tenterhook_tenant

    if not isinstance(tenterhook_form, Unset):
        headers["Tenterhook-Form"] = str(tenterhook_form)

    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/v1/webhooks/{id}/explain".format(
            id=quote(str(id), safe=""),
        ),
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Explained | Problem | None:
    if response.status_code == 200:
        response_200 = Explained.from_dict(response.json())

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
) -> Response[Explained | Problem]:
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
    body: Explain,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: ExplainRequestTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[Explained | Problem]:
    """Say why the signature of a request verifies or not, step by step; nothing is stored

    Args:
        id (str):
        tenterhook_tenant (str | Unset):
        tenterhook_form (ExplainRequestTenterhookForm | Unset):
        idempotency_key (str | Unset):
        body (Explain):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Explained | Problem]
    """

    kwargs = _get_kwargs(
        id=id,
        body=body,
        tenterhook_tenant=tenterhook_tenant,
        tenterhook_form=tenterhook_form,
        idempotency_key=idempotency_key,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    id: str,
    *,
    client: AuthenticatedClient,
    body: Explain,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: ExplainRequestTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Explained | Problem | None:
    """Say why the signature of a request verifies or not, step by step; nothing is stored

    Args:
        id (str):
        tenterhook_tenant (str | Unset):
        tenterhook_form (ExplainRequestTenterhookForm | Unset):
        idempotency_key (str | Unset):
        body (Explain):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Explained | Problem
    """

    return sync_detailed(
        id=id,
        client=client,
        body=body,
        tenterhook_tenant=tenterhook_tenant,
        tenterhook_form=tenterhook_form,
        idempotency_key=idempotency_key,
    ).parsed


async def asyncio_detailed(
    id: str,
    *,
    client: AuthenticatedClient,
    body: Explain,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: ExplainRequestTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Response[Explained | Problem]:
    """Say why the signature of a request verifies or not, step by step; nothing is stored

    Args:
        id (str):
        tenterhook_tenant (str | Unset):
        tenterhook_form (ExplainRequestTenterhookForm | Unset):
        idempotency_key (str | Unset):
        body (Explain):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Explained | Problem]
    """

    kwargs = _get_kwargs(
        id=id,
        body=body,
        tenterhook_tenant=tenterhook_tenant,
        tenterhook_form=tenterhook_form,
        idempotency_key=idempotency_key,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    id: str,
    *,
    client: AuthenticatedClient,
    body: Explain,
    tenterhook_tenant: str | Unset = UNSET,
    tenterhook_form: ExplainRequestTenterhookForm | Unset = UNSET,
    idempotency_key: str | Unset = UNSET,
) -> Explained | Problem | None:
    """Say why the signature of a request verifies or not, step by step; nothing is stored

    Args:
        id (str):
        tenterhook_tenant (str | Unset):
        tenterhook_form (ExplainRequestTenterhookForm | Unset):
        idempotency_key (str | Unset):
        body (Explain):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Explained | Problem
    """

    return (
        await asyncio_detailed(
            id=id,
            client=client,
            body=body,
            tenterhook_tenant=tenterhook_tenant,
            tenterhook_form=tenterhook_form,
            idempotency_key=idempotency_key,
        )
    ).parsed
