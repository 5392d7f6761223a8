/* The table of routes.
 *
 * Why a table: dispatch, 405 with Allow, the check of query parameters and the OpenAPI document come from the same rows, so
 * they cannot differ. Literal rows stand before patterns that would take them too. */
#include "api/routes.h"
#include "api/handlers.h"
#include "api/route.h"
#include "engine/engine.h"

#define PAGE "limit cursor"
#define DRY "dry_run"
#define TEN TH_R_TENANT
#define OF_ENDPOINT TH_R_OF_ENDPOINT
/* What a tenant's key needs */
#define NONE 0 /* no tenant's key may */
#define ANY TH_SCOPE_ANY
#define PUBLISH TH_SCOPE_PUBLISH
#define READ TH_SCOPE_READ
#define MANAGE TH_SCOPE_MANAGE
/* The least that an operator's key needs */
#define NOBODY TH_ROLE_NONE
#define READ_ONLY TH_ROLE_READ_ONLY
#define SUPPORT TH_ROLE_SUPPORT
#define ADMIN TH_ROLE_ADMIN

/* One row a line: method, path, scope, role, flags, handler; query; status, schemas of request and answer; id and summary. A
 * row without scope and role is refused to everybody. */
// clang-format off
const struct th_api_route th_api_routes[] = {
    {"POST", "/v1/events", PUBLISH, ADMIN, TEN | TH_R_BODY | TH_R_PUBLISH | TH_R_SPREAD, th_h_publish, "", 202, "EventNew", "EventAccepted", "publishEvent", "Publish one event; answered after it is stored durably"},
    {"POST", "/v1/events/batch", PUBLISH, ADMIN, TEN | TH_R_BODY | TH_R_PUBLISH | TH_R_BATCH | TH_R_SPREAD, th_h_publish_batch, "", 202, "EventBatch", "EventBatchAccepted", "publishEvents", "Publish 1 to 1000 events, all or none"},
    {"GET", "/v1/events", READ, READ_ONLY, TEN, th_h_events, PAGE " after event_type outcome status_code since until include_tests all_tenants", 200, NULL, "EventPage", "listEvents", "List events, newest first; with `after` oldest first, to follow them without a gap"},
    {"GET", "/v1/events/stream", READ, READ_ONLY, TEN, th_h_events_stream, "after max_rate event_type include_tests all_tenants", 200, NULL, "EventStream", "streamEvents", "Follow events as they are accepted, as server-sent events"},
    {"GET", "/v1/events/{id}", READ, READ_ONLY, TEN | TH_R_OF_EVENT, th_h_event, "", 200, NULL, "EventDetail", "getEvent", "Show one event with its data and its deliveries"},
    {"GET", "/v1/events/{id}/matches", READ, READ_ONLY, TEN | TH_R_OF_EVENT, th_h_event_matches, PAGE " endpoint filter", 200, NULL, "MatchPage", "listMatches", "Say of each endpoint, newest first, whether the event goes to it, and why not"},
    {"DELETE", "/v1/events/{id}", MANAGE, ADMIN, TEN | TH_R_OF_EVENT | TH_R_NOT_PORTAL, th_h_event_erase, "cancel", 204, NULL, NULL, "eraseEvent", "Erase an event's content; the record that it was delivered stays"},
    {"POST", "/v1/events/{id}/cancel", MANAGE, SUPPORT, TEN | TH_R_OF_EVENT | TH_R_BODY_MAY | TH_R_NOT_PORTAL, th_h_event_cancel, "", 200, "Empty", "Cancelled", "cancelEvent", "Cancel an event's deliveries that have not ended; one under way may still arrive"},
    {"GET", "/v1/deliveries", READ, READ_ONLY, TEN | TH_R_OF_FILTERS, th_h_deliveries, PAGE " endpoint event event_type status outcome status_code since until include_tests all_tenants", 200, NULL, "DeliveryPage", "listDeliveries", "List deliveries, newest first"},
    {"GET", "/v1/attempts", READ, READ_ONLY, TEN | TH_R_OF_FILTERS, th_h_attempts, PAGE " after endpoint event event_type outcome status_code include_tests all_tenants", 200, NULL, "AttemptPage", "listAttempts", "List attempts of all deliveries, newest first; with `after` oldest first, to follow them without a " "gap"},
    {"GET", "/v1/attempts/stream", READ, READ_ONLY, TEN | TH_R_OF_FILTERS, th_h_attempts_stream, "after max_rate endpoint event event_type outcome status_code include_tests all_tenants", 200, NULL, "AttemptStream", "streamAttempts", "Follow attempts as they end, as server-sent events"},
    {"GET", "/v1/deliveries/{id}", READ, READ_ONLY, TEN | TH_R_OF_DELIVERY, th_h_delivery, PAGE, 200, NULL, "DeliveryDetail", "getDelivery", "Show one delivery with its attempts"},
    {"POST", "/v1/deliveries/{id}/retry", MANAGE, SUPPORT, TEN | TH_R_OF_DELIVERY | TH_R_BODY_MAY | TH_R_KEEPS, th_h_retry, "", 202, "Empty", "DeliveryQueued", "retryDelivery", "Attempt a delivery now, whatever its state, then follow the schedule"},
    {"POST", "/v1/deliveries/{id}/cancel", MANAGE, SUPPORT, TEN | TH_R_OF_DELIVERY | TH_R_BODY_MAY, th_h_delivery_cancel, "", 200, "Empty", "Cancelled", "cancelDelivery", "Cancel a delivery that has not ended; one under way may still arrive"},
    {"GET", "/v1/webhooks", READ, READ_ONLY, TEN, th_h_webhooks, PAGE " all_tenants", 200, NULL, "WebhookPage", "listWebhooks", "List the tenant's endpoints, newest first"},
    {"POST", "/v1/webhooks", MANAGE, ADMIN, TEN | TH_R_BODY | TH_R_SECRET | TH_R_KEEPS, th_h_webhook_add, DRY " dialect moved", 201, "WebhookNew", "WebhookCreated", "createWebhook", "Register an endpoint; its secret is shown once"},
    {"GET", "/v1/webhooks/{id}", READ, READ_ONLY, TEN | OF_ENDPOINT | TH_R_ETAG, th_h_webhook, "", 200, NULL, "Webhook", "getWebhook", "Show one endpoint"},
    {"PATCH", "/v1/webhooks/{id}", MANAGE, ADMIN, TEN | OF_ENDPOINT | TH_R_BODY | TH_R_ETAG | TH_R_MERGE, th_h_webhook_set, DRY, 200, "WebhookPatch", "Webhook", "updateWebhook", "Change an endpoint (JSON Merge Patch, null resets)"},
    {"DELETE", "/v1/webhooks/{id}", MANAGE, ADMIN, TEN | OF_ENDPOINT | TH_R_ETAG, th_h_webhook_del, "", 204, NULL, NULL, "deleteWebhook", "Delete an endpoint; its pending deliveries are cancelled"},
    {"POST", "/v1/webhooks/{id}/test", MANAGE, SUPPORT, TEN | OF_ENDPOINT | TH_R_BODY_MAY, th_h_webhook_test, "", 202, "WebhookTest", "WebhookTested", "testWebhook", "Send a sample event to this endpoint only, in one attempt, even if it is paused or disabled"},
    {"GET", "/v1/webhooks/{id}/deliveries", READ, READ_ONLY, TEN | OF_ENDPOINT, th_h_webhook_deliveries, PAGE " event_type status outcome status_code since until include_tests page size", 200, NULL, "DeliveryPage", "listWebhookDeliveries", "List the deliveries of one endpoint, newest first"},
    {"GET", "/v1/webhooks/{id}/secret", MANAGE, ADMIN, TEN | OF_ENDPOINT | TH_R_SECRET | TH_R_SECRETS, th_h_secrets, "", 200, NULL, "Secrets", "getSecrets", "Read the active secrets, newest first"},
    {"POST", "/v1/webhooks/{id}/rotate-secret", MANAGE, ADMIN, TEN | OF_ENDPOINT | TH_R_BODY_MAY | TH_R_SECRET | TH_R_KEEPS | TH_R_SECRETS, th_h_secret_rotate, "", 200, "SecretRotate", "Secrets", "rotateSecret", "Make or take a new secret"},
    {"DELETE", "/v1/webhooks/{id}/secret/previous", MANAGE, ADMIN, TEN | OF_ENDPOINT | TH_R_SECRETS, th_h_secret_revoke, "", 204, NULL, NULL, "revokePreviousSecret", "End the previous secret at once"},
    {"POST", "/v1/webhooks/{id}/explain", READ, READ_ONLY, TEN | OF_ENDPOINT | TH_R_BODY | TH_R_SECRET, th_h_webhook_explain, "", 200, "Explain", "Explained", "explainRequest", "Say why the signature of a request verifies or not, step by step; nothing is stored"},
    {"POST", "/v1/webhooks/{id}/retry", MANAGE, SUPPORT, TEN | OF_ENDPOINT | TH_R_BODY_MAY | TH_R_KEEPS, th_h_webhook_retry, "", 202, "Empty", "WebhookRetried", "retryWebhook", "Make all deliveries to this endpoint due now that wait for another attempt, at the endpoint's own pace"},
    {"POST", "/v1/webhooks/{id}/replay", MANAGE, SUPPORT, TEN | OF_ENDPOINT | TH_R_BODY | TH_R_KEEPS, th_h_replay_start, "", 202, "ReplayNew", "ReplayStarted", "startReplay", "Send finished deliveries of this endpoint again, after its fresh events"},
    {"POST", "/v1/webhooks/{id}/backfill", MANAGE, SUPPORT, TEN | OF_ENDPOINT | TH_R_BODY | TH_R_KEEPS, th_h_backfill, "", 202, "BackfillNew", "BackfillStarted", "startBackfill", "Send events to this endpoint that were accepted before it was made, after its fresh ones"},
    {"GET", "/v1/replays", READ, READ_ONLY, TEN, th_h_replays, PAGE, 200, NULL, "ReplayPage", "listReplays", "List the tenant's replays, newest first"},
    {"POST", "/v1/templates/preview", READ, READ_ONLY, TEN | TH_R_BODY, th_h_template_preview, "", 200, "TemplatePreview", "TemplatePreviewed", "previewTemplate", "Show the body that a template makes of an event; nothing is stored or sent"},
    {"GET", "/v1/event-types", ANY, READ_ONLY, 0, th_h_event_types, PAGE, 200, NULL, "EventTypePage", "listEventTypes", "List the installation's event types by name; with a tenant's key, those that hold for it"},
    {"GET", "/v1/event-types/{type}", ANY, READ_ONLY, 0, th_h_event_type, "", 200, NULL, "EventType", "getEventType", "Show one event type"},
    {"GET", "/v1/event-types/{type}/usage", NONE, READ_ONLY, 0, th_h_event_type_usage, PAGE, 200, NULL, "EventTypeUsePage", "listEventTypeUsage", "List the endpoints of all tenants that take this type, newest first, each with the version that it gets"},
    {"PUT", "/v1/event-types/{type}", NONE, ADMIN, TH_R_BODY, th_h_event_type_put, DRY, 200, "EventTypePut", "EventType", "putEventType", "Create or change an event type of the installation; what is left out keeps its value"},
    {"DELETE", "/v1/event-types/{type}", NONE, ADMIN, 0, th_h_event_type_del, "", 204, NULL, NULL, "deleteEventType", "Take an event type out of the installation's catalogue"},
    {"GET", "/v1/tenants/{tenant}/event-types", NONE, READ_ONLY, 0, th_h_tenant_types, PAGE, 200, NULL, "EventTypePage", "listTenantEventTypes", "List the event types of a tenant's own"},
    {"GET", "/v1/tenants/{tenant}/event-types/{type}", NONE, READ_ONLY, 0, th_h_tenant_type, "", 200, NULL, "EventType", "getTenantEventType", "Show one event type of a tenant's own"},
    {"PUT", "/v1/tenants/{tenant}/event-types/{type}", NONE, ADMIN, TH_R_BODY, th_h_tenant_type_put, DRY, 200, "EventTypePut", "EventType", "putTenantEventType", "Create or change an event type of a tenant's own, which goes before the installation's"},
    {"DELETE", "/v1/tenants/{tenant}/event-types/{type}", NONE, ADMIN, 0, th_h_tenant_type_del, "", 204, NULL, NULL, "deleteTenantEventType", "Take an event type out of a tenant's catalogue"},
    {"GET", "/v1/replays/{id}", READ, READ_ONLY, TEN | TH_R_OF_REPLAY, th_h_replay, "", 200, NULL, "Replay", "getReplay", "Show the progress of a replay"},
    {"DELETE", "/v1/replays/{id}", MANAGE, SUPPORT, TEN | TH_R_OF_REPLAY, th_h_replay_cancel, "", 204, NULL, NULL, "cancelReplay", "Stop a replay; what it has queued still goes out"},
    {"GET", "/v1/tenants", NONE, READ_ONLY, 0, th_h_tenants, PAGE, 200, NULL, "TenantPage", "listTenants", "List tenants"},
    {"GET", "/v1/endpoint-health", READ, READ_ONLY, TEN, th_h_endpoint_health, PAGE " tenant state endpoint q", 200, NULL, "EndpointHealthPage", "listEndpointHealth", "Show the health of endpoints, newest first: the tenant's own; with the operator's key, those of all tenants"},
    {"GET", "/v1/stats", READ, READ_ONLY, TEN | TH_R_OF_FILTERS, th_h_stats, "tenant endpoint since until step", 200, NULL, "Stats", "getStats", "Count attempts by minute, hour or day: of an endpoint, the tenant, or with the operator's key of all tenants"},
    {"GET", "/v1/stats/sparks", READ, READ_ONLY, TEN, th_h_sparks, "endpoints", 200, NULL, "Sparks", "getSparks", "Count the attempts of several endpoints in the last two hours, by five minutes, for a list of them"},
    {"PUT", "/v1/tenants/{tenant}", NONE, ADMIN, TH_R_BODY | TH_R_ETAG, th_h_tenant_put, DRY, 200, "TenantPut", "Tenant", "putTenant", "Create or change a tenant under the operator's own id"},
    {"GET", "/v1/tenants/{tenant}", NONE, READ_ONLY, TH_R_ETAG, th_h_tenant_get, "", 200, NULL, "Tenant", "getTenant", "Show one tenant"},
    {"DELETE", "/v1/tenants/{tenant}", NONE, ADMIN, TH_R_ETAG, th_h_tenant_del, "erase", 204, NULL, NULL, "deleteTenant", "Delete a tenant with its endpoints and keys; its events stay until retention, or are erased"},
    {"POST", "/v1/tenants/{tenant}/keys", NONE, ADMIN, TH_R_BODY | TH_R_SECRET | TH_R_KEEPS, th_h_key_add, "", 201, "KeyNew", "KeyCreated", "createKey", "Make a key for a tenant; its text is shown once"},
    {"GET", "/v1/tenants/{tenant}/keys", NONE, READ_ONLY, 0, th_h_keys, PAGE, 200, NULL, "KeyPage", "listKeys", "List a tenant's keys, never their text"},
    {"DELETE", "/v1/tenants/{tenant}/keys/{id}", NONE, ADMIN, 0, th_h_key_del, "", 204, NULL, NULL, "deleteKey", "End a key at once"},
    {"POST", "/v1/tenants/{tenant}/portal-links", NONE, ADMIN, TH_R_BODY | TH_R_SECRET, th_h_portal_link_add, "", 201, "PortalLinkNew", "PortalLinkMade", "createPortalLink", "Make a link that opens the portal for a tenant, once"},
    {"GET", "/v1/tenants/{tenant}/portal-links", NONE, READ_ONLY, 0, th_h_portal_links, "", 200, NULL, "PortalLinkPage", "listPortalLinks", "List a tenant's links to the portal, opened or not, newest first, never their token"},
    {"DELETE", "/v1/tenants/{tenant}/portal-links/{id}", NONE, ADMIN, 0, th_h_portal_link_del, "", 204, NULL, NULL, "deletePortalLink", "End a link to the portal at once, and what it has opened"},
    {"POST", "/v1/portal/sessions", NONE, NOBODY, TH_R_SECRET | TH_R_PORTAL_LINK, th_h_portal_open, "", 201, NULL, "PortalOpened", "openPortal", "Exchange the token of a link to the portal, once, for one that the portal's pages use"},
    {"GET", "/v1/portal/sessions/current", NONE, NOBODY, TH_R_PORTAL, th_h_portal_current, "", 200, NULL, "PortalSession", "getPortal", "Show what the token of the portal may do, and how the portal looks"},
    {"DELETE", "/v1/portal/sessions/current", NONE, NOBODY, TH_R_PORTAL, th_h_portal_leave, "", 204, NULL, NULL, "leavePortal", "End the token of the portal with which the request comes"},
    {"POST", "/v1/keys", NONE, ADMIN, TH_R_BODY | TH_R_SECRET | TH_R_KEEPS, th_h_operator_key_add, "", 201, "OperatorKeyNew", "OperatorKeyCreated", "createOperatorKey", "Make an operator's key with a role; its text is shown once"},
    {"GET", "/v1/keys", NONE, READ_ONLY, 0, th_h_operator_keys, PAGE, 200, NULL, "OperatorKeyPage", "listOperatorKeys", "List the operator's keys, never their text; the key of the configuration is not among them"},
    {"DELETE", "/v1/keys/{id}", NONE, ADMIN, 0, th_h_operator_key_del, "", 204, NULL, NULL, "deleteOperatorKey", "End an operator's key at once"},
    {"POST", "/v1/sessions", NONE, READ_ONLY, TH_R_SECRET | TH_R_LINK, th_h_session_add, "", 201, NULL, "SessionOwn", "createSession", "Sign a browser in: the key, or the token of a link once, is exchanged for a cookie"},
    {"GET", "/v1/sessions", NONE, ADMIN, 0, th_h_sessions, "", 200, NULL, "SessionPage", "listSessions", "List the sessions of all operators, newest first"},
    {"POST", "/v1/sessions/links", NONE, READ_ONLY, TH_R_SECRET, th_h_session_link, "", 201, NULL, "SessionLink", "createSessionLink", "Make a token that signs a browser in once, within ten minutes: /ui/#link=TOKEN"},
    {"GET", "/v1/sessions/current", NONE, READ_ONLY, TH_R_SECRET, th_h_session_current, "", 200, NULL, "SessionOwn", "getSession", "Show the session with which the request comes"},
    {"DELETE", "/v1/sessions/current", NONE, READ_ONLY, 0, th_h_session_leave, "", 204, NULL, NULL, "endSession", "Sign out: end the session with which the request comes"},
    {"DELETE", "/v1/sessions/{id}", NONE, ADMIN, 0, th_h_session_del, "", 204, NULL, NULL, "deleteSession", "End a session at once"},
    {"GET", "/v1/dialects", ANY, READ_ONLY, 0, th_h_dialects, "", 200, NULL, "DialectPage", "listDialects", "List the loaded dialects with every value"},
    {"GET", "/v1/dialects/{name}", ANY, READ_ONLY, 0, th_h_dialect, "", 200, NULL, "Dialect", "getDialect", "Show one dialect"},
    {"GET", "/v1/nodes", NONE, READ_ONLY, 0, th_h_nodes, PAGE, 200, NULL, "NodePage", "listNodes", "List the nodes that share the store, and which of them works"},
    {"GET", "/v1/inboxes", NONE, READ_ONLY, 0, th_h_inboxes, PAGE, 200, NULL, "InboxPage", "listInboxes", "List the inboxes in which applications publish within their transactions, and what waits there"},
    {"GET", "/v1/inboxes/rejected", NONE, READ_ONLY, 0, th_h_inbox_rejected, PAGE, 200, NULL, "RejectedPage", "listRejected", "List the events of inboxes that could not be accepted, oldest first"},
    {"POST", "/v1/inboxes/rejected/{id}/retry", NONE, SUPPORT, TH_R_BODY_MAY, th_h_inbox_retry, "", 204, "Empty", NULL, "retryRejected", "Put a rejected event into its inbox again"},
    {"DELETE", "/v1/inboxes/rejected/{id}", NONE, ADMIN, 0, th_h_inbox_drop, "", 204, NULL, NULL, "dropRejected", "Delete a rejected event for good"},
    {"GET", "/v1/audit", NONE, ADMIN, 0, th_h_audit, PAGE " operation result key session tenant object since until", 200, NULL, "AuditPage", "listAudit", "List who did what, newest first: changes, what was refused, and reading of secrets"},
    {"GET", "/v1/source-addresses", ANY, READ_ONLY, 0, th_h_source_addresses, "", 200, NULL, "SourceAddresses", "listSourceAddresses", "List the network prefixes from which deliveries come"},
    {"GET", "/v1/config", NONE, ADMIN, 0, th_h_config, "", 200, NULL, "SettingPage", "listSettings", "List the settings in force, each with where it comes from; never a secret"},
    {"GET", "/v1/search", NONE, READ_ONLY, 0, th_h_search, "q", 200, NULL, "Found", "search", "Find what an id names, else endpoints and tenants by a part of their address or name"},
    {"GET", "/.well-known/jwks.json", NONE, NOBODY, TH_R_PUBLIC, th_h_jwks, "endpoint", 200, NULL, "KeySet", "keySet", "Show the public keys that sign for the endpoint of the query, as a JSON Web Key Set (RFC 7517)"},
    {"GET", "/catalogue", NONE, NOBODY, TH_R_PUBLIC | TH_R_ETAG | TH_R_SWITCHED, th_h_catalogue, PAGE, 200, NULL, "page", "showCatalogue", "Show the installation's event types as a page for people, by group; 404 unless the installation has switched it on"},
    {"GET", "/catalogue.json", NONE, NOBODY, TH_R_PUBLIC | TH_R_ETAG | TH_R_SWITCHED, th_h_catalogue_json, PAGE, 200, NULL, "CataloguePage", "getCatalogue", "List the installation's event types by group and name, without archived ones; 404 unless the installation has switched it on"},
    {"GET", "/livez", NONE, NOBODY, TH_R_PUBLIC | TH_R_ALWAYS, th_h_livez, "", 200, NULL, "Health", "live", "Tell whether the process is alive"},
    {"GET", "/readyz", NONE, NOBODY, TH_R_PUBLIC, th_h_readyz, "", 200, NULL, "Health", "ready", "Tell whether events can be accepted; 503 with the reason if not"},
    {"GET", "/metrics", NONE, NOBODY, TH_R_PUBLIC, th_h_metrics, "", 200, NULL, "text", "metrics", "Metrics in the Prometheus text format"},
    {"GET", "/openapi.json", NONE, NOBODY, TH_R_PUBLIC, th_h_openapi_json, "", 200, NULL, "OpenApi", "openapi", "This document"},
    {NULL, NULL, 0, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL},
};
// clang-format on
