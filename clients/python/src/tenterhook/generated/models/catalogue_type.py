from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.catalogue_version import CatalogueVersion
    from ..models.event_schema_type_0 import EventSchemaType0


T = TypeVar("T", bound="CatalogueType")


@_attrs_define
class CatalogueType:
    """
    Attributes:
        type_ (str): what happened: names joined by full stops
        deprecated (bool): true: nobody should begin to rely on it
        description (str | Unset): a text of your own; never sent
        group (str | Unset): what it belongs to, for people
        schema (bool | EventSchemaType0 | Unset):
        example (Any | Unset): data as an event of this type has it; it fits the schema
        versions (list[CatalogueVersion] | Unset): versions of its data, the newest first
    """

    type_: str
    deprecated: bool
    description: str | Unset = UNSET
    group: str | Unset = UNSET
    schema: bool | EventSchemaType0 | Unset = UNSET
    example: Any | Unset = UNSET
    versions: list[CatalogueVersion] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.event_schema_type_0 import EventSchemaType0

        type_ = self.type_

        deprecated = self.deprecated

        description = self.description

        group = self.group

        schema: bool | dict[str, Any] | Unset
        if isinstance(self.schema, Unset):
            schema = UNSET
        elif isinstance(self.schema, EventSchemaType0):
            schema = self.schema.to_dict()
        else:
            schema = self.schema

        example = self.example

        versions: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.versions, Unset):
            versions = []
            for versions_item_data in self.versions:
                versions_item = versions_item_data.to_dict()
                versions.append(versions_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "type": type_,
                "deprecated": deprecated,
            }
        )
        if description is not UNSET:
            field_dict["description"] = description
        if group is not UNSET:
            field_dict["group"] = group
        if schema is not UNSET:
            field_dict["schema"] = schema
        if example is not UNSET:
            field_dict["example"] = example
        if versions is not UNSET:
            field_dict["versions"] = versions

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.catalogue_version import CatalogueVersion
        from ..models.event_schema_type_0 import EventSchemaType0

        d = dict(src_dict)
        type_ = d.pop("type")

        deprecated = d.pop("deprecated")

        description = d.pop("description", UNSET)

        group = d.pop("group", UNSET)

        def _parse_schema(data: object) -> bool | EventSchemaType0 | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_event_schema_type_0 = EventSchemaType0.from_dict(data)

                return componentsschemas_event_schema_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(bool | EventSchemaType0 | Unset, data)

        schema = _parse_schema(d.pop("schema", UNSET))

        example = d.pop("example", UNSET)

        _versions = d.pop("versions", UNSET)
        versions: list[CatalogueVersion] | Unset = UNSET
        if _versions is not UNSET:
            versions = []
            for versions_item_data in _versions:
                versions_item = CatalogueVersion.from_dict(versions_item_data)

                versions.append(versions_item)

        catalogue_type = cls(
            type_=type_,
            deprecated=deprecated,
            description=description,
            group=group,
            schema=schema,
            example=example,
            versions=versions,
        )

        catalogue_type.additional_properties = d
        return catalogue_type

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
