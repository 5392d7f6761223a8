from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.node_state import NodeState

T = TypeVar("T", bound="Node")


@_attrs_define
class Node:
    """
    Attributes:
        id (int): its id; it never changes
        address (str): the address on which it was told to listen; empty: the store is not shared
        state (NodeState): working; waiting to take over; or gone: its lease is over
        this (bool): whether it is the one that answers
        slots (int): how many of the 256 parts of the work it has
        lease_ms (int | None): milliseconds until another node may take over, if it is not heard of; null: there are no
            leases
        behind (int | None): commits of other nodes that it has not applied yet; null: it does not share the work
        version (str): version of its program
    """

    id: int
    address: str
    state: NodeState
    this: bool
    slots: int
    lease_ms: int | None
    behind: int | None
    version: str
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        address = self.address

        state = self.state.value

        this = self.this

        slots = self.slots

        lease_ms: int | None
        lease_ms = self.lease_ms

        behind: int | None
        behind = self.behind

        version = self.version

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "address": address,
                "state": state,
                "this": this,
                "slots": slots,
                "lease_ms": lease_ms,
                "behind": behind,
                "version": version,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        address = d.pop("address")

        state = NodeState(d.pop("state"))

        this = d.pop("this")

        slots = d.pop("slots")

        def _parse_lease_ms(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        lease_ms = _parse_lease_ms(d.pop("lease_ms"))

        def _parse_behind(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        behind = _parse_behind(d.pop("behind"))

        version = d.pop("version")

        node = cls(
            id=id,
            address=address,
            state=state,
            this=this,
            slots=slots,
            lease_ms=lease_ms,
            behind=behind,
            version=version,
        )

        node.additional_properties = d
        return node

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
