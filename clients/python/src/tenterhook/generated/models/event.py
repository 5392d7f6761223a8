from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="Event")


@_attrs_define
class Event:
    """
    Attributes:
        id (str): its id; it never changes
        type_ (str): what happened: names joined by full stops
        tenant (str): id of the tenant
        time (datetime.datetime): when it happened
        created_at (datetime.datetime): when it was accepted
        deliveries (int): how many endpoints the event goes to
        resource_type (str | Unset): type of the thing that the event is about; default: as the dialect's catalogue says
        resource_id (str | Unset): id of the thing that the event is about
        channels (list[str] | Unset): only endpoints with one of these channels, and endpoints without channels, get it;
            absent: none
        deliver_at (datetime.datetime | Unset): when its deliveries are first due; absent, or not later than the accept:
            at once
        expires_at (datetime.datetime | Unset): no attempt begins from then on; absent: never
        traceparent (str | Unset): W3C Trace Context with which it was published; absent: none
        version (str | Unset): newest version that its type had when it was accepted; absent: it has none
        schema_error (bool | Unset): true: its data did not fit the schema of its type, or could not be checked; absent
            else
        delivery_count (int | Unset): how many endpoints the event goes to
        test (bool | Unset): true: it is a test; otherwise absent
        erased_at (datetime.datetime | Unset): when the content of the event was erased; absent if it was not
    """

    id: str
    type_: str
    tenant: str
    time: datetime.datetime
    created_at: datetime.datetime
    deliveries: int
    resource_type: str | Unset = UNSET
    resource_id: str | Unset = UNSET
    channels: list[str] | Unset = UNSET
    deliver_at: datetime.datetime | Unset = UNSET
    expires_at: datetime.datetime | Unset = UNSET
    traceparent: str | Unset = UNSET
    version: str | Unset = UNSET
    schema_error: bool | Unset = UNSET
    delivery_count: int | Unset = UNSET
    test: bool | Unset = UNSET
    erased_at: datetime.datetime | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        type_ = self.type_

        tenant = self.tenant

        time = self.time.isoformat()

        created_at = self.created_at.isoformat()

        deliveries = self.deliveries

        resource_type = self.resource_type

        resource_id = self.resource_id

        channels: list[str] | Unset = UNSET
        if not isinstance(self.channels, Unset):
            channels = self.channels

        deliver_at: str | Unset = UNSET
        if not isinstance(self.deliver_at, Unset):
            deliver_at = self.deliver_at.isoformat()

        expires_at: str | Unset = UNSET
        if not isinstance(self.expires_at, Unset):
            expires_at = self.expires_at.isoformat()

        traceparent = self.traceparent

        version = self.version

        schema_error = self.schema_error

        delivery_count = self.delivery_count

        test = self.test

        erased_at: str | Unset = UNSET
        if not isinstance(self.erased_at, Unset):
            erased_at = self.erased_at.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "type": type_,
                "tenant": tenant,
                "time": time,
                "created_at": created_at,
                "deliveries": deliveries,
            }
        )
        if resource_type is not UNSET:
            field_dict["resource_type"] = resource_type
        if resource_id is not UNSET:
            field_dict["resource_id"] = resource_id
        if channels is not UNSET:
            field_dict["channels"] = channels
        if deliver_at is not UNSET:
            field_dict["deliver_at"] = deliver_at
        if expires_at is not UNSET:
            field_dict["expires_at"] = expires_at
        if traceparent is not UNSET:
            field_dict["traceparent"] = traceparent
        if version is not UNSET:
            field_dict["version"] = version
        if schema_error is not UNSET:
            field_dict["schema_error"] = schema_error
        if delivery_count is not UNSET:
            field_dict["delivery_count"] = delivery_count
        if test is not UNSET:
            field_dict["test"] = test
        if erased_at is not UNSET:
            field_dict["erased_at"] = erased_at

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        type_ = d.pop("type")

        tenant = d.pop("tenant")

        time = datetime.datetime.fromisoformat(d.pop("time"))

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        deliveries = d.pop("deliveries")

        resource_type = d.pop("resource_type", UNSET)

        resource_id = d.pop("resource_id", UNSET)

        channels = cast(list[str], d.pop("channels", UNSET))

        _deliver_at = d.pop("deliver_at", UNSET)
        deliver_at: datetime.datetime | Unset
        if isinstance(_deliver_at, Unset):
            deliver_at = UNSET
        else:
            deliver_at = datetime.datetime.fromisoformat(_deliver_at)

        _expires_at = d.pop("expires_at", UNSET)
        expires_at: datetime.datetime | Unset
        if isinstance(_expires_at, Unset):
            expires_at = UNSET
        else:
            expires_at = datetime.datetime.fromisoformat(_expires_at)

        traceparent = d.pop("traceparent", UNSET)

        version = d.pop("version", UNSET)

        schema_error = d.pop("schema_error", UNSET)

        delivery_count = d.pop("delivery_count", UNSET)

        test = d.pop("test", UNSET)

        _erased_at = d.pop("erased_at", UNSET)
        erased_at: datetime.datetime | Unset
        if isinstance(_erased_at, Unset):
            erased_at = UNSET
        else:
            erased_at = datetime.datetime.fromisoformat(_erased_at)

        event = cls(
            id=id,
            type_=type_,
            tenant=tenant,
            time=time,
            created_at=created_at,
            deliveries=deliveries,
            resource_type=resource_type,
            resource_id=resource_id,
            channels=channels,
            deliver_at=deliver_at,
            expires_at=expires_at,
            traceparent=traceparent,
            version=version,
            schema_error=schema_error,
            delivery_count=delivery_count,
            test=test,
            erased_at=erased_at,
        )

        event.additional_properties = d
        return event

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
