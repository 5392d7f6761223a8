from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.attempt_request_headers import AttemptRequestHeaders


T = TypeVar("T", bound="AttemptRequest")


@_attrs_define
class AttemptRequest:
    """
    Attributes:
        method (str): method of the request
        url (str): where requests go
        headers (AttemptRequestHeaders): header fields that are sent with each request; values are secret for keys that
            may only read
        body (str | Unset): the body, as text
        body_base64 (str | Unset): in place of body, if that is not UTF-8
    """

    method: str
    url: str
    headers: AttemptRequestHeaders
    body: str | Unset = UNSET
    body_base64: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        method = self.method

        url = self.url

        headers = self.headers.to_dict()

        body = self.body

        body_base64 = self.body_base64

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "method": method,
                "url": url,
                "headers": headers,
            }
        )
        if body is not UNSET:
            field_dict["body"] = body
        if body_base64 is not UNSET:
            field_dict["body_base64"] = body_base64

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.attempt_request_headers import AttemptRequestHeaders

        d = dict(src_dict)
        method = d.pop("method")

        url = d.pop("url")

        headers = AttemptRequestHeaders.from_dict(d.pop("headers"))

        body = d.pop("body", UNSET)

        body_base64 = d.pop("body_base64", UNSET)

        attempt_request = cls(
            method=method,
            url=url,
            headers=headers,
            body=body,
            body_base64=body_base64,
        )

        attempt_request.additional_properties = d
        return attempt_request

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
