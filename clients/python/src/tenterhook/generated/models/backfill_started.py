from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.backfill_first import BackfillFirst
    from ..models.backfill_left_out import BackfillLeftOut


T = TypeVar("T", bound="BackfillStarted")


@_attrs_define
class BackfillStarted:
    """
    Attributes:
        id (None | str): id of the job, which is shown and stopped like a replay; null: it was a dry run
        matched (int): number of events that go to the endpoint
        left_out (BackfillLeftOut):
        dry_run (bool): true: events were only counted, and nothing is sent
        first (list[BackfillFirst] | Unset): with dry_run: the oldest events that would go out, at most ten
    """

    id: None | str
    matched: int
    left_out: BackfillLeftOut
    dry_run: bool
    first: list[BackfillFirst] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id: None | str
        id = self.id

        matched = self.matched

        left_out = self.left_out.to_dict()

        dry_run = self.dry_run

        first: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.first, Unset):
            first = []
            for first_item_data in self.first:
                first_item = first_item_data.to_dict()
                first.append(first_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "matched": matched,
                "left_out": left_out,
                "dry_run": dry_run,
            }
        )
        if first is not UNSET:
            field_dict["first"] = first

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.backfill_first import BackfillFirst
        from ..models.backfill_left_out import BackfillLeftOut

        d = dict(src_dict)

        def _parse_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        id = _parse_id(d.pop("id"))

        matched = d.pop("matched")

        left_out = BackfillLeftOut.from_dict(d.pop("left_out"))

        dry_run = d.pop("dry_run")

        _first = d.pop("first", UNSET)
        first: list[BackfillFirst] | Unset = UNSET
        if _first is not UNSET:
            first = []
            for first_item_data in _first:
                first_item = BackfillFirst.from_dict(first_item_data)

                first.append(first_item)

        backfill_started = cls(
            id=id,
            matched=matched,
            left_out=left_out,
            dry_run=dry_run,
            first=first,
        )

        backfill_started.additional_properties = d
        return backfill_started

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
