from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define

from ..models.portal_scope import PortalScope
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.portal_theme import PortalTheme


T = TypeVar("T", bound="PortalLinkNew")


@_attrs_define
class PortalLinkNew:
    """
    Attributes:
        scopes (list[PortalScope]): what it may do: look, manage, and see and rotate secrets; each includes the ones
            before
        expires_in (int | Unset): seconds for which the link waits to be opened; absent: 900
        theme (PortalTheme | Unset):
        return_url (str | Unset): where the portal leads back to; null: nowhere
    """

    scopes: list[PortalScope]
    expires_in: int | Unset = UNSET
    theme: PortalTheme | Unset = UNSET
    return_url: str | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        scopes = []
        for scopes_item_data in self.scopes:
            scopes_item = scopes_item_data.value
            scopes.append(scopes_item)

        expires_in = self.expires_in

        theme: dict[str, Any] | Unset = UNSET
        if not isinstance(self.theme, Unset):
            theme = self.theme.to_dict()

        return_url = self.return_url

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "scopes": scopes,
            }
        )
        if expires_in is not UNSET:
            field_dict["expires_in"] = expires_in
        if theme is not UNSET:
            field_dict["theme"] = theme
        if return_url is not UNSET:
            field_dict["return_url"] = return_url

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.portal_theme import PortalTheme

        d = dict(src_dict)
        scopes = []
        _scopes = d.pop("scopes")
        for scopes_item_data in _scopes:
            scopes_item = PortalScope(scopes_item_data)

            scopes.append(scopes_item)

        expires_in = d.pop("expires_in", UNSET)

        _theme = d.pop("theme", UNSET)
        theme: PortalTheme | Unset
        if isinstance(_theme, Unset):
            theme = UNSET
        else:
            theme = PortalTheme.from_dict(_theme)

        return_url = d.pop("return_url", UNSET)

        portal_link_new = cls(
            scopes=scopes,
            expires_in=expires_in,
            theme=theme,
            return_url=return_url,
        )

        return portal_link_new
