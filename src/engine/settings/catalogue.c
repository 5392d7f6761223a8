/* Event types and their catalogues.
 *
 * A type never changes once it is made: it is replaced. So engines share it, and count who holds it. A catalogue is sorted by name.
 *
 * Refused: a schema that is none, an example that does not fit it, versions that are not in order.
 *
 * Invariant: a step between two versions never changes once it is stored (change_type.c), so that an attempt of before can be
 * rendered again. */
#include "engine/settings/catalogue.h"
#include "base/alloc.h"
#include "base/json.h"
#include "engine/context.h"
#include "engine/state.h"
#include "lib/json_scan.h"
#include <stdarg.h>
#include <stdio.h>

#define ROW "event_type."
#define TYPE_BYTES (8u << 20) /* of memory, without the schema */

__attribute__((format(printf, 3, 4))) static enum th_error wrong(struct th_field_error *fault,
                                                                 const char *field, const char *format, ...)
{
    va_list args;

    snprintf(fault->field, sizeof fault->field, "%s", field);
    va_start(args, format);
    vsnprintf(fault->detail, sizeof fault->detail, format, args);
    va_end(args);
    return TH_INVALID;
}

/* ---- versions ---- */

static bool two(const char *p, unsigned from, unsigned to, unsigned *out)
{
    if (!th_is_digit(p[0]) || !th_is_digit(p[1]))
        return false;
    *out = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
    return *out >= from && *out <= to;
}

bool th_version_read(struct th_span s, uint32_t *out)
{
    unsigned century, year, month, day;

    *out = 0;
    if (s.n == 10) {
        if (s.p[4] != '-' || s.p[7] != '-' || !two(s.p, 10, 99, &century) || !two(s.p + 2, 0, 99, &year) ||
            !two(s.p + 5, 1, 12, &month) || !two(s.p + 8, 1, 31, &day))
            return false;
        *out = ((century * 100 + year) * 100 + month) * 100 + day;
        return true;
    }
    if (s.n == 0 || s.n > 6 || *s.p == '0')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!th_is_digit(s.p[i]))
            return false;
        *out = *out * 10 + (uint32_t)(s.p[i] - '0');
    }
    return true;
}

void th_version_write(uint32_t version, struct th_buf *out)
{
    if (version < TH_VERSION_DATES)
        th_buf_u64(out, version);
    else
        th_buf_printf(out, "%04u-%02u-%02u", version / 10000, version / 100 % 100, version % 100);
}

/* Compiles the template of a step. */
static enum th_error step(struct th_event_type *type, struct th_json template, unsigned n,
                          struct th_field_error *fault)
{
    struct th_payload_fault why;
    struct th_type_version *v = &type->versions[n];
    struct th_buf text;
    char field[sizeof fault->field];
    enum th_error error = th_payload_compile(template, &type->mem, &v->step, &why);

    if (error == TH_MALFORMED) {
        snprintf(field, sizeof field, "versions/%u/template%.150s", n, why.pointer);
        return wrong(fault, field, "%s", why.what);
    }
    if (error)
        return error;
    th_buf_init(&text, TH_PAYLOAD_BYTES);
    th_payload_squeeze(template, &text);
    error = text.failed || !th_arena_copy(&type->mem, th_buf_view(&text), &v->text) ? TH_NOMEM : TH_OK;
    th_buf_fini(&text);
    return error;
}

static enum th_error version(struct th_event_type *type, struct th_json of, struct th_field_error *fault)
{
    unsigned n = type->version_count;
    struct th_type_version *v = &type->versions[n];
    struct th_json_iter it;
    struct th_json key, value, template = {0};
    struct th_wall sunset;
    char field[48];

    snprintf(field, sizeof field, "versions/%u", n);
    if (of.type != TH_JSON_OBJECT)
        return wrong(fault, field, "must be an object with a \"version\"");
    for (th_json_iter(&it, of); th_json_next(&it, &key, &value);) {
        if (th_json_string_eq(key, TH_LIT("version")) && value.type == TH_JSON_STRING) {
            (void)th_version_read(th_json_inside(value), &v->version);
        } else if (th_json_string_eq(key, TH_LIT("template"))) {
            template = value;
        } else if (th_json_string_eq(key, TH_LIT("sunset")) && value.type == TH_JSON_STRING) {
            snprintf(field, sizeof field, "versions/%u/sunset", n);
            if (!th_wall_parse(th_json_inside(value), &sunset))
                return wrong(fault, field, "must be a time such as 2027-01-01T00:00:00Z");
            v->sunset = sunset.ms;
        } else if (!(th_json_string_eq(key, TH_LIT("sunset")) && value.type == TH_JSON_NULL)) {
            return wrong(fault, field, "has \"version\", \"template\" and \"sunset\" alone");
        }
    }
    if (!v->version)
        return wrong(fault, field,
                     "needs a \"version\": a date such as \"2026-03-01\", or a whole number as a text");
    if (n && v->version >= type->versions[n - 1].version)
        return wrong(fault, field, "versions stand in order, the newest first");
    if ((n == 0) != (template.raw.n == 0))
        return wrong(fault, field,
                     n ? "needs a \"template\", which makes its data of an event of the version before it"
                       : "the newest version has no \"template\": it is what is published");
    if (n) {
        enum th_error error = step(type, template, n, fault);

        if (error)
            return error;
    }
    type->version_count++;
    return TH_OK;
}

