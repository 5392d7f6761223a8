/* Tokens of OAuth 2.0 (client credentials, RFC 6749 section 4.4): asked for when a delivery needs one, kept in memory, renewed ahead.
 *
 * The token's URL is a second address that a tenant has chosen, so each request for a token goes the way of all requests: name
 * looked up, every address judged, no redirects, a bounded answer, one deadline (outgoing.c).
 *
 * Invariants: (1) a token serves only the settings under which it was asked for: with the next change of the endpoint it is out of
 * use, even when it comes after that; (2) at most one request for a token of an endpoint's present settings is under way, and all
 * deliveries that need it wait for that one; (3) a fetch ends once, and calls each attempt that waits once; (4) a token is in
 * memory only.
 *
 * At three quarters of its life a token is renewed by the first delivery that uses it then, which does not wait. When that fails, the
 * present one serves on until its end, and the renewal is tried again after RENEW_AGAIN_US.
 *
 * Failure: each attempt that waits ends with TH_HTTP_TOKEN and the reason, and counts. Without memory nothing is sent, and it is
 * tried again as any attempt. */
#include "engine/shard/token.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/log.h"
#include "core/mask.h"
#include "engine/context.h"
#include "engine/settings/settings.h"
#include "engine/shard/attempt.h"
#include "engine/shard/outgoing.h"
#include "engine/state.h"
#include <stdio.h>

#define FETCH_US 10000000
#define CONNECT_US 5000000
#define RENEW_AGAIN_US 5000000
#define ANSWER_MAX 16384

struct th_token_fetch {
    struct th_list link; /* on e->fetches */
    struct th_engine *e;
    struct th_ep *ep;
    struct th_endpoint_run *run;
    struct th_outgoing out;
    struct th_mono deadline;
    struct th_list waiting; /* attempts, by token_wait */
    struct th_buf head, body;
};

/* ---- the end of a fetch ---- */

static void use(struct th_attempt *a, struct th_token *token)
{
    token->refs++;
    a->token = token;
}

/* Tells everybody who waits, and frees. token: NULL: none, because of `why`. */
static void fetch_end(struct th_token_fetch *f, struct th_token *token, const char *why)
{
    struct th_engine *e = f->e;
    struct th_list waiting, *l;

    TH_CHECK(e->fetches_out);
    if (f->ep->fetch == f)
        f->ep->fetch = NULL;
    e->fetches_out--;
    e->more = true;
    th_list_remove(&f->link);
    th_list_init(&waiting); /* what is called may ask for a token again */
    while ((l = th_list_pop(&f->waiting)))
        th_list_append(&waiting, l);
    while ((l = th_list_pop(&waiting))) {
        struct th_attempt *a = TH_CONTAINER(l, struct th_attempt, token_wait);

        if (token)
            use(a, token);
        a->token_came(a, why);
    }
    th_buf_wipe(&f->head);
    th_buf_wipe(&f->body);
    th_run_unref(f->run);
    th_ep_unref(e, f->ep);
    th_free(f);
    if (e->options.wake.fn)
        e->options.wake.fn(e->options.wake.ctx); /* a loop may call this after its turn and then sleep */
}

static void no_token(struct th_token_fetch *f, const char *why)
{
    struct th_token *old = f->ep->token;
    struct th_engine *e = f->e;
    char text[160];

    if (old && old->run == f->run)
        old->renew_at.us = e->now.mono.us + RENEW_AGAIN_US;
    if (!f->out.cancelled)
        th_log(TH_LOG_WARN, "no token for an endpoint", TH_KS("endpoint", f->run->id),
               TH_KS("tenant", f->ep->pub.tenant->id), TH_KC("why", why));
    snprintf(text, sizeof text, "no token: %s", why);
    fetch_end(f, NULL, text);
}

/* Of the answer's bytes, which are gone after the call. NULL: *why. */
static struct th_token *token_new(struct th_token_fetch *f, struct th_span answer, const char **why)
{
    struct th_token *t = th_calloc(1, sizeof *t);
    struct th_auth_token read;
    struct th_needles needles;
    enum th_error error = TH_NOMEM;

    if (t) {
        t->refs = 1;
        th_arena_init(&t->mem, 4 * TH_AUTH_TOKEN_BYTES);
        error = th_auth_token_read(answer, &t->mem, &read, why);
    }
    if (!error) {
        t->run = th_run_ref(f->run);
        t->text = read.text;
        t->made = f->e->now.mono;
        t->until.us = t->made.us + (int64_t)read.lives_s * 1000000;
        t->renew_at.us = t->made.us + (int64_t)read.lives_s * 750000;
        th_needles_init(&needles);
        th_needles_add(&needles, t->text, TH_NEEDLE_VALUE);
        error = th_mask_new(&needles, f->e->hash_seed, &t->mask);
        th_needles_fini(&needles);
    }
    if (!error)
        return t;
    th_token_unref(t);
    if (error != TH_INVALID)
        *why = "could not be kept: out of memory";
    return NULL;
}

