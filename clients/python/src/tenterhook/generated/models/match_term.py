from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.match_value import MatchValue


T = TypeVar("T", bound="MatchTerm")


@_attrs_define
class MatchTerm:
    """
    Attributes:
        text (str): as it stands in the filter
        holds (bool | None): whether it is true of this event; null: it takes too many steps to say so
        values (list[MatchValue]): the paths of the term, and what they find in this event
    """

    text: str
    holds: bool | None
    values: list[MatchValue]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        text = self.text

        holds: bool | None
        holds = self.holds

        values = []
        for values_item_data in self.values:
            values_item = values_item_data.to_dict()
            values.append(values_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "text": text,
                "holds": holds,
                "values": values,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.match_value import MatchValue

        d = dict(src_dict)
        text = d.pop("text")

        def _parse_holds(data: object) -> bool | None:
            if data is None:
                return data
            return cast(bool | None, data)

        holds = _parse_holds(d.pop("holds"))

        values = []
        _values = d.pop("values")
        for values_item_data in _values:
            values_item = MatchValue.from_dict(values_item_data)

            values.append(values_item)

        match_term = cls(
            text=text,
            holds=holds,
            values=values,
        )

        match_term.additional_properties = d
        return match_term

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
