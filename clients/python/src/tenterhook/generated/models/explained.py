from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.explained_secret import ExplainedSecret

if TYPE_CHECKING:
    from ..models.explain_step import ExplainStep


T = TypeVar("T", bound="Explained")


@_attrs_define
class Explained:
    """
    Attributes:
        verified (bool): whether a receiver accepts the request
        dialect (str): dialect in which it was judged
        secret (ExplainedSecret): whose secret was used: the stored ones, or the given one
        detail (str): the verdict in words
        steps (list[ExplainStep]): each step of verifying, in order
        findings (list[str]): what is wrong, found by trial; empty: nothing is
    """

    verified: bool
    dialect: str
    secret: ExplainedSecret
    detail: str
    steps: list[ExplainStep]
    findings: list[str]
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        verified = self.verified

        dialect = self.dialect

        secret = self.secret.value

        detail = self.detail

        steps = []
        for steps_item_data in self.steps:
            steps_item = steps_item_data.to_dict()
            steps.append(steps_item)

        findings = self.findings

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "verified": verified,
                "dialect": dialect,
                "secret": secret,
                "detail": detail,
                "steps": steps,
                "findings": findings,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.explain_step import ExplainStep

        d = dict(src_dict)
        verified = d.pop("verified")

        dialect = d.pop("dialect")

        secret = ExplainedSecret(d.pop("secret"))

        detail = d.pop("detail")

        steps = []
        _steps = d.pop("steps")
        for steps_item_data in _steps:
            steps_item = ExplainStep.from_dict(steps_item_data)

            steps.append(steps_item)

        findings = cast(list[str], d.pop("findings"))

        explained = cls(
            verified=verified,
            dialect=dialect,
            secret=secret,
            detail=detail,
            steps=steps,
            findings=findings,
        )

        explained.additional_properties = d
        return explained

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
