from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.template_type_0 import TemplateType0


T = TypeVar("T", bound="EventTypeVersion")


@_attrs_define
class EventTypeVersion:
    """
    Attributes:
        version (str): version of the server
        sunset (datetime.datetime | None | Unset): when nobody should want this version any more; null or absent: not
            said
        template (list[Any] | TemplateType0 | Unset):
    """

    version: str
    sunset: datetime.datetime | None | Unset = UNSET
    template: list[Any] | TemplateType0 | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.template_type_0 import TemplateType0

        version = self.version

        sunset: None | str | Unset
        if isinstance(self.sunset, Unset):
            sunset = UNSET
        elif isinstance(self.sunset, datetime.datetime):
            sunset = self.sunset.isoformat()
        else:
            sunset = self.sunset

        template: dict[str, Any] | list[Any] | Unset
        if isinstance(self.template, Unset):
            template = UNSET
        elif isinstance(self.template, TemplateType0):
            template = self.template.to_dict()
        else:
            template = self.template

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "version": version,
            }
        )
        if sunset is not UNSET:
            field_dict["sunset"] = sunset
        if template is not UNSET:
            field_dict["template"] = template

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.template_type_0 import TemplateType0

        d = dict(src_dict)
        version = d.pop("version")

        def _parse_sunset(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                sunset_type_0 = datetime.datetime.fromisoformat(data)

                return sunset_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        sunset = _parse_sunset(d.pop("sunset", UNSET))

        def _parse_template(data: object) -> list[Any] | TemplateType0 | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_template_type_0 = TemplateType0.from_dict(data)

                return componentsschemas_template_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, list):
                raise TypeError()
            componentsschemas_template_type_1 = cast(list[Any], data)

            return componentsschemas_template_type_1

        template = _parse_template(d.pop("template", UNSET))

        event_type_version = cls(
            version=version,
            sunset=sunset,
            template=template,
        )

        event_type_version.additional_properties = d
        return event_type_version

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
