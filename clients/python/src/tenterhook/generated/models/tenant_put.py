from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.tenant_put_attributes_type_0 import TenantPutAttributesType0
    from ..models.tenant_put_limits_type_0 import TenantPutLimitsType0


T = TypeVar("T", bound="TenantPut")


@_attrs_define
class TenantPut:
    """
    Attributes:
        name (str | Unset): its name
        dialect (str | Unset): name of the form in which the tenant's endpoints get events
        attributes (None | TenantPutAttributesType0 | Unset): values for envelope fields of the dialect, by name
        limits (None | TenantPutLimitsType0 | Unset): the most that the tenant may have of each; null: what the
            installation allows; 0: no limit
        retention_seconds (int | None | Unset): how long the tenant's events are kept, where that is shorter than the
            installation keeps them; absent, or null: as long
    """

    name: str | Unset = UNSET
    dialect: str | Unset = UNSET
    attributes: None | TenantPutAttributesType0 | Unset = UNSET
    limits: None | TenantPutLimitsType0 | Unset = UNSET
    retention_seconds: int | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.tenant_put_attributes_type_0 import TenantPutAttributesType0
        from ..models.tenant_put_limits_type_0 import TenantPutLimitsType0

        name = self.name

        dialect = self.dialect

        attributes: dict[str, Any] | None | Unset
        if isinstance(self.attributes, Unset):
            attributes = UNSET
        elif isinstance(self.attributes, TenantPutAttributesType0):
            attributes = self.attributes.to_dict()
        else:
            attributes = self.attributes

        limits: dict[str, Any] | None | Unset
        if isinstance(self.limits, Unset):
            limits = UNSET
        elif isinstance(self.limits, TenantPutLimitsType0):
            limits = self.limits.to_dict()
        else:
            limits = self.limits

        retention_seconds: int | None | Unset
        if isinstance(self.retention_seconds, Unset):
            retention_seconds = UNSET
        else:
            retention_seconds = self.retention_seconds

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if name is not UNSET:
            field_dict["name"] = name
        if dialect is not UNSET:
            field_dict["dialect"] = dialect
        if attributes is not UNSET:
            field_dict["attributes"] = attributes
        if limits is not UNSET:
            field_dict["limits"] = limits
        if retention_seconds is not UNSET:
            field_dict["retention_seconds"] = retention_seconds

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.tenant_put_attributes_type_0 import TenantPutAttributesType0
        from ..models.tenant_put_limits_type_0 import TenantPutLimitsType0

        d = dict(src_dict)
        name = d.pop("name", UNSET)

        dialect = d.pop("dialect", UNSET)

        def _parse_attributes(data: object) -> None | TenantPutAttributesType0 | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                attributes_type_0 = TenantPutAttributesType0.from_dict(data)

                return attributes_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | TenantPutAttributesType0 | Unset, data)

        attributes = _parse_attributes(d.pop("attributes", UNSET))

        def _parse_limits(data: object) -> None | TenantPutLimitsType0 | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                limits_type_0 = TenantPutLimitsType0.from_dict(data)

                return limits_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | TenantPutLimitsType0 | Unset, data)

        limits = _parse_limits(d.pop("limits", UNSET))

        def _parse_retention_seconds(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        retention_seconds = _parse_retention_seconds(d.pop("retention_seconds", UNSET))

        tenant_put = cls(
            name=name,
            dialect=dialect,
            attributes=attributes,
            limits=limits,
            retention_seconds=retention_seconds,
        )

        return tenant_put
