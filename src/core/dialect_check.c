/* Finds what is wrong in a dialect file although each of its keys is well-formed: values that contradict each other, that name
 * nothing, or that could never work. They are found when the file is loaded, because later they would only be noticed by deliveries that
 * fail, or by a field that is silently ignored.
 *
 * Every fault has the key and the line where it stands; a key that the file leaves to its default has the line of the
 * group around it. Nothing here can fail but by a fault. */
#include "core/dialect_parts.h"
#include "core/guard.h"
#include <stdio.h>

/* Fields of management requests that `api.fields` may rename. */
static const char *const request_fields[] = {"url",
                                             "events",
                                             "active",
                                             "description",
                                             "metadata",
                                             "headers",
                                             "url_secret",
                                             "filter",
                                             "retry",
                                             "reenable",
                                             "template",
                                             "channels",
                                             "ordering",
                                             "payload_version",
                                             "method",
                                             "body_format",
                                             "trace_context",
                                             "authentication",
                                             "tls",
                                             "source_address",
                                             "options",
                                             "secret",
                                             "previous_secret",
                                             "previous_expires_at",
                                             "timeout_seconds",
                                             "max_in_flight",
                                             "signature_variant",
                                             "rate_limit_per_second"};

/* Line of a key ("timeout.min") in the file, or of the innermost group on the way to it that is there. */
static unsigned line_of(const struct th_node *node, const char *path)
{
    unsigned line = node->line;

    while (node && *path) {
        size_t n = strcspn(path, ".");
        const struct th_node *e = node->kind == TH_NODE_MAP ? node->first : NULL;
        while (e && !th_span_eq(e->key, th_span(path, n)))
            e = e->next;
        if (e)
            line = e->line;
        node = e;
        path += n + (path[n] == '.');
    }
    return line;
}

/* Sets the path, and gives the line of its key. */
static unsigned at(struct th_where *w, const char *path)
{
    th_where_leave(w, 0);
    th_where_enter(w, th_str(path));
    return line_of(w->root, path);
}

static bool is_word(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = th_lower(s.p[i]);
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return true;
}

/* ---- schedule, outcomes, time-out ---- */

static bool check_timeout(struct th_where *w, const struct dl_spec *s)
{
    if (!s->timeout.min != !s->timeout.max)
        return th_where_fail(w, at(w, s->timeout.min ? "timeout.max" : "timeout.min"),
                             "is missing: min and max must both be given");
    if (s->timeout.max && (s->timeout.total < s->timeout.min || s->timeout.total > s->timeout.max))
        return th_where_fail(w, at(w, "timeout.total"), "is not between min and max");
    return true;
}

static bool check_success(struct th_where *w, const struct dl_spec *s)
{
    if (s->success.count == 0)
        return th_where_fail(w, at(w, "success.statuses"), "needs at least one status");
    for (unsigned i = 0; i < s->success.count; i++)
        for (unsigned status = s->success.range[i].lo; status <= s->success.range[i].hi; status++) {
            const char *other = th_status_in(&s->retry.final, status)        ? "retry.final"
                                : th_status_in(&s->disable.statuses, status) ? "disable.statuses"
                                                                             : NULL;
            if (other)
                return th_where_fail(w, at(w, other), "%u is among success.statuses", status);
        }
    return true;
}

static bool check_retry(struct th_where *w, const struct dl_spec *s)
{
    if (s->retry.after.statuses.count && s->retry.after.max_seconds == 0)
        return th_where_fail(w, at(w, "retry.retry_after.max_seconds"), "is required with statuses");
    if (!s->retry.own.max_delays != !s->retry.own.max_seconds)
        return th_where_fail(w, at(w, "retry.own"), "needs both max_delays and max_seconds");
    if (s->exhausted.degraded_after > s->retry.delay_count + 1)
        return th_where_fail(w, at(w, "exhausted.degraded_after"), "is beyond the last attempt");
    if (s->exhausted.event.s.n && !th_event_type_ok(s->exhausted.event.s))
        return th_where_fail(w, at(w, "exhausted.event"), "is not an event type");
    return true;
}

/* ---- names ---- */

