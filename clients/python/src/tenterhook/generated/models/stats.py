from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.stats_step import StatsStep
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.backlog_row import BacklogRow
    from ..models.stats_row import StatsRow


T = TypeVar("T", bound="Stats")


@_attrs_define
class Stats:
    """
    Attributes:
        step (StatsStep): how long a row is
        since (datetime.datetime): beginning of the first row
        until (datetime.datetime): end of the last row
        complete_from (datetime.datetime): all attempts that began from then on are counted; of earlier ones perhaps not
            all
        data (list[StatsRow]): the rows of this page
        backlog (list[BacklogRow] | Unset): how many deliveries waited, a row for each step in which they were counted;
            not of an endpoint
    """

    step: StatsStep
    since: datetime.datetime
    until: datetime.datetime
    complete_from: datetime.datetime
    data: list[StatsRow]
    backlog: list[BacklogRow] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        step = self.step.value

        since = self.since.isoformat()

        until = self.until.isoformat()

        complete_from = self.complete_from.isoformat()

        data = []
        for data_item_data in self.data:
            data_item = data_item_data.to_dict()
            data.append(data_item)

        backlog: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.backlog, Unset):
            backlog = []
            for backlog_item_data in self.backlog:
                backlog_item = backlog_item_data.to_dict()
                backlog.append(backlog_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "step": step,
                "since": since,
                "until": until,
                "complete_from": complete_from,
                "data": data,
            }
        )
        if backlog is not UNSET:
            field_dict["backlog"] = backlog

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.backlog_row import BacklogRow
        from ..models.stats_row import StatsRow

        d = dict(src_dict)
        step = StatsStep(d.pop("step"))

        since = datetime.datetime.fromisoformat(d.pop("since"))

        until = datetime.datetime.fromisoformat(d.pop("until"))

        complete_from = datetime.datetime.fromisoformat(d.pop("complete_from"))

        data = []
        _data = d.pop("data")
        for data_item_data in _data:
            data_item = StatsRow.from_dict(data_item_data)

            data.append(data_item)

        _backlog = d.pop("backlog", UNSET)
        backlog: list[BacklogRow] | Unset = UNSET
        if _backlog is not UNSET:
            backlog = []
            for backlog_item_data in _backlog:
                backlog_item = BacklogRow.from_dict(backlog_item_data)

                backlog.append(backlog_item)

        stats = cls(
            step=step,
            since=since,
            until=until,
            complete_from=complete_from,
            data=data,
            backlog=backlog,
        )

        stats.additional_properties = d
        return stats

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
