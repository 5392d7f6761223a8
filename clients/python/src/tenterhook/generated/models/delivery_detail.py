from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.delivery_detail_reason import DeliveryDetailReason
from ..models.delivery_status import DeliveryStatus
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.attempt import Attempt
    from ..models.attempt_summary import AttemptSummary
    from ..models.retry_settings import RetrySettings


T = TypeVar("T", bound="DeliveryDetail")


@_attrs_define
class DeliveryDetail:
    """
    Attributes:
        id (str): its id; it never changes
        event (str): id of the event
        event_type (str): type of the event
        endpoint (None | str): id of the endpoint, even if it is deleted; null: nothing is known about it
        status (DeliveryStatus):
        attempts (list[Attempt]): each request with its result, in order
        tenant (str | Unset): its tenant, in lists with all_tenants; otherwise absent
        reason (DeliveryDetailReason | Unset): why it failed
        attempt_count (int | Unset): how many requests have been made
        degraded (bool | Unset): true: so many attempts have failed that the dialect calls the delivery degraded
        skipped (bool | Unset): true: it has held up its ordering key for as long as it may, and the next of the key has
            passed it; absent else
        filter_error (bool | Unset): true: the endpoint's filter could not be evaluated within its limits, so the event
            was delivered; absent else
        created_at (datetime.datetime | Unset): when it was made
        next_attempt_at (datetime.datetime | None | Unset): when the next request is due; null: no request is
        ended_at (datetime.datetime | None | Unset): when it was delivered, failed or cancelled; null: it has not ended
        last_attempt (AttemptSummary | None | Unset): the newest request; null: none yet
        test (bool | Unset): true: it is a test; otherwise absent
        erased_at (datetime.datetime | Unset): when the content of the event was erased; absent if it was not
        schedule (RetrySettings | Unset):
        tries (int | Unset): with `schedule`: how many attempts of it have been made since it last began
        waits_for (str | Unset): of an ordered endpoint: the delivery of the same key whose turn it is; absent: it waits
            for none
        next_cursor (None | str | Unset): leads to earlier attempts of this delivery; null: there are none
    """

    id: str
    event: str
    event_type: str
    endpoint: None | str
    status: DeliveryStatus
    attempts: list[Attempt]
    tenant: str | Unset = UNSET
    reason: DeliveryDetailReason | Unset = UNSET
    attempt_count: int | Unset = UNSET
    degraded: bool | Unset = UNSET
    skipped: bool | Unset = UNSET
    filter_error: bool | Unset = UNSET
    created_at: datetime.datetime | Unset = UNSET
    next_attempt_at: datetime.datetime | None | Unset = UNSET
    ended_at: datetime.datetime | None | Unset = UNSET
    last_attempt: AttemptSummary | None | Unset = UNSET
    test: bool | Unset = UNSET
    erased_at: datetime.datetime | Unset = UNSET
    schedule: RetrySettings | Unset = UNSET
    tries: int | Unset = UNSET
    waits_for: str | Unset = UNSET
    next_cursor: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.attempt_summary import AttemptSummary

        id = self.id

        event = self.event

        event_type = self.event_type

        endpoint: None | str
        endpoint = self.endpoint

        status = self.status.value

        attempts = []
        for attempts_item_data in self.attempts:
            attempts_item = attempts_item_data.to_dict()
            attempts.append(attempts_item)

        tenant = self.tenant

        reason: str | Unset = UNSET
        if not isinstance(self.reason, Unset):
            reason = self.reason.value

        attempt_count = self.attempt_count

        degraded = self.degraded

        skipped = self.skipped

        filter_error = self.filter_error

        created_at: str | Unset = UNSET
        if not isinstance(self.created_at, Unset):
            created_at = self.created_at.isoformat()

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

        schedule: dict[str, Any] | Unset = UNSET
        if not isinstance(self.schedule, Unset):
            schedule = self.schedule.to_dict()

        tries = self.tries

        waits_for = self.waits_for

        next_cursor: None | str | Unset
        if isinstance(self.next_cursor, Unset):
            next_cursor = UNSET
        else:
            next_cursor = self.next_cursor

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "event": event,
                "event_type": event_type,
                "endpoint": endpoint,
                "status": status,
                "attempts": attempts,
            }
        )
        if tenant is not UNSET:
            field_dict["tenant"] = tenant
        if reason is not UNSET:
            field_dict["reason"] = reason
        if attempt_count is not UNSET:
            field_dict["attempt_count"] = attempt_count
        if degraded is not UNSET:
            field_dict["degraded"] = degraded
        if skipped is not UNSET:
            field_dict["skipped"] = skipped
        if filter_error is not UNSET:
            field_dict["filter_error"] = filter_error
        if created_at is not UNSET:
            field_dict["created_at"] = created_at
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
        if schedule is not UNSET:
            field_dict["schedule"] = schedule
        if tries is not UNSET:
            field_dict["tries"] = tries
        if waits_for is not UNSET:
            field_dict["waits_for"] = waits_for
        if next_cursor is not UNSET:
            field_dict["next_cursor"] = next_cursor

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.attempt import Attempt
        from ..models.attempt_summary import AttemptSummary
        from ..models.retry_settings import RetrySettings

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

        attempts = []
        _attempts = d.pop("attempts")
        for attempts_item_data in _attempts:
            attempts_item = Attempt.from_dict(attempts_item_data)

            attempts.append(attempts_item)

        tenant = d.pop("tenant", UNSET)

        _reason = d.pop("reason", UNSET)
        reason: DeliveryDetailReason | Unset
        if isinstance(_reason, Unset):
            reason = UNSET
        else:
            reason = DeliveryDetailReason(_reason)

        attempt_count = d.pop("attempt_count", UNSET)

        degraded = d.pop("degraded", UNSET)

        skipped = d.pop("skipped", UNSET)

        filter_error = d.pop("filter_error", UNSET)

        _created_at = d.pop("created_at", UNSET)
        created_at: datetime.datetime | Unset
        if isinstance(_created_at, Unset):
            created_at = UNSET
        else:
            created_at = datetime.datetime.fromisoformat(_created_at)

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

        _schedule = d.pop("schedule", UNSET)
        schedule: RetrySettings | Unset
        if isinstance(_schedule, Unset):
            schedule = UNSET
        else:
            schedule = RetrySettings.from_dict(_schedule)

        tries = d.pop("tries", UNSET)

        waits_for = d.pop("waits_for", UNSET)

        def _parse_next_cursor(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        next_cursor = _parse_next_cursor(d.pop("next_cursor", UNSET))

        delivery_detail = cls(
            id=id,
            event=event,
            event_type=event_type,
            endpoint=endpoint,
            status=status,
            attempts=attempts,
            tenant=tenant,
            reason=reason,
            attempt_count=attempt_count,
            degraded=degraded,
            skipped=skipped,
            filter_error=filter_error,
            created_at=created_at,
            next_attempt_at=next_attempt_at,
            ended_at=ended_at,
            last_attempt=last_attempt,
            test=test,
            erased_at=erased_at,
            schedule=schedule,
            tries=tries,
            waits_for=waits_for,
            next_cursor=next_cursor,
        )

        delivery_detail.additional_properties = d
        return delivery_detail

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
