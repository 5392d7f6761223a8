/* Descriptions in the OpenAPI document of each property and of each group of routes, and an example of each request body.
 *
 * This table is separate from the schemas because most names mean the same in every schema, and one row describes them
 * all. A test requires a description of every property, so a new property needs a row here. */
#include "api/words.h"
#include "api/member.h"
#include "core/limits.h"

#define ORDERING_KEY                                                                                         \
    "a JSONPath that finds one value in the event, such as $.data.order_id; null: the whole endpoint has "   \
    "one "                                                                                                   \
    "order"

/* A row with a schema goes before the row that holds for all. */
static const struct {
    const char *schema, *property, *words;
} words[] = {
    {NULL, "accent",
     "colour of links and of the main button in light mode; one that is too pale to be read is darkened"},
    {NULL, "accent_dark", "the same in dark mode; absent: the accent, made lighter until it can be read"},
    {"AuditRow", "key", "public id of the key that asked; operator: that of the configuration"},
    {"AuditRow", "from", "the address that connected, which may be a proxy's"},
    {"AuditRow", "status", "HTTP status of the answer"},
    {"AuditRow", "tenant", "on whose behalf; empty: nobody's"},
    {"AuditRow", "time", "when it was answered"},
    {NULL, "active", "false: the endpoint is paused, and its deliveries are held"},
    {"Node", "address", "the address on which it was told to listen; empty: the store is not shared"},
    {NULL, "address", "address and port to which the request went; null: there was no connection"},
    {NULL, "after", "the value of the parameter `after` that gives what follows"},
    {"BackfillLeftOut", "channels", "number of events that have none of the endpoint's channels"},
    {"BackfillLeftOut", "erased", "number of events whose content has been erased"},
    {"BackfillLeftOut", "event_type",
     "number of events of types that the endpoint, or the request, does not want"},
    {"BackfillLeftOut", "expired", "number of events that have expired"},
    {"BackfillLeftOut", "filter", "number of events in which the endpoint's filter finds nothing"},
    {"BackfillStarted", "first", "with dry_run: the oldest events that would go out, at most ten"},
    {"BackfillStarted", "left_out",
     "number of events of that time that do not go to the endpoint, by reason"},
    {NULL, "allowed", "the most that the tenant may have; null: no limit"},
    {NULL, "at", "when it was disabled"},
    {NULL, "attempt_count", "how many requests have been made"},
    {"StatsRow", "attempts", "how many began in it, without tests"},
    {NULL, "attempts", "each request with its result, in order"},
    {NULL, "attributes", "values for envelope fields of the dialect, by name"},
    {"TemplatePreviewed", "body", "the body that would be sent"},
    {NULL, "body", "the body, as text"},
    {NULL, "body_base64", "in place of body, if that is not UTF-8"},
    {NULL, "bytes", "length of the body, as it would be sent"},
    {NULL, "breaker_open", "true: nobody answers there (time-outs, refused connections, no such name)"},
    {"ReplayStarted", "cancelled", "number of matches that had been cancelled"},
    {"Cancelled", "cancelled",
     "how many deliveries have been cancelled; those that had ended are not counted"},
    {"EventNew", "channels",
     "only endpoints with one of these channels, and endpoints without channels, get it"},
    {NULL, "traceparent", "W3C Trace Context with which it was published; absent: none"},
    {"Event", "channels",
     "only endpoints with one of these channels, and endpoints without channels, get it; absent: none"},
    {"EventDetail", "channels",
     "only endpoints with one of these channels, and endpoints without channels, get it; absent: none"},
    {NULL, "channels", "it gets only events with one of these channels; empty: all"},
    {"Match", "changed_since",
     "true: the endpoint has been changed after the event; what is said here goes by its settings of now"},
    {NULL, "client", "address of the client: what trusted proxies say, else the same as `from`"},
    {NULL, "column", "place of a fault in the JSON, from 1"},
    {NULL, "complete_from",
     "all attempts that began from then on are counted; of earlier ones perhaps not all"},
    {NULL, "connect_ms",
     "milliseconds until the connection was established; null: it was a kept one, or there was none"},
    {NULL, "connection_reused", "whether a kept connection was used"},
    {"Event", "created_at", "when it was accepted"},
    {"EventDetail", "created_at", "when it was accepted"},
    {NULL, "created_at", "when it was made"},
    {"EventNew", "data",
     "what happened: any JSON; delivered byte for byte unless the dialect says otherwise"},
    {"EventDetail", "data", "the data as it was published"},
    {"TemplatePreview", "data", "in place of an event: the data of one"},
    {NULL, "csrf_token",
     "requests of the session that change something must send it in the header Tenterhook-Csrf"},
    {NULL, "data", "the rows of this page"},
    {NULL, "decoded_from", "the content coding of the endpoint's answer, which is shown decoded"},
    {NULL, "default", "the dialect of tenants that name none"},
    {NULL, "degraded", "true: so many attempts have failed that the dialect calls the delivery degraded"},
    {NULL, "delays",
     "seconds to wait after the failure of attempt 1, 2, ...; a text such as 5m is taken too; []: one "
     "attempt"},
    {NULL, "deliver_at", "when its deliveries are first due; absent, or not later than the accept: at once"},
    {"EndpointHealth", "disable_at",
     "when a rule disables it if it goes on failing; null: no rule of time does"},
    {"Event", "expires_at", "no attempt begins from then on; absent: never"},
    {"EventDetail", "expires_at", "no attempt begins from then on; absent: never"},
    {"EventNew", "expires_at", "no attempt begins from then on; null: the schedule alone says when it ends"},
    {"StatsRow", "failed", "the others, by outcome"},
    {NULL, "final", "statuses after which there is no other attempt: 404, 4xx, 400-499"},
    {"EndpointHealth", "first_attempts",
     "those that ended in this half hour and the one before; retries, tests and our own faults left out"},
    {"FirstAttempts", "count", "how many there were"},
    {"FirstAttempts", "failed", "how many of them failed"},
    {"FirstAttempts", "failed_percent", "the same in percent; null: there were none"},
    {NULL, "jitter_percent", "how much of a delay is added at random, at most"},
    {NULL, "reenable",
     "on_test: a test that succeeds enables it again when failures have disabled it; by_hand, or absent: "
     "somebody does"},
    {NULL, "respect_retry_after",
     "whether Retry-After of 429 and 503, or of the statuses that the dialect names, puts off the next "
     "attempt"},
    {NULL, "retention_seconds",
     "how long the tenant's events are kept, where that is shorter than the installation keeps them; absent, "
     "or null: as long"},
    {NULL, "retry", "what the endpoint sets of its schedule itself; the rest is the dialect's"},
    {NULL, "schedule", "the schedule in force, if the endpoint has its own; absent: the dialect's"},
    {"Stats", "since", "beginning of the first row"},
    {NULL, "tries", "with `schedule`: how many attempts of it have been made since it last began"},
    {"Stats", "until", "end of the last row"},
    {"EventDetail", "deliveries", "one for each endpoint that the event goes to"},
    {NULL, "deliveries", "how many endpoints the event goes to"},
    {NULL, "consent", "whether its receiver has agreed to get events; only where receivers are asked"},
    {"Match", "delivery",
     "id of the delivery that the event got when it was accepted; null: none; absent: it has more than 1000"},
    {NULL, "delivery", "id of the delivery that the attempt belongs to"},
    {NULL, "delivery_count", "how many endpoints the event goes to"},
    {NULL, "delivery_status", "status of the delivery now"},
    {NULL, "description", "a text of your own; never sent"},
    {NULL, "detail", "an explanation for people"},
    {NULL, "dialect", "name of the form in which the tenant's endpoints get events"},
    {NULL, "disabled", "when and why it was disabled; null: it was not"},
    {NULL, "dns_ms", "milliseconds until the name was resolved; null: no look-up"},
    {"BackfillNew", "dry_run", "true: events are only counted, and nothing is sent"},
    {"BackfillStarted", "dry_run", "true: events were only counted, and nothing is sent"},
    {NULL, "dry_run", "true: deliveries are only counted, and nothing is sent"},
    {NULL, "duration_ms", "milliseconds of the whole attempt"},
    {NULL, "ended_at", "when it was delivered, failed or cancelled; null: it has not ended"},
    {NULL, "encoding", "the content coding of the answer, which is shown as it came, in Base64"},
    {"Match", "endpoint", "id of the endpoint; absent: the filter of the query was asked"},
    {NULL, "endpoint", "id of the endpoint, even if it is deleted; null: nothing is known about it"},
    {NULL, "errors", "each value that is wrong"},
    {"TemplatePreview", "event", "id of the event that the template is tried on"},
    {NULL, "event", "id of the event"},
    {NULL, "event_type", "type of the event"},
    {NULL, "event_types", "only events of these types; empty: all"},
    {NULL, "events",
     "types to which it subscribes; prefix.* and * if the dialect has them; empty: all, if the dialect says "
     "so"},
    {"PortalLink", "expires_at",
     "when it ends at the latest; of a link that waits, when it cannot be opened any more"},
    {"PortalLinkMade", "expires_at", "when it cannot be opened any more"},
    {NULL, "expires_at", "when it ends; null or absent: never"},
    {"ReplayStarted", "failed", "number of matches that had failed for good"},
    {NULL, "failing_since", "the time since which all attempts have failed; null: the last one succeeded"},
    {NULL, "field", "name of the field that is wrong, in dialects that list faults by field"},
    {"Match", "filter", "the endpoint's filter; absent: it has none"},
    {NULL, "filter",
     "a JSONPath (RFC 9535) such as $[?@.data.amount >= 100]: the endpoint gets events for which it finds "
     "something in the "
     "list [event]; null: all"},
    {NULL, "filter_error",
     "true: the endpoint's filter could not be evaluated within its limits, so the event was delivered; "
     "absent else"},
    {"MatchValue", "found", "whether the path found something"},
    {NULL, "expires_in", "seconds for which the link waits to be opened; absent: 900"},
    {NULL, "first_byte_ms", "milliseconds until the answer began"},
    {"Attempt", "headers", "header fields by name"},
    {NULL, "from", "address of the client that made it"},
    {NULL, "ground", "colour of the page in light mode"},
    {NULL, "ground_dark", "colour of the page in dark mode"},
    {NULL, "headers",
     "header fields that are sent with each request; values are secret for keys that may only read"},
    {"EndpointHealth", "held",
     "deliveries that wait because it is paused or disabled, or its receiver has not agreed to get events"},
    {"MatchTerm", "holds", "whether it is true of this event; null: it takes too many steps to say so"},
    {NULL, "hidden", "why headers and body are not shown to this key; absent: they are"},
    {"EventNew", "id", "your own id, unique in the tenant; a repetition is refused"},
    {"BackfillStarted", "id",
     "id of the job, which is shown and stopped like a replay; null: it was a dry run"},
    {"ReplayStarted", "id", "id of the replay; null: it was a dry run"},
    {NULL, "id", "its id; it never changes"},
    {NULL, "idle_seconds", "seconds without a request after which it ends"},
    {NULL, "in_flight", "requests under way"},
    {"Session", "key", "id of the key for which it stands; operator: the key of the configuration"},
    {"SessionOwn", "key", "id of the key for which it stands; operator: the key of the configuration"},
    {"Setting", "key", "its key in the configuration file, or else its flag"},
    {"Replay", "kind", "\"backfill\" for one; absent for a replay"},
    {NULL, "kind", "what was found"},
    {NULL, "label", "URL of an endpoint, or name of a tenant; null: none"},
    {"Ordering", "key", ORDERING_KEY},
    {NULL, "key", "the key itself; shown only here"},
    {NULL, "lang", "language of the portal; absent: what the browser asks for"},
    {NULL, "key_name", "name of an operator's key with a role; else empty"},
    {NULL, "last_attempt", "the newest request; null: none yet"},
    {NULL, "last_success_at", "when a request was last answered 2xx"},
    {NULL, "limits",
     "the most that the tenant may have of each; null: what the installation allows; 0: no limit"},
    {NULL, "line", "place of a fault in the JSON, from 1"},
    {"Match", "matches", "whether the event goes to the endpoint"},
    {NULL, "logo", "the picture itself, as data:image/png;base64,… (or jpeg, gif, webp)"},
    {"BackfillStarted", "matched", "number of events that go to the endpoint"},
    {NULL, "matched", "number of deliveries that match"},
    {NULL, "max_wait",
     "for how long a delivery that has failed holds up the next of its key, 1s to 30d; null: until it has "
     "ended"},
    {NULL, "max_in_flight", "most requests at the same time"},
    {NULL, "message", "what is wrong, in dialects that list faults by field"},
    {NULL, "metadata", "your own pairs; never sent"},
    {NULL, "method", "method of the request"},
    {NULL, "mode", "light, dark, or auto: what the reader's system says"},
    {NULL, "more", "whether more rows can be read at once"},
    {NULL, "more_in_store", "whether more wait than are counted in `waiting`"},
    {"PortalTheme", "name", "the platform's name, as its customers know it"},
    {"OperatorKeyNew", "name", "whose key it is; the audit log shows it"},
    {"OperatorKey", "name", "whose key it is"},
    {"OperatorKeyCreated", "name", "whose key it is"},
    {"Session", "name", "whose key it is; empty: the operator's key of the configuration"},
    {"SessionOwn", "name", "whose key it is; empty: the operator's key of the configuration"},
    {NULL, "name", "its name"},
    {NULL, "next_attempt_at", "when the next request is due; null: no request is"},
    {NULL, "next_cursor", "give it as the parameter `cursor` to get the next page; null: this is the last"},
    {NULL, "number", "number of the attempt, from 1"},
    {NULL, "object", "public id of what it was about, or of what was made; empty: nothing was"},
    {NULL, "operation", "id of the operation, as in this document"},
    {NULL, "options", "switches of the dialect, by name"},
    {NULL, "ordering",
     "deliveries of one key go one after the other, in the order in which their events were accepted; "
     "absent: no order"},
    {NULL, "origin", "where it comes from: a flag, a variable, a line of the file, or the default"},
    {NULL, "outcome", "how it ended"},
    {NULL, "overlap_seconds",
     "seconds for which the old secret stays in use; null: until it is revoked; absent: the dialect's "
     "default"},
    {NULL, "p50_ms", "half of the attempts took at most so many milliseconds, at most 5 % off; null: none"},
    {NULL, "p95_ms", "95 % of the attempts took at most so many milliseconds, at most 5 % off; null: none"},
    {NULL, "parameter", "name of the query parameter at fault"},
    {"MatchValue", "path", "a path of the term"},
    {"Inbox", "id", "0: the inbox in the store's own database; else its place in `inbox.sources`, from 1"},
    {"Inbox", "database", "host, port and name of the database"},
    {"Inbox", "error", "why nothing is taken out of it; null: it is being drained"},
    {"Inbox", "waiting", "events that have not been taken; counted up to 100000"},
    {"Inbox", "rejected", "events that were moved aside; counted up to 100000"},
    {"Inbox", "oldest_at", "when the event was published that waits longest; null: none waits"},
    {"Rejected", "id", "the inbox, and the event's number there"},
    {"Rejected", "tenant", "the tenant that it was published for, whether there is one or not"},
    {"Rejected", "event", "the id that it was published with"},
    {"Rejected", "reason", "why it cannot be accepted"},
    {"Rejected", "options", "what it was published with; null: nothing"},
    {"Rejected", "bytes", "size of its data"},
    {"Rejected", "published_at", "when it was published"},
    {"Rejected", "rejected_at", "when it was moved aside"},
    {NULL, "pointer", "JSON Pointer (RFC 6901) to the value in the request body"},
    {"Node", "behind",
     "commits of other nodes that it has not applied yet; null: it does not share the work"},
    {"Node", "id", "its number in this database"},
    {"Node", "lease_ms",
     "milliseconds until another node may take over, if it is not heard of; null: there are no leases"},
    {"Node", "slots", "how many of the 256 parts of the work it has"},
    {"Node", "state", "working; waiting to take over; or gone: its lease is over"},
    {"Node", "this", "whether it is the one that answers"},
    {"Node", "version", "version of its program"},
    {NULL, "prefixes", "networks from which deliveries come"},
    {"EndpointHealth", "pending", "deliveries that wait for their first attempt"},
    {NULL, "previous_expires_at", "when the previous secret ends"},
    {NULL, "previous_secret", "the previous secret, which is also used for signing until it ends"},
    {NULL, "progress", "the share that is done, from 0 to 1"},
    {NULL, "public_key", "the key with which a receiver verifies, if signatures have a key pair"},
    {NULL, "queued", "number of deliveries that have been put into the queue"},
    {NULL, "radius", "how round corners are, in pixels"},
    {NULL, "rate_limit_per_second", "most attempts in a second; null: no limit"},
    {"Delivery", "reason", "why it failed"},
    {"DeliveryDetail", "reason", "why it failed"},
    {"Match", "reason", "why it goes there or not, in a word"},
    {NULL, "reason", "why it was disabled"},
    {NULL, "repeated",
     "true: the kept answer of an earlier request with this Idempotency-Key; nothing changed"},
    {NULL, "request", "the request as it was sent; null: it cannot be shown any more"},
    {NULL, "request_id", "the name of this request in the server's log"},
    {NULL, "resource_id", "id of the thing that the event is about"},
    {NULL, "resource_type",
     "type of the thing that the event is about; default: as the dialect's catalogue says"},
    {"AuditRow", "result", "done; checked: a dry run; refused: 4xx; failed: 5xx"},
    {NULL, "response", "the answer; null: there was none"},
    {NULL, "resting_until",
     "the time until which it has asked for no requests (Retry-After); null: it has not"},
    {"EndpointHealth", "retrying", "deliveries that wait for another attempt"},
    {"Problem", "role", "with status 403: the least role that an operator's key needs"},
    {NULL, "return_url", "where the portal leads back to; null: nowhere"},
    {NULL, "role",
     "what the operator's key may do; each role includes those after it. admin: everything; support: "
     "retries, replays, tests and reading; read-only: reading, without secrets"},
    {"PortalLinkNew", "scopes",
     "what it may do: look, manage, and see and rotate secrets; each includes the ones before"},
    {"PortalLink", "scopes", "what it may do; each scope includes the ones before"},
    {"PortalLinkMade", "scopes", "what it may do; each scope includes the ones before"},
    {"PortalSession", "scopes", "what it may do; each scope includes the ones before"},
    {"PortalOpened", "scopes", "what it may do; each scope includes the ones before"},
    {NULL, "scopes", "what the key may do"},
    {NULL, "secret", "the secret with which requests are signed"},
    {NULL, "secrets", "the active secrets, newest first"},
    {NULL, "signature_variant", "which of the dialect's signatures; null: its first"},
    {NULL, "skipped",
     "true: it has held up its ordering key for as long as it may, and the next of the key has passed it; "
     "absent "
     "else"},
    {NULL, "since", "events accepted at this time or later"},
    {NULL, "session",
     "id of the session of a browser, or of the link to the portal, by which the key asked; else empty"},
    {"EndpointHealth", "state", "its health; failing: all attempts have failed since failing_since"},
    {"PortalLink", "state",
     "waiting: it can be opened; open: it was opened, and what it opened has not ended"},
    {"PortalLinkMade", "state",
     "waiting: it can be opened; open: it was opened, and what it opened has not ended"},
    {NULL, "state", "the state of the replay"},
    {"Problem", "status", "the HTTP status of this answer"},
    {"Health", "status", "the state in one word"},
    {"Attempt", "status", "HTTP status of the answer; null: there was none"},
    {"AttemptRow", "status", "HTTP status of the answer; null: there was none"},
    {"AttemptSummary", "status", "HTTP status of the answer; null: there was none"},
    {"Replay", "status", "only deliveries with this end; empty: all"},
    {"ReplayNew", "status", "only deliveries with this end; null: all"},
    {NULL, "status", "the state of the delivery"},
    {"EventNew", "tenant", "with the operator's key: the tenant whose event it is"},
    {NULL, "step", "how long a row is"},
    {NULL, "succeeded", "attempts that count as delivered"},
    {NULL, "t", "where the row begins, in UTC"},
    {NULL, "tenant", "id of the tenant"},
    {"Event", "time", "when it happened"},
    {"EventDetail", "time", "when it happened"},
    {"EventNew", "time", "when it happened; default: now"},
    {NULL, "template",
     "a JSON document that is sent in place of the dialect's body; {\"$\": \"$.data.id\"} and the like are "
     "replaced by what they "
     "find in the event; null: the dialect's body"},
    {NULL, "terms", "of a filter $[?A && B]: the results of A and B; absent: the filter has another form"},
    {"MatchTerm", "text", "as it stands in the filter"},
    {NULL, "time", "when the attempt began"},
    {NULL, "timeout_seconds", "seconds that a whole attempt may take"},
    {NULL, "title", "name of the status"},
    {NULL, "tls_ms", "milliseconds until TLS was established; null: a kept connection, or http"},
    {"PortalOpened", "token", "the key of the portal's page; shown only here"},
    {NULL, "token", "signs a browser in, once, when it stands after # in the address of the dashboard"},
    {NULL, "truncated", "true: only the beginning of the body is kept"},
    {"TemplatePreview", "type", "with data: type of the event; default: webhook.test"},
    {"Problem", "type", "always about:blank: the status says what kind of problem it is"},
    {"WebhookTest", "type",
     "type of the test; default: the first that the endpoint takes; webhook.test in every dialect"},
    {"Authentication", "type",
     "basic: HTTP Basic; api_key: a header with a key; a change with the same type keeps what it leaves out"},
    {NULL, "type", "what happened: names joined by full stops"},
    {NULL, "theme", "how the portal looks"},
    {NULL, "until", "events accepted before this time"},
    {NULL, "updated_at", "when it was last changed"},
    {"PortalLinkMade", "url", "address that opens the portal, once; shown only here"},
    {NULL, "url", "where requests go"},
    {NULL, "url_secret",
     "true: the URL is a credential; path and query are kept encrypted, and masked for keys that may only "
     "read"},
    {NULL, "url_unicode", "the URL with its host name in Unicode, where that differs"},
    {"Setting", "value", "the value as text; null: none; of a secret only that it is set"},
    {NULL, "usage", "what the tenant uses, next to what it may have"},
    {"EventTypeUse", "version", "version of the data that it gets; null: the type has no versions"},
    {"Event", "version", "newest version that its type had when it was accepted; absent: it has none"},
    {"EventDetail", "version", "newest version that its type had when it was accepted; absent: it has none"},
    {"Webhook", "method", "method of its requests; absent: the dialect's"},
    {"WebhookCreated", "method", "method of its requests; absent: the dialect's"},
    {"WebhookNew", "method", "method of its requests: POST, PUT or PATCH; null: the dialect's"},
    {"WebhookPatch", "method", "method of its requests: POST, PUT or PATCH; null: the dialect's"},
    {NULL, "body_format",
     "form: the body is sent as application/x-www-form-urlencoded; json or null: as JSON"},
    {NULL, "archived", "true: not for new subscriptions any more; it can still be published"},
    {NULL, "deprecated", "true: nobody should begin to rely on it"},
    {NULL, "example", "data as an event of this type has it; it fits the schema"},
    {NULL, "group", "what it belongs to, for people"},
    {NULL, "of", "whose catalogue has it"},
    {"EventTypeUse", "payload_version", "the version that the endpoint has pinned; null: none"},
    {NULL, "payload_version",
     "a version of event types: the endpoint gets data as it was written then; null: as the newest version"},
    {NULL, "schema", "a JSON Schema (2020-12) of the data; null: none"},
    {NULL, "schema_error",
     "true: its data did not fit the schema of its type, or could not be checked; absent else"},
    {NULL, "sunset", "when nobody should want this version any more; null or absent: not said"},
    {NULL, "validate",
     "what publishing does with data that does not fit the schema: off, warn (it is marked), refuse, or "
     "default: as the installation"},
    {NULL, "versions",
     "versions of its data, the newest first; each but the newest with the template that makes it of the one "
     "before"},
    {NULL, "used", "how much the tenant uses"},
    {NULL, "used_at", "when the last request came with it"},
    {NULL, "version", "version of the server"},
    {"Authentication", "value",
     "api_key: the header's value, kept encrypted; *** for keys that may not read secrets"},
    {"Authentication", "header", "api_key: the header's name, such as X-API-Key"},
    {"Authentication", "username", "basic: the user, without a colon"},
    {"Authentication", "password",
     "basic: the password, kept encrypted; *** for keys that may not read secrets"},
    {NULL, "authentication",
     "what its requests carry so that the receiver lets them in, beside the signature; null or absent: "
     "nothing"},
    {NULL, "value", "what is there; absent: nothing, or more than 1 KiB"},
    {NULL, "value_bytes", "instead of value, where that is more than 1 KiB"},
    {NULL, "values", "the paths of the term, and what they find in this event"},
    {NULL, "waiting", "deliveries that wait"},
    {NULL, "warnings", "parts of the request that were accepted but may not be what was meant"},
};

