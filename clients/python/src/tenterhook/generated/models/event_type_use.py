from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

T = TypeVar("T", bound="EventTypeUse")


@_attrs_define
class EventTypeUse:
    """
    Attributes:
        endpoint (str): id of the endpoint, even if it is deleted; null: nothing is known about it
        tenant (str): id of the tenant
        payload_version (None | str): the version that the endpoint has pinned; null: none
        version (None | str): version of the data that it gets; null: the type has no versions
        sunset (datetime.datetime | None): when nobody should want this version any more; null or absent: not said
    """

    endpoint: str
    tenant: str
    payload_version: None | str
    version: None | str
    sunset: datetime.datetime | None
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        endpoint = self.endpoint

        tenant = self.tenant

        payload_version: None | str
        payload_version = self.payload_version

        version: None | str
        version = self.version

        sunset: None | str
        if isinstance(self.sunset, datetime.datetime):
            sunset = self.sunset.isoformat()
        else:
            sunset = self.sunset

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "endpoint": endpoint,
                "tenant": tenant,
                "payload_version": payload_version,
                "version": version,
                "sunset": sunset,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        endpoint = d.pop("endpoint")

        tenant = d.pop("tenant")

        def _parse_payload_version(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        payload_version = _parse_payload_version(d.pop("payload_version"))

        def _parse_version(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        version = _parse_version(d.pop("version"))

        def _parse_sunset(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                sunset_type_0 = datetime.datetime.fromisoformat(data)

                return sunset_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        sunset = _parse_sunset(d.pop("sunset"))

        event_type_use = cls(
            endpoint=endpoint,
            tenant=tenant,
            payload_version=payload_version,
            version=version,
            sunset=sunset,
        )

        event_type_use.additional_properties = d
        return event_type_use

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
