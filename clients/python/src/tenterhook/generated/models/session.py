from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.role import Role
from ..types import UNSET, Unset

T = TypeVar("T", bound="Session")


@_attrs_define
class Session:
    """
    Attributes:
        id (str): its id; it never changes
        key (str): id of the key for which it stands; operator: the key of the configuration
        role (Role):
        name (str): whose key it is; empty: the operator's key of the configuration
        created_at (datetime.datetime): when it was made
        expires_at (datetime.datetime): when it ends; null or absent: never
        used_at (datetime.datetime | Unset): when the last request came with it
        idle_seconds (int | Unset): seconds without a request after which it ends
        from_ (str | Unset): address of the client that made it
    """

    id: str
    key: str
    role: Role
    name: str
    created_at: datetime.datetime
    expires_at: datetime.datetime
    used_at: datetime.datetime | Unset = UNSET
    idle_seconds: int | Unset = UNSET
    from_: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        key = self.key

        role = self.role.value

        name = self.name

        created_at = self.created_at.isoformat()

        expires_at = self.expires_at.isoformat()

        used_at: str | Unset = UNSET
        if not isinstance(self.used_at, Unset):
            used_at = self.used_at.isoformat()

        idle_seconds = self.idle_seconds

        from_ = self.from_

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "key": key,
                "role": role,
                "name": name,
                "created_at": created_at,
                "expires_at": expires_at,
            }
        )
        if used_at is not UNSET:
            field_dict["used_at"] = used_at
        if idle_seconds is not UNSET:
            field_dict["idle_seconds"] = idle_seconds
        if from_ is not UNSET:
            field_dict["from"] = from_

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        key = d.pop("key")

        role = Role(d.pop("role"))

        name = d.pop("name")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        expires_at = datetime.datetime.fromisoformat(d.pop("expires_at"))

        _used_at = d.pop("used_at", UNSET)
        used_at: datetime.datetime | Unset
        if isinstance(_used_at, Unset):
            used_at = UNSET
        else:
            used_at = datetime.datetime.fromisoformat(_used_at)

        idle_seconds = d.pop("idle_seconds", UNSET)

        from_ = d.pop("from", UNSET)

        session = cls(
            id=id,
            key=key,
            role=role,
            name=name,
            created_at=created_at,
            expires_at=expires_at,
            used_at=used_at,
            idle_seconds=idle_seconds,
            from_=from_,
        )

        session.additional_properties = d
        return session

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
