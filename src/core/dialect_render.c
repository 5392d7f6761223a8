/* Renders the head of one attempt: runs the flat program, signs the exact body bytes with the time of this
 * attempt.
 *
 * The hot path of a delivery: no parsing, no heap but the growth of the given buffers, a few copies and the
 * MACs.
 *
 * Refuses: a variable whose bytes a header value cannot carry. The caller checks ids, types and URLs when
 * they come in; this is the second lock of that door (header injection), so it reports TH_INVALID and sends
 * nothing.
 *
 * Invariant: what is signed is what is sent; the same `body` span goes into the MAC and to the transport. */
#include "base/enc.h"
#include "core/dialect_parts.h"
#include "core/ecma.h"
#include <stdio.h>

struct attempt { /* what is computed once for a head */
    const struct th_dialect *d;
    const struct th_render *r;
    struct th_span body;
    const struct th_sign_key *key; /* whose plain text {secret} is */
    struct th_buf scratch;         /* an attribute whose text has escapes */
    char number[12], retry[12], stamp[DL_RFC3339 + 1][32], time[32];
    struct th_span stamp_text[DL_RFC3339 + 1], number_text, time_text;
};

static struct th_span format_time(char *room, size_t size, struct th_wall t)
{
    /* A buffer over stack memory: `max` is below `cap`, so it never grows into the heap. */
    struct th_buf b = {.p = room, .cap = size, .max = size - 1};

    th_wall_format(&b, t, TH_RFC3339_SECONDS);
    return th_span(room, b.failed ? 0 : b.n);
}

static struct th_span format_i64(char *room, size_t size, int64_t v)
{
    char *end = room + size, *p = end;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do
        *--p = (char)('0' + u % 10);
    while (u /= 10);
    if (v < 0)
        *--p = '-';
    return th_span(p, (size_t)(end - p));
}

static struct th_span stamp(struct attempt *a, enum dl_stamp form)
{
    struct th_span *text = &a->stamp_text[form];
    char *room = a->stamp[form];

    if (text->p)
        return *text;
    if (form == DL_RFC3339)
        *text = format_time(room, sizeof a->stamp[0], (struct th_wall){a->r->at_unix * 1000});
    else
        *text = format_i64(room, sizeof a->stamp[0],
                           form == DL_UNIX_MILLIS ? a->r->at_unix * 1000 : a->r->at_unix);
    return *text;
}

/* An event's type around its last dot; a type without one is all object. */
static struct th_span type_part(struct th_span type, bool action)
{
    size_t at = type.n;

    while (at && type.p[at - 1] != '.')
        at--;
    if (at == 0)
        return action ? th_span("", 0) : type;
    return action ? th_span(type.p + at, type.n - at) : th_span(type.p, at - 1);
}

/* A tenant's attribute as text: a string's characters, or the JSON of another scalar. */
static struct th_span attribute(struct attempt *a, struct th_span name)
{
    struct th_json v;

    if (!th_json_member(th_json_of(a->r->attributes), name, &v) || v.type == TH_JSON_NULL ||
        v.type == TH_JSON_ARRAY || v.type == TH_JSON_OBJECT)
        return th_span("", 0);
    if (v.type != TH_JSON_STRING)
        return v.raw;
    if (!memchr(v.raw.p, '\\', v.raw.n))
        return th_span(v.raw.p + 1, v.raw.n - 2);
    th_buf_reset(&a->scratch);
    th_json_string(v, &a->scratch);
    return th_buf_view(&a->scratch);
}

static struct th_span variable(struct attempt *a, enum dl_var v, enum dl_stamp form)
{
    const struct th_render *r = a->r;

