"""Contains all the data models used in inputs/outputs"""

from .attempt import Attempt
from .attempt_page import AttemptPage
from .attempt_request import AttemptRequest
from .attempt_request_headers import AttemptRequestHeaders
from .attempt_response import AttemptResponse
from .attempt_response_headers import AttemptResponseHeaders
from .attempt_row import AttemptRow
from .attempt_summary import AttemptSummary
from .audit_page import AuditPage
from .audit_row import AuditRow
from .audit_row_result import AuditRowResult
from .authentication import Authentication
from .authentication_client_authentication_type_1 import (
    AuthenticationClientAuthenticationType1,
)
from .authentication_client_authentication_type_2_type_1 import (
    AuthenticationClientAuthenticationType2Type1,
)
from .authentication_client_authentication_type_3_type_1 import (
    AuthenticationClientAuthenticationType3Type1,
)
from .authentication_type import AuthenticationType
from .backfill_first import BackfillFirst
from .backfill_left_out import BackfillLeftOut
from .backfill_new import BackfillNew
from .backfill_started import BackfillStarted
from .backlog_row import BacklogRow
from .cancelled import Cancelled
from .catalogue_page import CataloguePage
from .catalogue_type import CatalogueType
from .catalogue_version import CatalogueVersion
from .client_certificate import ClientCertificate
from .consent import Consent
from .consent_state import ConsentState
from .create_webhook_tenterhook_form import CreateWebhookTenterhookForm
from .delete_webhook_tenterhook_form import DeleteWebhookTenterhookForm
from .delivery import Delivery
from .delivery_detail import DeliveryDetail
from .delivery_detail_reason import DeliveryDetailReason
from .delivery_page import DeliveryPage
from .delivery_queued import DeliveryQueued
from .delivery_reason import DeliveryReason
from .delivery_status import DeliveryStatus
from .dialect import Dialect
from .dialect_page import DialectPage
from .disabled import Disabled
from .empty import Empty
from .ended_status import EndedStatus
from .endpoint_health import EndpointHealth
from .endpoint_health_last_attempt_type_1 import EndpointHealthLastAttemptType1
from .endpoint_health_page import EndpointHealthPage
from .endpoint_tls import EndpointTls
from .event import Event
from .event_accepted import EventAccepted
from .event_detail import EventDetail
from .event_new import EventNew
from .event_page import EventPage
from .event_schema_type_0 import EventSchemaType0
from .event_type import EventType
from .event_type_of import EventTypeOf
from .event_type_page import EventTypePage
from .event_type_put import EventTypePut
from .event_type_use import EventTypeUse
from .event_type_use_page import EventTypeUsePage
from .event_type_version import EventTypeVersion
from .explain import Explain
from .explain_headers import ExplainHeaders
from .explain_request_tenterhook_form import ExplainRequestTenterhookForm
from .explain_step import ExplainStep
from .explained import Explained
from .explained_secret import ExplainedSecret
from .fault import Fault
from .finding import Finding
from .finding_kind import FindingKind
from .first_attempts import FirstAttempts
from .found import Found
from .get_secrets_tenterhook_form import GetSecretsTenterhookForm
from .get_stats_step import GetStatsStep
from .get_webhook_tenterhook_form import GetWebhookTenterhookForm
from .health import Health
from .health_state import HealthState
from .inbox import Inbox
from .inbox_page import InboxPage
from .key import Key
from .key_created import KeyCreated
from .key_new import KeyNew
from .key_page import KeyPage
from .key_set import KeySet
from .list_endpoint_health_state import ListEndpointHealthState
from .list_webhook_deliveries_tenterhook_form import ListWebhookDeliveriesTenterhookForm
from .list_webhooks_tenterhook_form import ListWebhooksTenterhookForm
from .match import Match
from .match_page import MatchPage
from .match_reason import MatchReason
from .match_term import MatchTerm
from .match_value import MatchValue
from .node import Node
from .node_page import NodePage
from .node_state import NodeState
from .open_api import OpenApi
from .operator_key import OperatorKey
from .operator_key_created import OperatorKeyCreated
from .operator_key_new import OperatorKeyNew
from .operator_key_page import OperatorKeyPage
from .ordering import Ordering
from .outcome import Outcome
from .portal_link import PortalLink
from .portal_link_made import PortalLinkMade
from .portal_link_made_state import PortalLinkMadeState
from .portal_link_new import PortalLinkNew
from .portal_link_page import PortalLinkPage
from .portal_link_state import PortalLinkState
from .portal_opened import PortalOpened
from .portal_scope import PortalScope
from .portal_session import PortalSession
from .portal_theme import PortalTheme
from .portal_theme_lang import PortalThemeLang
from .portal_theme_mode import PortalThemeMode
from .problem import Problem
from .public_key import PublicKey
from .reenable import Reenable
from .rejected import Rejected
from .rejected_options_type_0 import RejectedOptionsType0
from .rejected_page import RejectedPage
from .replay import Replay
from .replay_kind import ReplayKind
from .replay_new import ReplayNew
from .replay_page import ReplayPage
from .replay_started import ReplayStarted
from .replay_state import ReplayState
from .retry_patch import RetryPatch
from .retry_settings import RetrySettings
from .retry_webhook_tenterhook_form import RetryWebhookTenterhookForm
from .revoke_previous_secret_tenterhook_form import RevokePreviousSecretTenterhookForm
from .role import Role
from .rotate_secret_tenterhook_form import RotateSecretTenterhookForm
from .scope import Scope
from .secret import Secret
from .secret_rotate import SecretRotate
from .secrets import Secrets
from .session import Session
from .session_link import SessionLink
from .session_own import SessionOwn
from .session_page import SessionPage
from .setting import Setting
from .setting_page import SettingPage
from .source import Source
from .source_addresses import SourceAddresses
from .spark import Spark
from .sparks import Sparks
from .start_backfill_tenterhook_form import StartBackfillTenterhookForm
from .start_replay_tenterhook_form import StartReplayTenterhookForm
from .stats import Stats
from .stats_row import StatsRow
from .stats_row_failed import StatsRowFailed
from .stats_step import StatsStep
from .template_preview import TemplatePreview
from .template_previewed import TemplatePreviewed
from .template_type_0 import TemplateType0
from .tenant import Tenant
from .tenant_attributes import TenantAttributes
from .tenant_limits import TenantLimits
from .tenant_page import TenantPage
from .tenant_put import TenantPut
from .tenant_put_attributes_type_0 import TenantPutAttributesType0
from .tenant_put_limits_type_0 import TenantPutLimitsType0
from .tenant_usage import TenantUsage
from .test_webhook_tenterhook_form import TestWebhookTenterhookForm
from .update_webhook_tenterhook_form import UpdateWebhookTenterhookForm
from .usage import Usage
from .validation import Validation
from .warning import Warning_
from .webhook import Webhook
from .webhook_created import WebhookCreated
from .webhook_created_headers import WebhookCreatedHeaders
from .webhook_created_metadata import WebhookCreatedMetadata
from .webhook_created_options import WebhookCreatedOptions
from .webhook_headers import WebhookHeaders
from .webhook_metadata import WebhookMetadata
from .webhook_new import WebhookNew
from .webhook_new_headers_type_0 import WebhookNewHeadersType0
from .webhook_new_metadata_type_0 import WebhookNewMetadataType0
from .webhook_new_options_type_0 import WebhookNewOptionsType0
from .webhook_options import WebhookOptions
from .webhook_page import WebhookPage
from .webhook_patch import WebhookPatch
from .webhook_patch_headers_type_0 import WebhookPatchHeadersType0
from .webhook_patch_metadata_type_0 import WebhookPatchMetadataType0
from .webhook_patch_options_type_0 import WebhookPatchOptionsType0
from .webhook_retried import WebhookRetried
from .webhook_test import WebhookTest
from .webhook_tested import WebhookTested
from .webhook_tested_reason import WebhookTestedReason

