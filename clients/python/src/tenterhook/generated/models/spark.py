from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="Spark")


@_attrs_define
class Spark:
    """
    Attributes:
        endpoint (str): id of the endpoint, even if it is deleted; null: nothing is known about it
        succeeded (list[int]): 24 numbers, the oldest first: attempts that began in these five minutes and succeeded
        failed (list[int]): the same of attempts that failed
    """

    endpoint: str
    succeeded: list[int]
    failed: list[int]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        endpoint = self.endpoint

        succeeded = self.succeeded

        failed = self.failed

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "endpoint": endpoint,
                "succeeded": succeeded,
                "failed": failed,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        endpoint = d.pop("endpoint")

        succeeded = cast(list[int], d.pop("succeeded"))

        failed = cast(list[int], d.pop("failed"))

        spark = cls(
            endpoint=endpoint,
            succeeded=succeeded,
            failed=failed,
        )

        spark.additional_properties = d
        return spark

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
