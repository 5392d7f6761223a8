from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..types import UNSET, Unset

T = TypeVar("T", bound="SecretRotate")


@_attrs_define
class SecretRotate:
    """
    Attributes:
        secret (None | str | Unset): the secret with which requests are signed
        overlap_seconds (int | None | Unset): seconds for which the old secret stays in use; null: until it is revoked;
            absent: the dialect's default
        signature_variant (None | str | Unset): which of the dialect's signatures; null: its first
    """

    secret: None | str | Unset = UNSET
    overlap_seconds: int | None | Unset = UNSET
    signature_variant: None | str | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        secret: None | str | Unset
        if isinstance(self.secret, Unset):
            secret = UNSET
        else:
            secret = self.secret

        overlap_seconds: int | None | Unset
        if isinstance(self.overlap_seconds, Unset):
            overlap_seconds = UNSET
        else:
            overlap_seconds = self.overlap_seconds

        signature_variant: None | str | Unset
        if isinstance(self.signature_variant, Unset):
            signature_variant = UNSET
        else:
            signature_variant = self.signature_variant

        field_dict: dict[str, Any] = {}

        field_dict.update({})
        if secret is not UNSET:
            field_dict["secret"] = secret
        if overlap_seconds is not UNSET:
            field_dict["overlap_seconds"] = overlap_seconds
        if signature_variant is not UNSET:
            field_dict["signature_variant"] = signature_variant

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)

        def _parse_secret(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        secret = _parse_secret(d.pop("secret", UNSET))

        def _parse_overlap_seconds(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        overlap_seconds = _parse_overlap_seconds(d.pop("overlap_seconds", UNSET))

        def _parse_signature_variant(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        signature_variant = _parse_signature_variant(d.pop("signature_variant", UNSET))

        secret_rotate = cls(
            secret=secret,
            overlap_seconds=overlap_seconds,
            signature_variant=signature_variant,
        )

        return secret_rotate
