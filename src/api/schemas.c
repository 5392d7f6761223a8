/* JSON schemas and parameters of the OpenAPI document, one row each. Field names, types and limits follow the
 * decoder tables of the handlers; tests compare the two. */
#include "api/schemas.h"
#include "base/metric.h"

#define STR "{\"type\":\"string\"}"
#define STR_NULL "{\"type\":[\"string\",\"null\"]}"
#define INT "{\"type\":\"integer\",\"format\":\"int64\"}"
#define BOOL "{\"type\":\"boolean\"}"
#define TIME "{\"type\":\"string\",\"format\":\"date-time\"}"
#define TIME_NULL "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
#define MS "{\"type\":[\"number\",\"null\"],\"format\":\"double\"}"
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define OBJECT(required, properties)                                                                         \
    "{\"type\":\"object\",\"required\":[" required "],\"properties\":{" properties "}}"
#define CLOSED(required, properties)                                                                         \
    "{\"type\":\"object\",\"required\":[" required                                                           \
    "],\"additionalProperties\":false,\"properties\":{" properties "}}"
#define PAGE(name)                                                                                           \
    OBJECT("\"data\",\"next_cursor\"",                                                                       \
           "\"data\":{\"type\":\"array\",\"items\":" REF(name) "},\"next_cursor\":" STR_NULL)
#define EVENT_TYPE                                                                                           \
    "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]+(\\\\.[A-Za-z0-9_-]+)*$\",\"maxLength\":128}"
#define EVENT_TYPE_NULL                                                                                      \
    "{\"type\":[\"string\",\"null\"],\"pattern\":\"^[A-Za-z0-9_-]+(\\\\.[A-Za-z0-9_-]+)*$\",\"maxLength\":"  \
    "128}"
#define ID "{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9_-]{1,128}$\"}"
#define ID_NULL "{\"type\":[\"string\",\"null\"],\"pattern\":\"^[A-Za-z0-9_-]{1,128}$\"}"
#define LIMIT "{\"type\":[\"integer\",\"null\"],\"minimum\":0}"
#define LIMITS /* of core/limits.h; a test compares them */                                                  \
    "\"endpoints\":" LIMIT ",\"header_bytes\":" LIMIT ",\"keys\":" LIMIT ",\"replays\":" LIMIT               \
    ",\"stored_bytes\":" LIMIT ",\"unfinished_deliveries\":" LIMIT ",\"host_requests\":" LIMIT               \
    ",\"host_requests_per_second\":" LIMIT ",\"address_requests\":" LIMIT
/* A thing that several schemas have is a schema of its own: generators of clients name a type after it, once. */
#define OR_NULL(schema) "{\"oneOf\":[" schema ",{\"type\":\"null\"}]}"
#define STATUS REF("DeliveryStatus")
#define ENDED REF("EndedStatus")
#define STEP "{\"type\":\"string\",\"enum\":[\"1m\",\"1h\",\"1d\"]}"
#define STRINGS(value) "{\"type\":\"object\",\"additionalProperties\":" value "}"
#define STRINGS_NULL(value) "{\"type\":[\"object\",\"null\"],\"additionalProperties\":" value "}"

#define OF_TENANT                                                                                            \
    "{\"type\":\"string\",\"description\":\"its tenant, in lists with all_tenants; otherwise absent\"}"
#define TEST_MARK ",\"test\":{\"type\":\"boolean\",\"description\":\"true: it is a test; otherwise absent\"}"
#define ERASED_AT                                                                                            \
    ",\"erased_at\":{\"type\":\"string\",\"format\":\"date-time\",\"description\":\"when the content of "    \
    "the event was erased; absent if it was not\"}"
#define EVENT_FIELDS                                                                                         \
    "\"id\":" STR ",\"type\":" STR ",\"tenant\":" STR ",\"time\":" TIME ",\"created_at\":" TIME              \
    ",\"resource_type\":" STR ",\"resource_id\":" STR ",\"channels\":{\"type\":\"array\",\"items\":" STR     \
    "},\"deliver_at\":" TIME ",\"expires_at\":" TIME ",\"traceparent\":" STR ",\"version\":" STR             \
    ",\"schema_error\":" BOOL ",\"delivery_count\":" INT

#define VALIDATE_NULL "{\"type\":[\"string\",\"null\"],\"maxLength\":16}"

#define DELIVERY_FIELDS                                                                                      \
    "\"id\":" STR ",\"event\":" STR ",\"tenant\":" OF_TENANT ",\"event_type\":" STR                          \
    ",\"endpoint\":" STR_NULL ",\"status\":" STATUS                                                          \
    ",\"reason\":{\"type\":\"string\",\"enum\":[\"exhausted\",\"final_status\",\"expired\"]},\"attempt_"     \
    "count\":" INT ",\"degraded\":" BOOL ",\"skipped\":" BOOL ",\"filter_error\":" BOOL                      \
    ",\"created_at\":" TIME ",\"next_attempt_at\":" TIME_NULL ",\"ended_at\":" TIME_NULL                     \
    ",\"last_attempt\":" OR_NULL(REF("AttemptSummary"))

#define ATTEMPT_FIELDS                                                                                       \
    "\"number\":" INT ",\"time\":" TIME                                                                      \
    ",\"outcome\":" REF("Outcome") ",\"status\":{\"type\":[\"integer\",\"null\"]},\"detail\":" STR_NULL      \
                                   ",\"duration_ms\":" MS ",\"dns_ms\":" MS ",\"connect_ms\":" MS            \
                                   ",\"tls_ms\":" MS ",\"first_byte_ms\":" MS ",\"address\":" STR_NULL       \
                                   ",\"connection_reused\":" BOOL                                            \
                                   ",\"batch\":{\"type\":\"array\",\"items\":" INT "}" TEST_MARK

#define DISABLED OR_NULL(REF("Disabled"))
#define CONSENT REF("Consent")
#define CHANNELS                                                                                             \
    "{\"type\":[\"array\",\"null\"],\"maxItems\":10,\"items\":{\"type\":\"string\","                         \
    "\"pattern\":\"^[A-Za-z0-9_./:-]{1,128}$\"}}"
#define RETRY(type, each)                                                                                                                      \
    "{\"type\":" type ",\"additionalProperties\":false,\"properties\":{\"delays\":{\"type\":" each("array") ",\"maxItems\":32,\"items\":" REF( \
        "Delay") "},\"jitter_percent\":{\"type\":" each("integer") ",\"minimum\":0,\"maximum\":100},"                                          \
                                                                   "\"final\":{\"type\":" each(                                                \
                                                                       "array") ",\"maxItems\":16,"                                            \
                                                                                "\"items\":" STR                                               \
                                                                                "},\"respect_retry_after\":"                                   \
                                                                                "{\"type\":" each(                                             \
                                                                                    "boolean") "}}}"
#define TYPE(name) "\"" name "\""
#define TYPE_NULL(name) "[\"" name "\",\"null\"]"
#define HEALTH_NAMES "{\"type\":\"string\",\"enum\":[\"active\",\"failing\",\"paused\",\"disabled\"]}"

