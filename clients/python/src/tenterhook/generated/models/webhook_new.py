from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from attrs import define as _attrs_define

from ..models.reenable import Reenable
from ..types import UNSET, Unset

if TYPE_CHECKING:
    from ..models.authentication import Authentication
    from ..models.endpoint_tls import EndpointTls
    from ..models.ordering import Ordering
    from ..models.retry_patch import RetryPatch
    from ..models.template_type_0 import TemplateType0
    from ..models.webhook_new_headers_type_0 import WebhookNewHeadersType0
    from ..models.webhook_new_metadata_type_0 import WebhookNewMetadataType0
    from ..models.webhook_new_options_type_0 import WebhookNewOptionsType0


T = TypeVar("T", bound="WebhookNew")


@_attrs_define
class WebhookNew:
    """
    Attributes:
        url (str): where requests go
        url_secret (bool | None | Unset): true: the URL is a credential; path and query are kept encrypted, and masked
            for keys that may only read
        previous_secret (None | str | Unset): the previous secret, which is also used for signing until it ends
        previous_expires_at (datetime.datetime | None | Unset): when the previous secret ends
        events (list[str] | None | Unset): types to which it subscribes; prefix.* and * if the dialect has them; empty:
            all, if the dialect says so
        active (bool | None | Unset): false: the endpoint is paused, and its deliveries are held
        description (None | str | Unset): a text of your own; never sent
        metadata (None | Unset | WebhookNewMetadataType0): your own pairs; never sent
        headers (None | Unset | WebhookNewHeadersType0): header fields that are sent with each request; values are
            secret for keys that may only read
        timeout_seconds (float | None | Unset): seconds that a whole attempt may take
        max_in_flight (int | None | Unset): most requests at the same time
        rate_limit_per_second (float | None | Unset): most attempts in a second; null: no limit
        signature_variant (None | str | Unset): which of the dialect's signatures; null: its first
        options (None | Unset | WebhookNewOptionsType0): switches of the dialect, by name
        filter_ (None | str | Unset): a JSONPath (RFC 9535) such as $[?@.data.amount >= 100]: the endpoint gets events
            for which it finds something in the list [event]; null: all
        template (list[Any] | None | TemplateType0 | Unset): a JSON document that is sent in place of the dialect's
            body; {"$": "$.data.id"} and the like are replaced by what they find in the event; null: the dialect's body
        channels (list[str] | None | Unset): it gets only events with one of these channels; empty: all
        reenable (None | Reenable | Unset): on_test: a test that succeeds enables it again when failures have disabled
            it; by_hand, or absent: somebody does
        retry (None | RetryPatch | Unset): what the endpoint sets of its schedule itself; the rest is the dialect's
        ordering (None | Ordering | Unset): deliveries of one key go one after the other, in the order in which their
            events were accepted; absent: no order
        authentication (Authentication | None | Unset): what its requests carry so that the receiver lets them in,
            beside the signature; null or absent: nothing
        tls (EndpointTls | None | Unset): authorities and a client certificate of its own; null or absent: none
        payload_version (None | str | Unset): a version of event types: the endpoint gets data as it was written then;
            null: as the newest version
        method (None | str | Unset): method of the request
        body_format (None | str | Unset): form: the body is sent as application/x-www-form-urlencoded; json or null: as
            JSON
        trace_context (None | str | Unset): whether its requests carry traceparent and tracestate: on or off; null: as
            traces.pass_on of the server says
        source_address (None | str | Unset): name of the source address that its requests come from, of those that the
            installation offers; null or absent: any
        secret (None | str | Unset): the secret with which requests are signed
    """

    url: str
    url_secret: bool | None | Unset = UNSET
    previous_secret: None | str | Unset = UNSET
    previous_expires_at: datetime.datetime | None | Unset = UNSET
    events: list[str] | None | Unset = UNSET
    active: bool | None | Unset = UNSET
    description: None | str | Unset = UNSET
    metadata: None | Unset | WebhookNewMetadataType0 = UNSET
    headers: None | Unset | WebhookNewHeadersType0 = UNSET
    timeout_seconds: float | None | Unset = UNSET
    max_in_flight: int | None | Unset = UNSET
    rate_limit_per_second: float | None | Unset = UNSET
    signature_variant: None | str | Unset = UNSET
    options: None | Unset | WebhookNewOptionsType0 = UNSET
    filter_: None | str | Unset = UNSET
    template: list[Any] | None | TemplateType0 | Unset = UNSET
    channels: list[str] | None | Unset = UNSET
    reenable: None | Reenable | Unset = UNSET
    retry: None | RetryPatch | Unset = UNSET
    ordering: None | Ordering | Unset = UNSET
    authentication: Authentication | None | Unset = UNSET
    tls: EndpointTls | None | Unset = UNSET
    payload_version: None | str | Unset = UNSET
    method: None | str | Unset = UNSET
    body_format: None | str | Unset = UNSET
    trace_context: None | str | Unset = UNSET
    source_address: None | str | Unset = UNSET
    secret: None | str | Unset = UNSET

    def to_dict(self) -> dict[str, Any]:
        from ..models.authentication import Authentication
        from ..models.endpoint_tls import EndpointTls
        from ..models.ordering import Ordering
        from ..models.retry_patch import RetryPatch
        from ..models.template_type_0 import TemplateType0
        from ..models.webhook_new_headers_type_0 import WebhookNewHeadersType0
        from ..models.webhook_new_metadata_type_0 import WebhookNewMetadataType0
        from ..models.webhook_new_options_type_0 import WebhookNewOptionsType0

        url = self.url

        url_secret: bool | None | Unset
        if isinstance(self.url_secret, Unset):
            url_secret = UNSET
        else:
            url_secret = self.url_secret

        previous_secret: None | str | Unset
        if isinstance(self.previous_secret, Unset):
            previous_secret = UNSET
        else:
            previous_secret = self.previous_secret

        previous_expires_at: None | str | Unset
        if isinstance(self.previous_expires_at, Unset):
            previous_expires_at = UNSET
        elif isinstance(self.previous_expires_at, datetime.datetime):
            previous_expires_at = self.previous_expires_at.isoformat()
        else:
            previous_expires_at = self.previous_expires_at

        events: list[str] | None | Unset
        if isinstance(self.events, Unset):
            events = UNSET
        elif isinstance(self.events, list):
            events = self.events

        else:
            events = self.events

        active: bool | None | Unset
        if isinstance(self.active, Unset):
            active = UNSET
        else:
            active = self.active

        description: None | str | Unset
        if isinstance(self.description, Unset):
            description = UNSET
        else:
            description = self.description

        metadata: dict[str, Any] | None | Unset
        if isinstance(self.metadata, Unset):
            metadata = UNSET
        elif isinstance(self.metadata, WebhookNewMetadataType0):
            metadata = self.metadata.to_dict()
        else:
            metadata = self.metadata

        headers: dict[str, Any] | None | Unset
        if isinstance(self.headers, Unset):
            headers = UNSET
        elif isinstance(self.headers, WebhookNewHeadersType0):
            headers = self.headers.to_dict()
        else:
            headers = self.headers

        timeout_seconds: float | None | Unset
        if isinstance(self.timeout_seconds, Unset):
            timeout_seconds = UNSET
        else:
            timeout_seconds = self.timeout_seconds

        max_in_flight: int | None | Unset
        if isinstance(self.max_in_flight, Unset):
            max_in_flight = UNSET
        else:
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

        options: dict[str, Any] | None | Unset
        if isinstance(self.options, Unset):
            options = UNSET
        elif isinstance(self.options, WebhookNewOptionsType0):
            options = self.options.to_dict()
        else:
            options = self.options

        filter_: None | str | Unset
        if isinstance(self.filter_, Unset):
            filter_ = UNSET
        else:
            filter_ = self.filter_

        template: dict[str, Any] | list[Any] | None | Unset
        if isinstance(self.template, Unset):
            template = UNSET
        elif isinstance(self.template, TemplateType0):
            template = self.template.to_dict()
        elif isinstance(self.template, list):
            template = self.template

        else:
            template = self.template

        channels: list[str] | None | Unset
        if isinstance(self.channels, Unset):
            channels = UNSET
        elif isinstance(self.channels, list):
            channels = self.channels

        else:
            channels = self.channels

        reenable: None | str | Unset
        if isinstance(self.reenable, Unset):
            reenable = UNSET
        elif isinstance(self.reenable, Reenable):
            reenable = self.reenable.value
        else:
            reenable = self.reenable

        retry: dict[str, Any] | None | Unset
        if isinstance(self.retry, Unset):
            retry = UNSET
        elif isinstance(self.retry, RetryPatch):
            retry = self.retry.to_dict()
        else:
            retry = self.retry

        ordering: dict[str, Any] | None | Unset
        if isinstance(self.ordering, Unset):
            ordering = UNSET
        elif isinstance(self.ordering, Ordering):
            ordering = self.ordering.to_dict()
        else:
            ordering = self.ordering

        authentication: dict[str, Any] | None | Unset
        if isinstance(self.authentication, Unset):
            authentication = UNSET
        elif isinstance(self.authentication, Authentication):
            authentication = self.authentication.to_dict()
        else:
            authentication = self.authentication

        tls: dict[str, Any] | None | Unset
        if isinstance(self.tls, Unset):
            tls = UNSET
        elif isinstance(self.tls, EndpointTls):
            tls = self.tls.to_dict()
        else:
            tls = self.tls

        payload_version: None | str | Unset
        if isinstance(self.payload_version, Unset):
            payload_version = UNSET
        else:
            payload_version = self.payload_version

        method: None | str | Unset
        if isinstance(self.method, Unset):
            method = UNSET
        else:
            method = self.method

        body_format: None | str | Unset
        if isinstance(self.body_format, Unset):
            body_format = UNSET
        else:
            body_format = self.body_format

        trace_context: None | str | Unset
        if isinstance(self.trace_context, Unset):
            trace_context = UNSET
        else:
            trace_context = self.trace_context

        source_address: None | str | Unset
        if isinstance(self.source_address, Unset):
            source_address = UNSET
        else:
            source_address = self.source_address

        secret: None | str | Unset
        if isinstance(self.secret, Unset):
            secret = UNSET
        else:
            secret = self.secret

        field_dict: dict[str, Any] = {}

        field_dict.update(
            {
                "url": url,
            }
        )
        if url_secret is not UNSET:
            field_dict["url_secret"] = url_secret
        if previous_secret is not UNSET:
            field_dict["previous_secret"] = previous_secret
        if previous_expires_at is not UNSET:
            field_dict["previous_expires_at"] = previous_expires_at
        if events is not UNSET:
            field_dict["events"] = events
        if active is not UNSET:
            field_dict["active"] = active
        if description is not UNSET:
            field_dict["description"] = description
        if metadata is not UNSET:
            field_dict["metadata"] = metadata
        if headers is not UNSET:
            field_dict["headers"] = headers
        if timeout_seconds is not UNSET:
            field_dict["timeout_seconds"] = timeout_seconds
        if max_in_flight is not UNSET:
            field_dict["max_in_flight"] = max_in_flight
        if rate_limit_per_second is not UNSET:
            field_dict["rate_limit_per_second"] = rate_limit_per_second
        if signature_variant is not UNSET:
            field_dict["signature_variant"] = signature_variant
        if options is not UNSET:
            field_dict["options"] = options
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
        from ..models.endpoint_tls import EndpointTls
        from ..models.ordering import Ordering
        from ..models.retry_patch import RetryPatch
        from ..models.template_type_0 import TemplateType0
        from ..models.webhook_new_headers_type_0 import WebhookNewHeadersType0
        from ..models.webhook_new_metadata_type_0 import WebhookNewMetadataType0
        from ..models.webhook_new_options_type_0 import WebhookNewOptionsType0

        d = dict(src_dict)
        url = d.pop("url")

        def _parse_url_secret(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        url_secret = _parse_url_secret(d.pop("url_secret", UNSET))

        def _parse_previous_secret(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        previous_secret = _parse_previous_secret(d.pop("previous_secret", UNSET))

        def _parse_previous_expires_at(
            data: object,
        ) -> datetime.datetime | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                previous_expires_at_type_0 = datetime.datetime.fromisoformat(data)

                return previous_expires_at_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(datetime.datetime | None | Unset, data)

        previous_expires_at = _parse_previous_expires_at(
            d.pop("previous_expires_at", UNSET)
        )

        def _parse_events(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                events_type_0 = cast(list[str], data)

                return events_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | None | Unset, data)

        events = _parse_events(d.pop("events", UNSET))

        def _parse_active(data: object) -> bool | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(bool | None | Unset, data)

        active = _parse_active(d.pop("active", UNSET))

        def _parse_description(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        description = _parse_description(d.pop("description", UNSET))

        def _parse_metadata(data: object) -> None | Unset | WebhookNewMetadataType0:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                metadata_type_0 = WebhookNewMetadataType0.from_dict(data)

                return metadata_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Unset | WebhookNewMetadataType0, data)

        metadata = _parse_metadata(d.pop("metadata", UNSET))

        def _parse_headers(data: object) -> None | Unset | WebhookNewHeadersType0:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                headers_type_0 = WebhookNewHeadersType0.from_dict(data)

                return headers_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Unset | WebhookNewHeadersType0, data)

        headers = _parse_headers(d.pop("headers", UNSET))

        def _parse_timeout_seconds(data: object) -> float | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(float | None | Unset, data)

        timeout_seconds = _parse_timeout_seconds(d.pop("timeout_seconds", UNSET))

        def _parse_max_in_flight(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        max_in_flight = _parse_max_in_flight(d.pop("max_in_flight", UNSET))

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

        def _parse_options(data: object) -> None | Unset | WebhookNewOptionsType0:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                options_type_0 = WebhookNewOptionsType0.from_dict(data)

                return options_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Unset | WebhookNewOptionsType0, data)

        options = _parse_options(d.pop("options", UNSET))

        def _parse_filter_(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        filter_ = _parse_filter_(d.pop("filter", UNSET))

        def _parse_template(data: object) -> list[Any] | None | TemplateType0 | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                componentsschemas_template_type_0 = TemplateType0.from_dict(data)

                return componentsschemas_template_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            try:
                if not isinstance(data, list):
                    raise TypeError()
                componentsschemas_template_type_1 = cast(list[Any], data)

                return componentsschemas_template_type_1
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[Any] | None | TemplateType0 | Unset, data)

        template = _parse_template(d.pop("template", UNSET))

        def _parse_channels(data: object) -> list[str] | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, list):
                    raise TypeError()
                channels_type_0 = cast(list[str], data)

                return channels_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(list[str] | None | Unset, data)

        channels = _parse_channels(d.pop("channels", UNSET))

        def _parse_reenable(data: object) -> None | Reenable | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, str):
                    raise TypeError()
                reenable_type_0 = Reenable(data)

                return reenable_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Reenable | Unset, data)

        reenable = _parse_reenable(d.pop("reenable", UNSET))

        def _parse_retry(data: object) -> None | RetryPatch | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                retry_type_0 = RetryPatch.from_dict(data)

                return retry_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | RetryPatch | Unset, data)

        retry = _parse_retry(d.pop("retry", UNSET))

        def _parse_ordering(data: object) -> None | Ordering | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                ordering_type_0 = Ordering.from_dict(data)

                return ordering_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(None | Ordering | Unset, data)

        ordering = _parse_ordering(d.pop("ordering", UNSET))

        def _parse_authentication(data: object) -> Authentication | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                authentication_type_0 = Authentication.from_dict(data)

                return authentication_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(Authentication | None | Unset, data)

        authentication = _parse_authentication(d.pop("authentication", UNSET))

        def _parse_tls(data: object) -> EndpointTls | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            try:
                if not isinstance(data, dict):
                    raise TypeError()
                tls_type_0 = EndpointTls.from_dict(data)

                return tls_type_0
            except (TypeError, ValueError, AttributeError, KeyError):
                pass
            return cast(EndpointTls | None | Unset, data)

        tls = _parse_tls(d.pop("tls", UNSET))

        def _parse_payload_version(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        payload_version = _parse_payload_version(d.pop("payload_version", UNSET))

        def _parse_method(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        method = _parse_method(d.pop("method", UNSET))

        def _parse_body_format(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        body_format = _parse_body_format(d.pop("body_format", UNSET))

        def _parse_trace_context(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        trace_context = _parse_trace_context(d.pop("trace_context", UNSET))

        def _parse_source_address(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        source_address = _parse_source_address(d.pop("source_address", UNSET))

        def _parse_secret(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        secret = _parse_secret(d.pop("secret", UNSET))

        webhook_new = cls(
            url=url,
            url_secret=url_secret,
            previous_secret=previous_secret,
            previous_expires_at=previous_expires_at,
            events=events,
            active=active,
            description=description,
            metadata=metadata,
            headers=headers,
            timeout_seconds=timeout_seconds,
            max_in_flight=max_in_flight,
            rate_limit_per_second=rate_limit_per_second,
            signature_variant=signature_variant,
            options=options,
            filter_=filter_,
            template=template,
            channels=channels,
            reenable=reenable,
            retry=retry,
            ordering=ordering,
            authentication=authentication,
            tls=tls,
            payload_version=payload_version,
            method=method,
            body_format=body_format,
            trace_context=trace_context,
            source_address=source_address,
            secret=secret,
        )

        return webhook_new
