/* POST /v1/webhooks/{id}/explain: why does the signature of this request not verify? The request is judged as the endpoint's receiver should
 * judge it, by the receiver's library and the endpoint's dialect, with the stored secrets or with the one that the receiver has.
 *
 * The answer says of each step whether it is right. What is wrong is found by trial: usual mistakes are made on purpose, one at a
 * time, until the signature fits, so nothing is said that the signature has not proved. LIMIT: requests to BODY_MOST bytes, so that
 * the loop is not held up; `tenterhook explain` tries more, and two mistakes together.
 *
 * It never says what the signature should have been, nor any secret: whoever may look at endpoints could sign with that. Nothing is
 * stored; the secret is wiped with the answer. */
#include "api/decode.h"
#include "api/fail.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "base/time.h"
#include "core/restyle.h"
#include "engine/engine.h"
#include "lib/codec.h"
#include "lib/crypto.h"
#include "tenterhook/tenterhook.h"
#include <stdio.h>
#include <stdlib.h>

#define BODY_MOST ((size_t)128 << 10)
#define HEADERS_MOST 100
#define SECRETS_MOST (TH_MAX_SECRETS + 1)
#define SHOWN 200

enum field { F_HEADERS, F_BODY, F_BODY_BASE64, F_SECRET, F_RECEIVED_AT, F_COUNT };
static const struct th_api_field fields[F_COUNT] = {
    [F_HEADERS] = {"headers", TH_T_OBJECT, true, false, 0, 0, 0},
    [F_BODY] = {"body", TH_T_STRING, false, true, BODY_MOST, 0, 0},
    [F_BODY_BASE64] = {"body_base64", TH_T_STRING, false, true, BODY_MOST / 3 * 4 + 4, 0, 0},
    [F_SECRET] = {"secret", TH_T_STRING, false, true, 1024, 0, 0},
    [F_RECEIVED_AT] = {"received_at", TH_T_TIME, false, true, 0, 0, 0},
};

struct explaining {
    struct th_api_req *r;
    const struct th_endpoint *ep;
    struct tenterhook_scheme scheme;
    struct tenterhook_header headers[HEADERS_MOST];
    size_t header_count;
    struct th_span body;
    struct th_buf secrets; /* their texts, one behind the other */
    struct tenterhook_span secret[SECRETS_MOST];
    size_t secret_end[SECRETS_MOST];
    unsigned secret_count;
    bool given;
    int64_t now_s;
    struct tenterhook_report report;
    enum tenterhook_result result; /* whatever the time */
    enum tenterhook_result timed;  /* with the usual window */
    struct th_buf scratch, made;
    struct th_jw w;
    unsigned findings;
};

/* ---- what is judged ---- */

static bool same_name(struct tenterhook_span a, struct tenterhook_span b)
{
    return th_span_ieq(th_span(a.p, a.n), th_span(b.p, b.n));
}

static bool add_header(struct explaining *x, struct th_span name, struct th_json value)
{
    struct th_span text;

    if (value.type != TH_JSON_STRING || x->header_count == HEADERS_MOST) {
        th_api_fault(x->r, TH_LIT("/headers"),
                     x->header_count == HEADERS_MOST
                         ? "at most %d headers"
                         : "each must be a string, or an array of strings where it came "
                           "several times; at most %d",
                     HEADERS_MOST);
        return true;
    }
    if (!th_api_decode_string(x->r, value, &text))
        return false;
    x->headers[x->header_count++] = (struct tenterhook_header){{name.p, name.n}, {text.p, text.n}};
    return true;
}

static bool read_headers(struct explaining *x, struct th_json object)
{
    struct th_json key, value, one;
    struct th_json_iter it, list;
    struct th_span name;

    th_json_iter(&it, object);
    while (th_json_next(&it, &key, &value) && !x->r->error_count) {
        if (!th_api_decode_string(x->r, key, &name))
            return false;
        if (value.type != TH_JSON_ARRAY) {
            if (!add_header(x, name, value))
                return false;
            continue;
        }
        th_json_iter(&list, value);
        while (th_json_next(&list, NULL, &one) && !x->r->error_count)
            if (!add_header(x, name, one))
                return false;
    }
    return true;
}

