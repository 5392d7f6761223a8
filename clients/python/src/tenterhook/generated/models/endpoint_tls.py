from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="EndpointTls")


@_attrs_define
class EndpointTls:
    """
    Attributes:
        ca (None | str | Unset): certificates of the authorities that are trusted for this endpoint, in place of all
            others, in PEM
        certificate (None | str | Unset): what is shown to a server that asks for a client certificate: PEM, its own
            first, then the chain
        key (None | str | Unset): the key itself; shown only here
    """

    ca: None | str | Unset = UNSET
    certificate: None | str | Unset = UNSET
    key: None | str | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        ca: None | str | Unset
        if isinstance(self.ca, Unset):
            ca = UNSET
        else:
            ca = self.ca

        certificate: None | str | Unset
        if isinstance(self.certificate, Unset):
            certificate = UNSET
        else:
            certificate = self.certificate

        key: None | str | Unset
        if isinstance(self.key, Unset):
            key = UNSET
        else:
            key = self.key

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if ca is not UNSET:
            field_dict["ca"] = ca
        if certificate is not UNSET:
            field_dict["certificate"] = certificate
        if key is not UNSET:
            field_dict["key"] = key

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)

        def _parse_ca(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        ca = _parse_ca(d.pop("ca", UNSET))

        def _parse_certificate(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        certificate = _parse_certificate(d.pop("certificate", UNSET))

        def _parse_key(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        key = _parse_key(d.pop("key", UNSET))

        endpoint_tls = cls(
            ca=ca,
            certificate=certificate,
            key=key,
        )

        return endpoint_tls
