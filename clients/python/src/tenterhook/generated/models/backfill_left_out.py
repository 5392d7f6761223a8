from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="BackfillLeftOut")


@_attrs_define
class BackfillLeftOut:
    """
    Attributes:
        event_type (int): number of events of types that the endpoint, or the request, does not want
        channels (int): number of events that have none of the endpoint's channels
        filter_ (int): number of events in which the endpoint's filter finds nothing
        expired (int): number of events that have expired
        erased (int): number of events whose content has been erased
    """

    event_type: int
    channels: int
    filter_: int
    expired: int
    erased: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        event_type = self.event_type

        channels = self.channels

        filter_ = self.filter_

        expired = self.expired

        erased = self.erased

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "event_type": event_type,
                "channels": channels,
                "filter": filter_,
                "expired": expired,
                "erased": erased,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        event_type = d.pop("event_type")

        channels = d.pop("channels")

        filter_ = d.pop("filter")

        expired = d.pop("expired")

        erased = d.pop("erased")

        backfill_left_out = cls(
            event_type=event_type,
            channels=channels,
            filter_=filter_,
            expired=expired,
            erased=erased,
        )

        backfill_left_out.additional_properties = d
        return backfill_left_out

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
