/* Templates: text with variables in braces, compiled once into a flat program of literals and variables.
 *
 * The variables are a closed list, not a language: an unknown one, or one that means nothing at this place
 * (the signature inside the signed content), is an error with line and key. "{{" and "}}" stand for one
 * brace. */
#include "core/dialect_parts.h"

static const char *const names[DL_V_COUNT] = {
    [DL_V_BODY] = "body",
    [DL_V_SECRET] = "secret",
    [DL_V_TS] = "ts",
    [DL_V_EVENT_ID] = "event.id",
    [DL_V_EVENT_TYPE] = "event.type",
    [DL_V_EVENT_TIME] = "event.time",
    [DL_V_DELIVERY_ID] = "delivery.id",
    [DL_V_ENDPOINT_ID] = "endpoint.id",
    [DL_V_ENDPOINT_URL] = "endpoint.url",
    [DL_V_SCHEMA_VERSION] = "schema.version",
    [DL_V_ATTEMPT_NUMBER] = "attempt.number",
    [DL_V_SIG] = "sig",
    [DL_V_ITEMS] = "items",
    [DL_V_TYPE_OBJECT] = "event.type.object",
    [DL_V_TYPE_ACTION] = "event.type.action",
    [DL_V_RESOURCE_TYPE] = "event.resource_type",
    [DL_V_RESOURCE_ID] = "event.resource_id",
    [DL_V_TENANT_ID] = "tenant.id",
    [DL_V_RETRY_NUMBER] = "retry.number",
};

struct builder {
    struct dl_op ops[DL_PIECES];
    unsigned count;
    char *literal; /* room for all literal text of this template */
    size_t used, start;
    uint32_t vars;
};

static bool flush(struct dl_where *w, struct builder *b, unsigned line)
{
    if (b->used == b->start)
        return true;
    if (b->count == DL_PIECES)
        return dl_fail(w, line, "has more than %d parts", DL_PIECES);
    b->ops[b->count++] =
        (struct dl_op){.kind = DL_LITERAL, .text = {b->literal + b->start, b->used - b->start}};
    b->start = b->used;
    return true;
}

/* The name in "tenant.attributes.NAME". */
static bool attribute_name(struct th_span name, struct th_span *attribute)
{
    struct th_span prefix = TH_LIT("tenant.attributes.");

    if (!th_span_starts(name, prefix) || name.n == prefix.n)
        return false;
    *attribute = th_span(name.p + prefix.n, name.n - prefix.n);
    return true;
}

static bool add_var(struct dl_where *w, struct builder *b, struct dl_text text, struct th_span name,
                    uint32_t allowed, struct th_span schema_version)
{
    struct th_span attribute = {NULL, 0};
    unsigned v;

    for (v = 0; v < DL_V_COUNT; v++)
        if (th_span_is(name, names[v]))
            break;
    if (v == DL_V_COUNT && !attribute_name(name, &attribute))
        return dl_fail(w, text.line, "unknown variable {%.*s}", (int)(name.n < 60 ? name.n : 60), name.p);
    if (!(allowed & DL_BIT(v)))
        return dl_fail(w, text.line, "{%.*s} means nothing here", (int)(name.n < 60 ? name.n : 60), name.p);
    if (attribute.n) {
        attribute = dl_copy(w->arena, attribute);
        if (!attribute.p)
            return dl_fail_nomem(w);
    }
    if (v == DL_V_SCHEMA_VERSION) {
        if (schema_version.n == 0)
            return dl_fail(w, text.line, "{schema.version} needs the key schema_version");
        memcpy(b->literal + b->used, schema_version.p, schema_version.n);
        b->used += schema_version.n;
        return true;
    }
    if (!flush(w, b, text.line))
        return false;
    if (b->count == DL_PIECES)
        return dl_fail(w, text.line, "has more than %d parts", DL_PIECES);
    b->ops[b->count++] = (struct dl_op){.kind = DL_VAR, .arg = (uint8_t)v, .text = attribute};
    b->vars |= DL_BIT(v);
    return true;
}

static bool walk(struct dl_where *w, struct builder *b, struct dl_text text, uint32_t allowed,
                 struct th_span schema_version)
{
    const char *p = text.s.p, *end = p + text.s.n;

    while (p < end) {
        if ((*p == '{' || *p == '}') && p + 1 < end && p[1] == *p) {
            b->literal[b->used++] = *p;
            p += 2;
        } else if (*p == '{') {
            const char *close = memchr(p, '}', (size_t)(end - p));
            if (!close)
                return dl_fail(w, text.line,
                               "has a brace without its end (a literal brace is written twice)");
            if (!add_var(w, b, text, th_span(p + 1, (size_t)(close - p - 1)), allowed, schema_version))
                return false;
            p = close + 1;
        } else if (*p == '}') {
            return dl_fail(w, text.line,
                           "has a brace without its beginning (a literal brace is written twice)");
        } else {
            b->literal[b->used++] = *p++;
        }
    }
    return flush(w, b, text.line);
}

bool dl_template(struct dl_where *w, struct dl_text text, uint32_t allowed, struct th_span schema_version,
                 struct dl_program *out)
{
    struct builder b = {.count = 0};
    struct dl_op *ops;

    b.literal = dl_alloc(w->arena, text.s.n + 1 + (text.s.n / 4 + 1) * schema_version.n);
    if (!b.literal)
        return dl_fail_nomem(w);
    if (!walk(w, &b, text, allowed, schema_version))
        return false;
    ops = dl_alloc(w->arena, sizeof *ops * (b.count ? b.count : 1));
    if (!ops)
        return dl_fail_nomem(w);
    memcpy(ops, b.ops, sizeof *ops * b.count);
    *out = (struct dl_program){ops, b.count, b.vars};
    return true;
}
