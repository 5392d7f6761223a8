/* Reads members of JSON objects by a table of fields.
 *
 * Every fault is noted with its JSON pointer and all of them are answered at once: unknown names (unless the
 * dialect ignores them), names given twice, wrong types, lengths, ranges. Strings keep pointing into the body
 * unless they have escapes, so the hot path copies nothing; `data` is never looked into. */
#include "api/decode.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/request.h"
#include "api/route.h"
#include "net/tls_common.h"
#include <stdio.h>
#include <stdlib.h>

const char *th_api_decode_type_name(enum th_json_type type)
{
    static const char *const names[] = {"null",     "false",    "true",     "a number",
                                        "a string", "an array", "an object"};

    return names[type];
}

static const char *const type_names[] = {"a string",  "true or false",       "an integer",       "a number",
                                         "an object", "an array of strings", "an RFC 3339 time", "a value"};

bool th_api_decode_string(struct th_api_req *r, struct th_json v, struct th_span *out)
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

struct th_span th_api_decode_wire(const struct th_api_req *r, struct th_span native)
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
    return shaped ? th_api_decode_wire(r, th_str(native)) : th_str(native);
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
        th_api_fault(r, pointer, "has %u elements, at most %u are allowed", n, (unsigned)f->max);
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
            th_api_fault(r, th_api_fault_pointer(r, pointer, th_str(index)), "must be a string, not %s",
                         th_api_decode_type_name(element.type));
            v->strings[i] = TH_LIT("");
        } else if (!th_api_decode_string(r, element, &v->strings[i])) {
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

#define POINTER th_api_fault_pointer(r, prefix, name)
    v->null = v->json.type == TH_JSON_NULL && f->type != TH_T_ANY;
    if (v->null) {
        if (!f->nullable)
            th_api_fault(r, POINTER, "must be %s, not null", type_names[f->type]);
        return true;
    }
    if (!type_fits(f, v->json.type)) {
        th_api_fault(r, POINTER, "must be %s, not %s", type_names[f->type],
                     th_api_decode_type_name(v->json.type));
        return true;
    }
    switch (f->type) {
    case TH_T_STRING:
        if (!th_api_decode_string(r, v->json, &v->text))
            return false;
        if (f->max && v->text.n > f->max)
            th_api_fault(r, POINTER, "has %zu bytes, at most %u are allowed", v->text.n, (unsigned)f->max);
        break;
    case TH_T_TIME:
        if (!th_api_decode_string(r, v->json, &v->text))
            return false;
        if (!th_wall_parse(v->text, &t))
            th_api_fault(r, POINTER, "must be an RFC 3339 time, such as 2026-04-02T08:00:00Z");
        else
            v->i = t.ms;
        break;
    case TH_T_BOOL:
        (void)th_json_bool(v->json, &flag);
        v->i = flag;
        break;
    case TH_T_INTEGER:
        if (!read_integer(v->json, &v->i))
            th_api_fault(r, POINTER, "must be an integer");
        else if (f->lo < f->hi && (v->i < f->lo || v->i > f->hi))
            th_api_fault(r, POINTER, "must be from %lld to %lld", (long long)f->lo, (long long)f->hi);
        break;
    case TH_T_NUMBER:
        if (!read_number(v->json.raw, &v->number))
            th_api_fault(r, POINTER, "is out of range");
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
        th_api_fault(r, prefix, "must be an object, not %s", th_api_decode_type_name(object.type));
        return true;
    }
    th_json_iter(&it, object);
    while (th_json_next(&it, &key, &value)) {
        struct th_span name, native;
        if (!th_api_decode_string(r, key, &name))
            return false;
        native = native_name(r, shaped, name);
        for (i = 0; i < count && !th_span_is(native, fields[i].name); i++)
            ;
        if (i == count) {
            if (!ignore)
                th_api_fault(r, th_api_fault_pointer(r, prefix, name),
                             native.n && read_only(native) ? "is read-only"
                                                           : "is not a field of this request");
            continue;
        }
        if (values[i].present) {
            th_api_fault(r, th_api_fault_pointer(r, prefix, name), "is given twice");
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
            th_api_fault(r, th_api_fault_pointer(r, prefix, wire_name(r, shaped, fields[i].name)),
                         "is required");
    return true;
}

bool th_api_decode_nothing(struct th_api_req *r)
{
    struct th_api_value none[1];

    if (!th_api_decode(r, r->body, TH_LIT(""), NULL, 0, false, none))
        th_api_fail_nomem(r);
    else if (r->error_count)
        th_api_fail_invalid(r);
    else
        return true;
    return false;
}
