from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define

from ..models.portal_theme_lang import PortalThemeLang
from ..models.portal_theme_mode import PortalThemeMode
from ..types import UNSET, Unset

T = TypeVar("T", bound="PortalTheme")


@_attrs_define
class PortalTheme:
    """
    Attributes:
        accent (str | Unset): colour of links and of the main button in light mode; one that is too pale to be read is
            darkened
        accent_dark (str | Unset): the same in dark mode; absent: the accent, made lighter until it can be read
        ground (str | Unset): colour of the page in light mode
        ground_dark (str | Unset): colour of the page in dark mode
        radius (int | Unset): how round corners are, in pixels
        logo (str | Unset): the picture itself, as data:image/png;base64,… (or jpeg, gif, webp)
        name (str | Unset): the platform's name, as its customers know it
        lang (PortalThemeLang | Unset): language of the portal; absent: what the browser asks for
        mode (PortalThemeMode | Unset): light, dark, or auto: what the reader's system says
    """

    accent: str | Unset = UNSET
    accent_dark: str | Unset = UNSET
    ground: str | Unset = UNSET
    ground_dark: str | Unset = UNSET
    radius: int | Unset = UNSET
    logo: str | Unset = UNSET
    name: str | Unset = UNSET
    lang: PortalThemeLang | Unset = UNSET
    mode: PortalThemeMode | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        accent = self.accent

        accent_dark = self.accent_dark

        ground = self.ground

        ground_dark = self.ground_dark

        radius = self.radius

        logo = self.logo

        name = self.name

        lang: str | Unset = UNSET
        if not isinstance(self.lang, Unset):
            lang = self.lang.value

        mode: str | Unset = UNSET
        if not isinstance(self.mode, Unset):
            mode = self.mode.value

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if accent is not UNSET:
            field_dict["accent"] = accent
        if accent_dark is not UNSET:
            field_dict["accent_dark"] = accent_dark
        if ground is not UNSET:
            field_dict["ground"] = ground
        if ground_dark is not UNSET:
            field_dict["ground_dark"] = ground_dark
        if radius is not UNSET:
            field_dict["radius"] = radius
        if logo is not UNSET:
            field_dict["logo"] = logo
        if name is not UNSET:
            field_dict["name"] = name
        if lang is not UNSET:
            field_dict["lang"] = lang
        if mode is not UNSET:
            field_dict["mode"] = mode

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        accent = d.pop("accent", UNSET)

        accent_dark = d.pop("accent_dark", UNSET)

        ground = d.pop("ground", UNSET)

        ground_dark = d.pop("ground_dark", UNSET)

        radius = d.pop("radius", UNSET)

        logo = d.pop("logo", UNSET)

        name = d.pop("name", UNSET)

        _lang = d.pop("lang", UNSET)
        lang: PortalThemeLang | Unset
        if isinstance(_lang, Unset):
            lang = UNSET
        else:
            lang = PortalThemeLang(_lang)

        _mode = d.pop("mode", UNSET)
        mode: PortalThemeMode | Unset
        if isinstance(_mode, Unset):
            mode = UNSET
        else:
            mode = PortalThemeMode(_mode)

        portal_theme = cls(
            accent=accent,
            accent_dark=accent_dark,
            ground=ground,
            ground_dark=ground_dark,
            radius=radius,
            logo=logo,
            name=name,
            lang=lang,
            mode=mode,
        )

        return portal_theme