    switch (v) {
    case DL_V_BODY:
        return a->body;
    case DL_V_SECRET:
        return a->key && a->key->plain ? th_span(a->key->plain, a->key->plain_len) : th_span("", 0);
    case DL_V_TS:
        return stamp(a, form);
    case DL_V_EVENT_ID:
        return r->event_id;
    case DL_V_EVENT_TYPE:
        return r->event_type;
    case DL_V_EVENT_TIME:
        if (!a->time_text.p)
            a->time_text = format_time(a->time, sizeof a->time, r->event_time);
        return a->time_text;
    case DL_V_DELIVERY_ID:
        return r->delivery_id;
    case DL_V_ENDPOINT_ID:
        return r->endpoint_id;
    case DL_V_ENDPOINT_URL:
        return r->endpoint_url;
    case DL_V_ATTEMPT_NUMBER:
        if (!a->number_text.p)
            a->number_text = format_i64(a->number, sizeof a->number, r->attempt);
        return a->number_text;
    case DL_V_RETRY_NUMBER:
        return format_i64(a->retry, sizeof a->retry, r->attempt ? (int64_t)r->attempt - 1 : 0);
    case DL_V_TYPE_OBJECT:
        return type_part(r->event_type, false);
    case DL_V_TYPE_ACTION:
        return type_part(r->event_type, true);
    case DL_V_RESOURCE_TYPE:
        return r->resource_type;
    case DL_V_RESOURCE_ID:
        return r->resource_id;
    case DL_V_TENANT_ID:
        return r->tenant_id;
    default:
        return th_span("", 0);
    }
}

/* Visible ASCII, space and tab: what a header value may hold without doubt (RFC 9110, 5.5). */
static bool add_checked(struct th_buf *out, struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || (unsigned char)s.p[i] > '~')
            return false;
    th_buf_span(out, s);
    return true;
}

/* ---- signatures ---- */

static size_t mac(struct attempt *a, const struct dl_sig *sig, const struct th_sign_key *key, uint8_t out[64])
{
    struct th_bytes pieces[DL_PIECES];
    const struct dl_program *p = &sig->content;

    for (unsigned i = 0; i < p->count; i++) {
        struct th_span s = p->ops[i].kind == DL_LITERAL ? p->ops[i].text
                                                        : variable(a, (enum dl_var)p->ops[i].arg, sig->stamp);
        pieces[i] = (struct th_bytes){s.p, s.n};
    }
    if (!(key->slots & 1u << sig->slot))
        return 0;
    if (sig->algorithm == DL_ED25519)
        return th_ed25519_sign(key->ed25519, pieces, p->count, out) ? 64 : 0;
    return th_hmac_sign(sig->slot ? &key->more[sig->slot - 1] : &key->hmac, pieces, p->count, out);
}

static bool add_item(struct attempt *a, const struct dl_sig *sig, const struct th_sign_key *key,
                     struct th_buf *out)
{
    uint8_t bytes[64];
    size_t n;

    a->key = key;
    n = mac(a, sig, key, bytes);
    if (n == 0)
        return false;
    for (unsigned i = 0; i < sig->item.count; i++) {
        const struct dl_op *op = &sig->item.ops[i];
        if (op->kind == DL_LITERAL)
            th_buf_span(out, op->text);
        else if (op->arg == DL_V_TS)
            th_buf_span(out, stamp(a, sig->stamp));
        else if (sig->encoding == DL_HEX)
            th_hex(out, bytes, n);
        else
            th_base64(out, bytes, n);
    }
    return true;
}

/* What a key signs as: the endpoint's variant, else the one that the secret is of. So an endpoint that moves from one to the
 * other is signed for in both while both secrets are active. `row`: the variants of one signature. */
static const struct dl_sig *sig_of(const struct th_dialect *d, const struct dl_sig *row, unsigned variant,
                                   const struct th_sign_key *key)
{
    if (key->slots & 1u << row[variant].slot)
        return &row[variant];
    for (unsigned i = 0; i < d->values.variant_count; i++)
        if (key->slots & 1u << row[i].slot)
            return &row[i];
    return &row[variant];
}

/* The keys that sign, in the dialect's order: all, or the oldest that is still active. */
static bool add_items(struct attempt *a, const struct dl_sig *row, unsigned variant, struct th_buf *out)
{
    const struct th_render *r = a->r;

    if (r->key_count == 0)
        return false;
    if (!a->d->values.secrets_all_sign)
        return add_item(a, sig_of(a->d, row, variant, r->keys[r->key_count - 1]), r->keys[r->key_count - 1],
                        out);
    for (unsigned i = 0; i < r->key_count; i++) {
        const struct th_sign_key *key = r->keys[a->d->oldest_first ? r->key_count - 1 - i : i];

        if (i)
            th_buf_span(out, row[variant].join);
        if (!add_item(a, sig_of(a->d, row, variant, key), key, out))
            return false;
    }
    return true;
}

