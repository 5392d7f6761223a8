from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

T = TypeVar("T", bound="ReplayStarted")


@_attrs_define
class ReplayStarted:
    """
    Attributes:
        id (None | str): id of the replay; null: it was a dry run
        matched (int): number of deliveries that match
        dry_run (bool): true: deliveries are only counted, and nothing is sent
        delivered (int | Unset): number of matches that had been delivered
        failed (int | Unset): number of matches that had failed for good
        cancelled (int | Unset): number of matches that had been cancelled
        unfinished (int | Unset): deliveries that are not among the matches because they have not ended
    """

    id: None | str
    matched: int
    dry_run: bool
    delivered: int | Unset = UNSET
    failed: int | Unset = UNSET
    cancelled: int | Unset = UNSET
    unfinished: int | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id: None | str
        id = self.id

        matched = self.matched

        dry_run = self.dry_run

        delivered = self.delivered

        failed = self.failed

        cancelled = self.cancelled

        unfinished = self.unfinished

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "matched": matched,
                "dry_run": dry_run,
            }
        )
        if delivered is not UNSET:
            field_dict["delivered"] = delivered
        if failed is not UNSET:
            field_dict["failed"] = failed
        if cancelled is not UNSET:
            field_dict["cancelled"] = cancelled
        if unfinished is not UNSET:
            field_dict["unfinished"] = unfinished

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)

        def _parse_id(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        id = _parse_id(d.pop("id"))

        matched = d.pop("matched")

        dry_run = d.pop("dry_run")

        delivered = d.pop("delivered", UNSET)

        failed = d.pop("failed", UNSET)

        cancelled = d.pop("cancelled", UNSET)

        unfinished = d.pop("unfinished", UNSET)

        replay_started = cls(
            id=id,
            matched=matched,
            dry_run=dry_run,
            delivered=delivered,
            failed=failed,
            cancelled=cancelled,
            unfinished=unfinished,
        )

        replay_started.additional_properties = d
        return replay_started

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
