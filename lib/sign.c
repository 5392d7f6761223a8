/* Signing: the other direction of verify.c, from the same templates. Stateless: keys are made and wiped in
 * each call. Refuses what a verifier of the same scheme would refuse, but for the window. */
#include "lib/internal.h"

struct out {
    char *p;
    size_t cap, n;
    bool full;
};

static void put(struct out *o, const char *p, size_t n)
{
    if (o->full || n >= o->cap - o->n) { /* one byte stays for the NUL */
        o->full = true;
        return;
    }
    if (n)
        memcpy(o->p + o->n, p, n);
    o->n += n;
}

struct job {
    struct th_lib_form form;
    struct th_span value[TH_LIB_VARS];
    const struct tenterhook_message *message;
    struct out out;
    enum tenterhook_result result;
};

static bool seed_of(enum tenterhook_key kind, const uint8_t *p, size_t n)
{
    uint8_t pub[32];

    if (n == 32)
        return true;
    return n == 64 && kind == TENTERHOOK_KEY_WHSK && th_ed25519_public(p, pub) &&
           th_ct_equal(pub, p + 32, 32);
}

static enum tenterhook_result ed25519(struct job *j, const uint8_t *seed, const struct th_bytes *pieces,
                                      uint8_t sig[64])
{
    const unsigned count = j->form.content.count;
    const void *message = pieces[0].p;
    size_t n = 0;

    for (unsigned i = 0; i < count && count > 1; i++) {
        if (!j->message->scratch || pieces[i].n > j->message->scratch_len - n)
            return TENTERHOOK_NO_ROOM;
        if (pieces[i].n)
            memcpy((char *)j->message->scratch + n, pieces[i].p, pieces[i].n);
        n += pieces[i].n;
        message = j->message->scratch;
    }
    if (count == 1)
        n = pieces[0].n;
    return th_ed25519_sign_one(seed, message, n, sig) ? TENTERHOOK_OK : TENTERHOOK_FAILED;
}

/* The bytes of one signature; their number goes to *n. */
static enum tenterhook_result raw(struct job *j, struct th_span secret, uint8_t sig[64], size_t *n)
{
    const struct th_lib_template *t = &j->form.content;
    struct th_bytes pieces[TH_LIB_PIECES];
    uint8_t buf[TH_LIB_KEY_MAX];
    const uint8_t *key;
    size_t key_n;
    enum tenterhook_result result = TENTERHOOK_OK;

    for (unsigned i = 0; i < t->count; i++) {
        struct th_span s = t->piece[i].var == TH_LIB_TEXT ? t->piece[i].text : j->value[t->piece[i].var];
        pieces[i] = (struct th_bytes){s.p, s.n};
    }
    if (!th_lib_secret(j->form.kind, secret, buf, &key, &key_n)) {
        result = TENTERHOOK_BAD_SECRET;
    } else if (j->form.algorithm == TENTERHOOK_ED25519) {
        *n = 64;
        result = seed_of(j->form.kind, key, key_n) ? ed25519(j, key, pieces, sig) : TENTERHOOK_BAD_SECRET;
    } else {
        struct th_hmac h;
        th_hmac_init(&h, th_lib_mac(j->form.algorithm), key, key_n);
        *n = th_hmac_sign(&h, pieces, t->count, sig);
        explicit_bzero(&h, sizeof h);
    }
    explicit_bzero(buf, sizeof buf);
    return result;
}

static void add_item(struct job *j, struct th_span secret)
{
    const struct th_lib_template *t = &j->form.item;
    uint8_t sig[64];
    char text[132];
    size_t n = 0;

    j->result = raw(j, secret, sig, &n);
    if (j->result)
        return;
    n = th_lib_encode(j->form.encoding, sig, n, text);
    for (unsigned i = 0; i < t->count; i++) {
        struct th_span s = t->piece[i].var == TH_LIB_TEXT  ? t->piece[i].text
                           : t->piece[i].var == TH_LIB_SIG ? th_span(text, n)
                                                           : j->value[TH_LIB_TS];
        put(&j->out, s.p, s.n);
    }
}

