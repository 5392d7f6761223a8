/* Events of any data in every built-in dialect, from the server's renderer to the library's verifier: what one
 * sends the other accepts, with the secret that signed it, and with no other body. Input: dialect, variant and
 * options; secret, id and type, a line each; then the data. */
#include "core/guard.h"
#include "fuzz.h"
#include "options/dialects.h"
#include "tenterhook/tenterhook.h"
#include <stdio.h>

#define NOW 1700000000
#define SECRETS_MAX 256

static struct th_dialect_set set;

struct wire {
    const struct th_dialect *d;
    struct th_render r;
    struct th_buf head, body, sigs;
    struct tenterhook_header headers[32];
    struct tenterhook_request request;
};

/* "Name: value\r\n" lines as an array. */
static void split(struct wire *w)
{
    const char *p = w->head.p, *end = p + w->head.n;

    while (p < end) {
        const char *colon = memchr(p, ':', (size_t)(end - p)), *eol = memmem(p, (size_t)(end - p), "\r\n", 2);
        struct tenterhook_header *h = &w->headers[w->request.header_count++];

        must(colon && eol && colon < eol && colon[1] == ' ' && w->request.header_count <= 32);
        h->name = (struct tenterhook_span){p, (size_t)(colon - p)};
        h->value = (struct tenterhook_span){colon + 2, (size_t)(eol - colon) - 2};
        p = eol + 2;
    }
    w->request.headers = w->headers;
}

static void verify(struct fuzz *f, struct wire *w, struct th_span secret)
{
    struct tenterhook_span key = {secret.p, secret.n};
    struct tenterhook_scheme scheme;
    struct tenterhook_verifier v;
    struct tenterhook_report why;
    struct fuzz_bytes body = fuzz_copy(f, w->body.p, w->body.n);
    struct th_buf public_key;
    char name[64];
    enum tenterhook_result result;

    snprintf(name, sizeof name, "%.*s", (int)th_dialect_values(w->d)->name.n,
             th_dialect_values(w->d)->name.p);
    must(tenterhook_scheme_find(name, &scheme) == TENTERHOOK_OK);
    th_buf_init(&public_key, 256);
    if (th_dialect_secret_public(w->d, secret, &public_key) && scheme.signature_count &&
        scheme.signature[0].algorithm == TENTERHOOK_ED25519)
        key = (struct tenterhook_span){public_key.p, public_key.n};
    if (tenterhook_verifier_init(&v, &scheme, &key, 1, NULL) == TENTERHOOK_OK) {
        split(w);
        w->request.body = body.p;
        w->request.body_len = body.n;
        w->request.url = (struct tenterhook_span){w->r.endpoint_url.p, w->r.endpoint_url.n};
        w->request.method = tenterhook_str("POST");
        w->request.scratch_len = body.n + TENTERHOOK_SCRATCH;
        w->request.scratch = fuzz_block(f, w->request.scratch_len);
        result = tenterhook_verify(&v, &w->request, NOW, &why);
        must(result == TENTERHOOK_OK);
        if (scheme.signature_count && body.n) {
            body.p[body.n / 2] ^= 1;
            must(tenterhook_verify(&v, &w->request, NOW, &why) != TENTERHOOK_OK);
        }
    }
    th_buf_fini(&public_key);
}

static void send(struct fuzz *f, struct wire *w, struct th_span secret, unsigned variant)
{
    struct th_sign_key key;
    const struct th_sign_key *keys = &key;
    const char *why;
    bool shared;

    if (th_dialect_secret_check_for(w->d, variant, secret, &why))
        return;
    must(th_dialect_key_init(w->d, secret, &key) == TH_OK);
    w->r.keys = &keys;
    w->r.key_count = 1;
    if (th_dialect_body(w->d, &w->r, &w->body, &shared) == TH_OK &&
        th_dialect_head(w->d, &w->r, th_buf_view(&w->body), &w->head, &w->sigs, false) == TH_OK)
        verify(f, w, secret);
    th_dialect_key_fini(&key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    unsigned dialect = fuzz_byte(&f), variant = fuzz_byte(&f), options = fuzz_byte(&f);
    struct fuzz_bytes secret = fuzz_line(&f), id = fuzz_line(&f), type = fuzz_line(&f), json = fuzz_rest(&f);
    char why[600];
    struct wire w = {.r = {.event_time = {1699999999000},
                           .resource_type = TH_LIT("Note"),
                           .resource_id = TH_LIT("7"),
                           .tenant_id = TH_LIT("default"),
                           .endpoint_id = TH_LIT("9"),
                           .endpoint_url = TH_LIT("https://example.com/hook"),
                           .delivery_id = TH_LIT("11"),
                           .attempt = 1,
                           .at_unix = NOW}};
    struct th_json root;

    if (!set.count)
        must(th_dialects_load(NULL, &set, why, sizeof why) == TH_OK);
    w.d = set.v[dialect % set.count];
    variant %= th_dialect_values(w.d)->variant_count ? th_dialect_values(w.d)->variant_count : 1;
    w.r.variant = variant;
    w.r.options = th_dialect_values(w.d)->options_default | options;
    w.r.event_id = th_span(id.p, id.n);
    w.r.event_type = th_span(type.p, type.n);
    w.r.data = th_span(json.p, json.n);
    th_buf_init(&w.head, 1 << 20);
    th_buf_init(&w.body, 1 << 20);
    th_buf_init(&w.sigs, 1 << 16);
    if (th_id_ok(w.r.event_id) && th_event_type_ok(w.r.event_type) && secret.n <= SECRETS_MAX &&
        th_json_parse(w.r.data, TH_JSON_DEPTH, &root, NULL) == TH_OK) {
        w.r.data = root.raw;
        send(&f, &w, th_span(secret.p, secret.n), variant);
    }
    th_buf_fini(&w.head);
    th_buf_fini(&w.body);
    th_buf_fini(&w.sigs);
    fuzz_end(&f);
    return 0;
}
