from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.health_state import HealthState
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.consent import Consent
    from ..models.disabled import Disabled
    from ..models.endpoint_health_last_attempt_type_1 import (
        EndpointHealthLastAttemptType1,
    )
    from ..models.first_attempts import FirstAttempts


T = TypeVar("T", bound="EndpointHealth")


@_attrs_define
class EndpointHealth:
    """
    Attributes:
        tenant (str): id of the tenant
        endpoint (str): id of the endpoint, even if it is deleted; null: nothing is known about it
        url (str): where requests go
        state (HealthState):
        failing_since (datetime.datetime | None): the time since which all attempts have failed; null: the last one
            succeeded
        last_success_at (datetime.datetime | None): when a request was last answered 2xx
        breaker_open (bool): true: nobody answers there (time-outs, refused connections, no such name)
        resting_until (datetime.datetime | None): the time until which it has asked for no requests (Retry-After); null:
            it has not
        waiting (int): all unfinished deliveries
        more_in_store (bool): whether more wait than are counted in `waiting`
        in_flight (int): requests under way
        disabled (Disabled | None): when and why it was disabled; null: it was not
        disable_at (datetime.datetime | None | Unset): when a rule disables it if it goes on failing; null: no rule of
            time does
        first_attempts (FirstAttempts | Unset):
        pending (int | Unset): deliveries that wait for their first attempt
        retrying (int | Unset): deliveries that wait for another attempt
        held (int | Unset): deliveries that wait because it is paused or disabled, or its receiver has not agreed to get
            events
        last_attempt (EndpointHealthLastAttemptType1 | None | Unset): tests left out
        consent (Consent | Unset):
    """

    tenant: str
    endpoint: str
    url: str
    state: HealthState
    failing_since: datetime.datetime | None
    last_success_at: datetime.datetime | None
    breaker_open: bool
    resting_until: datetime.datetime | None
    waiting: int
    more_in_store: bool
    in_flight: int
    disabled: Disabled | None
    disable_at: datetime.datetime | None | Unset = UNSET
    first_attempts: FirstAttempts | Unset = UNSET
    pending: int | Unset = UNSET
    retrying: int | Unset = UNSET
    held: int | Unset = UNSET
    last_attempt: EndpointHealthLastAttemptType1 | None | Unset = UNSET
    consent: Consent | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.disabled import Disabled
        from ..models.endpoint_health_last_attempt_type_1 import (
            EndpointHealthLastAttemptType1,
        )

        tenant = self.tenant

        endpoint = self.endpoint

        url = self.url

        state = self.state.value

        failing_since: None | str
        if isinstance(self.failing_since, datetime.datetime):
            failing_since = self.failing_since.isoformat()
        else:
            failing_since = self.failing_since

        last_success_at: None | str
        if isinstance(self.last_success_at, datetime.datetime):
            last_success_at = self.last_success_at.isoformat()
        else:
            last_success_at = self.last_success_at

        breaker_open = self.breaker_open

        resting_until: None | str
        if isinstance(self.resting_until, datetime.datetime):
            resting_until = self.resting_until.isoformat()
        else:
            resting_until = self.resting_until

        waiting = self.waiting

        more_in_store = self.more_in_store

        in_flight = self.in_flight

        disabled: dict[str, Any] | None
        if isinstance(self.disabled, Disabled):
            disabled = self.disabled.to_dict()
        else:
            disabled = self.disabled

        disable_at: None | str | Unset
        if isinstance(self.disable_at, Unset):
            disable_at = UNSET
        elif isinstance(self.disable_at, datetime.datetime):
            disable_at = self.disable_at.isoformat()
        else:
            disable_at = self.disable_at

        first_attempts: dict[str, Any] | Unset = UNSET
        if not isinstance(self.first_attempts, Unset):
            first_attempts = self.first_attempts.to_dict()

        pending = self.pending

        retrying = self.retrying

        held = self.held

        last_attempt: dict[str, Any] | None | Unset
        if isinstance(self.last_attempt, Unset):
            last_attempt = UNSET
        elif isinstance(self.last_attempt, EndpointHealthLastAttemptType1):
            last_attempt = self.last_attempt.to_dict()
        else:
            last_attempt = self.last_attempt

        consent: dict[str, Any] | Unset = UNSET
        if not isinstance(self.consent, Unset):
            consent = self.consent.to_dict()

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "tenant": tenant,
                "endpoint": endpoint,
                "url": url,
                "state": state,
                "failing_since": failing_since,
                "last_success_at": last_success_at,
                "breaker_open": breaker_open,
                "resting_until": resting_until,
                "waiting": waiting,
                "more_in_store": more_in_store,
                "in_flight": in_flight,
                "disabled": disabled,
            }
        )
        if disable_at is not UNSET:
            field_dict["disable_at"] = disable_at
        if first_attempts is not UNSET:
            field_dict["first_attempts"] = first_attempts
        if pending is not UNSET:
            field_dict["pending"] = pending
        if retrying is not UNSET:
            field_dict["retrying"] = retrying
        if held is not UNSET:
            field_dict["held"] = held
        if last_attempt is not UNSET:
            field_dict["last_attempt"] = last_attempt
        if consent is not UNSET:
            field_dict["consent"] = consent

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.consent import Consent
        from ..models.disabled import Disabled
        from ..models.endpoint_health_last_attempt_type_1 import (
            EndpointHealthLastAttemptType1,
        )
        from ..models.first_attempts import FirstAttempts

        d = dict(src_dict)
        tenant = d.pop("tenant")

        endpoint = d.pop("endpoint")

        url = d.pop("url")

        state = HealthState(d.pop("state"))

        def _parse_failing_since(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                failing_since_type_0 = datetime.datetime.fromisoformat(data)

                return failing_since_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        failing_since = _parse_failing_since(d.pop("failing_since"))

        def _parse_last_success_at(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                last_success_at_type_0 = datetime.datetime.fromisoformat(data)

                return last_success_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        last_success_at = _parse_last_success_at(d.pop("last_success_at"))

        breaker_open = d.pop("breaker_open")

        def _parse_resting_until(data: object) -> datetime.datetime | None:
            if data is None:
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                resting_until_type_0 = datetime.datetime.fromisoformat(data)

                return resting_until_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None, data)

        resting_until = _parse_resting_until(d.pop("resting_until"))

        waiting = d.pop("waiting")

        more_in_store = d.pop("more_in_store")

        in_flight = d.pop("in_flight")

        def _parse_disabled(data: object) -> Disabled | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                disabled_type_0 = Disabled.from_dict(data)

                return disabled_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Disabled | None, data)

        disabled = _parse_disabled(d.pop("disabled"))

        def _parse_disable_at(data: object) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                disable_at_type_0 = datetime.datetime.fromisoformat(data)

                return disable_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        disable_at = _parse_disable_at(d.pop("disable_at", UNSET))

        _first_attempts = d.pop("first_attempts", UNSET)
        first_attempts: FirstAttempts | Unset
        if isinstance(_first_attempts, Unset):
            first_attempts = UNSET
        else:
            first_attempts = FirstAttempts.from_dict(_first_attempts)

        pending = d.pop("pending", UNSET)

        retrying = d.pop("retrying", UNSET)

        held = d.pop("held", UNSET)

        def _parse_last_attempt(
            data: object,
        ) -> EndpointHealthLastAttemptType1 | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                last_attempt_type_1 = EndpointHealthLastAttemptType1.from_dict(data)

                return last_attempt_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(EndpointHealthLastAttemptType1 | None | Unset, data)

        last_attempt = _parse_last_attempt(d.pop("last_attempt", UNSET))

        _consent = d.pop("consent", UNSET)
        consent: Consent | Unset
        if isinstance(_consent, Unset):
            consent = UNSET
        else:
            consent = Consent.from_dict(_consent)

        endpoint_health = cls(
            tenant=tenant,
            endpoint=endpoint,
            url=url,
            state=state,
            failing_since=failing_since,
            last_success_at=last_success_at,
            breaker_open=breaker_open,
            resting_until=resting_until,
            waiting=waiting,
            more_in_store=more_in_store,
            in_flight=in_flight,
            disabled=disabled,
            disable_at=disable_at,
            first_attempts=first_attempts,
            pending=pending,
            retrying=retrying,
            held=held,
            last_attempt=last_attempt,
            consent=consent,
        )

        endpoint_health.additional_properties = d
        return endpoint_health

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
