from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="Ordering")


@_attrs_define
class Ordering:
    """
    Attributes:
        key (None | str | Unset): a JSONPath that finds one value in the event, such as $.data.order_id; null: the whole
            endpoint has one order
        max_wait (None | str | Unset): for how long a delivery that has failed holds up the next of its key, 1s to 30d;
            null: until it has ended
        batch (int | None | Unset): so many deliveries of one key go in one request at most, as a list, 2 to 100; 1,
            null or absent: each goes alone
    """

    key: None | str | Unset = UNSET
    max_wait: None | str | Unset = UNSET
    batch: int | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        key: None | str | Unset
        if isinstance(self.key, Unset):
            key = UNSET
        else:
            key = self.key

        max_wait: None | str | Unset
        if isinstance(self.max_wait, Unset):
            max_wait = UNSET
        else:
            max_wait = self.max_wait

        batch: int | None | Unset
        if isinstance(self.batch, Unset):
            batch = UNSET
        else:
            batch = self.batch

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if key is not UNSET:
            field_dict["key"] = key
        if max_wait is not UNSET:
            field_dict["max_wait"] = max_wait
        if batch is not UNSET:
            field_dict["batch"] = batch

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)

        def _parse_key(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        key = _parse_key(d.pop("key", UNSET))

        def _parse_max_wait(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        max_wait = _parse_max_wait(d.pop("max_wait", UNSET))

        def _parse_batch(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        batch = _parse_batch(d.pop("batch", UNSET))

        ordering = cls(
            key=key,
            max_wait=max_wait,
            batch=batch,
        )

        return ordering
