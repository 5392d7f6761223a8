from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.delivery_status import DeliveryStatus
from ..types import UNSET, Unset

T = TypeVar("T", bound="DeliveryQueued")


@_attrs_define
class DeliveryQueued:
    """
    Attributes:
        id (str): its id; it never changes
        status (DeliveryStatus):
        under_way (bool | Unset): a request of it is under way: another one goes out as soon as that has ended, unless
            it delivers
    """

    id: str
    status: DeliveryStatus
    under_way: bool | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        status = self.status.value

        under_way = self.under_way

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "status": status,
            }
        )
        if under_way is not UNSET:
            field_dict["under_way"] = under_way

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        status = DeliveryStatus(d.pop("status"))

        under_way = d.pop("under_way", UNSET)

        delivery_queued = cls(
            id=id,
            status=status,
            under_way=under_way,
        )

        delivery_queued.additional_properties = d
        return delivery_queued

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
