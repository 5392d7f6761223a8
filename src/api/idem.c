/* Idempotency-Key: the first answer to a key is given again.
 *
 * The key (bare, or quoted as a structured string; the same either way) is hashed together with method and
 * path, the body by itself; the store keeps both hashes for each tenant, in the same commit as what the
 * request does. Two requests with one key stand in the store's queue one behind the other, so the second
 * simply waits for the first's answer. Only when the first has been under way for more than 5 s, the next one
 * gets 409 at once instead of waiting as well.
 *
 * If the whole answer is kept, the store is asked before the handler looks at anything: the effects of the
 * first request (a second active secret, a time that has passed since) must not refuse its repetition.
 *
 * Refused with 400: keys that are empty, longer than 255, or not visible ASCII. */
#include "api/idem.h"
#include "api/fail.h"
#include "api/kept.h"
#include "api/owner.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/engine.h"
#include "lib/crypto.h"

static bool read_key(struct th_span v, struct th_span *key)
{
    if (v.n && v.p[0] == '"') {
        if (v.n < 3 || v.p[v.n - 1] != '"')
            return false;
        v = th_span(v.p + 1, v.n - 2);
    }
    if (v.n == 0 || v.n > 255)
        return false;
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] <= ' ' || v.p[i] > '~' || v.p[i] == '"' || v.p[i] == '\\')
            return false;
    *key = v;
    return true;
}

static uint64_t slot(const struct th_api_req *r)
{
    uint64_t n;

    memcpy(&n, r->idem.key, sizeof n);
    return n ^ (r->tenant ? r->tenant->no * 0x9e3779b97f4a7c15u : 0);
}

static void end(struct th_api_req *r)
{
    struct th_api_shared *shared = r->api->shared;

    (void)pthread_mutex_lock(&shared->lock);
    (void)th_map_del(&shared->idem, r->idem_slot);
    (void)pthread_mutex_unlock(&shared->lock);
    r->idem_first = false;
}

/* Returns when the first request with this key came; 0: this is the first one. Without memory only the 409 is
 * lost. */
static int64_t begin(struct th_api_req *r)
{
    struct th_api_shared *shared = r->api->shared;
    const struct th_api_idem_first *first;
    int64_t since_us;

    r->first.since_us = r->x->received_us;
    (void)pthread_mutex_lock(&shared->lock);
    first = th_map_get(&shared->idem, r->idem_slot);
    since_us = first ? first->since_us : 0;
    r->idem_first = !first && th_map_put(&shared->idem, r->idem_slot, &r->first) == TH_OK;
    (void)pthread_mutex_unlock(&shared->lock);
    if (r->idem_first)
        th_api_request_at_end(r, end);
    return since_us;
}

bool th_api_idem(struct th_api_req *r)
{
    const struct th_http1_field *f = th_api_request_header(r, "idempotency-key");
    struct th_span key;
    struct th_buf text;
    uint8_t digest[32];
    int64_t since_us;

    if (!f)
        return true;
    if (!read_key(f->value, &key)) {
        th_api_fail(r, 400, "Idempotency-Key must have 1 to 255 visible ASCII characters, bare or in quotes");
        return false;
    }
    th_buf_init(&text, 64u << 10);
    th_buf_span(&text, r->x->head.method);
    th_buf_char(&text, ' ');
    th_buf_span(&text, r->x->path);
    th_buf_char(&text, '\n');
    th_buf_span(&text, key);
    th_sha256(text.p, text.n, digest);
    if (text.failed) {
        th_buf_fini(&text);
        th_api_fail_nomem(r);
        return false;
    }
    th_buf_fini(&text);
    r->idem.given = true;
    memcpy(r->idem.key, digest, sizeof r->idem.key);
    r->idem_slot = slot(r);
    since_us = begin(r);
    if (since_us && th_engine_now(r->api->engine).mono.us - since_us > TH_API_IDEM_WAIT_US) {
        th_api_fail(r, 409, "the first request with this Idempotency-Key is still under way");
        return false;
    }
    return true;
}

static void recalled(struct th_idem_answer *m)
{
    struct th_api_req *r = m->user;

    if (m->result == TH_CH_REPEATED) {
        th_api_kept_send(r, &m->repeated);
        return;
    }
    th_buf_wipe(&m->repeated);
    r->tenant = th_api_request_tenant(r);
    if (m->result == TH_CH_KEY_REUSED)
        th_api_fail(r, 422, "this Idempotency-Key was used with another body");
    else if (m->result == TH_CH_NOT_FOUND || (m->result == TH_CH_DONE && !r->tenant))
        th_api_fail(r, 404, "the tenant has been deleted");
    else if (m->result != TH_CH_DONE)
        th_api_fail(r, 503, "the store cannot look for the Idempotency-Key now");
    else {
        r->dialect = r->tenant->dialect;
        r->route->handle(r);
    }
}

void th_api_idem_recall(struct th_api_req *r)
{
    /* an operator's route has the tenant in the path, or is about the installation */
    if (!r->tenant && !th_api_owner_bind(r, r->param[0].n ? r->param[0] : TH_LIT("operator")))
        return;
    r->op->recall = (struct th_idem_answer){
        .tenant_id = th_api_request_tenant_id(r), .idem = r->idem, .done = recalled, .user = r};
    th_engine_idem_answer(r->api->engine, &r->op->recall);
}
