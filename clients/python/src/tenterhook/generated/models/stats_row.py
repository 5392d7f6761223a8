from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.stats_row_failed import StatsRowFailed


T = TypeVar("T", bound="StatsRow")


@_attrs_define
class StatsRow:
    """
    Attributes:
        t (datetime.datetime): where the row begins, in UTC
        attempts (int): how many began in it, without tests
        succeeded (int): attempts that count as delivered
        failed (StatsRowFailed): how many by outcome
        p50_ms (float | None): half of the attempts took at most so many milliseconds, at most 5 % off; null: none
        p95_ms (float | None): 95 % of the attempts took at most so many milliseconds, at most 5 % off; null: none
        p99_ms (float | None): 99 % of the attempts took at most so many milliseconds, at most 5 % off; null: none
    """

    t: datetime.datetime
    attempts: int
    succeeded: int
    failed: StatsRowFailed
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        t = self.t.isoformat()

        attempts = self.attempts

        succeeded = self.succeeded

        failed = self.failed.to_dict()

        p50_ms: float | None
        p50_ms = self.p50_ms

        p95_ms: float | None
        p95_ms = self.p95_ms

        p99_ms: float | None
        p99_ms = self.p99_ms

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "t": t,
                "attempts": attempts,
                "succeeded": succeeded,
                "failed": failed,
                "p50_ms": p50_ms,
                "p95_ms": p95_ms,
                "p99_ms": p99_ms,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.stats_row_failed import StatsRowFailed

        d = dict(src_dict)
        t = datetime.datetime.fromisoformat(d.pop("t"))

        attempts = d.pop("attempts")

        succeeded = d.pop("succeeded")

        failed = StatsRowFailed.from_dict(d.pop("failed"))

        def _parse_p50_ms(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        p50_ms = _parse_p50_ms(d.pop("p50_ms"))

        def _parse_p95_ms(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        p95_ms = _parse_p95_ms(d.pop("p95_ms"))

        def _parse_p99_ms(data: object) -> float | None:
            if data is None:
                return data
            return cast(float | None, data)

        p99_ms = _parse_p99_ms(d.pop("p99_ms"))

        stats_row = cls(
            t=t,
            attempts=attempts,
            succeeded=succeeded,
            failed=failed,
            p50_ms=p50_ms,
            p95_ms=p95_ms,
            p99_ms=p99_ms,
        )

        stats_row.additional_properties = d
        return stats_row

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
