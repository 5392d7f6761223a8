from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.outcome import Outcome
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.attempt_request import AttemptRequest
    from ..models.attempt_response import AttemptResponse


T = TypeVar("T", bound="Attempt")


@_attrs_define
class Attempt:
    """
    Attributes:
        number (int): number of the attempt, from 1
        time (datetime.datetime): when the attempt began
        outcome (Outcome):
        status (int | None): HTTP status of the answer; null: there was none
        request (AttemptRequest | None): the request as it was sent; null: it cannot be shown any more
        response (AttemptResponse | None): the answer; null: there was none
        detail (None | str | Unset): an explanation for people
        duration_ms (float | None | Unset): milliseconds of the whole attempt
        dns_ms (float | None | Unset): milliseconds until the name was resolved; null: no look-up
        connect_ms (float | None | Unset): milliseconds until the connection was established; null: it was a kept one,
            or there was none
        tls_ms (float | None | Unset): milliseconds until TLS was established; null: a kept connection, or http
        first_byte_ms (float | None | Unset): milliseconds until the answer began
        address (None | str | Unset): address and port to which the request went; null: there was no connection
        connection_reused (bool | Unset): whether a kept connection was used
        batch (list[int] | Unset): sequence numbers of the deliveries that the same request was for, in order; absent:
            it was for this one alone
        test (bool | Unset): true: it is a test; otherwise absent
    """

    number: int
    time: datetime.datetime
    outcome: Outcome
    status: int | None
    request: AttemptRequest | None
    response: AttemptResponse | None
    detail: None | str | Unset = UNSET
    duration_ms: float | None | Unset = UNSET
    dns_ms: float | None | Unset = UNSET
    connect_ms: float | None | Unset = UNSET
    tls_ms: float | None | Unset = UNSET
    first_byte_ms: float | None | Unset = UNSET
    address: None | str | Unset = UNSET
    connection_reused: bool | Unset = UNSET
    batch: list[int] | Unset = UNSET
    test: bool | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.attempt_request import AttemptRequest
        from ..models.attempt_response import AttemptResponse

        number = self.number

        time = self.time.isoformat()

        outcome = self.outcome.value

        status: int | None
        status = self.status

        request: dict[str, Any] | None
        if isinstance(self.request, AttemptRequest):
            request = self.request.to_dict()
        else:
            request = self.request

        response: dict[str, Any] | None
        if isinstance(self.response, AttemptResponse):
            response = self.response.to_dict()
        else:
            response = self.response

        detail: None | str | Unset
        if isinstance(self.detail, Unset):
            detail = UNSET
        else:
            detail = self.detail

        duration_ms: float | None | Unset
        if isinstance(self.duration_ms, Unset):
            duration_ms = UNSET
        else:
            duration_ms = self.duration_ms

        dns_ms: float | None | Unset
        if isinstance(self.dns_ms, Unset):
            dns_ms = UNSET
        else:
            dns_ms = self.dns_ms

        connect_ms: float | None | Unset
        if isinstance(self.connect_ms, Unset):
            connect_ms = UNSET
        else:
            connect_ms = self.connect_ms

        tls_ms: float | None | Unset
        if isinstance(self.tls_ms, Unset):
            tls_ms = UNSET
        else:
            tls_ms = self.tls_ms

        first_byte_ms: float | None | Unset
        if isinstance(self.first_byte_ms, Unset):
            first_byte_ms = UNSET
        else:
            first_byte_ms = self.first_byte_ms

        address: None | str | Unset
        if isinstance(self.address, Unset):
            address = UNSET
        else:
            address = self.address

        connection_reused = self.connection_reused

        batch: list[int] | Unset = UNSET
        if not isinstance(self.batch, Unset):
            batch = self.batch

        test = self.test

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "number": number,
                "time": time,
                "outcome": outcome,
                "status": status,
                "request": request,
                "response": response,
            }
        )
        if detail is not UNSET:
            field_dict["detail"] = detail
        if duration_ms is not UNSET:
            field_dict["duration_ms"] = duration_ms
        if dns_ms is not UNSET:
            field_dict["dns_ms"] = dns_ms
        if connect_ms is not UNSET:
            field_dict["connect_ms"] = connect_ms
        if tls_ms is not UNSET:
            field_dict["tls_ms"] = tls_ms
        if first_byte_ms is not UNSET:
            field_dict["first_byte_ms"] = first_byte_ms
        if address is not UNSET:
            field_dict["address"] = address
        if connection_reused is not UNSET:
            field_dict["connection_reused"] = connection_reused
        if batch is not UNSET:
            field_dict["batch"] = batch
        if test is not UNSET:
            field_dict["test"] = test

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.attempt_request import AttemptRequest
        from ..models.attempt_response import AttemptResponse

        d = dict(src_dict)
        number = d.pop("number")

        time = datetime.datetime.fromisoformat(d.pop("time"))

        outcome = Outcome(d.pop("outcome"))

        def _parse_status(data: object) -> int | None:
            if data is None:
                return data
            return cast(int | None, data)

        status = _parse_status(d.pop("status"))

        def _parse_request(data: object) -> AttemptRequest | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                request_type_0 = AttemptRequest.from_dict(data)

                return request_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(AttemptRequest | None, data)

        request = _parse_request(d.pop("request"))

        def _parse_response(data: object) -> AttemptResponse | None:
            if data is None:
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                response_type_0 = AttemptResponse.from_dict(data)

                return response_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(AttemptResponse | None, data)

        response = _parse_response(d.pop("response"))

        def _parse_detail(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        detail = _parse_detail(d.pop("detail", UNSET))

        def _parse_duration_ms(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        duration_ms = _parse_duration_ms(d.pop("duration_ms", UNSET))

        def _parse_dns_ms(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        dns_ms = _parse_dns_ms(d.pop("dns_ms", UNSET))

        def _parse_connect_ms(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        connect_ms = _parse_connect_ms(d.pop("connect_ms", UNSET))

        def _parse_tls_ms(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        tls_ms = _parse_tls_ms(d.pop("tls_ms", UNSET))

        def _parse_first_byte_ms(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        first_byte_ms = _parse_first_byte_ms(d.pop("first_byte_ms", UNSET))

        def _parse_address(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        address = _parse_address(d.pop("address", UNSET))

        connection_reused = d.pop("connection_reused", UNSET)

        batch = cast(list[int], d.pop("batch", UNSET))

        test = d.pop("test", UNSET)

        attempt = cls(
            number=number,
            time=time,
            outcome=outcome,
            status=status,
            request=request,
            response=response,
            detail=detail,
            duration_ms=duration_ms,
            dns_ms=dns_ms,
            connect_ms=connect_ms,
            tls_ms=tls_ms,
            first_byte_ms=first_byte_ms,
            address=address,
            connection_reused=connection_reused,
            batch=batch,
            test=test,
        )

        attempt.additional_properties = d
        return attempt

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
