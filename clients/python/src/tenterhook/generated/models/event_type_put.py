from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.event_schema_type_0 import EventSchemaType0
    from ..models.event_type_version import EventTypeVersion


T = TypeVar("T", bound="EventTypePut")


@_attrs_define
class EventTypePut:
    """
    Attributes:
        description (None | str | Unset): a text of your own; never sent
        group (None | str | Unset): what it belongs to, for people
        schema (bool | EventSchemaType0 | None | Unset): a JSON Schema (2020-12) of the data; null: none
        example (Any | Unset): data as an event of this type has it; it fits the schema
        validate (None | str | Unset): what publishing does with data that does not fit the schema: off, warn (it is
            marked), refuse, or default: as the installation
        archived (bool | None | Unset): true: not for new subscriptions any more; it can still be published
        deprecated (bool | None | Unset): true: nobody should begin to rely on it
        versions (list[EventTypeVersion] | None | Unset): versions of its data, the newest first; each but the newest
            with the template that makes it of the one before
    """

    description: None | str | Unset = UNSET
    group: None | str | Unset = UNSET
    schema: bool | EventSchemaType0 | None | Unset = UNSET
    example: Any | Unset = UNSET
    validate: None | str | Unset = UNSET
    archived: bool | None | Unset = UNSET
    deprecated: bool | None | Unset = UNSET
    versions: list[EventTypeVersion] | None | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.event_schema_type_0 import EventSchemaType0

        description: None | str | Unset
        if isinstance(self.description, Unset):
            description = UNSET
        else:
            description = self.description

        group: None | str | Unset
        if isinstance(self.group, Unset):
            group = UNSET
        else:
            group = self.group

        schema: bool | dict[str, Any] | None | Unset
        if isinstance(self.schema, Unset):
            schema = UNSET
        elif isinstance(self.schema, EventSchemaType0):
            schema = self.schema.to_dict()
        else:
            schema = self.schema

        example = self.example

        validate: None | str | Unset
        if isinstance(self.validate, Unset):
            validate = UNSET
        else:
            validate = self.validate

        archived: bool | None | Unset
        if isinstance(self.archived, Unset):
            archived = UNSET
        else:
            archived = self.archived

        deprecated: bool | None | Unset
        if isinstance(self.deprecated, Unset):
            deprecated = UNSET
        else:
            deprecated = self.deprecated

        versions: list[dict[str, Any]] | None | Unset
        if isinstance(self.versions, Unset):
            versions = UNSET
        elif isinstance(self.versions, list):
            versions = []
            for versions_type_0_item_data in self.versions:
                versions_type_0_item = versions_type_0_item_data.to_dict()
                versions.append(versions_type_0_item)

        else:
            versions = self.versions

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if description is not UNSET:
            field_dict["description"] = description
        if group is not UNSET:
            field_dict["group"] = group
        if schema is not UNSET:
            field_dict["schema"] = schema
        if example is not UNSET:
            field_dict["example"] = example
        if validate is not UNSET:
            field_dict["validate"] = validate
        if archived is not UNSET:
            field_dict["archived"] = archived
        if deprecated is not UNSET:
            field_dict["deprecated"] = deprecated
        if versions is not UNSET:
            field_dict["versions"] = versions

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.event_schema_type_0 import EventSchemaType0
        from ..models.event_type_version import EventTypeVersion

        d = dict(src_dict)

        def _parse_description(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        description = _parse_description(d.pop("description", UNSET))

        def _parse_group(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        group = _parse_group(d.pop("group", UNSET))

        def _parse_schema(data: object) -> bool | EventSchemaType0 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_event_schema_type_0 = EventSchemaType0.from_dict(data)

                return componentsschemas_event_schema_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(bool | EventSchemaType0 | None | Unset, data)

        schema = _parse_schema(d.pop("schema", UNSET))

        example = d.pop("example", UNSET)

        def _parse_validate(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        validate = _parse_validate(d.pop("validate", UNSET))

        def _parse_archived(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        archived = _parse_archived(d.pop("archived", UNSET))

        def _parse_deprecated(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        deprecated = _parse_deprecated(d.pop("deprecated", UNSET))

        def _parse_versions(data: object) -> list[EventTypeVersion] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                versions_type_0 = []
                _versions_type_0 = data
                for versions_type_0_item_data in _versions_type_0:
                    versions_type_0_item = EventTypeVersion.from_dict(
                        versions_type_0_item_data
                    )

                    versions_type_0.append(versions_type_0_item)

                return versions_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[EventTypeVersion] | None | Unset, data)

        versions = _parse_versions(d.pop("versions", UNSET))

        event_type_put = cls(
            description=description,
            group=group,
            schema=schema,
            example=example,
            validate=validate,
            archived=archived,
            deprecated=deprecated,
            versions=versions,
        )

        return event_type_put
