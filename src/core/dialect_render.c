/* Renders the request of one attempt: runs the programs of head and envelope, signs the exact body bytes with the time of
 * this attempt.
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
#include "core/dialect_message.h"
#include "core/ecma.h"

#define SUNSET_MARK '~' /* before the date of a Sunset header, among what is kept of an attempt */

struct attempt { /* what a head is made for, and from */
    struct th_env env;
    const struct th_dialect *d;
    const struct th_render *r;
    struct th_span body;
    const struct th_sign_key *key; /* whose plain text {secret} is */
    struct th_span stored;         /* signatures of a past attempt that are not shown yet */
    struct th_buf *sigs;
    struct th_span ts; /* text of {ts} in the form that was asked for last, in ts_room */
    enum th_form ts_form;
    size_t start; /* where the head begins in the buffer that it is written to */
    bool hide, no_secret;
    char ts_room[TH_PROGRAM_TEXT];
};

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

static bool text_value(struct th_span s, struct th_program_value *out)
{
    out->kind = TH_V_TEXT;
    out->s = s;
    return s.n > 0;
}

static bool time_value(int64_t ms, struct th_program_value *out)
{
    out->kind = TH_V_TIME;
    out->i = ms;
    return true;
}

static bool integer_value(int64_t i, struct th_program_value *out)
{
    out->kind = TH_V_INT;
    out->i = i;
    return true;
}

static bool json_value(struct th_span s, bool ecmascript, struct th_program_value *out)
{
    out->kind = TH_V_JSON;
    out->s = s;
    out->ecmascript = ecmascript;
    return s.n > 0;
}

/* Of text that was validated when it came in: here it is not read anew for each attempt. */
static bool member_value(struct th_span text, struct th_span name, bool pointer, bool ecmascript,
                         struct th_program_value *out)
{
    struct th_json root = th_json_of(text), v;

    if (!(pointer ? th_json_pointer(root, name, &v) : th_json_member(root, name, &v)) ||
        v.type == TH_JSON_NULL)
        return false;
    return json_value(v.raw, ecmascript, out);
}

/* What event, endpoint, delivery and attempt say, to templates and envelopes alike. */
static bool get(const struct th_render *r, const struct th_dialect *d, const struct th_field_ref *from,
                struct th_program_value *out)
{
    switch (from->field) {
    case TH_F_EVENT_ID:
        return text_value(r->event_id, out);
    case TH_F_EVENT_TYPE:
        return text_value(r->event_type, out);
    case TH_F_EVENT_TIME:
        return time_value(r->event_time.ms, out);
    case TH_F_TS:
    case TH_F_ATTEMPT_TIME:
        return time_value(r->at_unix * 1000, out);
    case TH_F_DELIVERY_ID:
        return text_value(r->delivery_id, out);
    case TH_F_ENDPOINT_ID:
        return text_value(r->endpoint_id, out);
    case TH_F_ENDPOINT_URL:
        return text_value(r->endpoint_url, out);
    case TH_F_ATTEMPT_NUMBER:
        return integer_value(r->attempt, out);
    case TH_F_RETRY_NUMBER:
        return integer_value(r->attempt ? (int64_t)r->attempt - 1 : 0, out);
    case TH_F_TYPE_OBJECT:
        return text_value(type_part(r->event_type, false), out);
    case TH_F_TYPE_ACTION:
        return text_value(type_part(r->event_type, true), out);
    case TH_F_RESOURCE_TYPE:
        return text_value(r->resource_type, out);
    case TH_F_RESOURCE_ID:
        return text_value(r->resource_id, out);
    case TH_F_TENANT_ID:
        return text_value(r->tenant_id, out);
    case TH_F_ATTRIBUTE:
        return member_value(r->attributes, from->arg, false, d->values.ecmascript, out);
    case TH_F_DATA:
        return json_value(r->data, false, out);
    case TH_F_MEMBER:
        return member_value(r->data, from->arg, true, false, out);
    default:
        return false;
    }
}

/* ---- what a head knows beside that ---- */

static const struct th_sign_key *bearer_key(const struct th_dialect *d, const struct th_render *r)
{
    if (r->key_count == 0)
        return NULL;
    return r->keys[d->values.secrets_all_sign ? 0 : r->key_count - 1];
}

