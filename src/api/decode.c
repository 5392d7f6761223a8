/* JSON bodies: media type, syntax, then the members by a table of fields.
 *
 * Every fault is noted with its JSON pointer and all of them are answered at once: unknown names (unless the
 * dialect ignores them), names given twice, wrong types, lengths, ranges. Strings keep pointing into the body
 * unless they have escapes, so the hot path copies nothing; `data` is never looked into.
 *
 * Media types: application/json, for a merge patch application/merge-patch+json, elsewhere anything +json, with
 * charset UTF-8 if any is named; other ones, a missing one and content codings are 415. A body that is missing
 * altogether is 400. */
#include "api/private.h"
#include "lib/crypto.h"
#include <stdio.h>
#include <stdlib.h>

const char *th_api_json_name(enum th_json_type type)
{
    static const char *const names[] = {"null",     "false",    "true",     "a number",
                                        "a string", "an array", "an object"};

    return names[type];
}

static const char *const type_names[] = {"a string",  "true or false",       "an integer",       "a number",
                                         "an object", "an array of strings", "an RFC 3339 time", "a value"};

/* ---- media type ---- */

/* A patch in another language of patches (application/json-patch+json) is not ours to guess at. */
static bool is_json(const struct th_api_req *r, struct th_span type)
{
    if (th_span_ieq(type, TH_LIT("application/json")))
        return true;
    if (r->route->flags & TH_R_MERGE)
        return th_span_ieq(type, TH_LIT("application/merge-patch+json"));
    return type.n > 5 && th_span_ieq(th_span(type.p + type.n - 5, 5), TH_LIT("+json")) &&
           memchr(type.p, '/', type.n);
}

static bool json_media_type(const struct th_api_req *r, struct th_span v)
{
    struct th_span type = th_span_trim(th_span_cut(&v, ';'));

    if (!is_json(r, type))
        return false;
    while (v.n) {
        struct th_span part = th_span_trim(th_span_cut(&v, ';'));
        if (part.n > 8 && th_span_ieq(th_span(part.p, 8), TH_LIT("charset=")) &&
            !th_span_ieq(th_span(part.p + 8, part.n - 8), TH_LIT("utf-8")) &&
            !th_span_ieq(th_span(part.p + 8, part.n - 8), TH_LIT("\"utf-8\"")))
            return false;
    }
    return true;
}

/* Types and sizes, which the head alone tells. */
static bool type_passes(struct th_api_req *r)
{
    const struct th_http1_field *type = th_api_header(r, "content-type"),
                                *coding = th_api_header(r, "content-encoding");

    if (!type || !json_media_type(r, type->value)) {
        th_api_fail(r, 415,
                    type ? "Content-Type must be application/json, in UTF-8"
                         : "Content-Type is missing; it must be application/json");
        return false;
    }
    if (coding && !th_span_ieq(coding->value, TH_LIT("identity"))) {
        th_api_fail(r, 415, "the body may not have a content coding");
        return false;
    }
    return true;
}

static bool size_passes(struct th_api_req *r, uint64_t n)
{
    if ((r->route->flags & TH_R_PUBLISH) || n <= TH_API_MAX_SETTINGS)
        return true;
    th_api_fail(r, 413, "the request body is larger than allowed: only events may have more than %u bytes",
                TH_API_MAX_SETTINGS);
    return false;
}

bool th_api_body_judge(struct th_api_req *r)
{
    const struct th_http1_head *head = &r->x->head;

    if (head->body != TH_HTTP1_LENGTH || head->length == 0) /* a chunked one may turn out to be empty */
        return true;
    return size_passes(r, head->length) && type_passes(r);
}

bool th_api_body_begin(struct th_api_req *r)
{
    struct th_span body = r->x->body;

    r->body = (struct th_json){TH_JSON_OBJECT, TH_LIT("{}")};
    if (!body.n && (r->route->flags & TH_R_BODY_MAY))
        return true;
    if (!size_passes(r, body.n))
        return false;
    if (!body.n && !th_api_header(r, "content-type")) {
        th_api_fail(r, 400, "the body is missing; it must be JSON");
        return false;
    }
    return type_passes(r);
}

void th_api_body_read(struct th_api_req *r)
{
    uint8_t digest[32];

    if (th_api_header(r, "idempotency-key")) {
        th_sha256(r->x->body.p, r->x->body.n, digest);
        memcpy(r->idem.body, digest, sizeof r->idem.body);
    }
    if (!(r->route->flags & (TH_R_BODY | TH_R_BODY_MAY)) ||
        (!r->x->body.n && (r->route->flags & TH_R_BODY_MAY)))
        return;
    r->bad_json = th_json_parse(r->x->body, TH_JSON_DEPTH, &r->body, &r->json_error) != TH_OK;
    if (!r->bad_json && (r->route->flags & TH_R_PUBLISH))
        th_api_publish_read(r);
}

