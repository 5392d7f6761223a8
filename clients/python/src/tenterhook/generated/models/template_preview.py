from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.template_type_0 import TemplateType0


T = TypeVar("T", bound="TemplatePreview")


@_attrs_define
class TemplatePreview:
    """
    Attributes:
        template (list[Any] | TemplateType0):
        event (None | str | Unset): id of the event that the template is tried on
        type_ (None | str | Unset): with data: type of the event; default: webhook.test
        data (Any | Unset): in place of an event: the data of one
    """

    template: list[Any] | TemplateType0
    event: None | str | Unset = UNSET
    type_: None | str | Unset = UNSET
    data: Any | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.template_type_0 import TemplateType0

        template: dict[str, Any] | list[Any]
        if isinstance(self.template, TemplateType0):
            template = self.template.to_dict()
        else:
            template = self.template

        event: None | str | Unset
        if isinstance(self.event, Unset):
            event = UNSET
        else:
            event = self.event

        type_: None | str | Unset
        if isinstance(self.type_, Unset):
            type_ = UNSET
        else:
            type_ = self.type_

        data = self.data

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "template": template,
            }
        )
        if event is not UNSET:
            field_dict["event"] = event
        if type_ is not UNSET:
            field_dict["type"] = type_
        if data is not UNSET:
            field_dict["data"] = data

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.template_type_0 import TemplateType0

        d = dict(src_dict)

        def _parse_template(data: object) -> list[Any] | TemplateType0:
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

        template = _parse_template(d.pop("template"))

        def _parse_event(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        event = _parse_event(d.pop("event", UNSET))

        def _parse_type_(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        type_ = _parse_type_(d.pop("type", UNSET))

        data = d.pop("data", UNSET)

        template_preview = cls(
            template=template,
            event=event,
            type_=type_,
            data=data,
        )

        return template_preview