/* How bodies are written and sent. */
#define WIRE_FIELDS                                                                                          \
    ",\"authentication\":" REF("Authentication") ",\"tls\":" REF(                                            \
        "EndpointTls") ",\"client_certificate\":" REF("ClientCertificate") ",\"payload_version\":" STR       \
                                                                           ",\"method\":" STR                \
                                                                           ",\"body_format\":" STR           \
                                                                           ",\"trace_context\":" STR         \
                                                                           ",\"source_address\":" STR
#define SHORT_NULL(most) "{\"type\":[\"string\",\"null\"],\"maxLength\":" most "}"
#define WIRE_SETTINGS                                                                                                                                   \
    ",\"authentication\":" OR_NULL(REF("Authentication")) ",\"tls\":" OR_NULL(REF(                                                                      \
        "EndpointTls")) ",\"payload_version\":" SHORT_NULL("10") ",\"method\":" SHORT_NULL("16") ",\"body_"                                             \
                                                                                                 "format\""                                             \
                                                                                                 ":" SHORT_NULL("16") ",\"trace_context\":" SHORT_NULL( \
                                                                                                     "16") ",\"source_address\":" SHORT_NULL("64")

#define WEBHOOK_FIELDS                                                                                       \
    "\"id\":" STR ",\"url\":" STR ",\"url_unicode\":" STR ",\"url_secret\":" BOOL                            \
    ",\"events\":{\"type\":\"array\",\"items\":" STR "},\"active\":" BOOL ",\"description\":" STR_NULL       \
    ",\"metadata\":" STRINGS(REF("MetadataValue")) ",\"headers\":" STRINGS(STR) ",\"options\":" STRINGS(     \
        BOOL) ",\"timeout_seconds\":{\"type\":\"number\",\"format\":\"double\"},\"max_in_flight\":" INT      \
              ",\"rate_limit_per_second\":{\"type\":[\"number\",\"null\"],\"format\":\"double\"},"           \
              "\"signature_variant\":" STR_NULL ",\"created_at\":" TIME ",\"updated_at\":" TIME              \
              ",\"disabled\":" DISABLED ",\"consent\":" CONSENT ",\"filter\":" STR                           \
              ",\"template\":" REF("Template") ",\"channels\":{\"type\":\"array\",\"items\":" STR            \
                                               "},\"reenable\":" REF("Reenable") ",\"retry\":" REF(          \
                                                   "RetrySettings") ",\"ordering\":" REF("Ordering")         \
                                                   WIRE_FIELDS

#define WEBHOOK_SETTINGS(url)                                                                                                                                 \
    "\"url\":" url ",\"url_secret\":{\"type\":[\"boolean\",\"null\"]},\"previous_secret\":" STR_NULL                                                          \
    ",\"previous_expires_at\":" TIME_NULL ",\"events\":{\"type\":[\"array\","                                                                                 \
    "\"null\"],\"items\":" STR                                                                                                                                \
    ",\"maxItems\":256},\"active\":{\"type\":[\"boolean\",\"null\"]},\"description\":{\"type\":[\"string\","                                                  \
    "\"null\"],"                                                                                                                                              \
    "\"maxLength\":4096},\"metadata\":" STRINGS_NULL(OR_NULL(REF(                                                                                             \
        "MetadataValue"))) ",\"headers\":" STRINGS_NULL(STR_NULL) ",\"timeout_seconds\":{\"type\":["                                                          \
                                                                  "\"number\",\"null\"],\"format\":"                                                          \
                                                                  "\"double\",\"minimum\":1}"                                                                 \
                                                                  ",\"max_in_flight\":{\"type\":["                                                            \
                                                                  "\"integer\",\"null\"],\"minimum\":1,"                                                      \
                                                                  "\"maximum\":1000}"                                                                         \
                                                                  ",\"rate_limit_per_second\":{"                                                              \
                                                                  "\"type\":[\"number\",\"null\"],"                                                           \
                                                                  "\"format\":\"double\","                                                                    \
                                                                  "\"minimum\":0.001,"                                                                        \
                                                                  "\"maximum\":100000}"                                                                       \
                                                                  ",\"signature_variant\":" STR_NULL                                                          \
                                                                  ",\"options\":" STRINGS_NULL(                                                               \
                                                                      "{\"type\":[\"boolean\",\"null\"]"                                                      \
                                                                      "}") ",\"filter\":"                                                                     \
                                                                           "{\"type\":[\"string\","                                                           \
                                                                           "\"null\"],\"minLength\":"                                                         \
                                                                           "1,\"maxLength\":4096},"                                                           \
                                                                           "\"template\":" OR_NULL(REF(                                                       \
                                                                               "Template")) ",\"channel"                                                      \
                                                                                            "s\""                                                             \
                                                                                            ":" CHANNELS                                                      \
                                                                                            ",\"reenable\""                                                   \
                                                                                            ":" OR_NULL(REF(                                                  \
                                                                                                "Reenab"                                                      \
                                                                                                "le")) ",\""                                                  \
                                                                                                       "ret"                                                  \
                                                                                                       "ry"                                                   \
                                                                                                       "\""                                                   \
                                                                                                       ":" OR_NULL(REF(                                       \
                                                                                                           "RetryP"                                           \
                                                                                                           "atch")) ",\"ordering\":" OR_NULL(REF("Ordering")) \
                                                                                                           WIRE_SETTINGS

#define LIMITED(most) "{\"type\":\"string\",\"maxLength\":" most "}"
#define SECRET_NULL "{\"type\":[\"string\",\"null\"],\"minLength\":1,\"maxLength\":1024}"
#define URL "{\"type\":\"string\",\"format\":\"uri\",\"maxLength\":2048}"
#define KEY_FIELDS                                                                                           \
    "\"id\":" STR ",\"scopes\":{\"type\":\"array\",\"items\":" REF("Scope") "},\"description\":" STR         \
                                                                            ",\"created_at\":" TIME          \
                                                                            ",\"expires_at\":" TIME_NULL
#define OPERATOR_KEY_FIELDS                                                                                  \
    "\"id\":" STR ",\"role\":" REF("Role") ",\"name\":" STR ",\"created_at\":" TIME                          \
                                           ",\"expires_at\":" TIME_NULL

#define SESSION_FIELDS                                                                                       \
    "\"id\":" STR ",\"key\":" STR ",\"role\":" REF("Role") ",\"name\":" STR ",\"created_at\":" TIME          \
                                                           ",\"used_at\":" TIME ",\"expires_at\":" TIME      \
                                                           ",\"idle_seconds\":" INT ",\"from\":" STR

#define COLOUR "{\"type\":\"string\",\"pattern\":\"^#[0-9A-Fa-f]{6}$\"}"
#define PORTAL_SCOPES "\"scopes\":{\"type\":\"array\",\"items\":" REF("PortalScope") "}"
#define PORTAL_FIELDS                                                                                        \
    "\"id\":" STR ",\"state\":{\"type\":\"string\",\"enum\":[\"waiting\",\"open\"]}," PORTAL_SCOPES          \
    ",\"created_at\":" TIME ",\"used_at\":" TIME_NULL ",\"expires_at\":" TIME ",\"from\":" STR_NULL
