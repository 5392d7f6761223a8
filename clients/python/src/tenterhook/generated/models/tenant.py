from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.tenant_attributes import TenantAttributes
    from ..models.tenant_limits import TenantLimits
    from ..models.tenant_usage import TenantUsage


T = TypeVar("T", bound="Tenant")


@_attrs_define
class Tenant:
    """
    Attributes:
        id (str): its id; it never changes
        name (str): its name
        dialect (str): name of the form in which the tenant's endpoints get events
        attributes (TenantAttributes): values for envelope fields of the dialect, by name
        limits (TenantLimits): the most that the tenant may have of each; null: what the installation allows; 0: no
            limit
        created_at (datetime.datetime): when it was made
        updated_at (datetime.datetime): when it was last changed
        usage (TenantUsage | Unset): what the tenant uses, next to what it may have
        retention_seconds (int | Unset): how long the tenant's events are kept, where that is shorter than the
            installation keeps them; absent, or null: as long
    """

    id: str
    name: str
    dialect: str
    attributes: TenantAttributes
    limits: TenantLimits
    created_at: datetime.datetime
    updated_at: datetime.datetime
    usage: TenantUsage | Unset = UNSET
    retention_seconds: int | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        name = self.name

        dialect = self.dialect

        attributes = self.attributes.to_dict()

        limits = self.limits.to_dict()

        created_at = self.created_at.isoformat()

        updated_at = self.updated_at.isoformat()

        usage: dict[str, Any] | Unset = UNSET
        if not isinstance(self.usage, Unset):
            usage = self.usage.to_dict()

        retention_seconds = self.retention_seconds

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "name": name,
                "dialect": dialect,
                "attributes": attributes,
                "limits": limits,
                "created_at": created_at,
                "updated_at": updated_at,
            }
        )
        if usage is not UNSET:
            field_dict["usage"] = usage
        if retention_seconds is not UNSET:
            field_dict["retention_seconds"] = retention_seconds

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.tenant_attributes import TenantAttributes
        from ..models.tenant_limits import TenantLimits
        from ..models.tenant_usage import TenantUsage

        d = dict(src_dict)
        id = d.pop("id")

        name = d.pop("name")

        dialect = d.pop("dialect")

        attributes = TenantAttributes.from_dict(d.pop("attributes"))

        limits = TenantLimits.from_dict(d.pop("limits"))

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        updated_at = datetime.datetime.fromisoformat(d.pop("updated_at"))

        _usage = d.pop("usage", UNSET)
        usage: TenantUsage | Unset
        if isinstance(_usage, Unset):
            usage = UNSET
        else:
            usage = TenantUsage.from_dict(_usage)

        retention_seconds = d.pop("retention_seconds", UNSET)

        tenant = cls(
            id=id,
            name=name,
            dialect=dialect,
            attributes=attributes,
            limits=limits,
            created_at=created_at,
            updated_at=updated_at,
            usage=usage,
            retention_seconds=retention_seconds,
        )

        tenant.additional_properties = d
        return tenant

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