static bool check_catalogue(struct th_where *w, const struct dl_spec *s)
{
    for (size_t i = 0; i < s->catalogue.characters.s.n; i++)
        if (!memchr("/:+=@~", s->catalogue.characters.s.p[i], 6))
            return th_where_fail(w, at(w, "catalogue.characters"), "may have / : + = @ ~ only");
    if (s->catalogue.closed && s->catalogue.type_count == 0)
        return th_where_fail(w, at(w, "catalogue.closed"), "a closed catalogue needs types");
    for (unsigned i = 0; i < s->catalogue.type_count; i++) {
        const struct dl_type *t = &s->catalogue.types[i];
        struct th_json root;
        at(w, "catalogue.types");
        th_where_enter_index(w, i);
        if (!th_event_type_form(t->type.s,
                                s->catalogue.characters.s.p ? s->catalogue.characters.s : th_span("", 0)))
            return th_where_fail(
                w, t->type.line,
                "a type is names of A-Z a-z 0-9 _ - joined by full stops, of at most 128 bytes");
        if (th_json_parse(t->sample.s, TH_JSON_DEPTH, &root, NULL) != TH_OK || root.type != TH_JSON_OBJECT)
            return th_where_fail(w, t->sample.line, "the sample must be a JSON object");
        for (unsigned k = 0; k < i; k++)
            if (th_span_eq(t->type.s, s->catalogue.types[k].type.s))
                return th_where_fail(w, t->type.line, "the type %s is given twice", t->type.s.p);
    }
    return true;
}

/* Ids stand in paths, headers and signed contents. */
static bool check_ids(struct th_where *w, const struct dl_spec *s)
{
    static const char *const prefixes[] = {"ids.event.prefix", "ids.endpoint.prefix", "ids.delivery.prefix"};
    const struct dl_id *const ids[] = {&s->id_event, &s->id_endpoint, &s->id_delivery};

    for (unsigned i = 0; i < 3; i++)
        if (!is_word(ids[i]->prefix.s) || ids[i]->prefix.s.n > 32)
            return th_where_fail(w, at(w, prefixes[i]), "must be of A-Z a-z 0-9 _ -, at most 32");
    if (s->id_event.form == TH_ID_INTEGER + 1)
        return th_where_fail(w, at(w, "ids.event.form"), "an event has no integer id");
    return true;
}

static bool check_options(struct th_where *w, const struct dl_spec *s)
{
    for (unsigned i = 0; i < s->endpoint.option_count; i++) {
        const struct dl_text *name = &s->endpoint.options[i].name;
        at(w, "endpoint.options");
        if (th_span_is(name->s, "retry"))
            return th_where_fail(w, name->line,
                                 "retry has a meaning in `when`, so no option can have this name");
        if (name->s.n == 0 || name->s.n > 64 || !is_word(name->s))
            return th_where_fail(w, name->line, "a name must be of A-Z a-z 0-9 _ -");
    }
    return true;
}

/* ---- the management API ---- */

static bool is_request_field(struct th_span name)
{
    for (size_t i = 0; i < sizeof request_fields / sizeof *request_fields; i++)
        if (th_span_is(name, request_fields[i]))
            return true;
    return false;
}

static void list_fields(char *out, size_t cap)
{
    size_t n = 0;

    for (unsigned i = 0; i < sizeof request_fields / sizeof *request_fields && n < cap; i++)
        n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? ", " : "", request_fields[i]);
}

static bool check_fields(struct th_where *w, const struct dl_spec *s)
{
    char names[512];

    for (unsigned i = 0; i < s->api.field_count; i++) {
        const struct dl_text *native = &s->api.fields[i].value;
        at(w, "api.fields");
        th_where_enter(w, s->api.fields[i].key.s);
        if (!is_request_field(native->s)) {
            list_fields(names, sizeof names);
            return th_where_fail(w, native->line, "there is no field \"%.*s\"; one of: %s",
                                 (int)(native->s.n < 40 ? native->s.n : 40), native->s.p, names);
        }
        for (unsigned k = 0; k < i; k++)
            if (th_span_eq(native->s, s->api.fields[k].value.s))
                return th_where_fail(w, native->line, "%s has another name already", native->s.p);
    }
    return true;
}