#define PORTAL_SESSION_FIELDS                                                                                \
    "\"id\":" STR "," PORTAL_SCOPES ",\"expires_at\":" TIME ",\"idle_seconds\":" INT ",\"dialect\":" STR     \
    ",\"theme\":" REF("PortalTheme") ",\"return_url\":" STR_NULL

#define AUTHENTICATION                                                                                       \
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"type\":{\"type\":\"string\","     \
    "\"enum\":[\"basic\",\"api_key\",\"oauth2\"]},"                                                          \
    "\"username\":" LIMITED("4096") ",\"password\":" LIMITED("4096") ",\"header\":" LIMITED(                 \
        "128") ",\"value\":" LIMITED("4096") ",\"token_url\":" LIMITED("2048") ",\"client_id\":" LIMITED("4" \
                                                                                                         "0" \
                                                                                                         "9" \
                                                                                                         "6") ",\"client_secret\":" LIMITED("4096") ",\"scope\":" SHORT_NULL("4096") ",\"audience\":" SHORT_NULL("4096") ",\"client_authentication\":{\"type\":[\"string\",\"null\"],\"enum\":[\"basic\",\"post\",null]}}}"

const struct th_api_schema th_api_schemas[] = {
    {"Problem", OBJECT("\"type\",\"title\",\"status\",\"detail\",\"request_id\"",
                       "\"type\":" STR ",\"title\":" STR ",\"status\":" INT ",\"detail\":" STR
                       ",\"request_id\":" STR ",\"role\":" STR ",\"line\":" INT ",\"column\":" INT
                       ",\"errors\":{\"type\":\"array\",\"items\":" REF("Fault") "}")},
    {"Fault", OBJECT("", "\"pointer\":" STR ",\"parameter\":" STR ",\"detail\":" STR ",\"field\":" STR
                         ",\"message\":" STR)},
    {"DeliveryStatus",
     "{\"type\":\"string\",\"enum\":[\"scheduled\",\"pending\",\"retrying\",\"held\",\"delivered\","
     "\"failed\",\"cancelled\"]}"},
    {"EndedStatus", "{\"type\":\"string\",\"enum\":[\"delivered\",\"failed\",\"cancelled\"]}"},
    {"Outcome", "{\"type\":\"string\",\"enum\":[\"success\",\"failed_status\",\"dns_error\",\"denied\","
                "\"connect_error\",\"tls_error\",\"timeout\",\"connection_reset\",\"protocol_error\","
                "\"cancelled\",\"internal_error\",\"client_certificate_error\",\"token_error\"]}"},
    {"HealthState", HEALTH_NAMES},
    {"Template",
     "{\"oneOf\":[{\"type\":\"object\",\"additionalProperties\":true},{\"type\":\"array\",\"items\":{}}]}"},
    {"MetadataValue", "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"number\",\"format\":\"double\"},{"
                      "\"type\":\"boolean\"}]}"},
    {"Delay", "{\"oneOf\":[{\"type\":\"integer\"},{\"type\":\"string\"}]}"},
    {"RetrySettings", RETRY(TYPE("object"), TYPE)},
    {"RetryPatch", RETRY(TYPE("object"), TYPE_NULL)},
    {"Ordering", "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"key\":{\"type\":["
                 "\"string\",\"null\"],\"minLength\":1,\"maxLength\":512},\"max_wait\":{\"type\":[\"string\","
                 "\"null\"],\"pattern\":\"^[1-9][0-9]{0,8}[smhd]$\"},\"batch\":{\"type\":[\"integer\","
                 "\"null\"],\"minimum\":1,\"maximum\":100}}}"},
    {"Authentication", AUTHENTICATION},
    {"EndpointTls",
     "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"ca\":" SHORT_NULL(
         "65536") ",\"certificate\":" SHORT_NULL("32768") ",\"key\":" SHORT_NULL("16384") "}}"},
    {"ClientCertificate", OBJECT("\"subject\",\"expires_at\"", "\"subject\":" STR ",\"expires_at\":" TIME)},
    {"Reenable", "{\"type\":\"string\",\"enum\":[\"by_hand\",\"on_test\"]}"},
    {"FirstAttempts",
     OBJECT("\"count\",\"failed\",\"failed_percent\"",
            "\"count\":" INT ",\"failed\":" INT ",\"failed_percent\":{\"type\":[\"integer\",\"null\"]}")},
    {"Disabled", OBJECT("\"at\",\"reason\"", "\"at\":" TIME ",\"reason\":" STR)},
    {"Consent",
     OBJECT("\"state\",\"at\",\"reason\",\"rate_per_minute\"",
            "\"state\":{\"type\":\"string\",\"enum\":[\"pending\",\"allowed\",\"refused\"],\"description\":"
            "\"pending: it could "
            "not be asked yet; refused: it has answered, but has not agreed; deliveries are held in both\"}"
            ",\"at\":{\"type\":[\"string\",\"null\"],\"format\":\"date-time\",\"description\":\"when it was "
            "asked last\"}"
            ",\"reason\":{\"type\":[\"string\",\"null\"],\"description\":\"why there is no consent\"}"
            ",\"rate_per_minute\":{\"type\":[\"integer\",\"null\"],\"description\":\"most attempts a minute "
            "that it allows; "
            "null: no bound\"}")},
    {"EventNew",
     CLOSED("\"type\",\"data\"",
            "\"type\":" EVENT_TYPE ",\"data\":{},\"tenant\":" ID_NULL ",\"id\":" ID_NULL
            ",\"time\":" TIME_NULL
            ",\"resource_type\":{\"type\":[\"string\",\"null\"],\"maxLength\":256},\"resource_id\":"
            "{\"type\":[\"string\",\"null\"],\"maxLength\":512},\"channels\":" CHANNELS
            ",\"deliver_at\":" TIME_NULL ",\"expires_at\":" TIME_NULL
            ",\"traceparent\":{\"type\":[\"string\",\"null\"],\"maxLength\":256},\"tracestate\":{\"type\":["
            "\"string\",\"null\"],\"maxLength\":512}")},
    {"EventAccepted", OBJECT("\"id\",\"type\",\"tenant\",\"deliveries\"",
                             "\"id\":" STR ",\"type\":" STR ",\"tenant\":" STR ",\"deliveries\":" INT
                             ",\"warnings\":{\"type\":\"array\",\"items\":" REF("Warning") "}")},
    {"Warning", OBJECT("\"pointer\",\"detail\"", "\"pointer\":" STR ",\"detail\":" STR)},
    {"EventBatch", "{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,\"items\":" REF("EventNew") "}"},
    {"EventBatchAccepted", "{\"type\":\"array\",\"items\":" REF("EventAccepted") "}"},
    {"Event", OBJECT("\"id\",\"type\",\"tenant\",\"time\",\"created_at\",\"deliveries\"",
                     EVENT_FIELDS TEST_MARK ERASED_AT ",\"deliveries\":" INT)},
    {"EventDetail",
     OBJECT("\"id\",\"type\",\"tenant\",\"time\",\"created_at\",\"data\",\"deliveries\"",
            EVENT_FIELDS TEST_MARK ERASED_AT ",\"data\":{},\"deliveries\":{\"type\":\"array\",\"items\":" REF(
                "Delivery") "},\"more_deliveries\":{\"type\":[\"string\",\"null\"],\"description\":\"path of "
                            "the list of the rest; null: these are all\"}")},
    {"EventPage", OBJECT("\"data\",\"next_cursor\"",
                         "\"data\":{\"type\":\"array\",\"items\":" REF(
                             "Event") "},\"next_cursor\":" STR_NULL ",\"after\":" STR ",\"more\":" BOOL)},
    {"Match",
     OBJECT("\"matches\",\"reason\"",
            "\"endpoint\":" STR ",\"matches\":" BOOL
            ",\"reason\":{\"type\":\"string\",\"enum\":[\"matches\",\"filter_error\",\"created_later\","
            "\"event_type\",\"disabled\",\"channels\",\"filter\"]},\"detail\":" STR ",\"changed_since\":" BOOL
            ",\"filter\":" STR
            ",\"terms\":{\"type\":\"array\",\"items\":" REF("MatchTerm") "},\"delivery\":" STR_NULL)},
    {"MatchTerm", OBJECT("\"text\",\"holds\",\"values\"",
                         "\"text\":" STR ",\"holds\":{\"type\":[\"boolean\",\"null\"]},\"values\":{\"type\":"
                         "\"array\",\"items\":" REF("MatchValue") "}")},
    {"MatchValue",
     OBJECT("\"path\",\"found\"", "\"path\":" STR ",\"found\":" BOOL ",\"value\":{},\"value_bytes\":" INT)},
    {"MatchPage", PAGE("Match")},
    {"TemplatePreview",
     CLOSED("\"template\"",
            "\"template\":" REF("Template") ",\"event\":" STR_NULL ",\"type\":" STR_NULL ",\"data\":{}")},
    {"HeaderValue", "{\"oneOf\":[" STR ",{\"type\":\"array\",\"items\":" STR "}]}"},
    {"Explain",
     CLOSED("\"headers\"",
            "\"headers\":{\"type\":\"object\",\"additionalProperties\":" REF(
                "HeaderValue") "},\"body\":{\"type\":[\"string\",\"null\"],"
                               "\"maxLength\":131072},"
                               "\"body_base64\":{\"type\":[\"string\",\"null\"],\"maxLength\":174766},"
                               "\"secret\":{\"type\":[\"string\",\"null\"],\"maxLength\":1024},\"received_"
                               "at\":" TIME_NULL)},
    {"ExplainStep", OBJECT("\"name\",\"ok\",\"value\"", "\"name\":" STR ",\"ok\":" BOOL ",\"value\":" STR)},
    {"Explained", OBJECT("\"verified\",\"dialect\",\"secret\",\"detail\",\"steps\",\"findings\"",
                         "\"verified\":" BOOL ",\"dialect\":" STR
                         ",\"secret\":{\"type\":\"string\",\"enum\":[\"stored\",\"given\"]},\"detail\":" STR
                         ",\"steps\":{\"type\":\"array\",\"items\":" REF(
                             "ExplainStep") "},\"findings\":{\"type\":\"array\",\"items\":" STR "}")},
    {"TemplatePreviewed", OBJECT("\"body\",\"bytes\"", "\"body\":{},\"bytes\":" INT)},
    {"EventTypeVersion",
     OBJECT("\"version\"", "\"version\":{\"type\":\"string\",\"maxLength\":10},\"sunset\":" TIME_NULL
                           ",\"template\":" REF("Template"))},
    {"EventSchema",
     "{\"oneOf\":[{\"type\":\"object\",\"additionalProperties\":true},{\"type\":\"boolean\"}]}"},
    {"Validation", "{\"type\":\"string\",\"enum\":[\"default\",\"off\",\"warn\",\"refuse\"]}"},
    {"EventTypePut",
     CLOSED("", "\"description\":{\"type\":[\"string\",\"null\"],\"maxLength\":4096},\"group\":{\"type\":["
                "\"string\",\"null\"],\"maxLength\":128},\"schema\":" OR_NULL(
                    REF("EventSchema")) ",\"example\":{},\"validate\":" VALIDATE_NULL
                                        ",\"archived\":{\"type\":[\"boolean\",\"null\"]},\"deprecated\":{"
                                        "\"type\":[\"boolean\","
                                        "\"null\"]},\"versions\":{\"type\":[\"array\",\"null\"],\"maxItems\":"
                                        "16,\"items\":" REF("EventTypeVersion") "}")},
    {"EventType",
     OBJECT("\"type\",\"validate\",\"archived\",\"deprecated\",\"of\",\"created_at\",\"updated_at\"",
            "\"type\":" STR ",\"description\":" STR ",\"group\":" STR
            ",\"schema\":" REF("EventSchema") ",\"example\":{},\"validate\":" REF(
                "Validation") ",\"archived\":" BOOL ",\"deprecated\":" BOOL
                              ",\"versions\":{\"type\":\"array\",\"items\":" REF(
                                  "EventTypeVersion") "},\"of\":{\"type\":\"string\",\"enum\":["
                                                      "\"installation\",\"tenant\"]},\"created_at\":" TIME
                                                      ",\"updated_at\":" TIME)},
    {"EventTypePage", PAGE("EventType")},
    {"CatalogueType",
     OBJECT("\"type\",\"deprecated\"",
            "\"type\":" STR ",\"description\":" STR ",\"group\":" STR ",\"schema\":" REF(
                "EventSchema") ",\"example\":{},\"deprecated\":" BOOL
                               ",\"versions\":{\"type\":\"array\",\"items\":" REF("CatalogueVersion") "}")},
    {"CatalogueVersion",
     OBJECT("\"version\"", "\"version\":{\"type\":\"string\",\"maxLength\":10},\"sunset\":" TIME)},
    {"CataloguePage", PAGE("CatalogueType")},
    {"EventTypeUse", OBJECT("\"endpoint\",\"tenant\",\"payload_version\",\"version\",\"sunset\"",
                            "\"endpoint\":" STR ",\"tenant\":" STR ",\"payload_version\":" STR_NULL
                            ",\"version\":" STR_NULL ",\"sunset\":" TIME_NULL)},
    {"EventTypeUsePage", PAGE("EventTypeUse")},
    {"EventStream",
     "{\"type\":\"string\",\"description\":\"server-sent events: `event` with an Event as data, "
     "`skipped`, `gap` and `end`; the id of each is a cursor for Last-Event-ID and `after`\"}"},
    {"AttemptStream",
     "{\"type\":\"string\",\"description\":\"server-sent events: `attempt` with an AttemptRow as "
     "data, `skipped`, `gap` and `end`; the id of each is a cursor for Last-Event-ID and `after`\"}"},
    {"Delivery",
     OBJECT("\"id\",\"event\",\"event_type\",\"endpoint\",\"status\",\"attempt_count\",\"created_at\"",
            DELIVERY_FIELDS TEST_MARK ERASED_AT)},
    {"DeliveryDetail",
     OBJECT(
         "\"id\",\"event\",\"event_type\",\"endpoint\",\"status\",\"attempts\"",
         DELIVERY_FIELDS TEST_MARK ERASED_AT ",\"schedule\":" REF(
             "RetrySettings") ",\"tries\":" INT ",\"waits_for\":" STR
                              ",\"attempts\":{\"type\":\"array\",\"items\":" REF(
                                  "Attempt") "},\"next_cursor\":{\"type\":[\"string\",\"null\"],"
                                             "\"description\":"
                                             "\"leads to "
                                             "earlier attempts of this delivery; null: there are none\"}")},
    {"DeliveryPage", PAGE("Delivery")},
    {"DeliveryQueued",
     OBJECT("\"id\",\"status\"",
            "\"id\":" STR ",\"status\":" STATUS
            ",\"under_way\":{\"type\":\"boolean\",\"description\":\"a request of it is under way: another "
            "one goes out as soon as that has ended, unless it delivers\"}")},
    {"AttemptSummary",
     OBJECT("\"number\",\"time\",\"outcome\",\"status\"",
            "\"number\":" INT ",\"time\":" TIME ",\"outcome\":" REF(
                "Outcome") ",\"status\":{\"type\":[\"integer\",\"null\"]},\"duration_ms\":" MS)},
    {"Attempt",
     OBJECT("\"number\",\"time\",\"outcome\",\"status\",\"request\",\"response\"", ATTEMPT_FIELDS
            ",\"request\":" OR_NULL(REF("AttemptRequest")) ",\"response\":" OR_NULL(REF("AttemptResponse")))},
    {"AttemptRequest", OBJECT("\"method\",\"url\",\"headers\"",
                              "\"method\":" STR ",\"url\":" STR
                              ",\"headers\":" STRINGS(STR) ",\"body\":" STR ",\"body_base64\":" STR)},
    {"AttemptResponse",
     OBJECT("\"status\"", "\"hidden\":" STR ",\"status\":" INT ",\"headers\":" STRINGS(
                              STR) ",\"body\":" STR ",\"body_base64\":" STR ",\"decoded_from\":" STR
                                   ",\"encoding\":" STR ",\"truncated\":" BOOL)},
    {"AttemptRow",
     OBJECT("\"delivery\",\"event\",\"event_type\",\"endpoint\",\"number\",\"time\",\"outcome\",\"status\","
            "\"delivery_status\"",
            "\"delivery\":" STR ",\"event\":" STR ",\"tenant\":" OF_TENANT ",\"event_type\":" STR
            ",\"endpoint\":" STR_NULL "," ATTEMPT_FIELDS ",\"delivery_status\":" STATUS
            ",\"next_attempt_at\":" TIME_NULL)},
    {"AttemptPage",
     OBJECT("\"data\",\"next_cursor\",\"after\",\"more\"",
            "\"data\":{\"type\":\"array\",\"items\":" REF("AttemptRow") "},\"next_cursor\":" STR_NULL
                                                                        ",\"after\":" STR ",\"more\":" BOOL)},
    {"Webhook", OBJECT("\"id\",\"url\",\"events\",\"active\",\"created_at\",\"updated_at\",\"disabled\"",
                       WEBHOOK_FIELDS ",\"tenant\":" OF_TENANT)},
    {"WebhookCreated",
     OBJECT("\"id\",\"url\",\"events\",\"active\",\"created_at\",\"updated_at\",\"disabled\"",
            WEBHOOK_FIELDS ",\"secret\":" STR)},
    {"WebhookPage", PAGE("Webhook")},
    {"WebhookNew", CLOSED("\"url\"", WEBHOOK_SETTINGS(URL) ",\"secret\":" SECRET_NULL)},
    {"WebhookPatch", CLOSED("", WEBHOOK_SETTINGS(URL))},
    {"WebhookTest", CLOSED("", "\"type\":" EVENT_TYPE_NULL)},
    {"WebhookTested", REF("Delivery")},
    {"Secrets", OBJECT("\"secrets\"", "\"secrets\":{\"type\":\"array\",\"items\":" REF("Secret") "}")},
    {"Secret", OBJECT("\"created_at\"", "\"secret\":" STR ",\"public_key\":" STR ",\"created_at\":" TIME
                                        ",\"expires_at\":" TIME)},
    {"SecretRotate", CLOSED("", "\"secret\":" SECRET_NULL
                                ",\"overlap_seconds\":{\"type\":[\"integer\",\"null\"],\"minimum\":0,"
                                "\"maximum\":315360000},\"signature_variant\":" STR_NULL)},
    {"WebhookRetried",
     OBJECT("\"endpoint\",\"retrying\",\"pending\",\"under_way\"",
            "\"endpoint\":" STR
            ",\"retrying\":{\"type\":\"integer\",\"description\":\"deliveries that waited for another "
            "attempt and are due now\"},\"pending\":{\"type\":\"integer\",\"description\":\"deliveries "
            "that wait for their "
            "first attempt\"},\"under_way\":{\"type\":\"integer\",\"description\":\"requests "
            "under way\"}")},
    {"ReplayNew",
     CLOSED("\"since\"",
            "\"since\":" TIME ",\"until\":" TIME_NULL ",\"status\":{\"oneOf\":[{\"type\":\"null\"}," ENDED
            ",{\"type\":\"array\",\"items\":" ENDED "}]},\"event_types\":{\"type\":[\"array\",\"null\"],"
            "\"maxItems\":64,\"items\":" EVENT_TYPE "},\"dry_run\":{\"type\":[\"boolean\",\"null\"]}")},
    {"ReplayStarted",
     OBJECT("\"id\",\"matched\",\"dry_run\"",
            "\"id\":" STR_NULL ",\"matched\":" INT
            ",\"delivered\":{\"type\":\"integer\",\"description\":\"number of matches that "
            "had been delivered\"},\"failed\":" INT ",\"cancelled\":" INT
            ",\"unfinished\":{\"type\":\"integer\",\"description\":\"deliveries that are not "
            "among the matches because they have not ended\"},\"dry_run\":" BOOL)},
    {"BackfillNew",
     CLOSED("\"since\"",
            "\"since\":" TIME ",\"until\":" TIME_NULL
            ",\"event_types\":{\"type\":[\"array\",\"null\"],\"maxItems\":64,\"items\":" EVENT_TYPE
            "},\"dry_run\":{\"type\":[\"boolean\",\"null\"]}")},
    {"BackfillStarted",
     OBJECT("\"id\",\"matched\",\"left_out\",\"dry_run\"",
            "\"id\":" STR_NULL ",\"matched\":" INT ",\"left_out\":" REF(
                "BackfillLeftOut") ",\"dry_run\":" BOOL
                                   ",\"first\":{\"type\":\"array\",\"maxItems\":10,\"items\":" REF(
                                       "BackfillFirst") "}")},
    {"BackfillLeftOut", OBJECT("\"event_type\",\"channels\",\"filter\",\"expired\",\"erased\"",
                               "\"event_type\":" INT ",\"channels\":" INT ",\"filter\":" INT
                               ",\"expired\":" INT ",\"erased\":" INT)},
    {"BackfillFirst",
     OBJECT("\"id\",\"type\",\"created_at\"", "\"id\":" STR ",\"type\":" STR ",\"created_at\":" TIME)},
    {"Replay",
     OBJECT("\"id\",\"endpoint\",\"state\",\"matched\",\"queued\",\"progress\",\"created_at\",\"updated_at\"",
            "\"id\":" STR ",\"endpoint\":" STR_NULL ",\"kind\":{\"type\":\"string\",\"enum\":[\"backfill\"]}"
            ",\"state\":{\"type\":\"string\",\"enum\":[\"collecting\",\"running\",\"done\",\"cancelled\","
            "\"failed\"]}"
            ",\"matched\":" INT ",\"queued\":" INT ",\"progress\":{\"type\":\"number\",\"format\":\"double\","
            "\"minimum\":0,\"maximum\":1},\"since\":" TIME ",\"until\":" TIME
            ",\"status\":{\"type\":\"array\",\"items\":" ENDED
            "},\"event_types\":{\"type\":\"array\",\"items\":" STR "},\"created_at\":" TIME
            ",\"updated_at\":" TIME)},
    {"StatsRow",
     OBJECT("\"t\",\"attempts\",\"succeeded\",\"failed\",\"p50_ms\",\"p95_ms\",\"p99_ms\"",
            "\"t\":" TIME ",\"attempts\":" INT ",\"succeeded\":" INT
            ",\"failed\":{\"type\":\"object\",\"additionalProperties\":" INT
            ",\"description\":\"how many by outcome\"},\"p50_ms\":" MS ",\"p95_ms\":" MS ",\"p99_ms\":" MS)},
    {"Stats", OBJECT("\"step\",\"since\",\"until\",\"complete_from\",\"data\"",
                     "\"step\":" STEP ",\"since\":" TIME ",\"until\":" TIME ",\"complete_from\":" TIME
                     ",\"data\":{\"type\":\"array\",\"maxItems\":1500,\"items\":" REF(
                         "StatsRow") "}"
                                     ",\"backlog\":{\"type\":\"array\",\"maxItems\":1500,\"items\":" REF(
                                         "BacklogRow") "}")},
    {"BacklogRow", OBJECT("\"t\",\"last\",\"most\"", "\"t\":" TIME ",\"last\":" INT ",\"most\":" INT)},
    {"Sparks", OBJECT("\"since\",\"until\",\"step_seconds\",\"complete_from\",\"data\"",
                      "\"since\":" TIME ",\"until\":" TIME ",\"step_seconds\":" INT ",\"complete_from\":" TIME
                      ",\"data\":{\"type\":\"array\",\"maxItems\":100,\"items\":" REF("Spark") "}")},
    {"Spark", OBJECT("\"endpoint\",\"succeeded\",\"failed\"",
                     "\"endpoint\":" STR
                     ",\"succeeded\":{\"type\":\"array\",\"minItems\":24,\"maxItems\":24,\"items\":" INT
                     "},\"failed\":{\"type\":\"array\",\"minItems\":24,\"maxItems\":24,\"items\":" INT "}")},
    {"ReplayPage", PAGE("Replay")},
    {"Setting",
     OBJECT("\"key\",\"value\",\"origin\"", "\"key\":" STR ",\"value\":" STR_NULL ",\"origin\":" STR)},
    {"SettingPage", PAGE("Setting")},
    {"Found",
     OBJECT("\"data\"", "\"data\":{\"type\":\"array\",\"maxItems\":20,\"items\":" REF("Finding") "}")},
    {"Finding", OBJECT("\"kind\",\"id\",\"tenant\",\"label\"",
                       "\"kind\":{\"type\":\"string\",\"enum\":[\"endpoint\",\"event\",\"delivery\","
                       "\"replay\",\"tenant\"]},\"id\":" STR ",\"tenant\":" STR ",\"label\":" STR_NULL)},
    {"Tenant",
     OBJECT(
         "\"id\",\"name\",\"dialect\",\"attributes\",\"limits\",\"created_at\",\"updated_at\"",
         "\"id\":" STR ",\"name\":" STR ",\"dialect\":" STR
         ",\"attributes\":{\"type\":\"object\"},\"limits\":{\"type\":\"object\",\"additionalProperties\":" INT
         "},\"usage\":{\"type\":\"object\",\"additionalProperties\":" REF(
             "Usage") "},\"retention_seconds\":" INT ",\"created_at\":" TIME ",\"updated_at\":" TIME)},
    {"Usage",
     OBJECT("\"used\",\"allowed\"",
            "\"used\":{\"type\":[\"integer\",\"null\"]},\"allowed\":{\"type\":[\"integer\",\"null\"]}")},
    {"TenantPut",
     CLOSED("",
            "\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256},\"dialect\":{\"type\":"
            "\"string\",\"minLength\":1,\"maxLength\":64},"
            "\"attributes\":{\"type\":[\"object\",\"null\"]},\"limits\":{\"type\":[\"object\",\"null\"],"
            "\"properties\":{" LIMITS "},\"additionalProperties\":false},\"retention_seconds\":{\"type\":["
            "\"integer\",\"null\"],\"minimum\":3600}")},
    {"TenantPage", PAGE("Tenant")},
    {"EndpointHealth",
     OBJECT(
         "\"tenant\",\"endpoint\",\"url\",\"state\",\"failing_since\",\"last_success_at\",\"breaker_open\","
         "\"resting_until\",\"waiting\",\"more_in_store\",\"in_flight\",\"disabled\"",
         "\"tenant\":" STR ",\"endpoint\":" STR ",\"url\":" STR ",\"state\":" REF(
             "HealthState") ",\"failing_since\":" TIME_NULL ",\"last_success_at\":" TIME_NULL
                            ",\"breaker_open\":" BOOL ",\"resting_until\":" TIME_NULL
                            ",\"disable_at\":" TIME_NULL ",\"first_attempts\":" REF(
                                "FirstAttempts") ",\"waiting\":{\"type\":\"integer\","
                                                 "\"description\":\"all unfinished "
                                                 "deliveries\"},\"pending\":" INT ",\"retrying\":" INT
                                                 ",\"held\":" INT
                                                 ",\"last_attempt\":{\"description\":\"tests "
                                                 "left "
                                                 "out\",\"oneOf\":[{\"type\":\"null\"}," OBJECT(
                                                     "\"time\",\"outcome\",\"status\",\"detail\"",
                                                     "\"time\":" TIME ",\"outcome\":" STR
                                                     ",\"status\":{\"type\":[\"integer\","
                                                     "\"null\"]},"
                                                     "\"detail\":" STR_NULL) "]},\"more_in_"
                                                                             "store\":" BOOL
                                                                             ",\"in_flight\":" INT
                                                                             ",\"disabled\""
                                                                             ":" DISABLED ",\"consent\""
                                                                             ":" CONSENT)},
    {"EndpointHealthPage", PAGE("EndpointHealth")},
    {"Scope", "{\"type\":\"string\",\"enum\":[\"events:publish\",\"webhooks:read\",\"answers:read\","
              "\"webhooks:manage\"]}"},
    {"KeyNew", CLOSED("\"scopes\"", "\"scopes\":{\"type\":\"array\",\"minItems\":1,\"items\":" REF(
                                        "Scope") "},\"description\":{\"type\":[\"string\",\"null\"],"
                                                 "\"maxLength\":1024},\"expires_at\":" TIME_NULL)},
    {"Key", OBJECT("\"id\",\"scopes\",\"created_at\"", KEY_FIELDS)},
    {"KeyCreated", OBJECT("\"id\",\"key\",\"scopes\",\"created_at\"", KEY_FIELDS ",\"key\":" STR)},
    {"KeyPage", PAGE("Key")},
    {"Role", "{\"type\":\"string\",\"enum\":[\"admin\",\"support\",\"read-only\"]}"},
    {"OperatorKeyNew",
     CLOSED("\"role\",\"name\"",
            "\"role\":" REF("Role") ",\"name\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128},"
                                    "\"expires_at\":" TIME_NULL)},
    {"OperatorKey", OBJECT("\"id\",\"role\",\"name\",\"created_at\"", OPERATOR_KEY_FIELDS)},
    {"OperatorKeyCreated",
     OBJECT("\"id\",\"key\",\"role\",\"name\",\"created_at\"", OPERATOR_KEY_FIELDS ",\"key\":" STR)},
    {"OperatorKeyPage", PAGE("OperatorKey")},
    {"Session", OBJECT("\"id\",\"key\",\"role\",\"name\",\"created_at\",\"expires_at\"", SESSION_FIELDS)},
    {"SessionOwn", OBJECT("\"id\",\"key\",\"role\",\"name\",\"created_at\",\"expires_at\",\"csrf_token\"",
                          SESSION_FIELDS ",\"csrf_token\":" STR ",\"version\":" STR)},
    {"SessionPage", PAGE("Session")},
    {"SessionLink", OBJECT("\"token\",\"expires_at\"", "\"token\":" STR ",\"expires_at\":" TIME)},
    {"AuditRow", OBJECT("\"id\",\"time\",\"operation\",\"result\",\"status\",\"key\"",
                        "\"id\":" STR ",\"time\":" TIME ",\"operation\":" STR
                        ",\"result\":{\"type\":\"string\",\"enum\":[\"done\",\"checked\",\"refused\","
                        "\"failed\"]},\"status\":" INT ",\"key\":" STR ",\"key_name\":" STR
                        ",\"session\":" STR ",\"tenant\":" STR ",\"object\":" STR ",\"from\":" STR
                        ",\"client\":" STR ",\"repeated\":" BOOL ",\"request_id\":" STR)},
    {"AuditPage", PAGE("AuditRow")},
    {"PortalScope",
     "{\"type\":\"string\",\"enum\":[\"webhooks:read\",\"webhooks:manage\",\"webhooks:secrets\"]}"},
    {"PortalTheme",
     CLOSED("", "\"accent\":" COLOUR ",\"accent_dark\":" COLOUR ",\"ground\":" COLOUR
                ",\"ground_dark\":" COLOUR ",\"radius\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":16}"
                ",\"logo\":{\"type\":\"string\",\"maxLength\":12288}"
                ",\"name\":{\"type\":\"string\",\"maxLength\":64}"
                ",\"lang\":{\"type\":\"string\",\"enum\":[\"en\",\"de\"]}"
                ",\"mode\":{\"type\":\"string\",\"enum\":[\"light\",\"dark\",\"auto\"]}")},
    {"PortalLinkNew",
     CLOSED(
         "\"scopes\"",
         "\"scopes\":{\"type\":\"array\",\"minItems\":1,\"items\":" REF(
             "PortalScope") "}"
                            ",\"expires_in\":{\"type\":\"integer\",\"minimum\":30,\"maximum\":604800}"
                            ",\"theme\":" REF(
                                "PortalTheme") ",\"return_url\":{\"type\":\"string\",\"maxLength\":2048}")},
    {"PortalLink", OBJECT("\"id\",\"state\",\"scopes\",\"created_at\",\"expires_at\"", PORTAL_FIELDS)},
    {"PortalLinkMade",
     OBJECT("\"id\",\"url\",\"scopes\",\"created_at\",\"expires_at\"", PORTAL_FIELDS ",\"url\":" STR)},
    {"PortalLinkPage", PAGE("PortalLink")},
    {"PortalSession",
     OBJECT("\"id\",\"scopes\",\"expires_at\",\"dialect\",\"theme\"", PORTAL_SESSION_FIELDS)},
    {"PortalOpened", OBJECT("\"id\",\"token\",\"scopes\",\"expires_at\",\"dialect\",\"theme\"",
                            PORTAL_SESSION_FIELDS ",\"token\":" STR)},
    {"Dialect", OBJECT("\"name\"", "\"name\":" STR)},
    {"DialectPage", OBJECT("\"data\",\"next_cursor\",\"default\"",
                           "\"data\":{\"type\":\"array\",\"items\":" REF(
                               "Dialect") "},\"next_cursor\":" STR_NULL ",\"default\":" STR)},
    {"Node", OBJECT("\"id\",\"address\",\"state\",\"this\",\"slots\",\"lease_ms\",\"behind\",\"version\"",
                    "\"id\":{\"type\":\"integer\"},\"address\":" STR
                    ",\"state\":{\"type\":\"string\",\"enum\":[\"working\",\"waiting\",\"gone\"]},"
                    "\"this\":{\"type\":\"boolean\"},\"slots\":{\"type\":\"integer\"},\"lease_ms\":{\"type\":"
                    "[\"integer\",\"null\"]},\"behind\":{\"type\":[\"integer\",\"null\"]},\"version\":" STR)},
    {"NodePage", PAGE("Node")},
    {"Inbox",
     OBJECT(
         "\"id\",\"database\",\"error\",\"waiting\",\"rejected\",\"oldest_at\"",
         "\"id\":" STR ",\"database\":" STR ",\"error\":" STR_NULL
         ",\"waiting\":{\"type\":\"integer\"},\"rejected\":{\"type\":\"integer\"},\"oldest_at\":" TIME_NULL)},
    {"InboxPage", PAGE("Inbox")},
    {"Rejected", OBJECT("\"id\",\"tenant\",\"type\",\"event\",\"reason\",\"options\",\"bytes\",\"published_"
                        "at\",\"rejected_at\"",
                        "\"id\":" STR ",\"tenant\":" STR ",\"type\":" STR ",\"event\":" STR ",\"reason\":" STR
                        ",\"options\":{\"type\":[\"object\",\"null\"]},\"bytes\":{\"type\":\"integer\"},"
                        "\"published_at\":" TIME ",\"rejected_at\":" TIME)},
    {"RejectedPage", PAGE("Rejected")},
    {"SourceAddresses",
     OBJECT("\"prefixes\"", "\"prefixes\":{\"type\":\"array\",\"items\":" STR
                            "},\"sources\":{\"type\":\"array\",\"items\":" REF("Source") "}")},
    {"Source", OBJECT("\"name\",\"address\"", "\"name\":" STR ",\"address\":" STR)},
    {"PublicKey",
     OBJECT("\"kty\",\"crv\",\"x\",\"kid\",\"alg\",\"use\"",
            "\"kty\":" STR ",\"crv\":" STR ",\"x\":" STR ",\"kid\":" STR ",\"alg\":" STR ",\"use\":" STR)},
    {"KeySet", OBJECT("\"keys\"", "\"keys\":{\"type\":\"array\",\"items\":" REF("PublicKey") "}")},
    {"Health", OBJECT("\"status\"", "\"status\":" STR)},
    {"OpenApi", "{\"type\":\"object\"}"},
    {"Empty", CLOSED("", "")},
    {"Cancelled", OBJECT("\"id\",\"cancelled\"", "\"id\":" STR ",\"cancelled\":" INT)},
    {"text", STR},
    {"page", STR},
    {NULL, NULL},
};