static void answered(struct th_outgoing *o)
{
    struct th_token_fetch *f = TH_CONTAINER(o, struct th_token_fetch, out);
    const struct th_http_result *res = &o->req.res;
    struct th_token *token;
    const char *why = "";
    char text[140];

    if (res->class != TH_HTTP_OK) {
        snprintf(text, sizeof text, "its server: %s",
                 res->detail ? res->detail : th_http_class_name(res->class));
        no_token(f, text);
        return;
    }
    if (res->status != 200) {
        struct th_span code = th_auth_token_error(res->body);

        snprintf(text, sizeof text, "its server answered with status %u%s%.*s%s", res->status,
                 code.n ? " and " : "", (int)code.n, code.p,
                 res->status >= 300 && res->status < 400 ? "; redirects are not followed" : "");
        no_token(f, text);
        return;
    }
    if (res->truncated) {
        snprintf(text, sizeof text, "the answer of its server is larger than %d bytes", ANSWER_MAX);
        no_token(f, text);
        return;
    }
    token = token_new(f, res->body, &why);
    if (!token) {
        snprintf(text, sizeof text, "the answer of its server %s", why);
        no_token(f, text);
        return;
    }
    if (f->run == f->ep->pub.run) {
        th_token_unref(f->ep->token);
        f->ep->token = token;
        token->refs++;
    }
    fetch_end(f, token, NULL);
    th_token_unref(token);
}

/* ---- asking ---- */

static void judged(struct th_outgoing *o, unsigned count)
{
    struct th_token_fetch *f = TH_CONTAINER(o, struct th_token_fetch, out);

    if (o->cancelled || f->ep->gone || f->run != f->ep->pub.run || f->e->no_requests) {
        o->cancelled = true;
        no_token(f, "cancelled");
        return;
    }
    o->req = (struct th_http_req){.method = TH_LIT("POST"),
                                  .head = th_buf_view(&f->head),
                                  .body = {th_buf_view(&f->body)},
                                  .body_count = 1,
                                  .deadline = f->deadline,
                                  .connect_deadline = {f->e->now.mono.us + CONNECT_US},
                                  .head_cap = 32u << 10,
                                  .body_cap = ANSWER_MAX};
    th_outgoing_send(o, count);
}

static void failed(struct th_outgoing *o, enum th_http_class class, const char *why)
{
    char text[140];

    snprintf(text, sizeof text, "%s%s",
             class == TH_HTTP_DENIED ? "the address of its server is not allowed: " : "its server: ", why);
    no_token(TH_CONTAINER(o, struct th_token_fetch, out), text);
}

/* NULL: no memory. It may have ended when this returns: then ep->fetch is not it. */
static struct th_token_fetch *fetch_new(struct th_attempt *a, struct th_mono deadline)
{
    struct th_engine *e = a->e;
    struct th_token_fetch *f = th_calloc(1, sizeof *f);

    if (!f)
        return NULL;
    th_list_init(&f->link);
    th_list_init(&f->waiting);
    th_buf_init(&f->head, 64u << 10);
    th_buf_init(&f->body, 64u << 10);
    th_auth_token_request(&a->run->spec.reach->auth, &f->head, &f->body);
    if (f->head.failed || f->body.failed) {
        th_buf_wipe(&f->head);
        th_buf_wipe(&f->body);
        th_free(f);
        return NULL;
    }
    f->e = e;
    f->ep = a->ep;
    f->ep->refs++;
    f->run = th_run_ref(a->run);
    f->deadline.us = e->now.mono.us + FETCH_US;
    if (deadline.us < f->deadline.us)
        f->deadline = deadline;
    f->ep->fetch = f;
    e->fetches_out++;
    th_list_append(&e->fetches, &f->link);
    return f;
}

static void fetch_begin(struct th_token_fetch *f)
{
    f->out.e = f->e;
    f->out.ep = &f->ep->pub;
    f->out.url = f->run->token_url;
    f->out.began = f->e->now.mono;
    f->out.judged = judged;
    f->out.failed = failed;
    f->out.ended = answered;
    th_outgoing_begin(&f->out, f->deadline);
}

static bool serves(const struct th_token *t, const struct th_attempt *a)
{
    return t && t->run == a->run && t->until.us > a->e->now.mono.us;
}

void th_token_get(struct th_attempt *a, struct th_mono deadline)
{
    struct th_ep *ep = a->ep;
    struct th_token_fetch *f = ep->fetch && ep->fetch->run == a->run ? ep->fetch : NULL, *new = NULL;
    bool ready = serves(ep->token, a);

    if (!f && (!ready || ep->token->renew_at.us <= a->e->now.mono.us)) {
        f = new = fetch_new(a, deadline);
        if (!f && !ready) {
            a->token_came(a, "no token: out of memory");
            return;
        }
    }
    if (ready)
        use(a, ep->token);
    else
        th_list_append(&f->waiting, &a->token_wait);
    if (new)
        fetch_begin(new); /* may end inside, and call those that wait */
    if (ready)
        a->token_came(a, NULL);
}

void th_token_refused(struct th_attempt *a)
{
    if (a->ep->token != a->token)
        return;
    th_token_unref(a->ep->token);
    a->ep->token = NULL;
}

void th_token_cancel(struct th_engine *e, const struct th_ep *ep)
{
    struct th_list *l, *next;

    for (l = e->fetches.next; l != &e->fetches; l = next) {
        struct th_token_fetch *f = TH_CONTAINER(l, struct th_token_fetch, link);

        next = l->next; /* a cancelled look-up may end inside the call */
        if (!ep || f->ep == ep)
            th_outgoing_cancel(&f->out);
    }
}
