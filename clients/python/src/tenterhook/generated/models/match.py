from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.match_reason import MatchReason
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.match_term import MatchTerm


T = TypeVar("T", bound="Match")


@_attrs_define
class Match:
    """
    Attributes:
        matches (bool): whether the event goes to the endpoint
        reason (MatchReason): why it goes there or not, in a word
        endpoint (str | Unset): id of the endpoint; absent: the filter of the query was asked
        detail (str | Unset): an explanation for people
        changed_since (bool | Unset): true: the endpoint has been changed after the event; what is said here goes by its
            settings of now
        filter_ (str | Unset): the endpoint's filter; absent: it has none
        terms (list[MatchTerm] | Unset): of a filter $[?A && B]: the results of A and B; absent: the filter has another
            form
        delivery (None | str | Unset): id of the delivery that the event got when it was accepted; null: none; absent:
            it has more than 1000
    """

    matches: bool
    reason: MatchReason
    endpoint: str | Unset = UNSET
    detail: str | Unset = UNSET
    changed_since: bool | Unset = UNSET
    filter_: str | Unset = UNSET
    terms: list[MatchTerm] | Unset = UNSET
    delivery: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        matches = self.matches

        reason = self.reason.value

        endpoint = self.endpoint

        detail = self.detail

        changed_since = self.changed_since

        filter_ = self.filter_

        terms: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.terms, Unset):
            terms = []
            for terms_item_data in self.terms:
                terms_item = terms_item_data.to_dict()
                terms.append(terms_item)

        delivery: None | str | Unset
        if isinstance(self.delivery, Unset):
            delivery = UNSET
        else:
            delivery = self.delivery

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "matches": matches,
                "reason": reason,
            }
        )
        if endpoint is not UNSET:
            field_dict["endpoint"] = endpoint
        if detail is not UNSET:
            field_dict["detail"] = detail
        if changed_since is not UNSET:
            field_dict["changed_since"] = changed_since
        if filter_ is not UNSET:
            field_dict["filter"] = filter_
        if terms is not UNSET:
            field_dict["terms"] = terms
        if delivery is not UNSET:
            field_dict["delivery"] = delivery

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.match_term import MatchTerm

        d = dict(src_dict)
        matches = d.pop("matches")

        reason = MatchReason(d.pop("reason"))

        endpoint = d.pop("endpoint", UNSET)

        detail = d.pop("detail", UNSET)

        changed_since = d.pop("changed_since", UNSET)

        filter_ = d.pop("filter", UNSET)

        _terms = d.pop("terms", UNSET)
        terms: list[MatchTerm] | Unset = UNSET
        if _terms is not UNSET:
            terms = []
            for terms_item_data in _terms:
                terms_item = MatchTerm.from_dict(terms_item_data)

                terms.append(terms_item)

        def _parse_delivery(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        delivery = _parse_delivery(d.pop("delivery", UNSET))

        match = cls(
            matches=matches,
            reason=reason,
            endpoint=endpoint,
            detail=detail,
            changed_since=changed_since,
            filter_=filter_,
            terms=terms,
            delivery=delivery,
        )

        match.additional_properties = d
        return match

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