/* The routes below a path, and the word for them. The first that fits counts. */
static const struct {
    const char *path, *tag, *words;
} tags[] = {
    {"/v1/events", "events", "Publishing, and the events that were published"},
    {"/v1/deliveries", "deliveries", "One event on its way to one endpoint"},
    {"/v1/attempts", "deliveries", NULL},
    {"/v1/webhooks", "endpoints", "The tenant's endpoints, in the shapes of its dialect"},
    {"/v1/endpoint-health", "endpoints", NULL},
    {"/v1/templates", "endpoints", NULL},
    {"/v1/event-types", "event types",
     "The catalogue: what a type's data has to be, and how it was written before"},
    {"/v1/replays", "replays", "Sending finished deliveries again"},
    {"/v1/tenants", "tenants", "Tenants and their keys; for the operator only"},
    {"/v1/portal", "portal", "What the portal's pages ask for themselves"},
    {"/v1/keys", "keys", "Operators' keys, each with a name and a role"},
    {"/v1/sessions", "sessions", "Operators who have signed in with a browser"},
    {"/v1/inboxes", "inboxes", "Events that applications publish within their own transactions"},
    {"/v1/nodes", "nodes", "The processes that share the store"},
    {"/v1/audit", "audit", "Who did what"},
    {"/v1/dialects", "dialects", "The loaded dialects: forms of vendors"},
    {"/", "installation", "The server itself"},
};