static enum th_error versions(struct th_event_type *type, struct th_span text, struct th_field_error *fault)
{
    struct th_json_iter it;
    struct th_json one;

    for (th_json_iter(&it, th_json_of(text)); th_json_next(&it, NULL, &one);) {
        enum th_error error;

        if (type->version_count == TH_MAX_TYPE_VERSIONS)
            return wrong(fault, "versions", "has more than %d versions", TH_MAX_TYPE_VERSIONS);
        error = version(type, one, fault);
        if (error)
            return error;
    }
    return TH_OK;
}

/* ---- schema and example ---- */

static enum th_error schema(struct th_event_type *type, struct th_field_error *fault)
{
    struct th_schema_fault why;
    char field[sizeof fault->field];
    enum th_error error;

    if (!type->schema_text.n)
        return TH_OK;
    error = th_schema_compile(type->schema_text, NULL, 0, &type->schema, &why);
    if (error != TH_MALFORMED)
        return error;
    snprintf(field, sizeof field, "schema%.160s", why.pointer);
    return wrong(fault, field, "%s", why.what);
}

enum th_schema_answer th_event_type_check(const struct th_event_type *type, const struct th_tape *tape,
                                          uint32_t node, uint32_t *steps, struct th_schema_why *why)
{
    return th_schema_check(type->schema, tape, node, steps, why);
}

static enum th_error example(struct th_event_type *type, struct th_field_error *fault)
{
    uint32_t steps = TH_SCHEMA_STEPS;
    struct th_schema_why *why;
    enum th_error error = TH_NOMEM;
    struct th_tape tape;
    char field[sizeof fault->field];

    if (!type->schema || !type->example.n)
        return TH_OK;
    th_tape_init(&tape);
    why = th_malloc(sizeof *why);
    if (why && th_tape_read(&tape, type->example) == TH_OK) {
        enum th_schema_answer answer = th_event_type_check(type, &tape, 0, &steps, why);

        error = TH_OK;
        snprintf(field, sizeof field, "example%.160s",
                 answer == TH_SCHEMA_INVALID ? why->found->pointer : "");
        if (answer == TH_SCHEMA_INVALID)
            error = wrong(fault, field, "does not fit the schema (%s at %.60s): %.100s", why->found->keyword,
                          why->found->schema, why->found->what);
        else if (answer == TH_SCHEMA_EXCESS)
            error = wrong(fault, field, "checking it takes more than %d steps", TH_SCHEMA_STEPS);
    }
    th_tape_fini(&tape);
    th_free(why);
    return error;
}

/* ---- types ---- */

static bool squeezed(struct th_event_type *type, struct th_span json, struct th_span *out)
{
    struct th_buf text;
    bool ok;

    *out = th_span("", 0);
    if (!json.n)
        return true;
    th_buf_init(&text, 8u << 20);
    th_payload_squeeze(th_json_of(json), &text);
    ok = !text.failed && th_arena_copy(&type->mem, th_buf_view(&text), out);
    th_buf_fini(&text);
    return ok;
}

static struct th_event_type *shell(void)
{
    struct th_arena mem;
    struct th_event_type *type;

    th_arena_init(&mem, TYPE_BYTES);
    type = th_arena_get(&mem, sizeof *type);
    if (!type) {
        th_arena_fini(&mem);
        return NULL;
    }
    type->mem = mem;
    th_ref_init(&type->refs);
    return type;
}

enum th_error th_event_type_new(const struct th_type_spec *spec, struct th_field_error *fault,
                                struct th_event_type **out)
{
    struct th_event_type *type = shell();
    enum th_error error;

