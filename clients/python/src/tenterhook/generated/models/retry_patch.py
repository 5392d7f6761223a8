from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="RetryPatch")


@_attrs_define
class RetryPatch:
    """
    Attributes:
        delays (list[int | str] | None | Unset): seconds to wait after the failure of attempt 1, 2, ...; a text such as
            5m is taken too; []: one attempt
        jitter_percent (int | None | Unset): how much of a delay is added at random, at most
        final (list[str] | None | Unset): statuses after which there is no other attempt: 404, 4xx, 400-499
        respect_retry_after (bool | None | Unset): whether Retry-After of 429 and 503, or of the statuses that the
            dialect names, puts off the next attempt
    """

    delays: list[int | str] | None | Unset = UNSET
    jitter_percent: int | None | Unset = UNSET
    final: list[str] | None | Unset = UNSET
    respect_retry_after: bool | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        delays: list[int | str] | None | Unset
        if isinstance(self.delays, Unset):
            delays = UNSET
        elif isinstance(self.delays, list):
            delays = []
            for delays_type_0_item_data in self.delays:
                delays_type_0_item: int | str
                delays_type_0_item = delays_type_0_item_data
                delays.append(delays_type_0_item)

        else:
            delays = self.delays

        jitter_percent: int | None | Unset
        if isinstance(self.jitter_percent, Unset):
            jitter_percent = UNSET
        else:
            jitter_percent = self.jitter_percent

        final: list[str] | None | Unset
        if isinstance(self.final, Unset):
            final = UNSET
        elif isinstance(self.final, list):
            final = self.final

        else:
            final = self.final

        respect_retry_after: bool | None | Unset
        if isinstance(self.respect_retry_after, Unset):
            respect_retry_after = UNSET
        else:
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

        def _parse_delays(data: object) -> list[int | str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                delays_type_0 = []
                _delays_type_0 = data
                for delays_type_0_item_data in _delays_type_0:

                    def _parse_delays_type_0_item(data: object) -> int | str:
                        return cast(int | str, data)

                    delays_type_0_item = _parse_delays_type_0_item(
                        delays_type_0_item_data
                    )

                    delays_type_0.append(delays_type_0_item)

                return delays_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[int | str] | None | Unset, data)

        delays = _parse_delays(d.pop("delays", UNSET))

        def _parse_jitter_percent(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        jitter_percent = _parse_jitter_percent(d.pop("jitter_percent", UNSET))

        def _parse_final(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                final_type_0 = cast(list[str], data)

                return final_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | None | Unset, data)

        final = _parse_final(d.pop("final", UNSET))

        def _parse_respect_retry_after(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        respect_retry_after = _parse_respect_retry_after(
            d.pop("respect_retry_after", UNSET)
        )

        retry_patch = cls(
            delays=delays,
            jitter_percent=jitter_percent,
            final=final,
            respect_retry_after=respect_retry_after,
        )

        return retry_patch
