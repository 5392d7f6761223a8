from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="FirstAttempts")


@_attrs_define
class FirstAttempts:
    """
    Attributes:
        count (int): how many there were
        failed (int): how many of them failed
        failed_percent (int | None): the same in percent; null: there were none
    """

    count: int
    failed: int
    failed_percent: int | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        count = self.count

        failed = self.failed

        failed_percent: int | None
        failed_percent = self.failed_percent

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "count": count,
                "failed": failed,
                "failed_percent": failed_percent,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        count = d.pop("count")

        failed = d.pop("failed")

        def _parse_failed_percent(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        failed_percent = _parse_failed_percent(d.pop("failed_percent"))

        first_attempts = cls(
            count=count,
            failed=failed,
            failed_percent=failed_percent,
        )

        first_attempts.additional_properties = d
        return first_attempts

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