    if (!type)
        return TH_NOMEM;
    type->validate = spec->validate;
    type->archived = spec->archived;
    type->deprecated = spec->deprecated;
    type->created = spec->created;
    type->updated = spec->updated;
    type->rev = spec->rev;
    error = th_arena_copy(&type->mem, spec->name, &type->name) &&
                    th_arena_copy(&type->mem, spec->description, &type->description) &&
                    th_arena_copy(&type->mem, spec->group, &type->group) &&
                    squeezed(type, spec->schema, &type->schema_text) &&
                    squeezed(type, spec->example, &type->example)
                ? TH_OK
                : TH_NOMEM;
    if (!error)
        error = schema(type, fault);
    if (!error)
        error = versions(type, spec->versions, fault);
    if (!error)
        error = example(type, fault);
    if (error) {
        th_event_type_unref(type);
        return error;
    }
    *out = type;
    return TH_OK;
}

void th_event_type_unref(struct th_event_type *type)
{
    struct th_arena mem;

    if (!type || !th_ref_put(&type->refs))
        return;
    th_schema_unref(type->schema);
    mem = type->mem;
    th_arena_fini(&mem);
}

const char *th_validate_name(enum th_validate v)
{
    static const char *const names[] = {"default", "off", "warn", "refuse"};

    return names[v];
}

bool th_validate_read(struct th_span s, enum th_validate *out)
{
    for (unsigned i = 0; i < TH_VALIDATE_KINDS; i++)
        if (th_span_is(s, th_validate_name((enum th_validate)i))) {
            *out = (enum th_validate)i;
            return true;
        }
    return false;
}

static void write_text(struct th_jw *w, const char *name, struct th_span s)
{
    if (!s.n)
        return;
    th_jw_key(w, th_str(name));
    th_jw_string(w, s);
}

static void write_json(struct th_jw *w, const char *name, struct th_span s)
{
    if (!s.n)
        return;
    th_jw_key(w, th_str(name));
    th_jw_raw(w, s);
}

