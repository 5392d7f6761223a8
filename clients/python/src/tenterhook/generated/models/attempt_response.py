from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.attempt_response_headers import AttemptResponseHeaders


T = TypeVar("T", bound="AttemptResponse")


@_attrs_define
class AttemptResponse:
    """
    Attributes:
        status (int): the state of the delivery
        hidden (str | Unset): why headers and body are not shown to this key; absent: they are
        headers (AttemptResponseHeaders | Unset): header fields that are sent with each request; values are secret for
            keys that may only read
        body (str | Unset): the body, as text
        body_base64 (str | Unset): in place of body, if that is not UTF-8
        decoded_from (str | Unset): the content coding of the endpoint's answer, which is shown decoded
        encoding (str | Unset): the content coding of the answer, which is shown as it came, in Base64
        truncated (bool | Unset): true: only the beginning of the body is kept
    """

    status: int
    hidden: str | Unset = UNSET
    headers: AttemptResponseHeaders | Unset = UNSET
    body: str | Unset = UNSET
    body_base64: str | Unset = UNSET
    decoded_from: str | Unset = UNSET
    encoding: str | Unset = UNSET
    truncated: bool | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        status = self.status

        hidden = self.hidden

        headers: dict[str, Any] | Unset = UNSET
        if not isinstance(self.headers, Unset):
            headers = self.headers.to_dict()

        body = self.body

        body_base64 = self.body_base64

        decoded_from = self.decoded_from

        encoding = self.encoding

        truncated = self.truncated

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "status": status,
            }
        )
        if hidden is not UNSET:
            field_dict["hidden"] = hidden
        if headers is not UNSET:
            field_dict["headers"] = headers
        if body is not UNSET:
            field_dict["body"] = body
        if body_base64 is not UNSET:
            field_dict["body_base64"] = body_base64
        if decoded_from is not UNSET:
            field_dict["decoded_from"] = decoded_from
        if encoding is not UNSET:
            field_dict["encoding"] = encoding
        if truncated is not UNSET:
            field_dict["truncated"] = truncated

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.attempt_response_headers import AttemptResponseHeaders

        d = dict(src_dict)
        status = d.pop("status")

        hidden = d.pop("hidden", UNSET)

        _headers = d.pop("headers", UNSET)
        headers: AttemptResponseHeaders | Unset
        if isinstance(_headers, Unset):
            headers = UNSET
        else:
            headers = AttemptResponseHeaders.from_dict(_headers)

        body = d.pop("body", UNSET)

        body_base64 = d.pop("body_base64", UNSET)

        decoded_from = d.pop("decoded_from", UNSET)

        encoding = d.pop("encoding", UNSET)

        truncated = d.pop("truncated", UNSET)

        attempt_response = cls(
            status=status,
            hidden=hidden,
            headers=headers,
            body=body,
            body_base64=body_base64,
            decoded_from=decoded_from,
            encoding=encoding,
            truncated=truncated,
        )

        attempt_response.additional_properties = d
        return attempt_response

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
