from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="MatchValue")


@_attrs_define
class MatchValue:
    """
    Attributes:
        path (str): a path of the term
        found (bool): whether the path found something
        value (Any | Unset): what is there; absent: nothing, or more than 1 KiB
        value_bytes (int | Unset): instead of value, where that is more than 1 KiB
    """

    path: str
    found: bool
    value: Any | Unset = UNSET
    value_bytes: int | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        path = self.path

        found = self.found

        value = self.value

        value_bytes = self.value_bytes

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "path": path,
                "found": found,
            }
        )
        if value is not UNSET:
            field_dict["value"] = value
        if value_bytes is not UNSET:
            field_dict["value_bytes"] = value_bytes

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        path = d.pop("path")

        found = d.pop("found")

        value = d.pop("value", UNSET)

        value_bytes = d.pop("value_bytes", UNSET)

        match_value = cls(
            path=path,
            found=found,
            value=value,
            value_bytes=value_bytes,
        )

        match_value.additional_properties = d
        return match_value

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