static bool read_body(struct explaining *x, const struct th_api_value *v)
{
    char *room;
    size_t n;

    x->body = v[F_BODY].text;
    if (!v[F_BODY_BASE64].present || v[F_BODY_BASE64].null)
        return true;
    room = th_arena_get(&x->r->mem, v[F_BODY_BASE64].text.n + 1);
    if (!room)
        return false;
    if (x->body.n || !th_unbase64(v[F_BODY_BASE64].text, room, v[F_BODY_BASE64].text.n, &n))
        th_api_fault(x->r, TH_LIT("/body_base64"), "must be base64, and stands in place of body");
    else
        x->body = th_span(room, n);
    return true;
}

static void add_secret(void *ctx, struct th_span secret, struct th_wall at, int64_t until)
{
    struct explaining *x = ctx;

    (void)at;
    (void)until;
    if (x->secret_count == SECRETS_MOST)
        return;
    th_buf_span(&x->secrets, secret);
    x->secret_end[x->secret_count++] = x->secrets.n;
}

/* An asymmetric scheme is verified with the public key, and the stored secret is the private one. */
static bool as_receivers_have_it(struct explaining *x, struct tenterhook_span *secret)
{
    struct th_buf public;
    char *copy;

    th_buf_init(&public, 256);
    (void)th_dialect_secret_public(x->r->dialect, th_span(secret->p, secret->n), &public);
    if (public.n) {
        copy = th_arena_get(&x->r->mem, public.n);
        if (copy)
            memcpy(copy, public.p, public.n);
        *secret = (struct tenterhook_span){copy, copy ? public.n : 0};
    }
    th_buf_fini(&public);
    return secret->p != NULL;
}

/** False: answered. */
static bool find_secrets(struct explaining *x, const struct th_api_value *v)
{
    x->given = v[F_SECRET].text.n > 0;
    if (x->given) {
        add_secret(x, v[F_SECRET].text, (struct th_wall){0}, 0);
    } else if (!th_engine_secrets(x->r->api->engine, x->ep, add_secret, x)) {
        th_api_fail(x->r, 500, "a secret cannot be opened with this installation's key");
        return false;
    }
    for (unsigned i = 0; i < x->secret_count; i++) {
        size_t from = i ? x->secret_end[i - 1] : 0;

        x->secret[i] = (struct tenterhook_span){x->secrets.p + from, x->secret_end[i] - from};
        if (!x->given && !as_receivers_have_it(x, &x->secret[i])) {
            th_api_fail_nomem(x->r);
            return false;
        }
    }
    return true;
}

static bool find_scheme(struct explaining *x)
{
    const struct th_dialect_values *v = th_dialect_values(x->r->dialect);
    struct tenterhook_fault fault;
    enum tenterhook_result result;

    if (v->receiver.n) {
        result = tenterhook_scheme_read(v->receiver.p, v->receiver.n, &x->scheme, &fault);
    } else {
        char name[80];

        snprintf(name, sizeof name, "%.*s", (int)v->name.n, v->name.p);
        result = tenterhook_scheme_find(name, &x->scheme);
    }
    if (result != TENTERHOOK_OK)
        th_api_fail(x->r, 422, "requests of this dialect cannot be judged: %s", tenterhook_text(result));
    return result == TENTERHOOK_OK;
}

/* ---- judging ---- */