/* Takes the next line from the stored values. */
static struct th_span next_stored(struct th_span *rest)
{
    const char *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct th_span line = th_span(rest->p, lf ? (size_t)(lf - rest->p) : rest->n);

    *rest = lf ? th_span(lf + 1, rest->n - line.n - 1) : th_span(rest->p + rest->n, 0);
    return line;
}

static bool add_signature(struct attempt *a, const struct dl_sig *row, unsigned variant,
                          struct th_span *stored, struct th_buf *out, struct th_buf *sigs)
{
    const struct th_render *r = a->r;
    const struct dl_sig *sig = !a->d->values.secrets_all_sign && r->key_count && !r->sigs.n
                                   ? sig_of(a->d, row, variant, r->keys[r->key_count - 1])
                                   : &row[variant];
    size_t start;

    th_buf_span(out, sig->header);
    th_buf_add(out, ": ", 2);
    start = out->n;
    if (a->r->sigs.n) {
        if (!add_checked(out, next_stored(stored)))
            return false;
    } else {
        for (unsigned i = 0; i < sig->wrap.count; i++) {
            const struct dl_op *op = &sig->wrap.ops[i];
            if (op->kind == DL_LITERAL)
                th_buf_span(out, op->text);
            else if (op->arg == DL_V_TS)
                th_buf_span(out, stamp(a, sig->stamp));
            else if (!add_items(a, row, variant, out))
                return false;
        }
    }
    if (sigs && !out->failed) {
        th_buf_add(sigs, out->p + start, out->n - start);
        th_buf_char(sigs, '\n');
    }
    th_buf_add(out, "\r\n", 2);
    return true;
}

/* ---- lines that may come out empty ---- */

/* Percent-encoding of what the HTTP binding of CloudEvents (1.0.2, 3.1.3.2) escapes: space, quote, percent,
 * and all that is not visible ASCII. */
static void add_percent(struct th_buf *out, struct th_span s)
{
    static const char digits[] = "0123456789ABCDEF";

    size_t plain = 0; /* where a run of bytes that stay begins */

    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
        if (c > ' ' && c <= '~' && c != '"' && c != '%')
            continue;
        th_buf_add(out, s.p + plain, i - plain);
        th_buf_add(out, escape, 3);
        plain = i + 1;
    }
    th_buf_add(out, s.p + plain, s.n - plain);
}

static bool add_value(struct attempt *a, const struct dl_op *ops, unsigned count, bool percent,
                      struct th_buf *out)
{
    for (unsigned i = 0; i < count; i++) {
        struct th_span s = ops[i].kind == DL_LITERAL      ? ops[i].text
                           : ops[i].arg == DL_V_ATTRIBUTE ? attribute(a, ops[i].text)
                                                          : variable(a, (enum dl_var)ops[i].arg, a->d->stamp);
        if (percent && ops[i].kind == DL_VAR)
            add_percent(out, s);
        else if (!add_checked(out, s))
            return false;
    }
    return true;
}

/* A line of an op and the ops behind it; without a value it leaves no trace. */
static bool add_line(struct attempt *a, const struct dl_op *op, struct th_buf *out)
{
    bool percent = op->kind == DL_LINE_PERCENT;
    size_t before = out->n, start;

    th_buf_span(out, op->text);
    start = out->n;
    if (!add_value(a, op + 1, op->arg, percent, out))
        return false;
    if (out->n == start && !add_value(a, op + 1 + op->arg, op->skip - op->arg, percent, out))
        return false;
    if (out->n > start)
        th_buf_add(out, "\r\n", 2);
    else if (!out->failed)
        out->n = before;
    return true;
}

/* ---- the head ---- */

static const struct th_sign_key *bearer_key(const struct th_dialect *d, const struct th_render *r)
{
    if (r->key_count == 0)
        return NULL;
    return r->keys[d->values.secrets_all_sign ? 0 : r->key_count - 1];
}

