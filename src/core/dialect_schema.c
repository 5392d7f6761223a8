/* The schema of a dialect file: one table row a key.
 *
 * Why tables: the same row types a value, gives its default, names it in an error and shows it through the
 * API, so that a parameter is added in one place. dialect_read.c and dialect_show.c walk them. */
#include "core/dialect_tables.h"
#include "lib/dialect_keys.h"

#define NAMES(...)                                                                                           \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }
#define ROWS(r) r, sizeof(r) / sizeof *(r)
#define AT(member) offsetof(struct dl_spec, member)

#define NAME(name) name,
static const char *const algorithms[] = {TH_NAMES_OF_ALGORITHM(NAME) NULL};
static const char *const keys[] = {TH_NAMES_OF_KEY(NAME) NULL};
static const char *const stamps[] = {TH_NAMES_OF_STAMP(NAME) NULL};
static const char *const encodings[] = {TH_NAMES_OF_ENCODING(NAME) NULL};
static const char *const forms[] = {"text", "token", "hex", "base64", "whsec", "whsk", NULL};
static const char *const id_forms[] = {"ulid", "integer", "uuid", NULL};
static const char *const escapes[] = {"none", "percent", NULL};

/* The groups that receivers read as well have their rows in the order of lib/dialect_keys.h. A key that is not there does not
 * compile; CHECK refuses one that is there alone at the end, test/unit/options_dialect_files.c any other. */
#define REQUEST(key, whose) REQUEST_##key,
#define HEADER(key, whose) HEADER_##key,
#define AUTH(key, whose) AUTH_##key,
#define SIGNATURE(key, whose) SIGNATURE_##key,
#define VARIANT(key, whose) VARIANT_##key,
enum { TH_KEYS_OF_REQUEST(REQUEST) REQUEST_KEYS };
enum { TH_KEYS_OF_HEADER(HEADER) HEADER_KEYS };
enum { TH_KEYS_OF_AUTH(AUTH) AUTH_KEYS };
enum { TH_KEYS_OF_SIGNATURE(SIGNATURE) SIGNATURE_KEYS };
enum { TH_KEYS_OF_VARIANT(VARIANT) VARIANT_KEYS };
#define CHECK(rows, count)                                                                                   \
    _Static_assert(sizeof(rows) / sizeof *(rows) == (count), "a key of lib/dialect_keys.h has no row")

static const struct dl_row header_rows[] = {
    [HEADER_name] = {.key = "name", .kind = TEXT, .required = true, .at = offsetof(struct dl_header, name)},
    [HEADER_value] = {.key = "value",
                      .kind = TEXT,
                      .required = true,
                      .at = offsetof(struct dl_header, value)},
    [HEADER_otherwise] = {.key = "otherwise", .kind = TEXT, .at = offsetof(struct dl_header, otherwise)},
    [HEADER_escape] = {.key = "escape",
                       .kind = ENUM,
                       .at = offsetof(struct dl_header, escape),
                       .names = escapes,
                       .def = DL_ESCAPE_NONE},
    [HEADER_when] = {.key = "when", .kind = TEXT, .at = offsetof(struct dl_header, when)},
};
CHECK(header_rows, HEADER_KEYS);
static const struct dl_table header_table = {ROWS(header_rows), NULL};

static const struct dl_row request_rows[] = {
    [REQUEST_method] = {.key = "method", .kind = TEXT, .at = AT(request.method), .def_text = "POST"},
    [REQUEST_content_type] = {.key = "content_type",
                              .kind = TEXT,
                              .at = AT(request.content_type),
                              .def_text = "application/json"},
    [REQUEST_user_agent] = {.key = "user_agent",
                            .kind = TEXT,
                            .at = AT(request.user_agent),
                            .def_text = "Tenterhook/" TH_VERSION},
    [REQUEST_timestamp] =
        {.key = "timestamp", .kind = ENUM, .at = AT(request.timestamp), .names = stamps, .def = DL_UNIX},
    [REQUEST_headers] = {.key = "headers",
                         .kind = LIST,
                         .at = AT(request.headers),
                         .sub = &header_table,
                         .max = DL_HEADERS,
                         .count_at = AT(request.header_count),
                         .stride = sizeof(struct dl_header)},
};
CHECK(request_rows, REQUEST_KEYS);
static const struct dl_table request_table = {ROWS(request_rows), NULL};

