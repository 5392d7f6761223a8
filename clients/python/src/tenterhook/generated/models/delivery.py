from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.delivery_reason import DeliveryReason
from ..models.delivery_status import DeliveryStatus
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.attempt_summary import AttemptSummary


T = TypeVar("T", bound="Delivery")


@_attrs_define
class Delivery:
    """
    Attributes:
        id (str): its id; it never changes
        event (str): id of the event
        event_type (str): type of the event
        endpoint (None | str): id of the endpoint, even if it is deleted; null: nothing is known about it
        status (DeliveryStatus):
        attempt_count (int): how many requests have been made
        created_at (datetime.datetime): when it was made
        tenant (str | Unset): its tenant, in lists with all_tenants; otherwise absent
        reason (DeliveryReason | Unset): why it failed
        degraded (bool | Unset): true: so many attempts have failed that the dialect calls the delivery degraded
        skipped (bool | Unset): true: it has held up its ordering key for as long as it may, and the next of the key has
            passed it; absent else
        filter_error (bool | Unset): true: the endpoint's filter could not be evaluated within its limits, so the event
            was delivered; absent else
        next_attempt_at (datetime.datetime | None | Unset): when the next request is due; null: no request is
        ended_at (datetime.datetime | None | Unset): when it was delivered, failed or cancelled; null: it has not ended
        last_attempt (AttemptSummary | None | Unset): the newest request; null: none yet
        test (bool | Unset): true: it is a test; otherwise absent
        erased_at (datetime.datetime | Unset): when the content of the event was erased; absent if it was not
    """

    id: str
    event: str
    event_type: str
    endpoint: None | str
    status: DeliveryStatus
    attempt_count: int
    created_at: datetime.datetime
    tenant: str | Unset = UNSET
    reason: DeliveryReason | Unset = UNSET
    degraded: bool | Unset = UNSET
    skipped: bool | Unset = UNSET
    filter_error: bool | Unset = UNSET
    next_attempt_at: datetime.datetime | None | Unset = UNSET
    ended_at: datetime.datetime | None | Unset = UNSET
    last_attempt: AttemptSummary | None | Unset = UNSET
    test: bool | Unset = UNSET
    erased_at: datetime.datetime | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.attempt_summary import AttemptSummary

        id = self.id

        event = self.event

        event_type = self.event_type

        endpoint: None | str
        endpoint = self.endpoint

        status = self.status.value

        attempt_count = self.attempt_count

        created_at = self.created_at.isoformat()

        tenant = self.tenant

        reason: str | Unset = UNSET
        if not isinstance(self.reason, Unset):
            reason = self.reason.value

        degraded = self.degraded

        skipped = self.skipped

        filter_error = self.filter_error

        next_attempt_at: None | str | Unset
        if isinstance(self.next_attempt_at, Unset):
            next_attempt_at = UNSET
        elif isinstance(self.next_attempt_at, datetime.datetime):
            next_attempt_at = self.next_attempt_at.isoformat()
        else:
            next_attempt_at = self.next_attempt_at

        ended_at: None | str | Unset
        if isinstance(self.ended_at, Unset):
            ended_at = UNSET
        elif isinstance(self.ended_at, datetime.datetime):
            ended_at = self.ended_at.isoformat()
        else:
            ended_at = self.ended_at

        last_attempt: dict[str, Any] | None | Unset
        if isinstance(self.last_attempt, Unset):
            last_attempt = UNSET
        elif isinstance(self.last_attempt, AttemptSummary):
            last_attempt = self.last_attempt.to_dict()
        else:
            last_attempt = self.last_attempt

        test = self.test

        erased_at: str | Unset = UNSET
        if not isinstance(self.erased_at, Unset):
            erased_at = self.erased_at.isoformat()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "event": event,
                "event_type": event_type,
                "endpoint": endpoint,
                "status": status,
                "attempt_count": attempt_count,
                "created_at": created_at,
            }
        )
        if tenant is not UNSET:
            field_dict["tenant"] = tenant
        if reason is not UNSET:
            field_dict["reason"] = reason
        if degraded is not UNSET:
            field_dict["degraded"] = degraded
        if skipped is not UNSET:
            field_dict["skipped"] = skipped
        if filter_error is not UNSET:
            field_dict["filter_error"] = filter_error
        if next_attempt_at is not UNSET:
            field_dict["next_attempt_at"] = next_attempt_at
        if ended_at is not UNSET:
            field_dict["ended_at"] = ended_at
        if last_attempt is not UNSET:
            field_dict["last_attempt"] = last_attempt
        if test is not UNSET:
            field_dict["test"] = test
        if erased_at is not UNSET:
            field_dict["erased_at"] = erased_at

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.attempt_summary import AttemptSummary

        d = dict(src_dict)
        id = d.pop("id")

        event = d.pop("event")

        event_type = d.pop("event_type")

        def _parse_endpoint(data: object) -> None | str:
            if data is None:
                return data
            return cast(None | str, data)

        endpoint = _parse_endpoint(d.pop("endpoint"))

        status = DeliveryStatus(d.pop("status"))

        attempt_count = d.pop("attempt_count")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        tenant = d.pop("tenant", UNSET)

        _reason = d.pop("reason", UNSET)
        reason: DeliveryReason | Unset
        if isinstance(_reason, Unset):
            reason = UNSET
        else:
            reason = DeliveryReason(_reason)

        degraded = d.pop("degraded", UNSET)

        skipped = d.pop("skipped", UNSET)

        filter_error = d.pop("filter_error", UNSET)

        def _parse_next_attempt_at(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                next_attempt_at_type_0 = datetime.datetime.fromisoformat(data)

                return next_attempt_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        next_attempt_at = _parse_next_attempt_at(d.pop("next_attempt_at", UNSET))

        def _parse_ended_at(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                ended_at_type_0 = datetime.datetime.fromisoformat(data)

                return ended_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        ended_at = _parse_ended_at(d.pop("ended_at", UNSET))

        def _parse_last_attempt(data: object) -> AttemptSummary | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                last_attempt_type_0 = AttemptSummary.from_dict(data)

                return last_attempt_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(AttemptSummary | None | Unset, data)

        last_attempt = _parse_last_attempt(d.pop("last_attempt", UNSET))

        test = d.pop("test", UNSET)

        _erased_at = d.pop("erased_at", UNSET)
        erased_at: datetime.datetime | Unset
        if isinstance(_erased_at, Unset):
            erased_at = UNSET
        else:
            erased_at = datetime.datetime.fromisoformat(_erased_at)

        delivery = cls(
            id=id,
            event=event,
            event_type=event_type,
            endpoint=endpoint,
            status=status,
            attempt_count=attempt_count,
            created_at=created_at,
            tenant=tenant,
            reason=reason,
            degraded=degraded,
            skipped=skipped,
            filter_error=filter_error,
            next_attempt_at=next_attempt_at,
            ended_at=ended_at,
            last_attempt=last_attempt,
            test=test,
            erased_at=erased_at,
        )

        delivery.additional_properties = d
        return delivery

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
