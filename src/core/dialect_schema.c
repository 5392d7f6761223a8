/* The schema of a dialect file: one table row a key, and the reader and writer that walk the tables.
 *
 * Why tables: the same row types a value, gives its default, names it in an error and shows it through the
 * API, so that a parameter is added in one place. Refuses: unknown keys, repeated keys, values of another
 * type or outside their range; each with line and key path.
 *
 * Invariants: 1. After dl_read every field has a value: its default where the file is silent. 2. Texts are
 * copies in the arena; only shape nodes still point into the loader's tree, and only until compile
 * returns. 3. Recursion follows the tables, whose depth is fixed, never the input. */
#include "core/dialect_parts.h"
#include <stdarg.h>
#include <stdio.h>

/* ---- memory ---- */
void *dl_alloc(struct th_arena *a, size_t n)
{
    return th_arena_get(a, n ? n : 1);
}

struct th_span dl_copy(struct th_arena *a, struct th_span s)
{
    char *p = dl_alloc(a, s.n + 1);

    if (!p)
        return (struct th_span){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    return (struct th_span){p, s.n};
}

/* ---- where ---- */
size_t dl_enter(struct dl_where *w, struct th_span key)
{
    size_t old = w->n, room = sizeof w->path - 1 - w->n;
    size_t n = key.n + (old ? 1 : 0);

    if (n <= room) {
        if (old)
            w->path[w->n++] = '.';
        memcpy(w->path + w->n, key.p, key.n);
        w->n += key.n;
        w->path[w->n] = 0;
    }
    return old;
}

size_t dl_enter_index(struct dl_where *w, unsigned i)
{
    size_t old = w->n;
    int n = snprintf(w->path + w->n, sizeof w->path - w->n, "[%u]", i);

    if (n > 0 && (size_t)n < sizeof w->path - w->n)
        w->n += (size_t)n;
    else
        w->path[w->n] = 0;
    return old;
}

void dl_leave(struct dl_where *w, size_t n)
{
    w->n = n;
    w->path[n] = 0;
}

bool dl_fail(struct dl_where *w, unsigned line, const char *format, ...)
{
    va_list args;

    if (w->code)
        return false;
    w->code = TH_INVALID;
    w->error->line = line;
    snprintf(w->error->key, sizeof w->error->key, "%s", w->path);
    va_start(args, format);
    vsnprintf(w->error->what, sizeof w->error->what, format, args);
    va_end(args);
    return false;
}

bool dl_fail_nomem(struct dl_where *w)
{
    dl_fail(w, 0, "out of memory");
    w->code = TH_NOMEM;
    return false;
}

/* ---- tables ---- */
enum kind { TEXT, NUMBER, BOOL, ENUM, STATUSES, NUMBERS, MAP, LIST, DICT, SHAPE };
struct table;
struct row {
    const char *key;
    enum kind kind;
    bool required;
    size_t at; /* offset in the record of this table */
    uint32_t min, max,
        def;              /* NUMBER; BOOL and ENUM: def; LIST, DICT and NUMBERS: max elements, min elements */
    const char *def_text; /* TEXT */
    const char *const *names; /* ENUM: NULL-terminated; stored from 1 */
    const struct table *sub;  /* MAP, LIST, DICT (DICT: the key goes into the first dl_text of the element) */
    size_t count_at, stride;  /* LIST, DICT, NUMBERS */
};
struct table {
    const struct row *rows;
    unsigned count;
    const struct row *scalar; /* of a DICT element that is written as one scalar */
};
#define NAMES(...)                                                                                           \
    (const char *const[])                                                                                    \
    {                                                                                                        \
        __VA_ARGS__, NULL                                                                                    \
    }
#define ROWS(r) r, sizeof(r) / sizeof *(r)
#define AT(member) offsetof(struct dl_spec, member)

static const char *const algorithms[] = {"hmac-sha256", "hmac-sha1", "hmac-sha512", "ed25519", NULL};
static const char *const keys[] = {"utf8", "hex", "base64", "whsec", "whsk", NULL};
static const char *const stamps[] = {"unix", "unix_millis", "rfc3339", NULL};
static const char *const encodings[] = {"hex", "base64", NULL};
static const char *const forms[] = {"text", "token", "hex", "base64", "whsec", "whsk", NULL};
static const char *const id_forms[] = {"ulid", "integer", NULL};

static const struct row header_rows[] = {
    {.key = "name", .kind = TEXT, .required = true, .at = offsetof(struct dl_header, name)},
    {.key = "value", .kind = TEXT, .required = true, .at = offsetof(struct dl_header, value)},
    {.key = "when", .kind = TEXT, .at = offsetof(struct dl_header, when)},
};
static const struct table header_table = {ROWS(header_rows), NULL};

static const struct row request_rows[] = {
    {.key = "method", .kind = TEXT, .at = AT(request.method), .def_text = "POST"},
    {.key = "content_type", .kind = TEXT, .at = AT(request.content_type), .def_text = "application/json"},
    {.key = "user_agent", .kind = TEXT, .at = AT(request.user_agent), .def_text = "Tenterhook/" TH_VERSION},
    {.key = "timestamp", .kind = ENUM, .at = AT(request.timestamp), .names = stamps, .def = DL_UNIX},
    {.key = "headers",
     .kind = LIST,
     .at = AT(request.headers),
     .sub = &header_table,
     .max = DL_HEADERS,
     .count_at = AT(request.header_count),
     .stride = sizeof(struct dl_header)},
};
static const struct table request_table = {ROWS(request_rows), NULL};

static const struct row body_rows[] = {
    {.key = "json", .kind = ENUM, .at = AT(body.json), .names = NAMES("verbatim", "ecmascript"), .def = 1},
    {.key = "max_bytes", .kind = NUMBER, .at = AT(body.max_bytes), .min = 1, .max = 8388608, .def = 262144},
    {.key = "envelope", .kind = SHAPE, .required = true, .at = AT(body.envelope)},
};
static const struct table body_table = {ROWS(body_rows), NULL};

static const struct row auth_rows[] = {
    {.key = "header", .kind = TEXT, .required = true, .at = AT(auth.header)},
    {.key = "value", .kind = TEXT, .required = true, .at = AT(auth.value)},
};
static const struct table auth_table = {ROWS(auth_rows), NULL};

#define SIG_ROWS(S, need)                                                                                    \
    {.key = "header", .kind = TEXT, .required = need, .at = offsetof(S, parts.header)},                      \
        {.key = "algorithm",                                                                                 \
         .kind = ENUM,                                                                                       \
         .required = need,                                                                                   \
         .at = offsetof(S, parts.algorithm),                                                                 \
         .names = algorithms},                                                                               \
        {.key = "key", .kind = ENUM, .required = need, .at = offsetof(S, parts.key), .names = keys},         \
        {.key = "content", .kind = TEXT, .required = need, .at = offsetof(S, parts.content)},                \
        {.key = "timestamp", .kind = ENUM, .at = offsetof(S, parts.timestamp), .names = stamps},             \
        {.key = "encoding",                                                                                  \
         .kind = ENUM,                                                                                       \
         .required = need,                                                                                   \
         .at = offsetof(S, parts.encoding),                                                                  \
         .names = encodings},                                                                                \
        {.key = "item", .kind = TEXT, .at = offsetof(S, parts.item), .def_text = need ? "{sig}" : NULL},     \
        {.key = "join", .kind = TEXT, .at = offsetof(S, parts.join), .def_text = need ? "," : NULL},         \
    {                                                                                                        \
        .key = "wrap", .kind = TEXT, .at = offsetof(S, parts.wrap), .def_text = need ? "{items}" : NULL      \
    }

static const struct row variant_rows[] = {
    SIG_ROWS(struct dl_variant, false),
    {.key = "secret_form", .kind = ENUM, .at = offsetof(struct dl_variant, secret_form), .names = forms},
};
static const struct table variant_table = {ROWS(variant_rows), NULL};
static const struct row signature_rows[] = {
    SIG_ROWS(struct dl_sig_spec, true),
    {.key = "variant", .kind = TEXT, .at = offsetof(struct dl_sig_spec, variant), .def_text = "default"},
    {.key = "variants",
     .kind = DICT,
     .at = offsetof(struct dl_sig_spec, variants),
     .sub = &variant_table,
     .max = DL_VARIANTS - 1,
     .count_at = offsetof(struct dl_sig_spec, variant_count),
     .stride = sizeof(struct dl_variant)},
};
static const struct table signature_table = {ROWS(signature_rows), NULL};

static const struct row type_rows[] = {
    {.key = "type", .kind = TEXT, .required = true, .at = offsetof(struct dl_type, type)},
    {.key = "resource", .kind = TEXT, .at = offsetof(struct dl_type, resource), .def_text = ""},
    {.key = "sample", .kind = TEXT, .at = offsetof(struct dl_type, sample), .def_text = "{}"},
};
static const struct table type_table = {ROWS(type_rows), NULL};
static const struct row pair_scalar = {.key = "value", .kind = TEXT, .at = offsetof(struct dl_pair, value)};
static const struct table pair_table = {NULL, 0, &pair_scalar};
static const struct row catalogue_rows[] = {
    {.key = "closed", .kind = BOOL, .at = AT(catalogue.closed)},
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
static const struct table catalogue_table = {ROWS(catalogue_rows), NULL};

#define ID_ROWS(which, what)                                                                                 \
    {.key = "prefix", .kind = TEXT, .at = AT(which.prefix), .def_text = what},                               \
    {                                                                                                        \
        .key = "form", .kind = ENUM, .at = AT(which.form), .names = id_forms, .def = 1                       \
    }
static const struct row id_event_rows[] = {ID_ROWS(id_event, "evt_")};
static const struct row id_endpoint_rows[] = {ID_ROWS(id_endpoint, "we_")};
static const struct row id_delivery_rows[] = {ID_ROWS(id_delivery, "dlv_")};
static const struct table id_event_table = {ROWS(id_event_rows), NULL};
static const struct table id_endpoint_table = {ROWS(id_endpoint_rows), NULL};
static const struct table id_delivery_table = {ROWS(id_delivery_rows), NULL};
static const struct row ids_rows[] = {
    {.key = "event", .kind = MAP, .sub = &id_event_table},
    {.key = "endpoint", .kind = MAP, .sub = &id_endpoint_table},
    {.key = "delivery", .kind = MAP, .sub = &id_delivery_table},
};
static const struct table ids_table = {ROWS(ids_rows), NULL};

static const struct row secret_rows[] = {
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
static const struct table secret_table = {ROWS(secret_rows), NULL};

static const struct row after_rows[] = {
    {.key = "statuses", .kind = STATUSES, .at = AT(retry.after.statuses)},
    {.key = "max_seconds", .kind = NUMBER, .at = AT(retry.after.max_seconds), .max = 604800},
};
static const struct table after_table = {ROWS(after_rows), NULL};
static const struct row retry_rows[] = {
    {.key = "delays",
     .kind = NUMBERS,
     .required = true,
     .at = AT(retry.delays),
     .min = 1,
     .max = TH_MAX_DELAYS,
     .count_at = AT(retry.delay_count)},
    {.key = "jitter_percent", .kind = NUMBER, .at = AT(retry.jitter_percent), .max = 100},
    {.key = "final", .kind = STATUSES, .at = AT(retry.final)},
    {.key = "retry_after", .kind = MAP, .sub = &after_table},
};
static const struct table retry_table = {ROWS(retry_rows), NULL};
static const struct row success_rows[] = {
    {.key = "statuses", .kind = STATUSES, .required = true, .at = AT(success)},
};
static const struct table success_table = {ROWS(success_rows), NULL};
static const struct row timeout_rows[] = {
    {.key = "total", .kind = NUMBER, .required = true, .at = AT(timeout.total), .min = 1, .max = 600},
    {.key = "connect", .kind = NUMBER, .at = AT(timeout.connect), .min = 1, .max = 600, .def = 10},
    {.key = "min", .kind = NUMBER, .at = AT(timeout.min), .max = 600},
    {.key = "max", .kind = NUMBER, .at = AT(timeout.max), .max = 600},
};
static const struct table timeout_table = {ROWS(timeout_rows), NULL};
static const struct row disable_rows[] = {
    {.key = "after_exhausted", .kind = NUMBER, .at = AT(disable.exhausted), .max = 100000},
    {.key = "after_seconds", .kind = NUMBER, .at = AT(disable.seconds), .max = 31536000},
    {.key = "statuses", .kind = STATUSES, .at = AT(disable.statuses)},
    {.key = "meanwhile",
     .kind = ENUM,
     .at = AT(disable.meanwhile),
     .names = NAMES("held", "dropped"),
     .def = 1},
};
static const struct table disable_table = {ROWS(disable_rows), NULL};
static const struct row exhausted_rows[] = {
    {.key = "event", .kind = TEXT, .at = AT(exhausted.event), .def_text = ""},
    {.key = "degraded_after", .kind = NUMBER, .at = AT(exhausted.degraded_after), .max = TH_MAX_DELAYS},
};
static const struct table exhausted_table = {ROWS(exhausted_rows), NULL};
static const struct row option_scalar = {
    .key = "default", .kind = BOOL, .at = offsetof(struct dl_option, on)};
static const struct table option_table = {NULL, 0, &option_scalar};
static const struct row endpoint_rows[] = {
    {.key = "https",
     .kind = ENUM,
     .at = AT(endpoint.https),
     .names = NAMES("always", "production", "any"),
     .def = 2},
    {.key = "star", .kind = BOOL, .at = AT(endpoint.star)},
    {.key = "prefixes", .kind = BOOL, .at = AT(endpoint.prefix)},
    {.key = "empty_means_all", .kind = BOOL, .at = AT(endpoint.empty_means_all)},
    {.key = "events_required", .kind = BOOL, .at = AT(endpoint.events_required)},
    {.key = "metadata_max", .kind = NUMBER, .at = AT(endpoint.metadata_max), .max = 64, .def = 16},
    {.key = "options",
     .kind = DICT,
     .at = AT(endpoint.options),
     .sub = &option_table,
     .max = DL_OPTIONS,
     .count_at = AT(endpoint.option_count),
     .stride = sizeof(struct dl_option)},
};
static const struct table endpoint_table = {ROWS(endpoint_rows), NULL};

#define SHAPE_ROW(name, id)                                                                                  \
    {                                                                                                        \
        .key = name, .kind = SHAPE, .at = AT(api.shapes[id])                                                 \
    }
static const struct row shape_rows[] = {
    SHAPE_ROW("endpoint", TH_SHAPE_ENDPOINT),
    SHAPE_ROW("endpoint_created", TH_SHAPE_ENDPOINT_CREATED),
    SHAPE_ROW("endpoint_list", TH_SHAPE_ENDPOINT_LIST),
    SHAPE_ROW("delivery", TH_SHAPE_DELIVERY),
    SHAPE_ROW("delivery_page", TH_SHAPE_DELIVERY_PAGE),
    SHAPE_ROW("error", TH_SHAPE_ERROR),
};
static const struct table shape_table = {ROWS(shape_rows), NULL};
static const struct row api_rows[] = {
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
    {.key = "shapes", .kind = MAP, .sub = &shape_table},
};
static const struct table api_table = {ROWS(api_rows), NULL};

static const struct row root_rows[] = {
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
    {.key = "disable", .kind = MAP, .sub = &disable_table},
    {.key = "exhausted", .kind = MAP, .sub = &exhausted_table},
    {.key = "endpoint", .kind = MAP, .sub = &endpoint_table},
    {.key = "api", .kind = MAP, .sub = &api_table},
};
static const struct table root_table = {ROWS(root_rows), NULL};

/* ---- reading ---- */
static const char *kind_name(enum th_node_kind kind)
{
    return kind == TH_NODE_SCALAR ? "a scalar" : kind == TH_NODE_LIST ? "a list" : "a map";
}

static bool want(struct dl_where *w, const struct th_node *node, enum th_node_kind kind)
{
    return node->kind == kind ||
           dl_fail(w, node->line, "must be %s, not %s", kind_name(kind), kind_name(node->kind));
}

static bool set_defaults(struct dl_where *w, const struct table *t, char *base)
{
    for (unsigned i = 0; i < t->count; i++) {
        const struct row *row = &t->rows[i];
        char *at = base + row->at;
        if (row->kind == NUMBER)
            *(uint32_t *)(void *)at = row->def;
        else if (row->kind == ENUM)
            *(unsigned *)(void *)at = row->def;
        else if (row->kind == TEXT && row->def_text)
            ((struct dl_text *)(void *)at)->s = th_str(row->def_text);
        else if (row->kind == MAP && !row->required && !set_defaults(w, row->sub, base))
            return false;
    }
    return true;
}

static bool read_number(struct dl_where *w, const struct row *row, const struct th_node *node, uint32_t *out)
{
    uint64_t v;

    if (!want(w, node, TH_NODE_SCALAR))
        return false;
    if (node->quoted || !th_span_u64(node->text, UINT32_MAX, &v))
        return dl_fail(w, node->line, "must be a whole number");
    if (v < row->min || v > row->max)
        return dl_fail(w, node->line, "must be from %u to %u", row->min, row->max);
    *out = (uint32_t)v;
    return true;
}

static bool read_bool(struct dl_where *w, const struct th_node *node, bool *out)
{
    if (!want(w, node, TH_NODE_SCALAR))
        return false;
    if (node->quoted || (!th_span_is(node->text, "true") && !th_span_is(node->text, "false")))
        return dl_fail(w, node->line, "must be true or false");
    *out = node->text.n == 4;
    return true;
}

static bool read_enum(struct dl_where *w, const struct row *row, const struct th_node *node, unsigned *out)
{
    char list[120] = "";
    size_t n = 0;

    if (!want(w, node, TH_NODE_SCALAR))
        return false;
    for (unsigned i = 0; row->names[i]; i++) {
        if (th_span_is(node->text, row->names[i])) {
            *out = i + 1;
            return true;
        }
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", row->names[i]);
        if (n >= sizeof list)
            n = sizeof list - 1;
    }
    return dl_fail(w, node->line, "unknown value \"%.*s\"; one of: %s",
                   (int)(node->text.n < 40 ? node->text.n : 40), node->text.p, list);
}

/* "204", "2xx" or "400-499". */
static bool read_status(struct th_span s, struct th_status_range *out)
{
    uint64_t lo, hi;

    if (s.n == 3 && s.p[1] == 'x' && s.p[2] == 'x' && s.p[0] >= '1' && s.p[0] <= '5') {
        lo = (uint64_t)(s.p[0] - '0') * 100;
        hi = lo + 99;
    } else if (s.n == 7 && s.p[3] == '-') {
        if (!th_span_u64(th_span(s.p, 3), 599, &lo) || !th_span_u64(th_span(s.p + 4, 3), 599, &hi))
            return false;
    } else {
        if (s.n != 3 || !th_span_u64(s, 599, &lo))
            return false;
        hi = lo;
    }
    *out = (struct th_status_range){(uint16_t)lo, (uint16_t)hi};
    return lo >= 100 && lo <= hi;
}

static bool read_statuses(struct dl_where *w, const struct th_node *node, struct th_status_set *out)
{
    unsigned i = 0;

    if (!want(w, node, TH_NODE_LIST))
        return false;
    *out = (struct th_status_set){.count = 0};
    for (const struct th_node *e = node->first; e; e = e->next, i++) {
        size_t old = dl_enter_index(w, i);
        if (!want(w, e, TH_NODE_SCALAR))
            return false;
        if (i == TH_MAX_RANGES)
            return dl_fail(w, e->line, "has more than %d entries", TH_MAX_RANGES);
        if (!read_status(e->text, &out->range[i]))
            return dl_fail(w, e->line, "must be a status (204), a class (2xx) or a range (400-499)");
        out->count++;
        dl_leave(w, old);
    }
    return true;
}

static bool read_numbers(struct dl_where *w, const struct row *row, const struct th_node *node, char *base)
{
    static const struct row element = {.min = 1, .max = 31536000};
    uint32_t *v = (uint32_t *)(void *)(base + row->at);
    unsigned *count = (unsigned *)(void *)(base + row->count_at), i = 0;

    if (!want(w, node, TH_NODE_LIST))
        return false;
    for (const struct th_node *e = node->first; e; e = e->next, i++) {
        size_t old = dl_enter_index(w, i);
        if (i == row->max)
            return dl_fail(w, e->line, "has more than %u entries", row->max);
        if (!read_number(w, &element, e, &v[i]))
            return false;
        dl_leave(w, old);
    }
    *count = i;
    return i >= row->min || dl_fail(w, node->line, "needs at least %u entries", row->min);
}

static bool read_map(struct dl_where *w, const struct table *t, const struct th_node *node, char *base);

static bool read_elements(struct dl_where *w, const struct row *row, const struct th_node *node, char *base)
{
    unsigned *count = (unsigned *)(void *)(base + row->count_at), i = 0;

    if (!want(w, node, row->kind == LIST ? TH_NODE_LIST : TH_NODE_MAP))
        return false;
    for (const struct th_node *e = node->first; e; e = e->next, i++) {
        char *at = base + row->at + i * row->stride;
        size_t old = row->kind == LIST ? dl_enter_index(w, i) : dl_enter(w, e->key);
        if (i == row->max)
            return dl_fail(w, e->line, "has more than %u entries", row->max);
        if (row->kind == DICT) {
            struct dl_text *key = (struct dl_text *)(void *)at;
            *key = (struct dl_text){dl_copy(w->arena, e->key), e->line};
            if (!key->s.p)
                return dl_fail_nomem(w);
        }
        if (!read_map(w, row->sub, e, at))
            return false;
        dl_leave(w, old);
    }
    *count = i;
    return true;
}

static bool read_text(struct dl_where *w, const struct th_node *node, struct dl_text *out)
{
    if (!want(w, node, TH_NODE_SCALAR))
        return false;
    if (node->text.n && memchr(node->text.p, 0, node->text.n))
        return dl_fail(w, node->line, "must not hold NUL");
    *out = (struct dl_text){dl_copy(w->arena, node->text), node->line};
    return out->s.p || dl_fail_nomem(w);
}

/* Any node as JSON, to show it again. The loader bounds its depth. */
static bool node_json(const struct th_node *node, struct th_jw *jw, unsigned depth)
{
    if (depth > SHAPE_DEPTH * 4)
        return false;
    if (node->kind == TH_NODE_SCALAR) {
        bool literal = !node->quoted && (th_span_is(node->text, "true") || th_span_is(node->text, "false"));
        if (literal)
            th_jw_raw(jw, node->text);
        else
            th_jw_string(jw, node->text);
        return true;
    }
    if (node->kind == TH_NODE_LIST)
        th_jw_array(jw);
    else
        th_jw_object(jw);
    for (const struct th_node *e = node->first; e; e = e->next) {
        if (node->kind == TH_NODE_MAP)
            th_jw_key(jw, e->key);
        if (!node_json(e, jw, depth + 1))
            return false;
    }
    if (node->kind == TH_NODE_LIST)
        th_jw_end_array(jw);
    else
        th_jw_end_object(jw);
    return true;
}

static bool read_shape(struct dl_where *w, const struct th_node *node, struct dl_node_ref *out)
{
    struct th_buf text;
    struct th_jw jw = th_jw(&text);
    bool ok;

    th_buf_init(&text, 65536);
    out->node = node;
    if (!node_json(node, &jw, 0)) {
        ok = dl_fail(w, node->line, "is nested too deeply");
    } else if (text.failed) {
        ok = text.failed == TH_NOMEM ? dl_fail_nomem(w) : dl_fail(w, node->line, "is too long");
    } else {
        out->json = dl_copy(w->arena, th_buf_view(&text));
        ok = out->json.p || dl_fail_nomem(w);
    }
    th_buf_fini(&text);
    return ok;
}

static bool read_value(struct dl_where *w, const struct row *row, const struct th_node *node, char *base)
{
    void *at = base + row->at;

    switch (row->kind) {
    case TEXT:
        return read_text(w, node, at);
    case NUMBER:
        return read_number(w, row, node, at);
    case BOOL:
        return read_bool(w, node, at);
    case ENUM:
        return read_enum(w, row, node, at);
    case STATUSES:
        return read_statuses(w, node, at);
    case NUMBERS:
        return read_numbers(w, row, node, base);
    case SHAPE:
        return read_shape(w, node, at);
    case MAP:
        return read_map(w, row->sub, node, base);
    case LIST:
    case DICT:
        return read_elements(w, row, node, base);
    }
    return false;
}

static const struct row *find_row(const struct table *t, struct th_span key)
{
    for (unsigned i = 0; i < t->count; i++)
        if (th_span_is(key, t->rows[i].key))
            return &t->rows[i];
    return NULL;
}

static bool read_map(struct dl_where *w, const struct table *t, const struct th_node *node, char *base)
{
    uint32_t seen = 0;

    if (t->scalar)
        return read_value(w, t->scalar, node, base);
    if (!want(w, node, TH_NODE_MAP) || !set_defaults(w, t, base))
        return false;
    for (const struct th_node *e = node->first; e; e = e->next) {
        const struct row *row = find_row(t, e->key);
        size_t old = dl_enter(w, e->key);
        if (!row)
            return dl_fail(w, e->line, "unknown key");
        if (seen & 1u << (row - t->rows))
            return dl_fail(w, e->line, "is given twice");
        seen |= 1u << (row - t->rows);
        if (!read_value(w, row, e, base))
            return false;
        dl_leave(w, old);
    }
    for (unsigned i = 0; i < t->count; i++)
        if (t->rows[i].required && !(seen & 1u << i)) {
            dl_enter(w, th_str(t->rows[i].key));
            return dl_fail(w, node->line, "is required");
        }
    return true;
}

bool dl_read(struct dl_where *w, const struct th_node *root, struct dl_spec *spec)
{
    return read_map(w, &root_table, root, (char *)spec);
}

/* ---- showing ---- */
static void show_map(const struct table *t, const char *base, struct th_jw *w);

static void show_text(struct th_span s, struct th_jw *w)
{
    if (s.p)
        th_jw_string(w, s);
    else
        th_jw_null(w);
}

static void show_statuses(const struct th_status_set *set, struct th_jw *w)
{
    th_jw_array(w);
    for (unsigned i = 0; i < set->count; i++) {
        char text[16];
        unsigned lo = set->range[i].lo, hi = set->range[i].hi;
        int n = lo == hi                         ? snprintf(text, sizeof text, "%u", lo)
                : lo % 100 == 0 && hi == lo + 99 ? snprintf(text, sizeof text, "%uxx", lo / 100)
                                                 : snprintf(text, sizeof text, "%u-%u", lo, hi);
        th_jw_string(w, th_span(text, (size_t)n));
    }
    th_jw_end_array(w);
}

static void show_elements(const struct row *row, const char *base, struct th_jw *w)
{
    unsigned count = *(const unsigned *)(const void *)(base + row->count_at);

    if (row->kind == DICT)
        th_jw_object(w);
    else
        th_jw_array(w);
    for (unsigned i = 0; i < count; i++) {
        const char *at = base + row->at + i * (row->kind == NUMBERS ? sizeof(uint32_t) : row->stride);
        if (row->kind == DICT)
            th_jw_key(w, ((const struct dl_text *)(const void *)at)->s);
        if (row->kind == NUMBERS)
            th_jw_u64(w, *(const uint32_t *)(const void *)at);
        else
            show_map(row->sub, at, w);
    }
    if (row->kind == DICT)
        th_jw_end_object(w);
    else
        th_jw_end_array(w);
}

static void show_value(const struct row *row, const char *base, struct th_jw *w)
{
    const void *at = base + row->at;

    switch (row->kind) {
    case TEXT:
        show_text(((const struct dl_text *)at)->s, w);
        break;
    case NUMBER:
        th_jw_u64(w, *(const uint32_t *)at);
        break;
    case BOOL:
        th_jw_bool(w, *(const bool *)at);
        break;
    case ENUM: {
        unsigned v = *(const unsigned *)at;
        show_text(v ? th_str(row->names[v - 1]) : (struct th_span){NULL, 0}, w);
        break;
    }
    case STATUSES:
        show_statuses(at, w);
        break;
    case SHAPE:
        if (((const struct dl_node_ref *)at)->json.p)
            th_jw_raw(w, ((const struct dl_node_ref *)at)->json);
        else
            th_jw_null(w);
        break;
    case MAP:
        show_map(row->sub, base, w);
        break;
    case NUMBERS:
    case LIST:
    case DICT:
        show_elements(row, base, w);
        break;
    }
}

static void show_map(const struct table *t, const char *base, struct th_jw *w)
{
    if (t->scalar) {
        show_value(t->scalar, base, w);
        return;
    }
    th_jw_object(w);
    for (unsigned i = 0; i < t->count; i++) {
        th_jw_key(w, th_str(t->rows[i].key));
        show_value(&t->rows[i], base, w);
    }
    th_jw_end_object(w);
}

void dl_show(const struct dl_spec *spec, struct th_jw *w)
{
    for (unsigned i = 0; i < root_table.count; i++) {
        th_jw_key(w, th_str(root_table.rows[i].key));
        show_value(&root_table.rows[i], (const char *)spec, w);
    }
}
