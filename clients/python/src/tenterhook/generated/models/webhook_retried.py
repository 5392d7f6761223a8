from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="WebhookRetried")


@_attrs_define
class WebhookRetried:
    """
    Attributes:
        endpoint (str): id of the endpoint, even if it is deleted; null: nothing is known about it
        retrying (int): deliveries that waited for another attempt and are due now
        pending (int): deliveries that wait for their first attempt
        under_way (int): requests under way
    """

    endpoint: str
    retrying: int
    pending: int
    under_way: int
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        endpoint = self.endpoint

        retrying = self.retrying

        pending = self.pending

        under_way = self.under_way

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "endpoint": endpoint,
                "retrying": retrying,
                "pending": pending,
                "under_way": under_way,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        endpoint = d.pop("endpoint")

        retrying = d.pop("retrying")

        pending = d.pop("pending")

        under_way = d.pop("under_way")

        webhook_retried = cls(
            endpoint=endpoint,
            retrying=retrying,
            pending=pending,
            under_way=under_way,
        )

        webhook_retried.additional_properties = d
        return webhook_retried

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