bool th_api_body_end(struct th_api_req *r)
{
    if (!r->bad_json)
        return true;
    r->json_line = r->json_error.line;
    r->json_column = r->json_error.column;
    th_api_fail(r, 400, "the body is not JSON: line %u, column %u: %s", r->json_line, r->json_column,
                r->json_error.what);
    return false;
}

/* ---- members ---- */

bool th_api_string(struct th_api_req *r, struct th_json v, struct th_span *out)
{
    struct th_buf text;
    bool ok;

    if (!memchr(v.raw.p, '\\', v.raw.n)) {
        *out = th_span(v.raw.p + 1, v.raw.n - 2);
        return true;
    }
    th_buf_init(&text, v.raw.n + 16);
    ok = th_json_string(v, &text) && !text.failed && th_arena_copy(&r->mem, th_buf_view(&text), out);
    th_buf_fini(&text);
    return ok;
}

struct th_span th_api_pointer(struct th_api_req *r, struct th_span prefix, struct th_span name)
{
    size_t n = name.n < 200 ? name.n : 200;
    char *p = th_arena_get(&r->mem, prefix.n + 1 + 2 * n), *to = p;

    if (!p)
        return TH_LIT("");
    if (prefix.n)
        memcpy(to, prefix.p, prefix.n);
    to += prefix.n;
    *to++ = '/';
    for (size_t i = 0; i < n; i++) {
        if (name.p[i] == '~' || name.p[i] == '/') {
            *to++ = '~';
            *to++ = name.p[i] == '~' ? '0' : '1';
        } else {
            *to++ = name.p[i];
        }
    }
    return th_span(p, (size_t)(to - p));
}

struct th_span th_api_wire(const struct th_api_req *r, struct th_span native)
{
    struct th_span wire = {0, 0};

    if (r->dialect && r->shaped)
        wire = th_dialect_wire_field(r->dialect, native);
    return wire.n ? wire : native;
}

/* Native name of a member; empty: not a field of the dialect. */
static struct th_span native_name(struct th_api_req *r, bool shaped, struct th_span name)
{
    return shaped && r->dialect
               ? th_dialect_request_field(r->dialect, name, !(r->route->flags & TH_R_MERGE) && !r->moved)
               : name;
}

static struct th_span wire_name(struct th_api_req *r, bool shaped, const char *native)
{
    return shaped ? th_api_wire(r, th_str(native)) : th_str(native);
}

static bool read_strings(struct th_api_req *r, const struct th_api_field *f, struct th_span pointer,
                         struct th_api_value *v)
{
    struct th_json_iter it;
    struct th_json element;
    unsigned n = 0;

    th_json_iter(&it, v->json);
    while (th_json_next(&it, NULL, &element))
        n++;
    if (n > f->max) {
        th_api_error(r, pointer, "has %u elements, at most %u are allowed", n, (unsigned)f->max);
        return true;
    }
    v->strings = th_arena_get(&r->mem, (n ? n : 1) * sizeof *v->strings);
    if (!v->strings)
        return false;
    th_json_iter(&it, v->json);
    for (unsigned i = 0; th_json_next(&it, NULL, &element); i++) {
        if (element.type != TH_JSON_STRING) {
            char index[16];
            snprintf(index, sizeof index, "%u", i);
            th_api_error(r, th_api_pointer(r, pointer, th_str(index)), "must be a string, not %s",
                         th_api_json_name(element.type));
            v->strings[i] = TH_LIT("");
        } else if (!th_api_string(r, element, &v->strings[i])) {
            return false;
        }
    }
    v->count = n;
    return true;
}

static bool read_number(struct th_span raw, double *out)
{
    char text[64];
    char *end;

    if (raw.n >= sizeof text)
        return false;
    memcpy(text, raw.p, raw.n);
    text[raw.n] = '\0';
    *out = strtod(text, &end);
    return *end == '\0' && *out >= -1e15 && *out <= 1e15;
}

/* 30 may be written 30.0 or 3e1: to JSON it is the same number. */
static bool read_integer(struct th_json v, int64_t *out)
{
    double number;

    if (th_json_i64(v, out))
        return true;
    if (!read_number(v.raw, &number) || number != (double)(int64_t)number)
        return false;
    *out = (int64_t)number;
    return true;
}

