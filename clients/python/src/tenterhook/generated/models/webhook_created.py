from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.reenable import Reenable
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.authentication import Authentication
    from ..models.client_certificate import ClientCertificate
    from ..models.consent import Consent
    from ..models.disabled import Disabled
    from ..models.endpoint_tls import EndpointTls
    from ..models.ordering import Ordering
    from ..models.retry_settings import RetrySettings
    from ..models.template_type_0 import TemplateType0
    from ..models.webhook_created_headers import WebhookCreatedHeaders
    from ..models.webhook_created_metadata import WebhookCreatedMetadata
    from ..models.webhook_created_options import WebhookCreatedOptions


T = TypeVar("T", bound="WebhookCreated")


@_attrs_define
class WebhookCreated:
    """
    Attributes:
        id (str): its id; it never changes
        url (str): where requests go
        events (list[str]): types to which it subscribes; prefix.* and * if the dialect has them; empty: all, if the
            dialect says so
        active (bool): false: the endpoint is paused, and its deliveries are held
        created_at (datetime.datetime): when it was made
        updated_at (datetime.datetime): when it was last changed
        disabled (Disabled | None): when and why it was disabled; null: it was not
        url_unicode (str | Unset): the URL with its host name in Unicode, where that differs
        url_secret (bool | Unset): true: the URL is a credential; path and query are kept encrypted, and masked for keys
            that may only read
        description (None | str | Unset): a text of your own; never sent
        metadata (WebhookCreatedMetadata | Unset): your own pairs; never sent
        headers (WebhookCreatedHeaders | Unset): header fields that are sent with each request; values are secret for
            keys that may only read
        options (WebhookCreatedOptions | Unset): switches of the dialect, by name
        timeout_seconds (float | Unset): seconds that a whole attempt may take
        max_in_flight (int | Unset): most requests at the same time
        rate_limit_per_second (float | None | Unset): most attempts in a second; null: no limit
        signature_variant (None | str | Unset): which of the dialect's signatures; null: its first
        consent (Consent | Unset):
        filter_ (str | Unset): a JSONPath (RFC 9535) such as $[?@.data.amount >= 100]: the endpoint gets events for
            which it finds something in the list [event]; null: all
        template (list[Any] | TemplateType0 | Unset):
        channels (list[str] | Unset): it gets only events with one of these channels; empty: all
        reenable (Reenable | Unset):
        retry (RetrySettings | Unset):
        ordering (Ordering | Unset):
        authentication (Authentication | Unset):
        tls (EndpointTls | Unset):
        client_certificate (ClientCertificate | Unset):
        payload_version (str | Unset): a version of event types: the endpoint gets data as it was written then; null: as
            the newest version
        method (str | Unset): method of the request
        body_format (str | Unset): form: the body is sent as application/x-www-form-urlencoded; json or null: as JSON
        trace_context (str | Unset): whether its requests carry traceparent and tracestate: on or off; null: as
            traces.pass_on of the server says
        source_address (str | Unset): name of the source address that its requests come from, of those that the
            installation offers; null or absent: any
        secret (str | Unset): the secret with which requests are signed
    """

    id: str
    url: str
    events: list[str]
    active: bool
    created_at: datetime.datetime
    updated_at: datetime.datetime
    disabled: Disabled | None
    url_unicode: str | Unset = UNSET
    url_secret: bool | Unset = UNSET
    description: None | str | Unset = UNSET
    metadata: WebhookCreatedMetadata | Unset = UNSET
    headers: WebhookCreatedHeaders | Unset = UNSET
    options: WebhookCreatedOptions | Unset = UNSET
    timeout_seconds: float | Unset = UNSET
    max_in_flight: int | Unset = UNSET
    rate_limit_per_second: float | None | Unset = UNSET
    signature_variant: None | str | Unset = UNSET
    consent: Consent | Unset = UNSET
    filter_: str | Unset = UNSET
    template: list[Any] | TemplateType0 | Unset = UNSET
    channels: list[str] | Unset = UNSET
    reenable: Reenable | Unset = UNSET
    retry: RetrySettings | Unset = UNSET
    ordering: Ordering | Unset = UNSET
    authentication: Authentication | Unset = UNSET
    tls: EndpointTls | Unset = UNSET
    client_certificate: ClientCertificate | Unset = UNSET
    payload_version: str | Unset = UNSET
    method: str | Unset = UNSET
    body_format: str | Unset = UNSET
    trace_context: str | Unset = UNSET
    source_address: str | Unset = UNSET
    secret: str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        from ..models.disabled import Disabled
        from ..models.template_type_0 import TemplateType0

        id = self.id

        url = self.url

        events = self.events

        active = self.active

        created_at = self.created_at.isoformat()

        updated_at = self.updated_at.isoformat()

        disabled: dict[str, Any] | None
        if isinstance(self.disabled, Disabled):
            disabled = self.disabled.to_dict()
        else:
            disabled = self.disabled

        url_unicode = self.url_unicode

        url_secret = self.url_secret

        description: None | str | Unset
        if isinstance(self.description, Unset):
            description = UNSET
        else:
            description = self.description

        metadata: dict[str, Any] | Unset = UNSET
        if not isinstance(self.metadata, Unset):
            metadata = self.metadata.to_dict()

        headers: dict[str, Any] | Unset = UNSET
        if not isinstance(self.headers, Unset):
            headers = self.headers.to_dict()

        options: dict[str, Any] | Unset = UNSET
        if not isinstance(self.options, Unset):
            options = self.options.to_dict()

        timeout_seconds = self.timeout_seconds

        max_in_flight = self.max_in_flight

        rate_limit_per_second: float | None | Unset
        if isinstance(self.rate_limit_per_second, Unset):
            rate_limit_per_second = UNSET
        else:
            rate_limit_per_second = self.rate_limit_per_second

        signature_variant: None | str | Unset
        if isinstance(self.signature_variant, Unset):
            signature_variant = UNSET
        else:
            signature_variant = self.signature_variant

        consent: dict[str, Any] | Unset = UNSET
        if not isinstance(self.consent, Unset):
            consent = self.consent.to_dict()

        filter_ = self.filter_

        template: dict[str, Any] | list[Any] | Unset
        if isinstance(self.template, Unset):
            template = UNSET
        elif isinstance(self.template, TemplateType0):
            template = self.template.to_dict()
        else:
            template = self.template

        channels: list[str] | Unset = UNSET
        if not isinstance(self.channels, Unset):
            channels = self.channels

        reenable: str | Unset = UNSET
        if not isinstance(self.reenable, Unset):
            reenable = self.reenable.value

        retry: dict[str, Any] | Unset = UNSET
        if not isinstance(self.retry, Unset):
            retry = self.retry.to_dict()

        ordering: dict[str, Any] | Unset = UNSET
        if not isinstance(self.ordering, Unset):
            ordering = self.ordering.to_dict()

        authentication: dict[str, Any] | Unset = UNSET
        if not isinstance(self.authentication, Unset):
            authentication = self.authentication.to_dict()

        tls: dict[str, Any] | Unset = UNSET
        if not isinstance(self.tls, Unset):
            tls = self.tls.to_dict()

        client_certificate: dict[str, Any] | Unset = UNSET
        if not isinstance(self.client_certificate, Unset):
            client_certificate = self.client_certificate.to_dict()

        payload_version = self.payload_version

        method = self.method

        body_format = self.body_format

        trace_context = self.trace_context

        source_address = self.source_address

        secret = self.secret

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "id": id,
                "url": url,
                "events": events,
                "active": active,
                "created_at": created_at,
                "updated_at": updated_at,
                "disabled": disabled,
            }
        )
        if url_unicode is not UNSET:
            field_dict["url_unicode"] = url_unicode
        if url_secret is not UNSET:
            field_dict["url_secret"] = url_secret
        if description is not UNSET:
            field_dict["description"] = description
        if metadata is not UNSET:
            field_dict["metadata"] = metadata
        if headers is not UNSET:
            field_dict["headers"] = headers
        if options is not UNSET:
            field_dict["options"] = options
        if timeout_seconds is not UNSET:
            field_dict["timeout_seconds"] = timeout_seconds
        if max_in_flight is not UNSET:
            field_dict["max_in_flight"] = max_in_flight
        if rate_limit_per_second is not UNSET:
            field_dict["rate_limit_per_second"] = rate_limit_per_second
        if signature_variant is not UNSET:
            field_dict["signature_variant"] = signature_variant
        if consent is not UNSET:
            field_dict["consent"] = consent
        if filter_ is not UNSET:
            field_dict["filter"] = filter_
        if template is not UNSET:
            field_dict["template"] = template
        if channels is not UNSET:
            field_dict["channels"] = channels
        if reenable is not UNSET:
            field_dict["reenable"] = reenable
        if retry is not UNSET:
            field_dict["retry"] = retry
        if ordering is not UNSET:
            field_dict["ordering"] = ordering
        if authentication is not UNSET:
            field_dict["authentication"] = authentication
        if tls is not UNSET:
            field_dict["tls"] = tls
        if client_certificate is not UNSET:
            field_dict["client_certificate"] = client_certificate
        if payload_version is not UNSET:
            field_dict["payload_version"] = payload_version
        if method is not UNSET:
            field_dict["method"] = method
        if body_format is not UNSET:
            field_dict["body_format"] = body_format
        if trace_context is not UNSET:
            field_dict["trace_context"] = trace_context
        if source_address is not UNSET:
            field_dict["source_address"] = source_address
        if secret is not UNSET:
            field_dict["secret"] = secret

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        from ..models.authentication import Authentication
        from ..models.client_certificate import ClientCertificate
        from ..models.consent import Consent
        from ..models.disabled import Disabled
        from ..models.endpoint_tls import EndpointTls
        from ..models.ordering import Ordering
        from ..models.retry_settings import RetrySettings
        from ..models.template_type_0 import TemplateType0
        from ..models.webhook_created_headers import WebhookCreatedHeaders
        from ..models.webhook_created_metadata import WebhookCreatedMetadata
        from ..models.webhook_created_options import WebhookCreatedOptions

        d = dict(src_dict)
        id = d.pop("id")

        url = d.pop("url")

        events = cast(list[str], d.pop("events"))

        active = d.pop("active")

        created_at = datetime.datetime.fromisoformat(d.pop("created_at"))

        updated_at = datetime.datetime.fromisoformat(d.pop("updated_at"))

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

        url_unicode = d.pop("url_unicode", UNSET)

        url_secret = d.pop("url_secret", UNSET)

        def _parse_description(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        description = _parse_description(d.pop("description", UNSET))

        _metadata = d.pop("metadata", UNSET)
        metadata: WebhookCreatedMetadata | Unset
        if isinstance(_metadata, Unset):
            metadata = UNSET
        else:
            metadata = WebhookCreatedMetadata.from_dict(_metadata)

        _headers = d.pop("headers", UNSET)
        headers: WebhookCreatedHeaders | Unset
        if isinstance(_headers, Unset):
            headers = UNSET
        else:
            headers = WebhookCreatedHeaders.from_dict(_headers)

        _options = d.pop("options", UNSET)
        options: WebhookCreatedOptions | Unset
        if isinstance(_options, Unset):
            options = UNSET
        else:
            options = WebhookCreatedOptions.from_dict(_options)

        timeout_seconds = d.pop("timeout_seconds", UNSET)

        max_in_flight = d.pop("max_in_flight", UNSET)

        def _parse_rate_limit_per_second(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        rate_limit_per_second = _parse_rate_limit_per_second(
            d.pop("rate_limit_per_second", UNSET)
        )

        def _parse_signature_variant(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        signature_variant = _parse_signature_variant(d.pop("signature_variant", UNSET))

        _consent = d.pop("consent", UNSET)
        consent: Consent | Unset
        if isinstance(_consent, Unset):
            consent = UNSET
        else:
            consent = Consent.from_dict(_consent)

        filter_ = d.pop("filter", UNSET)

        def _parse_template(data: object) -> list[Any] | TemplateType0 | Unset:
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_template_type_0 = TemplateType0.from_dict(data)

                return componentsschemas_template_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            if not isinstance(data, list):
                raise TypeError()
            componentsschemas_template_type_1 = cast(list[Any], data)

            return componentsschemas_template_type_1

        template = _parse_template(d.pop("template", UNSET))

        channels = cast(list[str], d.pop("channels", UNSET))

        _reenable = d.pop("reenable", UNSET)
        reenable: Reenable | Unset
        if isinstance(_reenable, Unset):
            reenable = UNSET
        else:
            reenable = Reenable(_reenable)

        _retry = d.pop("retry", UNSET)
        retry: RetrySettings | Unset
        if isinstance(_retry, Unset):
            retry = UNSET
        else:
            retry = RetrySettings.from_dict(_retry)

        _ordering = d.pop("ordering", UNSET)
        ordering: Ordering | Unset
        if isinstance(_ordering, Unset):
            ordering = UNSET
        else:
            ordering = Ordering.from_dict(_ordering)

        _authentication = d.pop("authentication", UNSET)
        authentication: Authentication | Unset
        if isinstance(_authentication, Unset):
            authentication = UNSET
        else:
            authentication = Authentication.from_dict(_authentication)

        _tls = d.pop("tls", UNSET)
        tls: EndpointTls | Unset
        if isinstance(_tls, Unset):
            tls = UNSET
        else:
            tls = EndpointTls.from_dict(_tls)

        _client_certificate = d.pop("client_certificate", UNSET)
        client_certificate: ClientCertificate | Unset
        if isinstance(_client_certificate, Unset):
            client_certificate = UNSET
        else:
            client_certificate = ClientCertificate.from_dict(_client_certificate)

        payload_version = d.pop("payload_version", UNSET)

        method = d.pop("method", UNSET)

        body_format = d.pop("body_format", UNSET)

        trace_context = d.pop("trace_context", UNSET)

        source_address = d.pop("source_address", UNSET)

        secret = d.pop("secret", UNSET)

        webhook_created = cls(
            id=id,
            url=url,
            events=events,
            active=active,
            created_at=created_at,
            updated_at=updated_at,
            disabled=disabled,
            url_unicode=url_unicode,
            url_secret=url_secret,
            description=description,
            metadata=metadata,
            headers=headers,
            options=options,
            timeout_seconds=timeout_seconds,
            max_in_flight=max_in_flight,
            rate_limit_per_second=rate_limit_per_second,
            signature_variant=signature_variant,
            consent=consent,
            filter_=filter_,
            template=template,
            channels=channels,
            reenable=reenable,
            retry=retry,
            ordering=ordering,
            authentication=authentication,
            tls=tls,
            client_certificate=client_certificate,
            payload_version=payload_version,
            method=method,
            body_format=body_format,
            trace_context=trace_context,
            source_address=source_address,
            secret=secret,
        )

        webhook_created.additional_properties = d
        return webhook_created

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