static bool head_get(void *ctx, const struct th_field_ref *from, unsigned index, struct th_program_value *out)
{
    struct attempt *a = ctx;

    (void)index;
    switch (from->field) {
    case TH_F_BODY:
        return text_value(a->body, out);
    case TH_F_TS: /* it stands in a header, in what is signed, and beside the signature */
        if (a->ts_form != from->form)
            a->ts = th_program_time(a->r->at_unix * 1000, from->form, a->ts_room);
        a->ts_form = from->form;
        return text_value(a->ts, out);
    case TH_F_SECRET:
        if (a->key && a->key->plain_len > 0)
            return text_value(th_span(a->key->plain, a->key->plain_len), out);
        a->no_secret = true;
        return false;
    default:
        return get(a->r, a->d, from, out);
    }
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

static bool head_holds(void *ctx, unsigned condition, struct th_span text)
{
    const struct attempt *a = ctx;

    switch (condition) {
    case DL_RETRY:
        return a->r->attempt > 1;
    case DL_UNSET:
        return !has_line(a->r->custom, text);
    case DL_HIDE:
        return a->hide;
    default:
        return a->r->options & 1u << (condition - DL_OPTION);
    }
}

/* ---- signatures ---- */

/* The pieces of what a key signs; {secret} in it is the text of that key. */
static void signed_pieces(struct attempt *a, const struct th_program *content, const struct th_sign_key *key,
                          struct th_bytes *pieces, char (*rooms)[TH_PROGRAM_TEXT])
{
    const struct th_sign_key *bearer = a->key;

    if (content->fields == TH_FIELD_BIT(TH_F_BODY) &&
        content->count == 1) { /* what half of the vendors sign */
        pieces[0] = (struct th_bytes){a->body.p, a->body.n};
        return;
    }
    a->key = key;
    th_program_pieces(content, &a->env, pieces, rooms);
    a->key = bearer;
}

static size_t mac(struct attempt *a, const struct dl_sig *sig, const struct th_sign_key *key, uint8_t out[64])
{
    struct th_bytes pieces[TH_TEMPLATE_OPS];
    char rooms[TH_TEMPLATE_OPS][TH_PROGRAM_TEXT];

    if (!(key->slots & 1u << sig->slot))
        return 0;
    signed_pieces(a, &sig->content, key, pieces, rooms);
    if (sig->algorithm == DL_ED25519)
        return th_ed25519_sign(key->ed25519, pieces, sig->content.count, out) ? 64 : 0;
    return th_hmac_sign(sig->slot ? &key->more[sig->slot - 1] : &key->hmac, pieces, sig->content.count, out);
}

static bool add_item(struct attempt *a, const struct dl_sig *sig, const struct th_sign_key *key,
                     struct th_buf *out)
{
    uint8_t bytes[64];
    size_t n = mac(a, sig, key, bytes);

    for (unsigned i = 0; n > 0 && i < sig->item.count; i++) {
        const struct th_program_op *op = &sig->item.ops[i];
        char room[TH_PROGRAM_TEXT];

        if (op->from.field != TH_F_SIG)
            th_buf_span(out, th_program_text(op, &a->env, room));
        else if (sig->encoding == DL_HEX)
            th_hex(out, bytes, n);
        else
            th_base64(out, bytes, n);
    }
    return n > 0;
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

/* The value of a signature header: all items in what stands around them. */
static bool add_signatures(struct attempt *a, const struct dl_sig *row, const struct dl_sig *sig,
                           unsigned variant, struct th_buf *out)
{

    for (unsigned i = 0; i < sig->wrap.count; i++) {
        const struct th_program_op *op = &sig->wrap.ops[i];
        char room[TH_PROGRAM_TEXT];

        if (op->from.field != TH_F_ITEMS)
            th_buf_span(out, th_program_text(op, &a->env, room));
        else if (!add_items(a, row, variant, out))
            return false;
    }
    return true;
}

/* One line of a message's signatures: made, or as it was stored. */
static bool add_stored_line(struct attempt *a, const char *name, struct th_span made, struct th_buf *out)
{
    struct th_span value = a->r->sigs.n ? next_stored(&a->stored) : made;

    if (!th_program_visible(value))
        return false;
    th_buf_str(out, name);
    th_buf_str(out, ": ");
    th_buf_span(out, value);
    th_buf_str(out, "\r\n");
    if (a->sigs && !out->failed) {
        th_buf_span(a->sigs, value);
        th_buf_char(a->sigs, '\n');
    }
    return true;
}

/* The keys that sign a message, each under a label of its own. */
static bool sign_message(struct attempt *a, const struct dl_sig *row, unsigned variant, struct th_span head,
                         struct th_message_values *values)
{
    const struct th_render *r = a->r;
    const struct th_message_request m = {.r = r, .d = a->d, .body = a->body, .head = head, .env = &a->env};
    unsigned first = a->d->values.secrets_all_sign ? 0 : r->key_count - 1;

    if (r->key_count == 0)
        return false;
    th_message_digest(a->body, &values->digest);
    for (unsigned i = first; i < r->key_count; i++) {
        const struct th_sign_key *key = r->keys[a->d->oldest_first && !first ? r->key_count - 1 - i : i];

        if (!th_message_sign(&m, sig_of(a->d, row, variant, key), key, i - first + 1, values))
            return false;
    }
    return !values->digest.failed && !values->inputs.failed && !values->signatures.failed;
}

static bool write_message(struct attempt *a, const struct dl_sig *row, unsigned variant, struct th_buf *out)
{
    struct th_message_values values;
    bool ok;

    th_buf_init(&values.digest, 128);
    th_buf_init(&values.inputs, 16u << 10);
    th_buf_init(&values.signatures, 4096);
    ok = !out->failed &&
         (a->r->sigs.n ||
          sign_message(a, row, variant, th_span(out->p + a->start, out->n - a->start), &values));
    ok = ok && add_stored_line(a, "Content-Digest", th_buf_view(&values.digest), out) &&
         add_stored_line(a, "Signature-Input", th_buf_view(&values.inputs), out) &&
         add_stored_line(a, "Signature", th_buf_view(&values.signatures), out);
    th_buf_fini(&values.digest);
    th_buf_fini(&values.inputs);
    th_buf_fini(&values.signatures);
    return ok;
}

/* A signature's line; its value goes to the stored ones as well. */
static bool head_write(void *ctx, unsigned piece, struct th_buf *out)
{
    struct attempt *a = ctx;
    const struct th_render *r = a->r;
    const struct dl_sig *row = a->d->sigs[piece];
    unsigned variant = r->variant < DL_VARIANTS ? r->variant : 0;
    const struct dl_sig *sig = !a->d->values.secrets_all_sign && r->key_count && !r->sigs.n
                                   ? sig_of(a->d, row, variant, r->keys[r->key_count - 1])
                                   : &row[variant];
    size_t start;

    if (row->message)
        return write_message(a, row, variant, out);
    th_buf_span(out, sig->header);
    th_buf_add(out, ": ", 2);
    start = out->n;
    if (r->sigs.n) {
        struct th_span line = next_stored(&a->stored);

        if (!th_program_visible(line))
            return false;
        th_buf_span(out, line);
    } else if (!add_signatures(a, row, sig, variant, out)) {
        return false;
    }
    if (a->sigs && !out->failed) {
        th_buf_add(a->sigs, out->p + start, out->n - start);
        th_buf_char(a->sigs, '\n');
    }
    th_buf_add(out, "\r\n", 2);
    return true;
}

/* ---- the head ---- */

static void add_number(struct th_buf *out, struct th_span name, uint64_t n)
{
    th_buf_span(out, name);
    th_buf_printf(out, ": %llu\r\n", (unsigned long long)n);
}

/* Who was skipped is not known later, so it is kept behind the signatures. */
static void add_order(struct attempt *a, struct th_buf *out)
{
    struct th_span rest = a->stored;
    uint64_t skipped = a->r->skipped;

    if (a->r->batch)
        add_number(out, a->d->spec.ordering.batch.s, a->r->batch);
    if (!a->r->sequence)
        return;
    add_number(out, a->d->spec.ordering.sequence.s, a->r->sequence);
    if (a->r->sigs.n && th_span_u64(next_stored(&rest), INT64_MAX, &skipped))
        a->stored = rest;
    else if (a->r->sigs.n)
        skipped = 0;
    if (!skipped)
        return;
    add_number(out, a->d->spec.ordering.skipped.s, skipped);
    if (a->sigs)
        th_buf_printf(a->sigs, "%llu\n", (unsigned long long)skipped);
}

/* When the version of the data ends (RFC 8594). The date may be another one later, so it is kept with the attempt, behind a mark. A
 * header of this name that somebody has set stays the only one. */
static void add_sunset(struct attempt *a, struct th_buf *out)
{
    const struct th_span name = TH_LIT("Sunset:");
    char date[TH_HTTP_DATE_SIZE];
    uint64_t s = a->r->sunset > 0 && !a->r->sigs.n ? (uint64_t)(a->r->sunset / 1000) : 0;

    while (!s && a->stored.n) { /* what was sent */
        struct th_span line = next_stored(&a->stored);

        if (!line.n || line.p[0] != SUNSET_MARK ||
            !th_span_u64(th_span(line.p + 1, line.n - 1), INT64_MAX / 1000, &s))
            s = 0;
    }
    if (!s || out->failed || has_line(th_span(out->p + a->start, out->n - a->start), name))
        return;
    th_wall_http_date((struct th_wall){(int64_t)s * 1000}, date);
    th_buf_span(out, name);
    th_buf_printf(out, " %s\r\n", date);
    if (a->sigs)
        th_buf_printf(a->sigs, "%c%llu\n", SUNSET_MARK, (unsigned long long)s);
}

/* Puts the type of forms into the place of the dialect's. */
static void say_form(struct th_buf *out, size_t at)
{
    static const char line[] = "Content-Type: " TH_FORM_TYPE "\r\n";
    const size_t n = sizeof line - 1;
    size_t end = at;

    for (; at < out->n; at = end) {
        const char *feed = memchr(out->p + at, '\n', out->n - at);

        end = feed ? (size_t)(feed + 1 - out->p) : out->n;
        if (end - at > 13 && memcmp(out->p + at, "Content-Type:", 13) == 0)
            break;
    }
    if (out->failed || !th_buf_room(out, n))
        return;
    memmove(out->p + at + n, out->p + end, out->n - end);
    memcpy(out->p + at, line, n);
    out->n = out->n - (end - at) + n;
}

enum th_error th_dialect_head(const struct th_dialect *d, const struct th_render *r, struct th_span body,
                              struct th_buf *out, struct th_buf *sigs, bool hide)
{
    struct attempt a = {
        .d = d, .r = r, .body = body, .key = bearer_key(d, r), .stored = r->sigs, .sigs = sigs, .hide = hide};
    size_t before = out->n;
    enum th_error error;

    a.env = (struct th_env){.get = head_get, .holds = head_holds, .write = head_write, .ctx = &a};
    a.d = d;
    a.r = r;
    a.body = body;
    a.key = bearer_key(d, r);
    a.stored = r->sigs;
    a.sigs = sigs;
    a.ts_form = TH_FORM_AS_IS;
    a.hide = hide;
    a.start = before;
    a.no_secret = false;
    error = th_program_write(&d->head, &a.env, out);
    if (error || a.no_secret)
        return error ? error : TH_INVALID;
    if (r->form || d->values.form)
        say_form(out, before);
    th_buf_span(out, r->custom);
    if (r->sequence || r->batch)
        add_order(&a, out);
    if (r->sunset || r->sigs.n)
        add_sunset(&a, out);
    return out->failed ? out->failed : sigs ? sigs->failed : TH_OK;
}

/* ---- the body ---- */

struct envelope {
    const struct th_dialect *d;
    const struct th_render *r;
};

static bool envelope_get(void *ctx, const struct th_field_ref *from, unsigned index,
                         struct th_program_value *out)
{
    const struct envelope *e = ctx;

    (void)index;
    return get(e->r, e->d, from, out);
}

enum th_error th_dialect_envelope(const struct th_dialect *d, const struct th_render *r, struct th_buf *out)
{
    struct envelope e = {d, r};
    const struct th_env env = {.get = envelope_get, .ctx = &e};

    return th_program_write(&d->envelope, &env, out);
}

const char *th_dialect_missing(const struct th_dialect *d, const struct th_render *r)
{
    struct th_program_value v;

    for (unsigned i = 0; i < d->envelope.count; i++) {
        const struct th_program_op *op = &d->envelope.ops[i];
        if (op->kind != TH_DO_MEMBER || !op->member->required || get(r, d, &op->from, &v) ||
            (op->member->other.field != TH_F_NONE && get(r, d, &op->member->other, &v)))
            continue;
        switch (op->from.field) {
        case TH_F_MEMBER:
            return op->from.arg.p; /* a copy in the arena: NUL-terminated */
        case TH_F_RESOURCE_TYPE:
            return "resource_type";
        case TH_F_RESOURCE_ID:
            return "resource_id";
        case TH_F_EVENT_TYPE:
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
