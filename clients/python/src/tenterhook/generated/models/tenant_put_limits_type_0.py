from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="TenantPutLimitsType0")


@_attrs_define
class TenantPutLimitsType0:
    """the most that the tenant may have of each; null: what the installation allows; 0: no limit

    Attributes:
        endpoints (int | None | Unset): endpoints
        header_bytes (int | None | Unset): bytes of an endpoint's headers
        keys (int | None | Unset): keys
        replays (int | None | Unset): replays at work
        stored_bytes (int | None | Unset): bytes stored
        unfinished_deliveries (int | None | Unset): deliveries that have not ended
        host_requests (int | None | Unset): requests under way to one host
        host_requests_per_second (int | None | Unset): requests a second to one host
        address_requests (int | None | Unset): requests under way to one address
    """

    endpoints: int | None | Unset = UNSET
    header_bytes: int | None | Unset = UNSET
    keys: int | None | Unset = UNSET
    replays: int | None | Unset = UNSET
    stored_bytes: int | None | Unset = UNSET
    unfinished_deliveries: int | None | Unset = UNSET
    host_requests: int | None | Unset = UNSET
    host_requests_per_second: int | None | Unset = UNSET
    address_requests: int | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        endpoints: int | None | Unset
        if isinstance(self.endpoints, Unset):
            endpoints = UNSET
        else:
            endpoints = self.endpoints

        header_bytes: int | None | Unset
        if isinstance(self.header_bytes, Unset):
            header_bytes = UNSET
        else:
            header_bytes = self.header_bytes

        keys: int | None | Unset
        if isinstance(self.keys, Unset):
            keys = UNSET
        else:
            keys = self.keys

        replays: int | None | Unset
        if isinstance(self.replays, Unset):
            replays = UNSET
        else:
            replays = self.replays

        stored_bytes: int | None | Unset
        if isinstance(self.stored_bytes, Unset):
            stored_bytes = UNSET
        else:
            stored_bytes = self.stored_bytes

        unfinished_deliveries: int | None | Unset
        if isinstance(self.unfinished_deliveries, Unset):
            unfinished_deliveries = UNSET
        else:
            unfinished_deliveries = self.unfinished_deliveries

        host_requests: int | None | Unset
        if isinstance(self.host_requests, Unset):
            host_requests = UNSET
        else:
            host_requests = self.host_requests

        host_requests_per_second: int | None | Unset
        if isinstance(self.host_requests_per_second, Unset):
            host_requests_per_second = UNSET
        else:
            host_requests_per_second = self.host_requests_per_second

        address_requests: int | None | Unset
        if isinstance(self.address_requests, Unset):
            address_requests = UNSET
        else:
            address_requests = self.address_requests

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if endpoints is not UNSET:
            field_dict["endpoints"] = endpoints
        if header_bytes is not UNSET:
            field_dict["header_bytes"] = header_bytes
        if keys is not UNSET:
            field_dict["keys"] = keys
        if replays is not UNSET:
            field_dict["replays"] = replays
        if stored_bytes is not UNSET:
            field_dict["stored_bytes"] = stored_bytes
        if unfinished_deliveries is not UNSET:
            field_dict["unfinished_deliveries"] = unfinished_deliveries
        if host_requests is not UNSET:
            field_dict["host_requests"] = host_requests
        if host_requests_per_second is not UNSET:
            field_dict["host_requests_per_second"] = host_requests_per_second
        if address_requests is not UNSET:
            field_dict["address_requests"] = address_requests

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)

        def _parse_endpoints(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        endpoints = _parse_endpoints(d.pop("endpoints", UNSET))

        def _parse_header_bytes(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        header_bytes = _parse_header_bytes(d.pop("header_bytes", UNSET))

        def _parse_keys(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        keys = _parse_keys(d.pop("keys", UNSET))

        def _parse_replays(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        replays = _parse_replays(d.pop("replays", UNSET))

        def _parse_stored_bytes(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        stored_bytes = _parse_stored_bytes(d.pop("stored_bytes", UNSET))

        def _parse_unfinished_deliveries(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        unfinished_deliveries = _parse_unfinished_deliveries(
            d.pop("unfinished_deliveries", UNSET)
        )

        def _parse_host_requests(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        host_requests = _parse_host_requests(d.pop("host_requests", UNSET))

        def _parse_host_requests_per_second(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        host_requests_per_second = _parse_host_requests_per_second(
            d.pop("host_requests_per_second", UNSET)
        )

        def _parse_address_requests(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        address_requests = _parse_address_requests(d.pop("address_requests", UNSET))

        tenant_put_limits_type_0 = cls(
            endpoints=endpoints,
            header_bytes=header_bytes,
            keys=keys,
            replays=replays,
            stored_bytes=stored_bytes,
            unfinished_deliveries=unfinished_deliveries,
            host_requests=host_requests,
            host_requests_per_second=host_requests_per_second,
            address_requests=address_requests,
        )

        return tenant_put_limits_type_0