/* Whether one of the lines begins with `name`, which ends in a colon. */
static bool has_line(struct th_span lines, struct th_span name)
{
    while (lines.n > 0) {
        const char *lf = memchr(lines.p, '\n', lines.n);
        size_t line = lf ? (size_t)(lf - lines.p) + 1 : lines.n;

        if (line >= name.n && th_span_ieq(th_span(lines.p, name.n), name))
            return true;
        lines.p += line;
        lines.n -= line;
    }
    return false;
}

enum th_error th_dialect_head(const struct th_dialect *d, const struct th_render *r, struct th_span body,
                              struct th_buf *out, struct th_buf *sigs, bool hide)
{
    struct attempt a = {.d = d, .r = r, .body = body};
    struct th_span stored = r->sigs;
    unsigned variant = r->variant < DL_VARIANTS ? r->variant : 0;
    bool ok = true;

    th_buf_init(&a.scratch, 65536);
    for (unsigned i = 0; ok && i < d->head.count; i++) {
        const struct dl_op *op = &d->head.ops[i];
        switch (op->kind) {
        case DL_LITERAL:
            th_buf_span(out, op->text);
            break;
        case DL_VAR:
            if (op->arg == DL_V_SECRET) {
                a.key = bearer_key(d, r);
                ok = a.key && a.key->plain_len > 0;
            }
            ok = ok && add_checked(out, variable(&a, (enum dl_var)op->arg, d->stamp));
            break;
        case DL_SIGNATURE:
            ok = add_signature(&a, d->sigs[op->arg], variant, &stored, out, sigs);
            break;
        case DL_IF_OPTION:
            i += r->options & 1u << op->arg ? 0u : op->skip;
            break;
        case DL_IF_UNSET:
            i += has_line(r->custom, op->text) ? op->skip : 0u;
            break;
        case DL_IF_RETRY:
            i += r->attempt > 1 ? 0u : op->skip;
            break;
        case DL_LINE:
        case DL_LINE_PERCENT:
            ok = add_line(&a, op, out);
            i += op->skip;
            break;
        default: /* DL_HIDDEN */
            if (hide) {
                th_buf_add(out, "***", 3);
                i += op->skip;
            }
            break;
        }
    }
    if (a.scratch.failed && !out->failed)
        out->failed = a.scratch.failed;
    th_buf_fini(&a.scratch);
    if (!ok)
        return TH_INVALID;
    th_buf_span(out, r->custom);
    return out->failed ? out->failed : sigs ? sigs->failed : TH_OK;
}

/* ---- the body ---- */

struct envelope {
    const struct th_render *r;
    bool ecmascript;
};

/* Of text that was validated when it came in: here it is not read anew for each attempt. */
static bool get_member(struct th_span text, struct th_span name, bool pointer, struct shape_value *out)
{
    struct th_json root = th_json_of(text), v;

    if (!(pointer ? th_json_pointer(root, name, &v) : th_json_member(root, name, &v)) ||
        v.type == TH_JSON_NULL)
        return false;
    *out = (struct shape_value){.kind = SHAPE_V_JSON, .s = v.raw};
    return true;
}

static bool text_value(struct th_span s, struct shape_value *out)
{
    *out = (struct shape_value){.kind = SHAPE_V_TEXT, .s = s};
    return s.n > 0;
}

