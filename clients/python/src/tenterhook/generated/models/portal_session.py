from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.portal_scope import PortalScope
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.portal_theme import PortalTheme


T = TypeVar("T", bound="PortalSession")


@_attrs_define
class PortalSession:
    """
    Attributes:
        id (str): its id; it never changes
        scopes (list[PortalScope]): what it may do; each scope includes the ones before
        expires_at (datetime.datetime): when it ends; null or absent: never
        dialect (str): name of the form in which the tenant's endpoints get events
        theme (PortalTheme):
        idle_seconds (int | Unset): seconds without a request after which it ends
        return_url (None | str | Unset): where the portal leads back to; null: nowhere
    """

    id: str
    scopes: list[PortalScope]
    expires_at: datetime.datetime
    dialect: str
    theme: PortalTheme
    idle_seconds: int | Unset = UNSET
    return_url: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        scopes = []
        for scopes_item_data in self.scopes:
            scopes_item = scopes_item_data.value
            scopes.append(scopes_item)

        expires_at = self.expires_at.isoformat()

        dialect = self.dialect

        theme = self.theme.to_dict()

        idle_seconds = self.idle_seconds

        return_url: None | str | Unset
        if isinstance(self.return_url, Unset):
            return_url = UNSET
        else:
            return_url = self.return_url

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "scopes": scopes,
                "expires_at": expires_at,
                "dialect": dialect,
                "theme": theme,
            }
        )
        if idle_seconds is not UNSET:
            field_dict["idle_seconds"] = idle_seconds
        if return_url is not UNSET:
            field_dict["return_url"] = return_url

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.portal_theme import PortalTheme

        d = dict(src_dict)
        id = d.pop("id")

        scopes = []
        _scopes = d.pop("scopes")
        for scopes_item_data in _scopes:
            scopes_item = PortalScope(scopes_item_data)

            scopes.append(scopes_item)

        expires_at = datetime.datetime.fromisoformat(d.pop("expires_at"))

        dialect = d.pop("dialect")

        theme = PortalTheme.from_dict(d.pop("theme"))

        idle_seconds = d.pop("idle_seconds", UNSET)

        def _parse_return_url(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        return_url = _parse_return_url(d.pop("return_url", UNSET))

        portal_session = cls(
            id=id,
            scopes=scopes,
            expires_at=expires_at,
            dialect=dialect,
            theme=theme,
            idle_seconds=idle_seconds,
            return_url=return_url,
        )

        portal_session.additional_properties = d
        return portal_session

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
