from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..models.authentication_client_authentication_type_1 import (
    AuthenticationClientAuthenticationType1,
)
from ..models.authentication_client_authentication_type_2_type_1 import (
    AuthenticationClientAuthenticationType2Type1,
)
from ..models.authentication_client_authentication_type_3_type_1 import (
    AuthenticationClientAuthenticationType3Type1,
)
from ..models.authentication_type import AuthenticationType
from ..types import UNSET, Unset

T = TypeVar("T", bound="Authentication")


@_attrs_define
class Authentication:
    """
    Attributes:
        type_ (AuthenticationType | Unset): basic: HTTP Basic; api_key: a header with a key; oauth2: a token of OAuth
            2.0 (client credentials); a change with the same type keeps what it leaves out
        username (str | Unset): basic: the user, without a colon
        password (str | Unset): basic: the password, kept encrypted; *** for keys that may not read secrets
        header (str | Unset): api_key: the header's name, such as X-API-Key
        value (str | Unset): api_key: the header's value, kept encrypted; *** for keys that may not read secrets
        token_url (str | Unset): oauth2: where tokens are asked for; judged like the endpoint's URL, at each request
        client_id (str | Unset): oauth2: who asks
        client_secret (str | Unset): oauth2: the client's secret, kept encrypted; *** for keys that may not read secrets
        scope (None | str | Unset): oauth2: scopes to ask for, with spaces between; null or absent: none
        audience (None | str | Unset): oauth2: audience to ask for, where the server wants one; null or absent: none
        client_authentication (AuthenticationClientAuthenticationType1 | AuthenticationClientAuthenticationType2Type1 |
            AuthenticationClientAuthenticationType3Type1 | None | Unset): oauth2: how id and secret are shown to the token's
            server: basic (default), or post: in the body
    """

    type_: AuthenticationType | Unset = UNSET
    username: str | Unset = UNSET
    password: str | Unset = UNSET
    header: str | Unset = UNSET
    value: str | Unset = UNSET
    token_url: str | Unset = UNSET
    client_id: str | Unset = UNSET
    client_secret: str | Unset = UNSET
    scope: None | str | Unset = UNSET
    audience: None | str | Unset = UNSET
    client_authentication: (
        AuthenticationClientAuthenticationType1
        | AuthenticationClientAuthenticationType2Type1
        | AuthenticationClientAuthenticationType3Type1
        | None
        | Unset
    ) = UNSET

    def to_dict(self) -> dict[str, Any]:
        type_: str | Unset = UNSET
        if not isinstance(self.type_, Unset):
            type_ = self.type_.value

        username = self.username

        password = self.password

        header = self.header

        value = self.value

        token_url = self.token_url

        client_id = self.client_id

        client_secret = self.client_secret

        scope: None | str | Unset
        if isinstance(self.scope, Unset):
            scope = UNSET
        else:
            scope = self.scope

        audience: None | str | Unset
        if isinstance(self.audience, Unset):
            audience = UNSET
        else:
            audience = self.audience

        client_authentication: None | str | Unset
        if isinstance(self.client_authentication, Unset):
            client_authentication = UNSET
        elif (
            isinstance(
                self.client_authentication, AuthenticationClientAuthenticationType1
            )
            or isinstance(
                self.client_authentication, AuthenticationClientAuthenticationType2Type1
            )
            or isinstance(
                self.client_authentication, AuthenticationClientAuthenticationType3Type1
            )
        ):
            client_authentication = self.client_authentication.value
        else:
            client_authentication = self.client_authentication

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if type_ is not UNSET:
            field_dict["type"] = type_
        if username is not UNSET:
            field_dict["username"] = username
        if password is not UNSET:
            field_dict["password"] = password
        if header is not UNSET:
            field_dict["header"] = header
        if value is not UNSET:
            field_dict["value"] = value
        if token_url is not UNSET:
            field_dict["token_url"] = token_url
        if client_id is not UNSET:
            field_dict["client_id"] = client_id
        if client_secret is not UNSET:
            field_dict["client_secret"] = client_secret
        if scope is not UNSET:
            field_dict["scope"] = scope
        if audience is not UNSET:
            field_dict["audience"] = audience
        if client_authentication is not UNSET:
            field_dict["client_authentication"] = client_authentication

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        _type_ = d.pop("type", UNSET)
        type_: AuthenticationType | Unset
        if isinstance(_type_, Unset):
            type_ = UNSET
        else:
            type_ = AuthenticationType(_type_)

        username = d.pop("username", UNSET)

        password = d.pop("password", UNSET)

        header = d.pop("header", UNSET)

        value = d.pop("value", UNSET)

        token_url = d.pop("token_url", UNSET)

        client_id = d.pop("client_id", UNSET)

        client_secret = d.pop("client_secret", UNSET)

        def _parse_scope(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        scope = _parse_scope(d.pop("scope", UNSET))

        def _parse_audience(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        audience = _parse_audience(d.pop("audience", UNSET))

        def _parse_client_authentication(
            data: object,
        ) -> (
            AuthenticationClientAuthenticationType1
            | AuthenticationClientAuthenticationType2Type1
            | AuthenticationClientAuthenticationType3Type1
            | None
            | Unset
        ):
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                client_authentication_type_1 = AuthenticationClientAuthenticationType1(
                    data
                )

                return client_authentication_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                client_authentication_type_2_type_1 = (
                    AuthenticationClientAuthenticationType2Type1(data)
                )

                return client_authentication_type_2_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, str):
                    raise TypeError()
                client_authentication_type_3_type_1 = (
                    AuthenticationClientAuthenticationType3Type1(data)
                )

                return client_authentication_type_3_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(
                AuthenticationClientAuthenticationType1
                | AuthenticationClientAuthenticationType2Type1
                | AuthenticationClientAuthenticationType3Type1
                | None
                | Unset,
                data,
            )

        client_authentication = _parse_client_authentication(
            d.pop("client_authentication", UNSET)
        )

        authentication = cls(
            type_=type_,
            username=username,
            password=password,
            header=header,
            value=value,
            token_url=token_url,
            client_id=client_id,
            client_secret=client_secret,
            scope=scope,
            audience=audience,
            client_authentication=client_authentication,
        )

        return authentication