static const struct {
    const char *schema, *json;
} examples[] = {
    {"EventNew", "{\"type\":\"order.created\",\"data\":{\"order\":17}}"},
    {"EventBatch", "[{\"type\":\"order.created\",\"data\":{\"order\":17}},{\"type\":\"order.paid\",\"data\":{"
                   "\"order\":17}}]"},
    {"WebhookNew",
     "{\"url\":\"https://shop.example/hook\",\"events\":[\"order.*\"],\"description\":\"shop\"}"},
    {"WebhookPatch", "{\"active\":false,\"rate_limit_per_second\":null}"},
    {"TemplatePreview",
     "{\"template\":{\"text\":{\"$join\":[\"order \",{\"$\":\"$.data.order\"}]}},\"data\":{\"order\":17}}"},
    {"EventTypePut",
     "{\"description\":\"An order has been paid\",\"schema\":{\"type\":\"object\",\"required\":["
     "\"order\"]},\"example\":{\"order\":17},\"validate\":\"refuse\"}"},
    {"WebhookTest", "{\"type\":\"webhook.test\"}"},
    {"SecretRotate", "{\"overlap_seconds\":86400}"},
    {"BackfillNew", "{\"since\":\"2026-04-01T00:00:00Z\",\"event_types\":[\"order.paid\"],\"dry_run\":true}"},
    {"ReplayNew", "{\"since\":\"2026-04-02T08:00:00Z\",\"status\":\"failed\",\"dry_run\":true}"},
    {"TenantPut", "{\"name\":\"Acme Inc.\",\"dialect\":\"standard\"}"},
    {"KeyNew", "{\"scopes\":[\"events:publish\"],\"description\":\"the shop's backend\"}"},
    {"PortalLinkNew", "{\"scopes\":[\"webhooks:read\",\"webhooks:manage\"],\"theme\":{\"name\":"
                      "\"Tallyworks\",\"accent\":\"#7a2e6b\"}}"},
    {"OperatorKeyNew", "{\"role\":\"support\",\"name\":\"Ana, help desk\"}"},
    {"EventAccepted", "{\"id\":\"msg_01M7X22X2G2RSS9YF9GYP3Z53C\",\"type\":\"order.created\",\"tenant\":"
                      "\"default\",\"deliveries\":1}"},
    {"Problem", "{\"type\":\"about:blank\",\"title\":\"Unprocessable "
                "Content\",\"status\":422,\"detail\":\"type: is required\","
                "\"request_id\":\"req_1\",\"errors\":[{\"pointer\":\"/type\",\"detail\":\"is required\"}]}"},
    {"Empty", "{}"},
};