static enum tenterhook_result judge(struct explaining *x, const struct tenterhook_scheme *scheme,
                                    const struct tenterhook_span *secrets, unsigned count,
                                    struct th_span body, bool timed, struct tenterhook_report *report)
{
    struct tenterhook_verifier v;
    struct tenterhook_fault fault;
    struct tenterhook_request request = {.headers = x->headers,
                                         .header_count = x->header_count,
                                         .body = body.p,
                                         .body_len = body.n,
                                         .url = {x->ep->spec.url.p, x->ep->spec.url.n},
                                         .method = th_method_name(x->r->dialect, x->ep->spec.method),
                                         .scratch_len = body.n + TENTERHOOK_SCRATCH};
    enum tenterhook_result result = tenterhook_verifier_init(&v, scheme, secrets, count, &fault);

    if (result == TENTERHOOK_OK && !timed)
        result = tenterhook_verifier_window(&v, 0, 0);
    if (result != TENTERHOOK_OK) {
        *report = (struct tenterhook_report){.detail = tenterhook_text(result)};
        return result;
    }
    th_buf_reset(&x->scratch);
    request.scratch = th_buf_room(&x->scratch, request.scratch_len);
    if (!request.scratch)
        request.scratch_len = 0;
    result = tenterhook_verify(&v, &request, x->now_s, report);
    tenterhook_verifier_wipe(&v);
    return result;
}

static bool fits(struct explaining *x, struct th_span body)
{
    struct tenterhook_report report;

    return judge(x, &x->scheme, x->secret, x->secret_count, body, false, &report) == TENTERHOOK_OK;
}

/* ---- what is found ---- */

static void finding(struct explaining *x, const char *text)
{
    th_jw_string(&x->w, th_str(text));
    x->findings++;
}

static bool other_body(struct explaining *x)
{
    static const struct {
        enum th_restyle_way way;
        const char *says;
    } ways[] = {
        {TH_RESTYLE_LESS_NEWLINE,
         "the signature is right for the body without the line end behind it: it was added "
         "on the way, or by copying"},
        {TH_RESTYLE_MORE_NEWLINE,
         "the signature is right for the body with a line end behind it: it was taken off on the way"},
        {TH_RESTYLE_TO_LF,
         "the signature is right for the body with \\n as its line ends: they were changed to \\r\\n"},
        {TH_RESTYLE_MINIFY,
         "the signature is right for the body as compact JSON: it was read and written again before "
         "it was verified. Verify the "
         "bytes as they came, before any parser"},
        {TH_RESTYLE_LESS_MARK,
         "the signature is right for the body without the byte order mark in front of it"},
        {TH_RESTYLE_NOTHING,
         "the signature is right for an empty body: the body was lost on the way, or was not sent"}};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        th_buf_reset(&x->made);
        if (!th_restyles[ways[i].way].make(x->body, &x->made) || th_span_eq(th_buf_view(&x->made), x->body) ||
            !fits(x, th_buf_view(&x->made)))
            continue;
        finding(x, ways[i].says);
        return true;
    }
    return false;
}

/* A secret that was given, without what copying has put around it. */
static bool other_secret(struct explaining *x)
{
    struct tenterhook_span clean = x->secret[0];
    struct tenterhook_report report;

    if (!x->given)
        return false;
    while (clean.n && memchr(" \t\r\n\"'`", clean.p[clean.n - 1], 7))
        clean.n--;
    while (clean.n && memchr(" \t\r\n\"'`", clean.p[0], 7))
        clean.p++, clean.n--;
    if (clean.n && clean.n < x->secret[0].n &&
        judge(x, &x->scheme, &clean, 1, x->body, false, &report) == TENTERHOOK_OK) {
        finding(
            x,
            "the secret was copied together with white space or quotation marks: it is right without them");
        return true;
    }
    return false;
}

