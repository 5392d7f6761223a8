/* Signed requests of every built-in dialect, of which one byte of what the signature covers is changed on the
 * way: never accepted. Without a change they are, unless id, time and body could be told apart in two ways.
 * Input: dialect, form, what is changed, which byte, how; then the id, and the body. */
#include "lib_fuzz.h"

struct world {
    const struct tenterhook_scheme *s;
    unsigned form;
    const struct fuzz_verifier *v;
    struct tenterhook_message m;
    struct tenterhook_header h[TENTERHOOK_SOURCES_MAX + 1];
    struct tenterhook_request r;
    char value[512];
    struct fuzz_bytes
        part[TENTERHOOK_SOURCES_MAX + 2]; /* what can be changed: header values, then the body */
    bool is_signed[TENTERHOOK_SOURCES_MAX + 2];
};

static struct th_span value_of(const struct world *w, enum th_lib_var var)
{
    static char stamp[32];

    switch (var) {
    case TH_LIB_TS:
        return th_span(stamp,
                       th_lib_stamp(w->s->signature_count ? w->s->signature[w->form].stamp : TENTERHOOK_UNIX,
                                    NOW, stamp));
    case TH_LIB_EVENT_ID:
        return w->m.event_id;
    default:
        return tenterhook_str("x");
    }
}

static bool sign(struct fuzz *f, struct world *w)
{
    struct tenterhook_span secret = tenterhook_str(secrets[w->v->secret].sign);
    size_t n = 0;
    bool ok =
        tenterhook_sign(w->s, w->form, &secret, 1, &w->m, w->value, sizeof w->value, &n) == TENTERHOOK_OK;

    w->part[0] = fuzz_copy(f, w->value, n);
    w->is_signed[0] = true;
    return ok;
}

static void build(struct fuzz *f, struct world *w)
{
    const struct tenterhook_scheme *s = w->s;
    struct th_lib_form form = {.content = {.vars = 0}};
    unsigned parts = 1;

    must(!s->signature_count || !th_lib_form(&s->signature[w->form], &form));
    w->h[0] = (struct tenterhook_header){s->signature_count ? s->signature[w->form].header : s->auth_header,
                                         span_of(w->part[0])};
    for (unsigned i = 0; i < s->source_count; i++, parts++) {
        enum th_lib_var var = th_lib_variable(s->source[i].variable);
        struct th_span value = value_of(w, var);

        w->part[parts] = fuzz_copy(f, value.p, value.n);
        w->is_signed[parts] = form.content.vars & TH_LIB_BIT(var);
        w->h[parts] = (struct tenterhook_header){s->source[i].header, span_of(w->part[parts])};
    }
    w->part[parts] = fuzz_copy(f, w->m.body.p, w->m.body.n);
    w->is_signed[parts] = s->signature_count > 0;
    w->r = (struct tenterhook_request){.headers = w->h,
                                       .header_count = parts,
                                       .body = w->part[parts].p,
                                       .body_len = w->part[parts].n,
                                       .url = tenterhook_str("x"),
                                       .scratch = w->m.scratch,
                                       .scratch_len = w->m.scratch_len};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    uint8_t dialect = fuzz_byte(&f), form = fuzz_byte(&f), what = fuzz_byte(&f), how;
    size_t where = (size_t)fuzz_byte(&f) << 8;
    struct world w = {.s = built_in(dialect)};
    struct fuzz_bytes *part;
    enum tenterhook_result result;

    where |= fuzz_byte(&f);
    how = fuzz_byte(&f);
    w.form = w.s->signature_count ? form % w.s->signature_count : 0;
    w.v = built_in_verifier(dialect, w.form);
    w.m.event_id = span_of(fuzz_line(&f));
    w.m.body = span_of(fuzz_rest(&f));
    w.m.ts = NOW;
    w.m.event_type = w.m.event_time = w.m.delivery_id = w.m.endpoint_id = w.m.endpoint_url =
        w.m.attempt_number = w.m.resource_type = w.m.resource_id = tenterhook_str("x");
    w.m.scratch_len = w.m.body.n + TENTERHOOK_SCRATCH;
    w.m.scratch = fuzz_block(&f, w.m.scratch_len);
    if (w.s->signature_count && w.s->signature[w.form].encoding == TENTERHOOK_HTTP_MESSAGE) {
        fuzz_end(&f); /* options_wire makes those */
        return 0;
    }
    if (w.m.event_id.n && (!is_asymmetric(w.s, w.form) || is_sample(data, size, 64))) {
        must(sign(&f, &w));
        build(&f, &w);
        result = tenterhook_verify(&w.v->v, &w.r, NOW, NULL);
        must(result == TENTERHOOK_OK || result == TENTERHOOK_MALFORMED);
        what %= w.r.header_count + 1;
        part = &w.part[what];
        if (part->n && how && w.is_signed[what]) {
            part->p[where % part->n] = (char)(part->p[where % part->n] ^ how);
            must(tenterhook_verify(&w.v->v, &w.r, NOW, NULL) != TENTERHOOK_OK);
        }
    }
    fuzz_end(&f);
    return 0;
}
