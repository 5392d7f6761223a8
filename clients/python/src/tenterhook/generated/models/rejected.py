from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

if TYPE_CHECKING:
    from ..models.rejected_options_type_0 import RejectedOptionsType0


T = TypeVar("T", bound="Rejected")


@_attrs_define
class Rejected:
    """
    Attributes:
        id (str): its id; it never changes
        tenant (str): the tenant that it was published for, whether there is one or not
        type_ (str): what happened: names joined by full stops
        event (str): id of the event
        reason (str): why it cannot be accepted
        options (None | RejectedOptionsType0): switches of the dialect, by name
        bytes_ (int): length of the body, as it would be sent
        published_at (datetime.datetime): when it was published
        rejected_at (datetime.datetime): when it was moved aside
    """

    id: str
    tenant: str
    type_: str
    event: str
    reason: str
    options: None | RejectedOptionsType0
    bytes_: int
    published_at: datetime.datetime
    rejected_at: datetime.datetime
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.rejected_options_type_0 import RejectedOptionsType0

        id = self.id

        tenant = self.tenant

        type_ = self.type_

        event = self.event

        reason = self.reason

        options: dict[str, Any] | None
        if isinstance(self.options, RejectedOptionsType0):
            options = self.options.to_dict()
        else:
            options = self.options

        bytes_ = self.bytes_

        published_at = self.published_at.isoformat()

        rejected_at = self.rejected_at.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "tenant": tenant,
                "type": type_,
                "event": event,
                "reason": reason,
                "options": options,
                "bytes": bytes_,
                "published_at": published_at,
                "rejected_at": rejected_at,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.rejected_options_type_0 import RejectedOptionsType0

        d = dict(src_dict)
        id = d.pop("id")

        tenant = d.pop("tenant")

        type_ = d.pop("type")

        event = d.pop("event")

        reason = d.pop("reason")

        def _parse_options(data: object) -> None | RejectedOptionsType0:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                options_type_0 = RejectedOptionsType0.from_dict(data)

                return options_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | RejectedOptionsType0, data)

        options = _parse_options(d.pop("options"))

        bytes_ = d.pop("bytes")

        published_at = datetime.datetime.fromisoformat(d.pop("published_at"))

        rejected_at = datetime.datetime.fromisoformat(d.pop("rejected_at"))

        rejected = cls(
            id=id,
            tenant=tenant,
            type_=type_,
            event=event,
            reason=reason,
            options=options,
            bytes_=bytes_,
            published_at=published_at,
            rejected_at=rejected_at,
        )

        rejected.additional_properties = d
        return rejected

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