static bool other_dialect(struct explaining *x)
{
    struct tenterhook_scheme scheme;
    struct tenterhook_report report;
    const char *name;

    for (unsigned i = 0; x->body.n <= BODY_MOST / 8 && (name = tenterhook_dialect_at(i)) != NULL; i++)
        if (tenterhook_scheme_find(name, &scheme) == TENTERHOOK_OK &&
            judge(x, &scheme, x->secret, x->secret_count, x->body, false, &report) == TENTERHOOK_OK) {
            char text[200];

            snprintf(text, sizeof text,
                     "it is a request of another dialect, and its signature is right in that: %s", name);
            finding(x, text);
            return true;
        }
    return false;
}

static void find_causes(struct explaining *x)
{
    char text[300];

    if (x->result == TENTERHOOK_OK && x->timed != TENTERHOOK_OK) {
        snprintf(text, sizeof text,
                 "the signature is right, but it was made %lld s %s the time at which it is judged: the "
                 "request was "
                 "kept or sent again, or a clock is wrong",
                 (long long)llabs((long long)x->report.age_s), x->report.age_s < 0 ? "behind" : "before");
        finding(x, text);
    } else if (x->result == TENTERHOOK_OK && !x->given && x->report.secret > 0) {
        finding(x, "it is signed with the previous secret, which is still active");
    } else if (x->result == TENTERHOOK_MISSING_HEADER) {
        if (!other_dialect(x)) {
            snprintf(text, sizeof text,
                     "header %.*s did not arrive: a proxy may drop or rename headers, and some frameworks "
                     "show them as HTTP_…",
                     (int)x->report.header.n, x->report.header.p);
            finding(x, text);
        }
    } else if (x->result == TENTERHOOK_NO_MATCH && !other_body(x) && !other_dialect(x) && !other_secret(x)) {
        finding(x,
                x->given
                    ? "no usual mistake explains it: the secret is another one than the request was signed "
                      "with, or the bytes were changed in "
                      "another way. Try without the secret: then the stored one is used"
                    : "no usual mistake explains it: the request was signed with a secret that is not active "
                      "any more, is of another endpoint, or "
                      "its bytes were changed. It cannot be the receiver's secret: that was not used here");
    } else if (x->result == TENTERHOOK_BAD_SECRET) {
        finding(x, "the secret does not have the form of this dialect");
    }
}

/* ---- the answer ---- */

static void step(struct explaining *x, struct th_span name, bool ok, struct th_span value)
{
    th_jw_object(&x->w);
    th_api_member_str(&x->w, "name", name);
    th_jw_key(&x->w, TH_LIT("ok"));
    th_jw_bool(&x->w, ok);
    th_api_member_str(&x->w, "value", th_span(value.p ? value.p : "", value.n < SHOWN ? value.n : SHOWN));
    th_jw_end_object(&x->w);
}

/* needed: nothing can be verified without it. */
static void header_step(struct explaining *x, struct tenterhook_span name, bool hide, bool needed)
{
    const struct tenterhook_header *found = NULL;
    bool malformed = x->result == TENTERHOOK_MALFORMED && same_name(x->report.header, name);
    unsigned count = 0;

    for (size_t i = 0; i < x->header_count; i++)
        if (same_name(x->headers[i].name, name)) {
            found = &x->headers[i];
            count++;
        }
    if (!found && !needed)
        return;
    step(x, th_span(name.p, name.n), found && !malformed,
         !found      ? TH_LIT("is not there")
         : count > 1 ? TH_LIT("came several times, and nothing says which one counts")
         : hide      ? TH_LIT("is there (not shown: it contains the secret)")
         : malformed ? th_str(x->report.detail)
                     : th_span(found->value.p, found->value.n));
}

static bool signs(const struct tenterhook_scheme *s, struct tenterhook_span variable)
{
    return s->signature_count &&
           memmem(s->signature[0].content.p, s->signature[0].content.n, variable.p, variable.n);
}

