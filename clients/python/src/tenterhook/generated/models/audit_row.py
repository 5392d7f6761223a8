from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.audit_row_result import AuditRowResult
from ..types import UNSET, Unset

T = TypeVar("T", bound="AuditRow")


@_attrs_define
class AuditRow:
    """
    Attributes:
        id (str): its id; it never changes
        time (datetime.datetime): when it was answered
        operation (str): id of the operation, as in this document
        result (AuditRowResult): done; checked: a dry run; refused: 4xx; failed: 5xx
        status (int): HTTP status of the answer
        key (str): public id of the key that asked; operator: that of the configuration
        key_name (str | Unset): name of an operator's key with a role; else empty
        session (str | Unset): id of the session of a browser, or of the link to the portal, by which the key asked;
            else empty
        tenant (str | Unset): on whose behalf; empty: nobody's
        object_ (str | Unset): public id of what it was about, or of what was made; empty: nothing was
        from_ (str | Unset): the address that connected, which may be a proxy's
        client (str | Unset): address of the client: what trusted proxies say, else the same as `from`
        repeated (bool | Unset): true: the kept answer of an earlier request with this Idempotency-Key; nothing changed
        request_id (str | Unset): the name of this request in the server's log
    """

    id: str
    time: datetime.datetime
    operation: str
    result: AuditRowResult
    status: int
    key: str
    key_name: str | Unset = UNSET
    session: str | Unset = UNSET
    tenant: str | Unset = UNSET
    object_: str | Unset = UNSET
    from_: str | Unset = UNSET
    client: str | Unset = UNSET
    repeated: bool | Unset = UNSET
    request_id: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        id = self.id

        time = self.time.isoformat()

        operation = self.operation

        result = self.result.value

        status = self.status

        key = self.key

        key_name = self.key_name

        session = self.session

        tenant = self.tenant

        object_ = self.object_

        from_ = self.from_

        client = self.client

        repeated = self.repeated

        request_id = self.request_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "time": time,
                "operation": operation,
                "result": result,
                "status": status,
                "key": key,
            }
        )
        if key_name is not UNSET:
            field_dict["key_name"] = key_name
        if session is not UNSET:
            field_dict["session"] = session
        if tenant is not UNSET:
            field_dict["tenant"] = tenant
        if object_ is not UNSET:
            field_dict["object"] = object_
        if from_ is not UNSET:
            field_dict["from"] = from_
        if client is not UNSET:
            field_dict["client"] = client
        if repeated is not UNSET:
            field_dict["repeated"] = repeated
        if request_id is not UNSET:
            field_dict["request_id"] = request_id

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        id = d.pop("id")

        time = datetime.datetime.fromisoformat(d.pop("time"))

        operation = d.pop("operation")

        result = AuditRowResult(d.pop("result"))

        status = d.pop("status")

        key = d.pop("key")

        key_name = d.pop("key_name", UNSET)

        session = d.pop("session", UNSET)

        tenant = d.pop("tenant", UNSET)

        object_ = d.pop("object", UNSET)

        from_ = d.pop("from", UNSET)

        client = d.pop("client", UNSET)

        repeated = d.pop("repeated", UNSET)

        request_id = d.pop("request_id", UNSET)

        audit_row = cls(
            id=id,
            time=time,
            operation=operation,
            result=result,
            status=status,
            key=key,
            key_name=key_name,
            session=session,
            tenant=tenant,
            object_=object_,
            from_=from_,
            client=client,
            repeated=repeated,
            request_id=request_id,
        )

        audit_row.additional_properties = d
        return audit_row

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