__all__ = (
    "Attempt",
    "AttemptPage",
    "AttemptRequest",
    "AttemptRequestHeaders",
    "AttemptResponse",
    "AttemptResponseHeaders",
    "AttemptRow",
    "AttemptSummary",
    "AuditPage",
    "AuditRow",
    "AuditRowResult",
    "Authentication",
    "AuthenticationClientAuthenticationType1",
    "AuthenticationClientAuthenticationType2Type1",
    "AuthenticationClientAuthenticationType3Type1",
    "AuthenticationType",
    "BackfillFirst",
    "BackfillLeftOut",
    "BackfillNew",
    "BackfillStarted",
    "BacklogRow",
    "Cancelled",
    "CataloguePage",
    "CatalogueType",
    "CatalogueVersion",
    "ClientCertificate",
    "Consent",
    "ConsentState",
    "CreateWebhookTenterhookForm",
    "DeleteWebhookTenterhookForm",
    "Delivery",
    "DeliveryDetail",
    "DeliveryDetailReason",
    "DeliveryPage",
    "DeliveryQueued",
    "DeliveryReason",
    "DeliveryStatus",
    "Dialect",
    "DialectPage",
    "Disabled",
    "Empty",
    "EndedStatus",
    "EndpointHealth",
    "EndpointHealthLastAttemptType1",
    "EndpointHealthPage",
    "EndpointTls",
    "Event",
    "EventAccepted",
    "EventDetail",
    "EventNew",
    "EventPage",
    "EventSchemaType0",
    "EventType",
    "EventTypeOf",
    "EventTypePage",
    "EventTypePut",
    "EventTypeUse",
    "EventTypeUsePage",
    "EventTypeVersion",
    "Explain",
    "ExplainHeaders",
    "ExplainRequestTenterhookForm",
    "ExplainStep",
    "Explained",
    "ExplainedSecret",
    "Fault",
    "Finding",
    "FindingKind",
    "FirstAttempts",
    "Found",
    "GetSecretsTenterhookForm",
    "GetStatsStep",
    "GetWebhookTenterhookForm",
    "Health",
    "HealthState",
    "Inbox",
    "InboxPage",
    "Key",
    "KeyCreated",
    "KeyNew",
    "KeyPage",
    "KeySet",
    "ListEndpointHealthState",
    "ListWebhookDeliveriesTenterhookForm",
    "ListWebhooksTenterhookForm",
    "Match",
    "MatchPage",
    "MatchReason",
    "MatchTerm",
    "MatchValue",
    "Node",
    "NodePage",
    "NodeState",
    "OpenApi",
    "OperatorKey",
    "OperatorKeyCreated",
    "OperatorKeyNew",
    "OperatorKeyPage",
    "Ordering",
    "Outcome",
    "PortalLink",
    "PortalLinkMade",
    "PortalLinkMadeState",
    "PortalLinkNew",
    "PortalLinkPage",
    "PortalLinkState",
    "PortalOpened",
    "PortalScope",
    "PortalSession",
    "PortalTheme",
    "PortalThemeLang",
    "PortalThemeMode",
    "Problem",
    "PublicKey",
    "Reenable",
    "Rejected",
    "RejectedOptionsType0",
    "RejectedPage",
    "Replay",
    "ReplayKind",
    "ReplayNew",
    "ReplayPage",
    "ReplayStarted",
    "ReplayState",
    "RetryPatch",
    "RetrySettings",
    "RetryWebhookTenterhookForm",
    "RevokePreviousSecretTenterhookForm",
    "Role",
    "RotateSecretTenterhookForm",
    "Scope",
    "Secret",
    "SecretRotate",
    "Secrets",
    "Session",
    "SessionLink",
    "SessionOwn",
    "SessionPage",
    "Setting",
    "SettingPage",
    "Source",
    "SourceAddresses",
    "Spark",
    "Sparks",
    "StartBackfillTenterhookForm",
    "StartReplayTenterhookForm",
    "Stats",
    "StatsRow",
    "StatsRowFailed",
    "StatsStep",
    "TemplatePreview",
    "TemplatePreviewed",
    "TemplateType0",
    "Tenant",
    "TenantAttributes",
    "TenantLimits",
    "TenantPage",
    "TenantPut",
    "TenantPutAttributesType0",
    "TenantPutLimitsType0",
    "TenantUsage",
    "TestWebhookTenterhookForm",
    "UpdateWebhookTenterhookForm",
    "Usage",
    "Validation",
    "Warning_",
    "Webhook",
    "WebhookCreated",
    "WebhookCreatedHeaders",
    "WebhookCreatedMetadata",
    "WebhookCreatedOptions",
    "WebhookHeaders",
    "WebhookMetadata",
    "WebhookNew",
    "WebhookNewHeadersType0",
    "WebhookNewMetadataType0",
    "WebhookNewOptionsType0",
    "WebhookOptions",
    "WebhookPage",
    "WebhookPatch",
    "WebhookPatchHeadersType0",
    "WebhookPatchMetadataType0",
    "WebhookPatchOptionsType0",
    "WebhookRetried",
    "WebhookTest",
    "WebhookTested",
    "WebhookTestedReason",
)