static bool type_fits(const struct th_api_field *f, enum th_json_type type)
{
    switch (f->type) {
    case TH_T_STRING:
    case TH_T_TIME:
        return type == TH_JSON_STRING;
    case TH_T_BOOL:
        return type == TH_JSON_TRUE || type == TH_JSON_FALSE;
    case TH_T_INTEGER:
    case TH_T_NUMBER:
        return type == TH_JSON_NUMBER;
    case TH_T_OBJECT:
        return type == TH_JSON_OBJECT;
    case TH_T_STRINGS:
        return type == TH_JSON_ARRAY;
    default:
        return true;
    }
}

static bool read_value(struct th_api_req *r, const struct th_api_field *f, struct th_span prefix,
                       struct th_span name, struct th_api_value *v)
{
    struct th_wall t;
    bool flag = false;

#define POINTER th_api_pointer(r, prefix, name)
    v->null = v->json.type == TH_JSON_NULL && f->type != TH_T_ANY;
    if (v->null) {
        if (!f->nullable)
            th_api_error(r, POINTER, "must be %s, not null", type_names[f->type]);
        return true;
    }
    if (!type_fits(f, v->json.type)) {
        th_api_error(r, POINTER, "must be %s, not %s", type_names[f->type], th_api_json_name(v->json.type));
        return true;
    }
    switch (f->type) {
    case TH_T_STRING:
        if (!th_api_string(r, v->json, &v->text))
            return false;
        if (f->max && v->text.n > f->max)
            th_api_error(r, POINTER, "has %zu bytes, at most %u are allowed", v->text.n, (unsigned)f->max);
        break;
    case TH_T_TIME:
        if (!th_api_string(r, v->json, &v->text))
            return false;
        if (!th_wall_parse(v->text, &t))
            th_api_error(r, POINTER, "must be an RFC 3339 time, such as 2026-04-02T08:00:00Z");
        else
            v->i = t.ms;
        break;
    case TH_T_BOOL:
        (void)th_json_bool(v->json, &flag);
        v->i = flag;
        break;
    case TH_T_INTEGER:
        if (!read_integer(v->json, &v->i))
            th_api_error(r, POINTER, "must be an integer");
        else if (f->lo < f->hi && (v->i < f->lo || v->i > f->hi))
            th_api_error(r, POINTER, "must be from %lld to %lld", (long long)f->lo, (long long)f->hi);
        break;
    case TH_T_NUMBER:
        if (!read_number(v->json.raw, &v->number))
            th_api_error(r, POINTER, "is out of range");
        break;
    case TH_T_STRINGS:
        return read_strings(r, f, POINTER, v);
    default:
        break;
    }
    return true;
#undef POINTER
}

/* Members that answers show and requests may not set. */
static bool read_only(struct th_span name)
{
    return th_span_is(name, "id") || th_span_is(name, "created_at") || th_span_is(name, "updated_at") ||
           th_span_is(name, "disabled");
}

bool th_api_decode(struct th_api_req *r, struct th_json object, struct th_span prefix,
                   const struct th_api_field *fields, unsigned count, bool shaped,
                   struct th_api_value *values)
{
    bool ignore = shaped && r->dialect && !r->moved && th_dialect_values(r->dialect)->ignore_unknown_fields;
    struct th_json_iter it;
    struct th_json key, value;
    unsigned i, faults;

    memset(values, 0, count * sizeof *values);
    if (object.type != TH_JSON_OBJECT) {
        th_api_error(r, prefix, "must be an object, not %s", th_api_json_name(object.type));
        return true;
    }
    th_json_iter(&it, object);
    while (th_json_next(&it, &key, &value)) {
        struct th_span name, native;
        if (!th_api_string(r, key, &name))
            return false;
        native = native_name(r, shaped, name);
        for (i = 0; i < count && !th_span_is(native, fields[i].name); i++)
            ;
        if (i == count) {
            if (!ignore)
                th_api_error(r, th_api_pointer(r, prefix, name),
                             native.n && read_only(native) ? "is read-only"
                                                           : "is not a field of this request");
            continue;
        }
        if (values[i].present) {
            th_api_error(r, th_api_pointer(r, prefix, name), "is given twice");
            continue;
        }
        values[i].present = true;
        values[i].json = value;
        faults = r->error_count;
        if (!read_value(r, &fields[i], prefix, name, &values[i]))
            return false;
        values[i].bad = r->error_count > faults;
    }
    for (i = 0; i < count; i++)
        if (fields[i].required && !values[i].present)
            th_api_error(r, th_api_pointer(r, prefix, wire_name(r, shaped, fields[i].name)), "is required");
    return true;
}
