from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define

from ..models.authentication_type import AuthenticationType
from ..types import UNSET, Unset

T = TypeVar("T", bound="Authentication")


@_attrs_define
class Authentication:
    """
    Attributes:
        type_ (AuthenticationType | Unset): basic: HTTP Basic; api_key: a header with a key; a change with the same type
            keeps what it leaves out
        username (str | Unset): basic: the user, without a colon
        password (str | Unset): basic: the password, kept encrypted; *** for keys that may not read secrets
        header (str | Unset): api_key: the header's name, such as X-API-Key
        value (str | Unset): api_key: the header's value, kept encrypted; *** for keys that may not read secrets
    """

    type_: AuthenticationType | Unset = UNSET
    username: str | Unset = UNSET
    password: str | Unset = UNSET
    header: str | Unset = UNSET
    value: str | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        type_: str | Unset = UNSET
        if not isinstance(self.type_, Unset):
            type_ = self.type_.value

        username = self.username

        password = self.password

        header = self.header

        value = self.value

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

        authentication = cls(
            type_=type_,
            username=username,
            password=password,
            header=header,
            value=value,
        )

        return authentication