static void write_steps(struct explaining *x)
{
    const struct tenterhook_scheme *s = &x->scheme;
    char text[160];

    if (s->auth_header.n)
        header_step(x, s->auth_header, true, true);
    for (unsigned i = 0; i < s->source_count; i++)
        header_step(x, s->source[i].header, false, signs(s, s->source[i].variable));
    for (unsigned i = 0; i < s->signature_count; i++)
        if (!i || !same_name(s->signature[i].header, s->signature[i - 1].header))
            header_step(x, s->signature[i].header, false, i == 0);
    if (x->report.has_time) {
        bool old = x->timed == TENTERHOOK_TOO_OLD || x->timed == TENTERHOOK_TOO_NEW;

        snprintf(text, sizeof text, "signed %lld s %s; %d s are allowed on both sides",
                 (long long)llabs((long long)x->report.age_s), x->report.age_s < 0 ? "later" : "before",
                 (int)TENTERHOOK_WINDOW_S);
        step(x, TH_LIT("time"), !old, th_str(text));
    }
    if (x->result == TENTERHOOK_OK || x->result == TENTERHOOK_NO_MATCH)
        step(x, s->signature_count ? TH_LIT("signature") : TH_LIT("secret"), x->result == TENTERHOOK_OK,
             x->result == TENTERHOOK_OK ? TH_LIT("is right") : th_str(x->report.detail));
}

static void send(struct explaining *x)
{
    struct tenterhook_report timed;

    x->result = judge(x, &x->scheme, x->secret, x->secret_count, x->body, false, &x->report);
    x->timed = judge(x, &x->scheme, x->secret, x->secret_count, x->body, true, &timed);
    if (timed.has_time)
        x->report.has_time = true, x->report.signed_at = timed.signed_at, x->report.age_s = timed.age_s;
    x->w = th_api_reply_begin(x->r);
    th_jw_object(&x->w);
    th_jw_key(&x->w, TH_LIT("verified"));
    th_jw_bool(&x->w, x->timed == TENTERHOOK_OK);
    th_api_member_str(&x->w, "dialect", th_dialect_values(x->r->dialect)->name);
    th_api_member_str(&x->w, "secret", x->given ? TH_LIT("given") : TH_LIT("stored"));
    th_api_member_str(&x->w, "detail", th_str(tenterhook_text(x->timed)));
    th_jw_key(&x->w, TH_LIT("steps"));
    th_jw_array(&x->w);
    write_steps(x);
    th_jw_end_array(&x->w);
    th_jw_key(&x->w, TH_LIT("findings"));
    th_jw_array(&x->w);
    find_causes(x);
    th_jw_end_array(&x->w);
    th_jw_end_object(&x->w);
    th_api_reply(x->r, 200);
}

void th_h_webhook_explain(struct th_api_req *r)
{
    struct explaining all = {.r = r, .ep = th_api_find_endpoint(r)},
                      *x = &all; /* it outlives the answer, and r does not */
    struct th_api_value v[F_COUNT];
    bool room;

    if (!x->ep)
        return;
    th_buf_init(&x->secrets, 16384);
    th_buf_init(&x->scratch, BODY_MOST + TENTERHOOK_SCRATCH + 64);
    th_buf_init(&x->made, BODY_MOST + 64);
    room = th_api_decode(r, r->body, TH_LIT(""), fields, F_COUNT, false, v);
    if (room && r->body.type == TH_JSON_OBJECT && !r->error_count)
        room = read_headers(x, v[F_HEADERS].json) && read_body(x, v);
    x->now_s =
        (v[F_RECEIVED_AT].present && !v[F_RECEIVED_AT].null && room ? v[F_RECEIVED_AT].i
                                                                    : th_engine_now(r->api->engine).wall.ms) /
        1000;
    if (!room)
        th_api_fail_nomem(r);
    else if (r->error_count)
        th_api_fail_invalid(r);
    else if (find_scheme(x) && find_secrets(x, v))
        send(x);
    th_buf_wipe(&x->secrets);
    th_buf_wipe(&x->scratch);
    th_buf_fini(&x->made);
}
