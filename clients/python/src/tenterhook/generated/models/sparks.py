from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.spark import Spark


T = TypeVar("T", bound="Sparks")


@_attrs_define
class Sparks:
    """
    Attributes:
        since (datetime.datetime): beginning of the first five minutes
        until (datetime.datetime): end of the last five minutes, which are not over
        step_seconds (int): seconds of one place in `succeeded` and `failed`
        complete_from (datetime.datetime): all attempts that began from then on are counted; of earlier ones perhaps not
            all
        data (list[Spark]): the rows of this page
    """

    since: datetime.datetime
    until: datetime.datetime
    step_seconds: int
    complete_from: datetime.datetime
    data: list[Spark]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        since = self.since.isoformat()

        until = self.until.isoformat()

        step_seconds = self.step_seconds

        complete_from = self.complete_from.isoformat()

        data = []
        for data_item_data in self.data:
            data_item = data_item_data.to_dict()
            data.append(data_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "since": since,
                "until": until,
                "step_seconds": step_seconds,
                "complete_from": complete_from,
                "data": data,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.spark import Spark

        d = dict(src_dict)
        since = datetime.datetime.fromisoformat(d.pop("since"))

        until = datetime.datetime.fromisoformat(d.pop("until"))

        step_seconds = d.pop("step_seconds")

        complete_from = datetime.datetime.fromisoformat(d.pop("complete_from"))

        data = []
        _data = d.pop("data")
        for data_item_data in _data:
            data_item = Spark.from_dict(data_item_data)

            data.append(data_item)

        sparks = cls(
            since=since,
            until=until,
            step_seconds=step_seconds,
            complete_from=complete_from,
            data=data,
        )

        sparks.additional_properties = d
        return sparks

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
