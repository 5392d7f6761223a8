/* What the OpenAPI document says of each property in words, of each group of routes, and an example of each request body.
 *
 * A table of its own beside the schemas: most names mean the same in every schema, and a row says it once. A test asks for
 * a description of every property, so whoever adds one adds a row here. */
#include "api/words.h"
#include "api/member.h"
#include "core/limits.h"

/* A row with a schema goes before the row that holds for all. */
static const struct {
    const char *schema, *property, *words;
} words[] = {
    {NULL, "active", "false: paused, its deliveries are held"},
    {NULL, "address", "address and port that the request went to; null where there was no connection"},
    {NULL, "after", "give it as the parameter `after` to get what ends from now on"},
    {NULL, "allowed", "how much of it the tenant may have; null: without a limit"},
    {NULL, "at", "when it was disabled"},
    {NULL, "attempt_count", "how many requests have been made"},
    {NULL, "attempts", "each request and what came of it, in order"},
    {NULL, "attributes", "values for envelope fields of the dialect, by name"},
    {NULL, "body", "as text"},
    {NULL, "body_base64", "instead of body, where that is not UTF-8"},
    {NULL, "breaker_open", "whether nobody answers there: time-outs, refused connections, no such name"},
    {"ReplayStarted", "cancelled", "of the matches: they had been cancelled"},
    {"EventNew", "channels", "only endpoints with one of these channels get it, and those that have none"},
    {"Event", "channels",
     "only endpoints with one of these channels get it, and those that have none; absent: none"},
    {"EventDetail", "channels",
     "only endpoints with one of these channels get it, and those that have none; absent: none"},
    {NULL, "channels", "it gets events with one of these channels only; empty: all"},
    {"Match", "changed_since",
     "true: the endpoint has been changed after the event; what is said here goes by its settings of now"},
    {NULL, "column", "of a fault in the JSON, from 1"},
    {NULL, "connect_ms", "milliseconds until the connection stood; null: a kept one, or there was none"},
    {NULL, "connection_reused", "whether a kept connection was used"},
    {"Event", "created_at", "when it was accepted"},
    {"EventDetail", "created_at", "when it was accepted"},
    {NULL, "created_at", "when it was made"},
    {"EventNew", "data",
     "what happened: any JSON; delivered byte for byte where the dialect does not say otherwise"},
    {"EventDetail", "data", "as it was published"},
    {NULL, "csrf_token", "changes by means of the session show it in the header Tenterhook-Csrf"},
    {NULL, "data", "the rows of this page"},
    {NULL, "decoded_from", "the coding that the endpoint had given its answer, which is shown decoded"},
    {NULL, "default", "the dialect of tenants for which none is named"},
    {NULL, "degraded", "true: so many attempts have failed that the dialect calls it so"},
    {"EventDetail", "deliveries", "one for each endpoint that the event goes to"},
    {NULL, "deliveries", "how many endpoints the event goes to"},
    {NULL, "consent", "whether its receiver has agreed to get events; only where receivers are asked"},
    {"Match", "delivery",
     "id of the delivery that the event got when it was accepted; null: none; absent: it has more than 1000"},
    {NULL, "delivery", "id of the delivery that the attempt belongs to"},
    {NULL, "delivery_count", "how many endpoints the event goes to"},
    {NULL, "delivery_status", "status of the delivery now"},
    {NULL, "description", "your own words; never sent"},
    {NULL, "detail", "in words for people"},
    {NULL, "dialect", "name of the form in which the tenant's endpoints get events"},
    {NULL, "disabled", "when and why it was disabled; null: it was not"},
    {NULL, "dns_ms", "milliseconds until the name was resolved; null: no look-up"},
    {NULL, "dry_run", "true: only counted, nothing is sent"},
    {NULL, "duration_ms", "milliseconds of the whole attempt"},
    {NULL, "ended_at", "when it was delivered, failed or cancelled; null: it has not ended"},
    {NULL, "encoding", "the coding in which the answer came and is shown, in Base64"},
    {"Match", "endpoint", "id of the endpoint; absent: the filter of the query was asked"},
    {NULL, "endpoint", "id of the endpoint, also when it is deleted; null: nothing is known of it"},
    {NULL, "errors", "each value at fault"},
    {NULL, "event", "id of the event"},
    {NULL, "event_type", "type of the event"},
    {NULL, "event_types", "only events of these types; empty: all"},
    {NULL, "events",
     "types that it subscribes to; prefix.* and * where the dialect has them; empty: all where it says so"},
    {NULL, "expires_at", "when it ends; null or absent: never"},
    {"ReplayStarted", "failed", "of the matches: they had failed for good"},
    {NULL, "failing_since", "since when there has been nothing but failures; null: the last one succeeded"},
    {NULL, "field", "name of the field at fault, in dialects that list faults so"},
    {"Match", "filter", "the endpoint's filter; absent: it has none"},
    {NULL, "filter",
     "a JSONPath (RFC 9535) such as $[?@.data.amount >= 100]: the endpoint gets events for which it finds "
     "something in the "
     "list [event]; null: all"},
    {NULL, "filter_error",
     "true: the endpoint's filter could not be evaluated within its limits, so the event was delivered; "
     "absent else"},
    {"MatchValue", "found", "whether the path found something"},
    {NULL, "first_byte_ms", "milliseconds until the answer began"},
    {"Attempt", "headers", "header fields by name"},
    {NULL, "from", "address of the client that made it"},
    {NULL, "headers",
     "header fields that are sent with each request; values are secret for keys that may only read"},
    {"EndpointHealth", "held",
     "deliveries that wait because it is paused or disabled, or its receiver has not agreed to get events"},
    {"MatchTerm", "holds", "whether it is true of this event; null: it takes too many steps to say so"},
    {NULL, "hidden", "why headers and body are not shown to this key; absent: they are"},
    {"EventNew", "id", "your own id, unique in the tenant; a repetition is refused"},
    {"ReplayStarted", "id", "of the replay; null: it was a dry run"},
    {NULL, "id", "its id; it never changes"},
    {NULL, "idle_seconds", "it ends when no request has come with it for so long"},
    {NULL, "in_flight", "requests under way"},
    {"Session", "key", "id of the key that it stands for; operator: that of the configuration"},
    {"SessionOwn", "key", "id of the key that it stands for; operator: that of the configuration"},
    {NULL, "key", "the key itself; shown only here"},
    {NULL, "last_attempt", "the newest request; null: none yet"},
    {NULL, "last_success_at", "when a request was last answered 2xx"},
    {NULL, "limits",
     "the most that the tenant may have of each; null: what the installation allows; 0: no limit"},
    {NULL, "line", "of a fault in the JSON, from 1"},
    {"Match", "matches", "whether the event goes to the endpoint"},
    {NULL, "matched", "how many deliveries fit"},
    {NULL, "max_in_flight", "requests at the same time"},
    {NULL, "message", "what is wrong, in dialects that list faults so"},
    {NULL, "metadata", "your own pairs; never sent"},
    {NULL, "method", "of the request"},
    {NULL, "more", "whether there is more at once"},
    {NULL, "more_in_store", "whether more wait than are counted in `waiting`"},
    {"OperatorKeyNew", "name", "whose key it is; the audit log says it"},
    {"OperatorKey", "name", "whose key it is"},
    {"OperatorKeyCreated", "name", "whose key it is"},
    {"Session", "name", "whose key it is; empty: the operator's of the configuration"},
    {"SessionOwn", "name", "whose key it is; empty: the operator's of the configuration"},
    {NULL, "name", "its name"},
    {NULL, "next_attempt_at", "when the next request is due; null: none is"},
    {NULL, "next_cursor", "give it as the parameter `cursor` to get the next page; null: this is the last"},
    {NULL, "number", "of the attempt, from 1"},
    {NULL, "options", "switches of the dialect, by name"},
    {NULL, "outcome", "how it ended"},
    {NULL, "overlap_seconds",
     "how long the old secret goes on; null: until it is revoked; absent: as the dialect says"},
    {NULL, "parameter", "name of the query parameter at fault"},
    {"MatchValue", "path", "a path of the term"},
    {NULL, "pointer", "JSON Pointer (RFC 6901) to the value in the request body"},
    {NULL, "prefixes", "networks that deliveries come from"},
    {"EndpointHealth", "pending", "deliveries that wait for their first attempt"},
    {NULL, "previous_expires_at", "when the previous secret ends"},
    {NULL, "previous_secret", "the secret before, which signs as well until it ends"},
    {NULL, "progress", "part that is done, from 0 to 1"},
    {NULL, "public_key", "what a receiver verifies with, where signatures have a key pair"},
    {NULL, "queued", "how many have been put into the queue"},
    {NULL, "rate_limit_per_second", "attempts in a second; null: no limit"},
    {"Delivery", "reason", "why it failed"},
    {"DeliveryDetail", "reason", "why it failed"},
    {"Match", "reason", "why it goes there or not, in a word"},
    {NULL, "reason", "why it was disabled"},
    {NULL, "request", "what was sent; null: it cannot be shown any more"},
    {NULL, "request_id", "names this request in the server's log"},
    {NULL, "resource_id", "id of what the event is about"},
    {NULL, "resource_type", "kind of what the event is about; default: as the dialect's catalogue says"},
    {NULL, "response", "what came back; null: nothing did"},
    {NULL, "resting_until", "until when it has asked to be left alone with Retry-After; null: it has not"},
    {"EndpointHealth", "retrying", "deliveries that wait for another attempt"},
    {"Problem", "role", "of 403: the least role that an operator's key needs"},
    {NULL, "role",
     "what the operator's key may do: each role may do what those behind it may; admin: everything; support: "
     "retries, replays, tests and reading; read-only: reading, without secrets"},
    {NULL, "scopes", "what the key may do"},
    {NULL, "secret", "what requests are signed with"},
    {NULL, "secrets", "those that are active, newest first"},
    {NULL, "signature_variant", "which of the dialect's signatures; null: its first"},
    {NULL, "since", "events accepted at this time or later"},
    {"EndpointHealth", "state", "how it does; failing: nothing but failures since failing_since"},
    {NULL, "state", "how far it is"},
    {"Problem", "status", "the HTTP status of this answer"},
    {"Health", "status", "in a word"},
    {"Attempt", "status", "HTTP status of the answer; null: there was none"},
    {"AttemptRow", "status", "HTTP status of the answer; null: there was none"},
    {"AttemptSummary", "status", "HTTP status of the answer; null: there was none"},
    {"Replay", "status", "only deliveries that ended so; empty: all"},
    {"ReplayNew", "status", "only deliveries that ended so; null: all"},
    {NULL, "status", "how far the delivery is"},
    {"EventNew", "tenant", "with the operator's key: whose event it is"},
    {NULL, "tenant", "id of the tenant"},
    {"Event", "time", "when it happened"},
    {"EventDetail", "time", "when it happened"},
    {"EventNew", "time", "when it happened; default: now"},
    {NULL, "terms", "of a filter $[?A && B]: what A and B come to; absent: the filter has another form"},
    {"MatchTerm", "text", "as it stands in the filter"},
    {NULL, "time", "when the attempt began"},
    {NULL, "timeout_seconds", "for a whole attempt"},
    {NULL, "title", "of the status"},
    {NULL, "tls_ms", "milliseconds until TLS stood; null: a kept connection, or http"},
    {NULL, "token", "behind # in the address of the dashboard it signs a browser in, once"},
    {NULL, "truncated", "true: only the begin of the body is kept"},
    {"Problem", "type", "always about:blank: the status says which"},
    {"WebhookTest", "type",
     "type of the test; default: the first that the endpoint takes; webhook.test in every dialect"},
    {NULL, "type", "what happened: names joined by full stops"},
    {NULL, "until", "events accepted before this time"},
    {NULL, "updated_at", "when it was last changed"},
    {NULL, "url", "where requests go"},
    {NULL, "url_secret",
     "true: the URL is a credential; path and query are kept encrypted, and masked for keys that may only "
     "read"},
    {NULL, "url_unicode", "the URL with its host name in Unicode, where that differs"},
    {NULL, "usage", "what the tenant has, beside what it may have"},
    {NULL, "used", "how much of it the tenant has"},
    {NULL, "used_at", "when a request came with it last"},
    {NULL, "version", "of the server"},
    {NULL, "value", "what is there; absent: nothing, or more than 1 KiB"},
    {NULL, "value_bytes", "instead of value, where that is more than 1 KiB"},
    {NULL, "values", "the paths of the term, and what they find in this event"},
    {NULL, "waiting", "deliveries that wait"},
    {NULL, "warnings", "what was accepted and may not be what was meant"},
};

