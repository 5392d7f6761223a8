from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.outcome import Outcome
from ..types import UNSET, Unset

T = TypeVar("T", bound="AttemptSummary")


@_attrs_define
class AttemptSummary:
    """
    Attributes:
        number (int): number of the attempt, from 1
        time (datetime.datetime): when the attempt began
        outcome (Outcome):
        status (int | None): HTTP status of the answer; null: there was none
        duration_ms (float | None | Unset): milliseconds of the whole attempt
    """

    number: int
    time: datetime.datetime
    outcome: Outcome
    status: int | None
    duration_ms: float | None | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        number = self.number

        time = self.time.isoformat()

        outcome = self.outcome.value

        status: int | None
        status = self.status

        duration_ms: float | None | Unset
        if isinstance(self.duration_ms, Unset):
            duration_ms = UNSET
        else:
            duration_ms = self.duration_ms

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "number": number,
                "time": time,
                "outcome": outcome,
                "status": status,
            }
        )
        if duration_ms is not UNSET:
            field_dict["duration_ms"] = duration_ms

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        number = d.pop("number")

        time = datetime.datetime.fromisoformat(d.pop("time"))

        outcome = Outcome(d.pop("outcome"))

        def _parse_status(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        status = _parse_status(d.pop("status"))

        def _parse_duration_ms(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        duration_ms = _parse_duration_ms(d.pop("duration_ms", UNSET))

        attempt_summary = cls(
            number=number,
            time=time,
            outcome=outcome,
            status=status,
            duration_ms=duration_ms,
        )

        attempt_summary.additional_properties = d
        return attempt_summary

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
