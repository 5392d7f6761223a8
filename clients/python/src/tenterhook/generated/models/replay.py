from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.ended_status import EndedStatus
from ..models.replay_kind import ReplayKind
from ..models.replay_state import ReplayState
from ..types import UNSET, Unset

T = TypeVar("T", bound="Replay")


@_attrs_define
class Replay:
    """
    Attributes:
        id (str): its id; it never changes
        endpoint (None | str): id of the endpoint, even if it is deleted; null: nothing is known about it
        state (ReplayState): the state of the replay
        matched (int): number of deliveries that match
        queued (int): number of deliveries that have been put into the queue
        progress (float): the share that is done, from 0 to 1
        created_at (datetime.datetime): when it was made
        updated_at (datetime.datetime): when it was last changed
        kind (ReplayKind | Unset): "backfill" for one; absent for a replay
        since (datetime.datetime | Unset): events accepted at this time or later
        until (datetime.datetime | Unset): events accepted before this time
        status (list[EndedStatus] | Unset): only deliveries with this end; empty: all
        event_types (list[str] | Unset): only events of these types; empty: all
    """

    id: str
    endpoint: None | str
    state: ReplayState
    matched: int
    queued: int
    progress: float
    created_at: datetime.datetime
    updated_at: datetime.datetime
    kind: ReplayKind | Unset = UNSET
    since: datetime.datetime | Unset = UNSET
    until: datetime.datetime | Unset = UNSET
    status: list[EndedStatus] | Unset = UNSET
    event_types: list[str] | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        endpoint: None | str
        endpoint = self.endpoint

        state = self.state.value

        matched = self.matched

        queued = self.queued

        progress = self.progress

        created_at = self.created_at.isoformat()

        updated_at = self.updated_at.isoformat()

        kind: str | Unset = UNSET
        if not isinstance(self.kind, Unset):
            kind = self.kind.value

        since: str | Unset = UNSET
        if not isinstance(self.since, Unset):
            since = self.since.isoformat()

        until: str | Unset = UNSET
        if not isinstance(self.until, Unset):
            until = self.until.isoformat()

        status: list[str] | Unset = UNSET
        if not isinstance(self.status, Unset):
            status = []
            for status_item_data in self.status:
                status_item = status_item_data.value
                status.append(status_item)

        event_types: list[str] | Unset = UNSET
        if not isinstance(self.event_types, Unset):
            event_types = self.event_types

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "endpoint": endpoint,
                "state": state,
                "matched": matched,
                "queued": queued,
                "progress": progress,
                "created_at": created_at,
                "updated_at": updated_at,
            }
        )
        if kind is not UNSET:
            field_dict["kind"] = kind
        if since is not UNSET:
            field_dict["since"] = since
        if until is not UNSET:
            field_dict["until"] = until
        if status is not UNSET:
            field_dict["status"] = status
        if event_types is not UNSET:
            field_dict["event_types"] = event_types

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        def _parse_endpoint(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        endpoint = _parse_endpoint(d.pop("endpoint"))

        state = ReplayState(d.pop("state"))

        matched = d.pop("matched")

        queued = d.pop("queued")

        progress = d.pop("progress")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        updated_at = datetime.datetime.fromisoformat(d.pop("updated_at"))

        _kind = d.pop("kind", UNSET)
        kind: ReplayKind | Unset
        if isinstance(_kind, Unset):
            kind = UNSET
        else:
            kind = ReplayKind(_kind)

        _since = d.pop("since", UNSET)
        since: datetime.datetime | Unset
        if isinstance(_since, Unset):
            since = UNSET
        else:
            since = datetime.datetime.fromisoformat(_since)

        _until = d.pop("until", UNSET)
        until: datetime.datetime | Unset
        if isinstance(_until, Unset):
            until = UNSET
        else:
            until = datetime.datetime.fromisoformat(_until)

        _status = d.pop("status", UNSET)
        status: list[EndedStatus] | Unset = UNSET
        if _status is not UNSET:
            status = []
            for status_item_data in _status:
                status_item = EndedStatus(status_item_data)

                status.append(status_item)

        event_types = cast(list[str], d.pop("event_types", UNSET))

        replay = cls(
            id=id,
            endpoint=endpoint,
            state=state,
            matched=matched,
            queued=queued,
            progress=progress,
            created_at=created_at,
            updated_at=updated_at,
            kind=kind,
            since=since,
            until=until,
            status=status,
            event_types=event_types,
        )

        replay.additional_properties = d
        return replay

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