#define QUERY(name, schema, description)                                                                     \
    {                                                                                                        \
        name, "{\"name\":\"" name "\",\"in\":\"query\",\"schema\":" schema ",\"description\":\"" description \
              "\"}"                                                                                          \
    }
#define HEADER(name, schema, description)                                                                    \
    {                                                                                                        \
        name, "{\"name\":\"" name "\",\"in\":\"header\",\"schema\":" schema                                  \
              ",\"description\":\"" description "\"}"                                                        \
    }
#define ANSWER(name, schema, description)                                                                    \
    {                                                                                                        \
        name, "{\"schema\":" schema ",\"description\":\"" description "\"}"                                  \
    }
#define STATUS_CODE "[1-9]([0-9]{2}|[xX]{2})"
#define CURSOR "{\"type\":\"string\",\"minLength\":1}"
#define KEY_CHARACTERS "[!#-\\\\[\\\\]-~]{1,255}"
#define IDEMPOTENCY_KEY                                                                                      \
    "{\"type\":\"string\",\"pattern\":\"^(" KEY_CHARACTERS "|\\\"" KEY_CHARACTERS "\\\")$\"}"

const struct th_api_schema th_api_schemas_parameters[] = {
    QUERY("limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"default\":100}",
          "most rows of a page"),
    QUERY("cursor", CURSOR, "next_cursor of the previous page"),
    QUERY("event_type", STR, "only this type, or types of a pattern: `a.*`, `*.b`"),
    QUERY("endpoint", STR,
          "only deliveries to this endpoint; of public keys: those of this endpoint, which has to be named"),
    QUERY("endpoints", STR,
          "ids of at most 100 endpoints, with commas between; those that there are not are left out"),
    QUERY("filter", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":4096}",
          "this filter instead of those of endpoints; the answer has one row"),
    QUERY("event", STR, "only deliveries of this event"),
    QUERY("status", STR,
          "only deliveries in this status: scheduled, pending, retrying, held, delivered, failed or "
          "cancelled; several, "
          "with commas between: one of them"),
    QUERY("outcome", STR,
          "only attempts with this outcome (deliveries: whose last attempt has it; events: one of whose "
          "deliveries' last attempts has it): "
          "success, failed_status, dns_error, denied, connect_error, tls_error, timeout, connection_reset, "
          "protocol_error, cancelled, internal_error, client_certificate_error or token_error; several, with "
          "commas between: one of them"),
    QUERY("status_code", "{\"type\":\"string\",\"pattern\":\"^" STATUS_CODE "(," STATUS_CODE ")*$\"}",
          "like outcome, for the HTTP status of the answer: one such as 503, or a class such as 5xx; "
          "several, with "
          "commas between: one of them"),
    QUERY(
        "after", CURSOR,
        "`after` of the previous answer, or the id of a server-sent event: only what has come since, oldest "
        "first"),
    QUERY("max_rate", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}",
          "at most so many rows in a second; the others are only counted, and told by `skipped` events"),
    QUERY("tenant", ID, "only endpoints of this tenant"),
    QUERY("q", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":256}",
          "an id, or a part of a URL; in a search also a part of a tenant's id or name"),
    QUERY("state", HEALTH_NAMES,
          "only endpoints in this state; failing: all attempts have failed since failing_since"),
    QUERY("step", STEP, "how long a row is; default: by the time between since and until"),
    QUERY("since", TIME, "only what was accepted, or done, at this time or later"),
    QUERY("until", TIME, "only what was accepted, or done, before this time"),
    QUERY("operation", STR, "only requests for this operation, such as createWebhook"),
    QUERY("result", STR, "done, checked, refused or failed"),
    QUERY("key", STR, "only requests with the key of this id; operator: that of the configuration"),
    QUERY("session", STR, "only requests of this session, or of this link to the portal"),
    QUERY("object", STR, "only requests about what has this id"),
    QUERY("cancel", BOOL, "true: cancel the deliveries that have not ended; without it they cause 409"),
    QUERY("erase", BOOL, "true: erase the content of all events of the tenant, at once"),
    QUERY("all_tenants", BOOL,
          "true, with the operator's key and without a tenant: those of all tenants, each with the member "
          "`tenant`"),
    QUERY("include_tests", BOOL, "true: show tests as well, which are otherwise left out"),
    QUERY("page", "{\"type\":\"integer\",\"minimum\":0}",
          "number of the page, in dialects with numbered pages"),
    QUERY("size", "{\"type\":\"integer\",\"minimum\":1}", "rows of a page, in dialects with numbered pages"),
    QUERY("dry_run", BOOL, "true: check everything, change nothing, answer 204"),
    QUERY("moved", BOOL,
          "true, with the operator's key: use the given secret even if the dialect makes its own"),
    QUERY("dialect", STR, "with dry_run: check by the rules of this dialect instead of the tenant's"),
    HEADER("Tenterhook-Tenant", ID,
           "with the operator's key: the tenant to act for (default: that of the object that an id names, "
           "else default)"),
    HEADER("Tenterhook-Form", "{\"type\":\"string\",\"enum\":[\"native\"]}",
           "native: names, statuses and paging of the dialect standard, whatever the tenant's dialect"),
    HEADER("Idempotency-Key", IDEMPOTENCY_KEY,
           "1 to 255 visible ASCII characters; a repetition gives the first answer again"),
    HEADER("Last-Event-ID", CURSOR, "id of the last server-sent event: the stream goes on after it"),
    HEADER("If-Match", STR, "ETag of the revision to change; 412 when it is another"),
    HEADER("If-None-Match", STR, "ETag that the client has; 304 when it is still current"),
    {NULL, NULL},
};

const struct th_api_schema th_api_schemas_headers[] = {
    ANSWER("Request-Id", STR, "the same as request_id of an error, and in the log line of the request"),
    ANSWER("Tenterhook-Tenant", ID,
           "with the operator's key, when the request named no tenant: the tenant for which it acted"),
    ANSWER("Location", STR, "path of the new object"),
    ANSWER("ETag", STR, "revision, for If-Match and If-None-Match"),
    ANSWER("Idempotency-Replayed", "{\"type\":\"string\",\"enum\":[\"true\"]}",
           "this is the first answer to the Idempotency-Key, given again"),
    ANSWER("WWW-Authenticate", STR, "Bearer"),
    ANSWER("Retry-After", "{\"type\":\"integer\",\"minimum\":1}", "seconds to wait"),
    ANSWER("RateLimit-Policy", STR,
           "if a rate is set: how many requests a key and a tenant may make in a second"),
    ANSWER("RateLimit", STR,
           "if a rate is set: how many requests are left, and the seconds until all are available again"),
    {NULL, NULL},
};