const char *th_api_words(struct th_span schema, struct th_span property)
{
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
        if (th_span_is(property, words[i].property) &&
            (!words[i].schema || th_span_is(schema, words[i].schema)))
            return words[i].words;
    for (unsigned i = 0; i < TH_L_COUNT; i++) /* names of limits: the description of `limits` says the rest */
        if (th_span_is(property, th_limit_name((enum th_limit)i)))
            return th_limit_what((enum th_limit)i);
    return NULL;
}

const char *th_api_words_example(const char *schema)
{
    for (unsigned i = 0; i < sizeof examples / sizeof examples[0]; i++)
        if (strcmp(schema, examples[i].schema) == 0)
            return examples[i].json;
    return NULL;
}

const char *th_api_words_tag(const char *path)
{
    unsigned i = 0;

    while (strncmp(path, tags[i].path, strlen(tags[i].path)) != 0)
        i++; /* "/" fits all */
    return tags[i].tag;
}

void th_api_words_tags(struct th_jw *w)
{
    th_jw_key(w, TH_LIT("tags"));
    th_jw_array(w);
    for (unsigned i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (!tags[i].words)
            continue;
        th_jw_object(w);
        th_api_member_str(w, "name", th_str(tags[i].tag));
        th_api_member_str(w, "description", th_str(tags[i].words));
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}
