from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="RetrySettings")


@_attrs_define
class RetrySettings:
    """
    Attributes:
        delays (list[int | str] | Unset): seconds to wait after the failure of attempt 1, 2, ...; a text such as 5m is
            taken too; []: one attempt
        jitter_percent (int | Unset): how much of a delay is added at random, at most
        final (list[str] | Unset): statuses after which there is no other attempt: 404, 4xx, 400-499
        respect_retry_after (bool | Unset): whether Retry-After of 429 and 503, or of the statuses that the dialect
            names, puts off the next attempt
    """

    delays: list[int | str] | Unset = UNSET
    jitter_percent: int | Unset = UNSET
    final: list[str] | Unset = UNSET
    respect_retry_after: bool | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        delays: list[int | str] | Unset = UNSET
        if not isinstance(self.delays, Unset):
            delays = []
            for delays_item_data in self.delays:
                delays_item: int | str
                delays_item = delays_item_data
                delays.append(delays_item)

        jitter_percent = self.jitter_percent

        final: list[str] | Unset = UNSET
        if not isinstance(self.final, Unset):
            final = self.final

        respect_retry_after = self.respect_retry_after

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if delays is not UNSET:
            field_dict["delays"] = delays
        if jitter_percent is not UNSET:
            field_dict["jitter_percent"] = jitter_percent
        if final is not UNSET:
            field_dict["final"] = final
        if respect_retry_after is not UNSET:
            field_dict["respect_retry_after"] = respect_retry_after

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        _delays = d.pop("delays", UNSET)
        delays: list[int | str] | Unset = UNSET
        if _delays is not UNSET:
            delays = []
            for delays_item_data in _delays:

                def _parse_delays_item(data: object) -> int | str:
                    return cast(int | str, data)

                delays_item = _parse_delays_item(delays_item_data)

                delays.append(delays_item)

        jitter_percent = d.pop("jitter_percent", UNSET)

        final = cast(list[str], d.pop("final", UNSET))

        respect_retry_after = d.pop("respect_retry_after", UNSET)

        retry_settings = cls(
            delays=delays,
            jitter_percent=jitter_percent,
            final=final,
            respect_retry_after=respect_retry_after,
        )

        return retry_settings