static const struct dl_row body_rows[] = {
    {.key = "json", .kind = ENUM, .at = AT(body.json), .names = NAMES("verbatim", "ecmascript"), .def = 1},
    {.key = "max_bytes", .kind = NUMBER, .at = AT(body.max_bytes), .min = 1, .max = 8388608, .def = 262144},
    {.key = "format", .kind = ENUM, .at = AT(body.format), .names = NAMES("json", "form"), .def = 1},
    {.key = "template", .kind = TEXT, .at = AT(body.template), .def_text = ""},
    {.key = "envelope", .kind = SHAPE, .required = true, .at = AT(body.envelope)},
};
static const struct dl_table body_table = {ROWS(body_rows), NULL};

static const struct dl_row auth_rows[] = {
    [AUTH_header] = {.key = "header", .kind = TEXT, .required = true, .at = AT(auth.header)},
    [AUTH_value] = {.key = "value", .kind = TEXT, .required = true, .at = AT(auth.value)},
};
CHECK(auth_rows, AUTH_KEYS);
static const struct dl_table auth_table = {ROWS(auth_rows), NULL};

#define FORM_ROWS(group, S, need)                                                                            \
    [group##_header] = {.key = "header", .kind = TEXT, .required = need, .at = offsetof(S, parts.header)},   \
    [group##_algorithm] = {.key = "algorithm",                                                               \
                           .kind = ENUM,                                                                     \
                           .required = need,                                                                 \
                           .at = offsetof(S, parts.algorithm),                                               \
                           .names = algorithms},                                                             \
    [group##                                                                                                 \
        _key] = {.key = "key", .kind = ENUM, .required = need, .at = offsetof(S, parts.key), .names = keys}, \
    [group##                                                                                                 \
        _content] = {.key = "content", .kind = TEXT, .required = need, .at = offsetof(S, parts.content)},    \
    [group##_timestamp] = {.key = "timestamp",                                                               \
                           .kind = ENUM,                                                                     \
                           .at = offsetof(S, parts.timestamp),                                               \
                           .names = stamps},                                                                 \
    [group##_encoding] = {.key = "encoding",                                                                 \
                          .kind = ENUM,                                                                      \
                          .required = need,                                                                  \
                          .at = offsetof(S, parts.encoding),                                                 \
                          .names = encodings},                                                               \
    [group##_item] = {.key = "item",                                                                         \
                      .kind = TEXT,                                                                          \
                      .at = offsetof(S, parts.item),                                                         \
                      .def_text = need ? "{sig}" : NULL},                                                    \
    [group##_join] = {.key = "join",                                                                         \
                      .kind = TEXT,                                                                          \
                      .at = offsetof(S, parts.join),                                                         \
                      .def_text = need ? "," : NULL},                                                        \
    [group##_wrap] = {.key = "wrap",                                                                         \
                      .kind = TEXT,                                                                          \
                      .at = offsetof(S, parts.wrap),                                                         \
                      .def_text = need ? "{items}" : NULL},                                                  \
    [group##_tag] = {.key = "tag", .kind = TEXT, .at = offsetof(S, parts.tag), .def_text = need ? "" : NULL}

static const struct dl_row variant_rows[] = {
    FORM_ROWS(VARIANT, struct dl_variant, false),
    [VARIANT_secret_form] = {.key = "secret_form",
                             .kind = ENUM,
                             .at = offsetof(struct dl_variant, secret_form),
                             .names = forms},
};
CHECK(variant_rows, VARIANT_KEYS);
static const struct dl_table variant_table = {ROWS(variant_rows), NULL};
static const struct dl_row signature_rows[] = {
    FORM_ROWS(SIGNATURE, struct dl_sig_spec, true),
    [SIGNATURE_variant] = {.key = "variant",
                           .kind = TEXT,
                           .at = offsetof(struct dl_sig_spec, variant),
                           .def_text = "default"},
    [SIGNATURE_expires_seconds] = {.key = "expires_seconds",
                                   .kind = NUMBER,
                                   .at = offsetof(struct dl_sig_spec, expires_seconds),
                                   .max = 86400},
    [SIGNATURE_nonce] = {.key = "nonce",
                         .kind = TEXT,
                         .at = offsetof(struct dl_sig_spec, nonce),
                         .def_text = ""},
    [SIGNATURE_when] = {.key = "when", .kind = TEXT, .at = offsetof(struct dl_sig_spec, when)},
    [SIGNATURE_variants] = {.key = "variants",
                            .kind = DICT,
                            .at = offsetof(struct dl_sig_spec, variants),
                            .sub = &variant_table,
                            .max = DL_VARIANTS - 1,
                            .count_at = offsetof(struct dl_sig_spec, variant_count),
                            .stride = sizeof(struct dl_variant)},
};
CHECK(signature_rows, SIGNATURE_KEYS);
static const struct dl_table signature_table = {ROWS(signature_rows), NULL};

static const struct dl_row type_rows[] = {
    {.key = "type", .kind = TEXT, .required = true, .at = offsetof(struct dl_type, type)},
    {.key = "resource", .kind = TEXT, .at = offsetof(struct dl_type, resource), .def_text = ""},
    {.key = "sample", .kind = TEXT, .at = offsetof(struct dl_type, sample), .def_text = "{}"},
};
static const struct dl_table type_table = {ROWS(type_rows), NULL};
static const struct dl_row pair_scalar = {
    .key = "value", .kind = TEXT, .at = offsetof(struct dl_pair, value)};
static const struct dl_table pair_table = {NULL, 0, &pair_scalar};
static const struct dl_row name_scalar = {.key = "name", .kind = TEXT, .at = offsetof(struct dl_name, name)};
static const struct dl_table name_table = {NULL, 0, &name_scalar};
static const struct dl_row catalogue_rows[] = {
    {.key = "closed", .kind = BOOL, .at = AT(catalogue.closed)},
    {.key = "characters", .kind = TEXT, .at = AT(catalogue.characters)},
    {.key = "types",
     .kind = LIST,
     .at = AT(catalogue.types),
     .sub = &type_table,
     .max = DL_TYPES,
     .count_at = AT(catalogue.type_count),
     .stride = sizeof(struct dl_type)},
    {.key = "resources",
     .kind = DICT,
     .at = AT(catalogue.resources),
     .sub = &pair_table,
     .max = DL_RESOURCES,
     .count_at = AT(catalogue.resource_count),
     .stride = sizeof(struct dl_pair)},
};
static const struct dl_table catalogue_table = {ROWS(catalogue_rows), NULL};

#define ID_ROWS(which, what)                                                                                 \
    {.key = "prefix", .kind = TEXT, .at = AT(which.prefix), .def_text = what},                               \
    {                                                                                                        \
        .key = "form", .kind = ENUM, .at = AT(which.form), .names = id_forms, .def = 1                       \
    }
static const struct dl_row id_event_rows[] = {ID_ROWS(id_event, "evt_")};
static const struct dl_row id_endpoint_rows[] = {ID_ROWS(id_endpoint, "we_")};
static const struct dl_row id_delivery_rows[] = {ID_ROWS(id_delivery, "dlv_")};
static const struct dl_table id_event_table = {ROWS(id_event_rows), NULL};
static const struct dl_table id_endpoint_table = {ROWS(id_endpoint_rows), NULL};
static const struct dl_table id_delivery_table = {ROWS(id_delivery_rows), NULL};
static const struct dl_row ids_rows[] = {
    {.key = "event", .kind = MAP, .sub = &id_event_table},
    {.key = "endpoint", .kind = MAP, .sub = &id_endpoint_table},
    {.key = "delivery", .kind = MAP, .sub = &id_delivery_table},
};
static const struct dl_table ids_table = {ROWS(ids_rows), NULL};

static const struct dl_row secret_rows[] = {
    {.key = "source",
     .kind = ENUM,
     .at = AT(secret.source),
     .names = NAMES("generated", "customer", "either"),
     .def = 3},
    {.key = "form", .kind = ENUM, .required = true, .at = AT(secret.form), .names = forms},
    {.key = "min", .kind = NUMBER, .at = AT(secret.min), .min = 1, .max = 512, .def = 24},
    {.key = "max", .kind = NUMBER, .at = AT(secret.max), .min = 1, .max = 512, .def = 128},
    {.key = "prefix", .kind = TEXT, .at = AT(secret.prefix), .def_text = ""},
    {.key = "generated_form", .kind = ENUM, .at = AT(secret.generated_form), .names = forms},
    {.key = "generated_bytes",
     .kind = NUMBER,
     .at = AT(secret.generated_bytes),
     .min = 16,
     .max = 64,
     .def = 32},
    {.key = "readable",
     .kind = ENUM,
     .at = AT(secret.readable),
     .names = NAMES("once", "always", "never"),
     .def = 2},
    {.key = "active", .kind = NUMBER, .at = AT(secret.active), .min = 1, .max = 16, .def = 2},
    {.key = "signing", .kind = ENUM, .at = AT(secret.signing), .names = NAMES("all", "oldest"), .def = 1},
    {.key = "order",
     .kind = ENUM,
     .at = AT(secret.order),
     .names = NAMES("newest_first", "oldest_first"),
     .def = 1},
    {.key = "overlap_seconds", .kind = TEXT, .at = AT(secret.overlap), .def_text = "86400"},
};
static const struct dl_table secret_table = {ROWS(secret_rows), NULL};

static const struct dl_row after_rows[] = {
    {.key = "statuses", .kind = STATUSES, .at = AT(retry.after.statuses)},
    {.key = "max_seconds", .kind = NUMBER, .at = AT(retry.after.max_seconds), .max = 604800},
};
static const struct dl_table after_table = {ROWS(after_rows), NULL};
static const struct dl_row own_rows[] = {
    {.key = "max_delays", .kind = NUMBER, .at = AT(retry.own.max_delays), .max = TH_MAX_DELAYS},
    {.key = "max_seconds", .kind = NUMBER, .at = AT(retry.own.max_seconds), .max = 31536000},
};
static const struct dl_table own_table = {ROWS(own_rows), NULL};
static const struct dl_row retry_rows[] = {
    {.key = "delays",
     .kind = NUMBERS,
     .required = true,
     .at = AT(retry.delays),
     .max = TH_MAX_DELAYS,
     .count_at = AT(retry.delay_count)},
    {.key = "jitter_percent", .kind = NUMBER, .at = AT(retry.jitter_percent), .max = 100},
    {.key = "final", .kind = STATUSES, .at = AT(retry.final)},
    {.key = "retry_after", .kind = MAP, .sub = &after_table},
    {.key = "own", .kind = MAP, .sub = &own_table},
};
static const struct dl_table retry_table = {ROWS(retry_rows), NULL};
static const struct dl_row success_rows[] = {
    {.key = "statuses", .kind = STATUSES, .required = true, .at = AT(success)},
};
static const struct dl_table success_table = {ROWS(success_rows), NULL};
static const struct dl_row timeout_rows[] = {
    {.key = "total", .kind = NUMBER, .required = true, .at = AT(timeout.total), .min = 1, .max = 600},
    {.key = "connect", .kind = NUMBER, .at = AT(timeout.connect), .min = 1, .max = 600, .def = 10},
    {.key = "min", .kind = NUMBER, .at = AT(timeout.min), .max = 600},
    {.key = "max", .kind = NUMBER, .at = AT(timeout.max), .max = 600},
    {.key = "fractions", .kind = BOOL, .at = AT(timeout.fractions)},
};
static const struct dl_table timeout_table = {ROWS(timeout_rows), NULL};
static const struct dl_row ordering_rows[] = {
    {.key = "sequence_header", .kind = TEXT, .at = AT(ordering.sequence), .def_text = "webhook-sequence"},
    {.key = "skipped_header", .kind = TEXT, .at = AT(ordering.skipped), .def_text = "webhook-skipped"},
    {.key = "batch_header", .kind = TEXT, .at = AT(ordering.batch), .def_text = "webhook-batch"},
    {.key = "batch_elements",
     .kind = ENUM,
     .at = AT(ordering.elements),
     .names = NAMES("wrapped", "plain"),
     .def = 1},
};
static const struct dl_table ordering_table = {ROWS(ordering_rows), NULL};
static const struct dl_row disable_rows[] = {
    {.key = "after_exhausted", .kind = NUMBER, .at = AT(disable.exhausted), .max = 100000},
    {.key = "after_seconds", .kind = NUMBER, .at = AT(disable.seconds), .max = 31536000},
    {.key = "statuses", .kind = STATUSES, .at = AT(disable.statuses)},
    {.key = "meanwhile",
     .kind = ENUM,
     .at = AT(disable.meanwhile),
     .names = NAMES("held", "dropped"),
     .def = 1},
};
static const struct dl_table disable_table = {ROWS(disable_rows), NULL};
static const struct dl_row exhausted_rows[] = {
    {.key = "event", .kind = TEXT, .at = AT(exhausted.event), .def_text = ""},
    {.key = "degraded_after", .kind = NUMBER, .at = AT(exhausted.degraded_after), .max = TH_MAX_DELAYS},
};
static const struct dl_table exhausted_table = {ROWS(exhausted_rows), NULL};
static const struct dl_row option_scalar = {
    .key = "default", .kind = BOOL, .at = offsetof(struct dl_option, on)};
static const struct dl_table option_table = {NULL, 0, &option_scalar};
static const struct dl_row endpoint_rows[] = {
    {.key = "https",
     .kind = ENUM,
     .at = AT(endpoint.https),
     .names = NAMES("always", "production", "any"),
     .def = 2},
    {.key = "star", .kind = BOOL, .at = AT(endpoint.star)},
    {.key = "prefixes", .kind = BOOL, .at = AT(endpoint.prefix)},
    {.key = "empty_means_all", .kind = BOOL, .at = AT(endpoint.empty_means_all)},
    {.key = "events_required", .kind = BOOL, .at = AT(endpoint.events_required)},
    {.key = "consent", .kind = BOOL, .at = AT(endpoint.consent)},
    {.key = "metadata_max", .kind = NUMBER, .at = AT(endpoint.metadata_max), .max = 64, .def = 16},
    {.key = "options",
     .kind = DICT,
     .at = AT(endpoint.options),
     .sub = &option_table,
     .max = DL_OPTIONS,
     .count_at = AT(endpoint.option_count),
     .stride = sizeof(struct dl_option)},
};
static const struct dl_table endpoint_table = {ROWS(endpoint_rows), NULL};

#define SHAPE_ROW(name, id)                                                                                  \
    {                                                                                                        \
        .key = name, .kind = SHAPE, .at = AT(api.shapes[id])                                                 \
    }
static const struct dl_row shape_rows[] = {
    SHAPE_ROW("endpoint", TH_SHAPE_ENDPOINT),
    SHAPE_ROW("endpoint_created", TH_SHAPE_ENDPOINT_CREATED),
    SHAPE_ROW("endpoint_list", TH_SHAPE_ENDPOINT_LIST),
    SHAPE_ROW("delivery", TH_SHAPE_DELIVERY),
    SHAPE_ROW("delivery_page", TH_SHAPE_DELIVERY_PAGE),
    SHAPE_ROW("error", TH_SHAPE_ERROR),
};
static const struct dl_table shape_table = {ROWS(shape_rows), NULL};
static const struct dl_row api_rows[] = {
    {.key = "validation_status",
     .kind = NUMBER,
     .at = AT(api.validation_status),
     .min = 400,
     .max = 499,
     .def = 422},
    {.key = "create_status", .kind = NUMBER, .at = AT(api.create_status), .min = 200, .max = 299, .def = 201},
    {.key = "test_status", .kind = NUMBER, .at = AT(api.test_status), .min = 200, .max = 299, .def = 202},
    {.key = "foreign_status",
     .kind = NUMBER,
     .at = AT(api.foreign_status),
     .min = 400,
     .max = 499,
     .def = 404},
    {.key = "unknown_fields",
     .kind = ENUM,
     .at = AT(api.unknown_fields),
     .names = NAMES("refuse", "ignore"),
     .def = 1},
    {.key = "problem_by_accept", .kind = BOOL, .at = AT(api.problem_by_accept)},
    {.key = "faults", .kind = ENUM, .at = AT(api.faults), .names = NAMES("pointer", "field"), .def = 1},
    {.key = "paging", .kind = ENUM, .at = AT(api.paging), .names = NAMES("cursor", "page", "link"), .def = 1},
    {.key = "page_size", .kind = NUMBER, .at = AT(api.page_size), .min = 1, .max = 1000, .def = 100},
    {.key = "page_size_max", .kind = NUMBER, .at = AT(api.page_size_max), .min = 1, .max = 1000, .def = 1000},
    {.key = "log_rows", .kind = ENUM, .at = AT(api.rows), .names = NAMES("deliveries", "attempts"), .def = 1},
    {.key = "fields",
     .kind = DICT,
     .at = AT(api.fields),
     .sub = &pair_table,
     .max = DL_FIELDS,
     .count_at = AT(api.field_count),
     .stride = sizeof(struct dl_pair)},
    {.key = "create_fields",
     .kind = LIST,
     .at = AT(api.create_fields),
     .sub = &name_table,
     .max = DL_FIELDS,
     .count_at = AT(api.create_field_count),
     .stride = sizeof(struct dl_name)},
    {.key = "shapes", .kind = MAP, .sub = &shape_table},
};
static const struct dl_table api_table = {ROWS(api_rows), NULL};

static const struct dl_row root_rows[] = {
    {.key = "about", .kind = TEXT, .at = AT(about), .def_text = ""},
    {.key = "schema_version", .kind = TEXT, .at = AT(schema_version), .def_text = ""},
    {.key = "request", .kind = MAP, .sub = &request_table},
    {.key = "body", .kind = MAP, .required = true, .sub = &body_table},
    {.key = "auth", .kind = MAP, .sub = &auth_table},
    {.key = "signatures",
     .kind = LIST,
     .at = AT(signatures),
     .sub = &signature_table,
     .max = DL_SIGNATURES,
     .count_at = AT(signature_count),
     .stride = sizeof(struct dl_sig_spec)},
    {.key = "catalogue", .kind = MAP, .sub = &catalogue_table},
    {.key = "ids", .kind = MAP, .sub = &ids_table},
    {.key = "secret", .kind = MAP, .required = true, .sub = &secret_table},
    {.key = "retry", .kind = MAP, .required = true, .sub = &retry_table},
    {.key = "success", .kind = MAP, .required = true, .sub = &success_table},
    {.key = "timeout", .kind = MAP, .required = true, .sub = &timeout_table},
    {.key = "ordering", .kind = MAP, .sub = &ordering_table},
    {.key = "disable", .kind = MAP, .sub = &disable_table},
    {.key = "exhausted", .kind = MAP, .sub = &exhausted_table},
    {.key = "endpoint", .kind = MAP, .sub = &endpoint_table},
    {.key = "api", .kind = MAP, .sub = &api_table},
};
const struct dl_table th_dialect_schema = {ROWS(root_rows), NULL};
