from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.portal_link_made_state import PortalLinkMadeState
from ..models.portal_scope import PortalScope
from ..types import UNSET, Unset

T = TypeVar("T", bound="PortalLinkMade")


@_attrs_define
class PortalLinkMade:
    """
    Attributes:
        id (str): its id; it never changes
        scopes (list[PortalScope]): what it may do; each scope includes the ones before
        created_at (datetime.datetime): when it was made
        expires_at (datetime.datetime): when it cannot be opened any more
        url (str): address that opens the portal, once; shown only here
        state (PortalLinkMadeState | Unset): waiting: it can be opened; open: it was opened, and what it opened has not
            ended
        used_at (datetime.datetime | None | Unset): when the last request came with it
        from_ (None | str | Unset): address of the client that made it
    """

    id: str
    scopes: list[PortalScope]
    created_at: datetime.datetime
    expires_at: datetime.datetime
    url: str
    state: PortalLinkMadeState | Unset = UNSET
    used_at: datetime.datetime | None | Unset = UNSET
    from_: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        scopes = []
        for scopes_item_data in self.scopes:
            scopes_item = scopes_item_data.value
            scopes.append(scopes_item)

        created_at = self.created_at.isoformat()

        expires_at = self.expires_at.isoformat()

        url = self.url

        state: str | Unset = UNSET
        if not isinstance(self.state, Unset):
            state = self.state.value

        used_at: None | str | Unset
        if isinstance(self.used_at, Unset):
            used_at = UNSET
        elif isinstance(self.used_at, datetime.datetime):
            used_at = self.used_at.isoformat()
        else:
            used_at = self.used_at

        from_: None | str | Unset
        if isinstance(self.from_, Unset):
            from_ = UNSET
        else:
            from_ = self.from_

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "scopes": scopes,
                "created_at": created_at,
                "expires_at": expires_at,
                "url": url,
            }
        )
        if state is not UNSET:
            field_dict["state"] = state
        if used_at is not UNSET:
            field_dict["used_at"] = used_at
        if from_ is not UNSET:
            field_dict["from"] = from_

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        scopes = []
        _scopes = d.pop("scopes")
        for scopes_item_data in _scopes:
            scopes_item = PortalScope(scopes_item_data)

            scopes.append(scopes_item)

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        expires_at = datetime.datetime.fromisoformat(d.pop("expires_at"))

        url = d.pop("url")

        _state = d.pop("state", UNSET)
        state: PortalLinkMadeState | Unset
        if isinstance(_state, Unset):
            state = UNSET
        else:
            state = PortalLinkMadeState(_state)

        def _parse_used_at(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                used_at_type_0 = datetime.datetime.fromisoformat(data)

                return used_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        used_at = _parse_used_at(d.pop("used_at", UNSET))

        def _parse_from_(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        from_ = _parse_from_(d.pop("from", UNSET))

        portal_link_made = cls(
            id=id,
            scopes=scopes,
            created_at=created_at,
            expires_at=expires_at,
            url=url,
            state=state,
            used_at=used_at,
            from_=from_,
        )

        portal_link_made.additional_properties = d
        return portal_link_made

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