/* The routes below a path, and the word for them. The first that fits counts. */
static const struct {
    const char *path, *tag, *words;
} tags[] = {
    {"/v1/events", "events", "Publishing, and what was published"},
    {"/v1/deliveries", "deliveries", "One event on its way to one endpoint"},
    {"/v1/attempts", "deliveries", NULL},
    {"/v1/webhooks", "endpoints", "The tenant's endpoints, in the shapes of its dialect"},
    {"/v1/endpoint-health", "endpoints", NULL},
    {"/v1/replays", "replays", "Finished deliveries once more"},
    {"/v1/tenants", "tenants", "Tenants and their keys; the operator's alone"},
    {"/v1/keys", "keys", "Operators' keys, each with a name and a role"},
    {"/v1/sessions", "sessions", "Operators who have signed in with a browser"},
    {"/v1/dialects", "dialects", "The vendors' forms that are loaded"},
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
    {"WebhookTest", "{\"type\":\"webhook.test\"}"},
    {"SecretRotate", "{\"overlap_seconds\":86400}"},
    {"ReplayNew", "{\"since\":\"2026-04-02T08:00:00Z\",\"status\":\"failed\",\"dry_run\":true}"},
    {"TenantPut", "{\"name\":\"Acme Inc.\",\"dialect\":\"standard\"}"},
    {"KeyNew", "{\"scopes\":[\"events:publish\"],\"description\":\"the shop's backend\"}"},
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
    for (unsigned i = 0; i < TH_L_COUNT; i++) /* what may be limited: `limits` says the rest */
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