static bool check_create_fields(struct th_where *w, const struct th_dialect *d)
{
    for (unsigned i = 0; i < d->spec.api.create_field_count; i++) {
        const struct dl_text *name = &d->spec.api.create_fields[i].name;
        at(w, "api.create_fields");
        th_where_enter_index(w, i);
        if (!is_request_field(th_dialect_request_field(d, name->s, false)))
            return th_where_fail(w, name->line, "is not a field of a request");
    }
    return true;
}

static bool check_paging(struct th_where *w, const struct dl_spec *s)
{
    bool shaped = s->api.shapes[TH_SHAPE_DELIVERY_PAGE].node != NULL;

    if (!shaped && s->api.paging != TH_PAGING_CURSOR + 1)
        return th_where_fail(w, at(w, "api.paging"), "this paging needs shapes.delivery_page");
    if (!shaped && s->api.rows == 2)
        return th_where_fail(w, at(w, "api.log_rows"), "attempts need shapes.delivery_page");
    if (s->api.page_size > s->api.page_size_max)
        return th_where_fail(w, at(w, "api.page_size"), "is above page_size_max");
    return true;
}

/* ---- secrets ---- */

static bool check_secret(struct th_where *w, const struct dl_spec *s)
{
    uint64_t seconds;

    if (s->secret.min > s->secret.max)
        return th_where_fail(w, at(w, "secret.min"), "is above max");
    if (!th_span_is(s->secret.overlap.s, "until_revoked") &&
        !th_span_u64(s->secret.overlap.s, 31536000, &seconds))
        return th_where_fail(w, at(w, "secret.overlap_seconds"),
                             "must be seconds (at most a year) or until_revoked");
    return true;
}

/* Signatures of several secrets in one header must be told apart. */
static bool check_joins(struct th_where *w, const struct dl_spec *s)
{
    for (unsigned i = 0; s->secret.signing == 1 && s->secret.active > 1 && i < s->signature_count; i++) {
        const struct dl_text *join = &s->signatures[i].parts.join;
        at(w, "signatures");
        th_where_enter_index(w, i);
        th_where_enter(w, TH_LIT("join"));
        if (join->s.n == 0)
            return th_where_fail(w, join->line,
                                 "must not be empty where all active secrets sign (secret.signing)");
    }
    return true;
}

/* A new secret must be one that the dialect would take. */
static bool check_generated(struct th_where *w, const struct th_dialect *d)
{
    static const uint8_t random[64] = {1};
    const char *why = NULL;

    for (unsigned v = 0; v == 0 || v < d->values.variant_count; v++) {
        struct th_buf text;
        enum th_error error;

        th_buf_init(&text, 1024);
        th_dialect_secret_make_for(d, v, random, &text);
        error = text.failed ? text.failed : th_dialect_secret_check_for(d, v, th_buf_view(&text), &why);
        th_buf_fini(&text);
        if (error == TH_NOMEM)
            return th_where_fail_nomem(w);
        if (error)
            return th_where_fail(w, at(w, "secret.generated_bytes"), "a generated secret %s",
                                 why ? why : "is too long");
    }
    return true;
}

/* What is sent must be told apart by something: a secret in a header or a signature. */
static bool check_proof(struct th_where *w, const struct th_dialect *d)
{
    if (d->sig_count == 0 && !d->needs_plain)
        return th_where_fail(w, at(w, "signatures"),
                             "a dialect needs a signature or an auth header with {secret}");
    return true;
}

bool th_dialect_check_spec(struct th_where *w, const struct dl_spec *s)
{
    return check_timeout(w, s) && check_success(w, s) && check_retry(w, s) && check_catalogue(w, s) &&
           check_ids(w, s) && check_options(w, s) && check_fields(w, s) && check_paging(w, s) &&
           check_secret(w, s) && check_joins(w, s);
}

bool th_dialect_check_compiled(struct th_where *w, const struct th_dialect *d)
{
    return check_proof(w, d) && check_create_fields(w, d) && check_generated(w, d);
}