static void add_all(struct job *j, const struct tenterhook_span *secrets, size_t count)
{
    const struct th_lib_template *t = &j->form.wrap;

    for (unsigned i = 0; i < t->count && !j->result; i++) {
        if (t->piece[i].var == TH_LIB_TEXT)
            put(&j->out, t->piece[i].text.p, t->piece[i].text.n);
        else if (t->piece[i].var == TH_LIB_TS)
            put(&j->out, j->value[TH_LIB_TS].p, j->value[TH_LIB_TS].n);
        for (size_t k = 0; t->piece[i].var == TH_LIB_ITEMS && k < count && !j->result; k++) {
            if (k)
                put(&j->out, j->form.join.p, j->form.join.n);
            add_item(j, secrets[k]);
        }
    }
}

static bool fill_values(struct job *j, struct th_span schema_version, char stamp[32])
{
    const struct tenterhook_message *m = j->message;
    uint32_t needed = j->form.content.vars | j->form.wrap.vars | j->form.item.vars;

    j->value[TH_LIB_BODY] = m->body.n ? m->body : tenterhook_str("");
    j->value[TH_LIB_EVENT_ID] = m->event_id;
    j->value[TH_LIB_EVENT_TYPE] = m->event_type;
    j->value[TH_LIB_EVENT_TIME] = m->event_time;
    j->value[TH_LIB_DELIVERY_ID] = m->delivery_id;
    j->value[TH_LIB_ENDPOINT_ID] = m->endpoint_id;
    j->value[TH_LIB_ENDPOINT_URL] = m->endpoint_url;
    j->value[TH_LIB_ATTEMPT_NUMBER] = m->attempt_number;
    j->value[TH_LIB_RESOURCE_TYPE] = m->resource_type;
    j->value[TH_LIB_RESOURCE_ID] = m->resource_id;
    j->value[TH_LIB_SCHEMA_VERSION] = schema_version;
    if (needed & TH_LIB_BIT(TH_LIB_TS)) {
        j->value[TH_LIB_TS] = th_span(stamp, th_lib_stamp(j->form.stamp, m->ts, stamp));
        if (j->value[TH_LIB_TS].n == 0)
            return false;
    }
    for (unsigned v = TH_LIB_EVENT_ID; v < TH_LIB_SIG; v++)
        if ((j->form.content.vars & TH_LIB_BIT(v)) && j->value[v].n == 0)
            return false;
    return true;
}

static enum tenterhook_result sign_auth(const struct tenterhook_scheme *scheme, struct th_span secret,
                                        struct out *out)
{
    struct th_lib_template t;

    if (!scheme->auth_header.n || !th_lib_template(scheme->auth_value, TH_LIB_BIT(TH_LIB_SECRET), &t) ||
        !t.vars)
        return TENTERHOOK_BAD_DIALECT;
    if (secret.n == 0)
        return TENTERHOOK_BAD_SECRET;
    for (unsigned i = 0; i < t.count; i++) {
        struct th_span s = t.piece[i].var == TH_LIB_TEXT ? t.piece[i].text : secret;
        put(out, s.p, s.n);
    }
    return TENTERHOOK_OK;
}

enum tenterhook_result tenterhook_sign(const struct tenterhook_scheme *scheme, unsigned signature,
                                       const struct tenterhook_span *secrets, size_t count,
                                       const struct tenterhook_message *message, char *p, size_t cap,
                                       size_t *n)
{
    char stamp[32];
    struct job j;

    memset(&j, 0, sizeof j);
    j.message = message;
    j.out = (struct out){p, cap, 0, false};
    if (count == 0 || cap == 0)
        return TENTERHOOK_INVALID;
    if (scheme->signature_count == 0 && signature == 0) {
        j.result = count == 1 ? sign_auth(scheme, secrets[0], &j.out) : TENTERHOOK_INVALID;
    } else {
        if (signature >= scheme->signature_count || signature >= TENTERHOOK_SIGNATURES_MAX)
            return TENTERHOOK_INVALID;
        if (th_lib_form(&scheme->signature[signature], &j.form))
            return TENTERHOOK_BAD_DIALECT;
        if (j.form.encoding == TENTERHOOK_HTTP_MESSAGE) /* three headers, made of others */
            return TENTERHOOK_INVALID;
        if ((count > 1 && j.form.join.n == 0) || !fill_values(&j, scheme->schema_version, stamp))
            return TENTERHOOK_INVALID;
        add_all(&j, secrets, count);
    }
    if (!j.result && j.out.full)
        j.result = TENTERHOOK_NO_ROOM;
    if (j.result) {
        explicit_bzero(p, cap);
        return j.result;
    }
    p[j.out.n] = 0;
    *n = j.out.n;
    return TENTERHOOK_OK;
}