static bool envelope_get(void *ctx, const struct shape_from *from, unsigned index, struct shape_value *out)
{
    struct envelope *e = ctx;
    const struct th_render *r = e->r;
    (void)index;

    switch (from->source) {
    case SHAPE_DATA:
        *out = (struct shape_value){.kind = SHAPE_V_JSON, .s = r->data};
        return r->data.n > 0;
    case SHAPE_DATA_MEMBER:
        return get_member(r->data, from->arg, true, out);
    case SHAPE_TENANT_ATTRIBUTE:
        if (!get_member(r->attributes, from->arg, false, out))
            return false;
        out->ecmascript = e->ecmascript;
        return true;
    case SHAPE_EVENT_ID:
        return text_value(r->event_id, out);
    case SHAPE_EVENT_TYPE:
        return text_value(r->event_type, out);
    case SHAPE_TYPE_OBJECT:
        return text_value(type_part(r->event_type, false), out);
    case SHAPE_TYPE_ACTION:
        return text_value(type_part(r->event_type, true), out);
    case SHAPE_RESOURCE_TYPE:
        return text_value(r->resource_type, out);
    case SHAPE_RESOURCE_ID:
        return text_value(r->resource_id, out);
    case SHAPE_TENANT_ID:
        return text_value(r->tenant_id, out);
    case SHAPE_ENDPOINT_ID:
        return text_value(r->endpoint_id, out);
    case SHAPE_ENDPOINT_URL:
        return text_value(r->endpoint_url, out);
    case SHAPE_DELIVERY_ID:
        return text_value(r->delivery_id, out);
    case SHAPE_EVENT_TIME:
        *out = (struct shape_value){.kind = SHAPE_V_TIME, .i = r->event_time.ms};
        return true;
    case SHAPE_ATTEMPT_TIME:
        *out = (struct shape_value){.kind = SHAPE_V_TIME, .i = r->at_unix * 1000};
        return true;
    case SHAPE_ATTEMPT_NUMBER:
        *out = (struct shape_value){.kind = SHAPE_V_INT, .i = r->attempt};
        return true;
    case SHAPE_NATIVE:
        break;
    }
    return false;
}

enum th_error th_dialect_data(const struct th_dialect *d, struct th_span data, struct th_buf *out,
                              bool *exact)
{
    bool inexact = false;
    enum th_error error;

    if (d->values.ecmascript) {
        error = th_ecma_write(th_json_of(data), out, &inexact);
    } else {
        th_buf_span(out, data);
        error = out->failed;
    }
    *exact = !inexact;
    return error;
}

static enum th_error body(const struct th_dialect *d, const struct th_render *r, struct th_buf *out)
{
    struct envelope e = {r, d->values.ecmascript};
    struct shape_reader reader = {.get = envelope_get, .ctx = &e};

    if (d->envelope.count)
        return shape_run(&d->envelope, &reader, out);
    th_buf_span(out, r->data);
    return out->failed;
}

enum th_error th_dialect_body(const struct th_dialect *d, const struct th_render *r, struct th_buf *out,
                              bool *shared)
{
    struct th_render rewritten = *r;
    struct th_buf data;
    enum th_error error;
    bool exact;

    *shared = !d->envelope.per_delivery;
    if (!d->values.ecmascript || r->data_written)
        return body(d, r, out);
    th_buf_init(&data, out->max);
    error = th_dialect_data(d, r->data, &data, &exact);
    rewritten.data = th_buf_view(&data);
    if (!error)
        error = body(d, &rewritten, out);
    th_buf_fini(&data);
    return error;
}

const char *th_dialect_missing(const struct th_dialect *d, const struct th_render *r)
{
    struct envelope e = {r, d->values.ecmascript};
    struct shape_value v;

    for (unsigned i = 0; i < d->envelope.count; i++) {
        const struct shape_op *op = &d->envelope.ops[i];
        if (op->kind != SHAPE_FIELD || !op->required || envelope_get(&e, &op->from, 0, &v) ||
            (op->other.source != SHAPE_NATIVE && envelope_get(&e, &op->other, 0, &v)))
            continue;
        switch (op->from.source) {
        case SHAPE_DATA_MEMBER:
            return op->from.arg.p; /* a copy in the arena: NUL-terminated */
        case SHAPE_RESOURCE_TYPE:
            return "resource_type";
        case SHAPE_RESOURCE_ID:
            return "resource_id";
        case SHAPE_EVENT_TYPE:
            return "type";
        default:
            return "data";
        }
    }
    return NULL;
}

void th_dialect_warnings(const struct th_dialect *d, struct th_span data,
                         void (*warn)(void *ctx, struct th_span pointer), void *ctx)
{
    struct th_buf written;
    bool exact;

    if (!d->values.ecmascript)
        return;
    th_buf_init(&written, (size_t)d->spec.body.max_bytes * 8);
    /* no memory for it: publishing finds that by itself */
    if (!th_dialect_data(d, data, &written, &exact) && !exact &&
        th_ecma_inexact(th_buf_view(&written), warn, ctx))
        th_buf_reset(&written);
    th_buf_fini(&written);
}