void th_event_type_versions(const struct th_event_type *type, struct th_jw *w)
{
    char text[16];
    struct th_buf v;

    th_jw_array(w);
    for (unsigned i = 0; i < type->version_count; i++) {
        th_buf_init(&v, sizeof text);
        th_version_write(type->versions[i].version, &v);
        th_jw_object(w);
        write_text(w, "version", th_buf_view(&v));
        th_buf_fini(&v);
        if (type->versions[i].sunset) {
            th_jw_key(w, TH_LIT("sunset"));
            th_jw_raw(w, TH_LIT("\""));
            th_wall_format(w->out, (struct th_wall){type->versions[i].sunset}, TH_RFC3339_MILLIS);
            th_buf_char(w->out, '"');
        }
        write_json(w, "template", type->versions[i].text);
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
}

void th_event_type_write(const struct th_event_type *type, struct th_buf *out)
{
    struct th_jw w = th_jw(out);

    th_jw_object(&w);
    write_text(&w, "description", type->description);
    write_text(&w, "group", type->group);
    write_text(&w, "validate", th_str(th_validate_name(type->validate)));
    th_jw_key(&w, TH_LIT("archived"));
    th_jw_bool(&w, type->archived);
    th_jw_key(&w, TH_LIT("deprecated"));
    th_jw_bool(&w, type->deprecated);
    th_jw_key(&w, TH_LIT("created"));
    th_jw_i64(&w, type->created);
    th_jw_key(&w, TH_LIT("updated"));
    th_jw_i64(&w, type->updated);
    th_jw_key(&w, TH_LIT("rev"));
    th_jw_u64(&w, type->rev);
    if (type->version_count) {
        th_jw_key(&w, TH_LIT("versions"));
        th_event_type_versions(type, &w);
    }
    write_json(&w, "schema", type->schema_text);
    write_json(&w, "example", type->example);
    th_jw_end_object(&w);
}

static bool text_of(struct th_json root, const char *name, struct th_arena *mem, struct th_span *out)
{
    struct th_json v;
    struct th_buf text;
    bool ok;

    *out = th_span("", 0);
    if (!th_json_member(root, th_str(name), &v))
        return true;
    th_buf_init(&text, 64u << 10);
    ok = th_json_string(v, &text) && !text.failed && th_arena_copy(mem, th_buf_view(&text), out);
    th_buf_fini(&text);
    return ok;
}

static bool is_true(struct th_json root, const char *name)
{
    struct th_json v;

    return th_json_member(root, th_str(name), &v) && v.type == TH_JSON_TRUE;
}

static int64_t number_of(struct th_json root, const char *name)
{
    struct th_json v;
    int64_t n = 0;

    if (th_json_member(root, th_str(name), &v))
        (void)th_json_i64(v, &n);
    return n;
}

static struct th_span json_of(struct th_json root, const char *name)
{
    struct th_json v;

    return th_json_member(root, th_str(name), &v) ? v.raw : th_span("", 0);
}

enum th_error th_event_type_read(struct th_span name, struct th_span stored, struct th_event_type **out)
{
    struct th_type_spec spec = {.name = name};
    struct th_field_error fault;
    struct th_arena mem;
    struct th_json root;
    struct th_span validate;
    enum th_error error = TH_CORRUPT;

    if (th_json_parse(stored, TH_JSON_DEPTH_MAX, &root, NULL) != TH_OK)
        return TH_CORRUPT;
    th_arena_init(&mem, 1u << 20);
    if (text_of(root, "description", &mem, &spec.description) && text_of(root, "group", &mem, &spec.group) &&
        text_of(root, "validate", &mem, &validate) && th_validate_read(validate, &spec.validate)) {
        spec.archived = is_true(root, "archived");
        spec.deprecated = is_true(root, "deprecated");
        spec.created = number_of(root, "created");
        spec.updated = number_of(root, "updated");
        spec.rev = (uint64_t)number_of(root, "rev");
        spec.versions = json_of(root, "versions");
        spec.schema = json_of(root, "schema");
        spec.example = json_of(root, "example");
        error = th_event_type_new(&spec, &fault, out);
        if (error == TH_INVALID)
            error = TH_CORRUPT;
    }
    th_arena_fini(&mem);
    return error;
}

void th_event_type_row_id(uint64_t tenant, struct th_span name, struct th_buf *out)
{
    th_buf_str(out, ROW);
    th_buf_u64(out, tenant);
    th_buf_char(out, '.');
    th_buf_span(out, name);
}

bool th_event_type_of_row(struct th_span id, uint64_t *tenant, struct th_span *name)
{
    size_t i = sizeof ROW - 1;

    if (!th_span_starts(id, TH_LIT(ROW)))
        return false;
    for (*tenant = 0; i < id.n && th_is_digit(id.p[i]); i++)
        *tenant = *tenant * 10 + (uint64_t)(id.p[i] - '0');
    if (i == id.n || id.p[i] != '.')
        return false;
    *name = th_span(id.p + i + 1, id.n - i - 1);
    return name->n > 0;
}

/* ---- catalogues ---- */

static int order(struct th_span a, struct th_span b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

/* Where the name is, or belongs. */
static unsigned place(const struct th_catalogue *c, struct th_span name, bool *there)
{
    unsigned low = 0, high = c->count;

    *there = false;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        int o = order(c->types[mid]->name, name);

        if (o == 0) {
            *there = true;
            return mid;
        }
        if (o < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

enum th_error th_catalogue_put(struct th_tenant *t, struct th_event_type *type)
{
    struct th_catalogue *c = &t->catalogue;
    bool there;
    unsigned at = place(c, type->name, &there);

    if (there) {
        th_event_type_unref(c->types[at]);
        c->types[at] = type;
        return TH_OK;
    }
    if (c->count == c->cap) {
        unsigned cap = c->cap ? c->cap * 2 : 8;
        struct th_event_type **v = th_realloc(c->types, cap * sizeof *v);

        if (!v)
            return TH_NOMEM;
        c->types = v;
        c->cap = cap;
    }
    memmove(c->types + at + 1, c->types + at, (c->count - at) * sizeof *c->types);
    c->types[at] = type;
    c->count++;
    return TH_OK;
}

void th_catalogue_del(struct th_tenant *t, struct th_span name)
{
    struct th_catalogue *c = &t->catalogue;
    bool there;
    unsigned at = place(c, name, &there);

    if (!there)
        return;
    th_event_type_unref(c->types[at]);
    c->count--;
    memmove(c->types + at, c->types + at + 1, (c->count - at) * sizeof *c->types);
}

void th_catalogue_free(struct th_tenant *t)
{
    for (unsigned i = 0; i < t->catalogue.count; i++)
        th_event_type_unref(t->catalogue.types[i]);
    th_free(t->catalogue.types);
    t->catalogue = (struct th_catalogue){0};
}

const struct th_event_type *th_catalogue_own(const struct th_tenant *t, struct th_span name)
{
    bool there;
    unsigned at = place(&t->catalogue, name, &there);

    return there ? t->catalogue.types[at] : NULL;
}

const struct th_event_type *th_engine_event_type(struct th_engine *e, const struct th_tenant *t,
                                                 struct th_span name)
{
    const struct th_tenant *all = th_engine_tenant(e, TH_LIT(TH_CATALOGUE_OF_ALL));
    const struct th_event_type *own = t && t->catalogue.count ? th_catalogue_own(t, name) : NULL;

    if (own || !all || !all->catalogue.count)
        return own;
    return th_catalogue_own(all, name);
}

enum th_validate th_event_type_validates(const struct th_engine *e, const struct th_event_type *type)
{
    if (!type->schema)
        return TH_VALIDATE_OFF;
    return type->validate ? type->validate : e->options.validate ? e->options.validate : TH_VALIDATE_WARN;
}
