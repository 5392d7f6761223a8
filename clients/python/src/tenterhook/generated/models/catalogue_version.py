from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="CatalogueVersion")


@_attrs_define
class CatalogueVersion:
    """
    Attributes:
        version (str): a date, or a whole number
        sunset (datetime.datetime | Unset): when nobody should want this version any more; absent: not said
    """

    version: str
    sunset: datetime.datetime | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        version = self.version

        sunset: str | Unset = UNSET
        if not isinstance(self.sunset, Unset):
            sunset = self.sunset.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "version": version,
            }
        )
        if sunset is not UNSET:
            field_dict["sunset"] = sunset

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        version = d.pop("version")

        _sunset = d.pop("sunset", UNSET)
        sunset: datetime.datetime | Unset
        if isinstance(_sunset, Unset):
            sunset = UNSET
        else:
            sunset = datetime.datetime.fromisoformat(_sunset)

        catalogue_version = cls(
            version=version,
            sunset=sunset,
        )

        catalogue_version.additional_properties = d
        return catalogue_version

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
