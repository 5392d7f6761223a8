/* Changes of settings: functions for all handlers that change something.
 *
 * The engine runs changes one at a time. With an Idempotency-Key the whole answer (status, field lines, body)
 * is rendered before the commit and kept, encrypted, with the key; a repetition gets those bytes again. Without
 * one the answer is rendered after the commit from the same objects.
 *
 * A PATCH is merged over the object as it was when the request came; the change names that revision, and when
 * another change was faster the merge is done again over the new object, so that no member is lost. Only a
 * client that named a revision itself gets 412.
 *
 * With dry_run=true the engine checks everything that it would check, and nothing is stored: 204, or the errors.
 *
 * Who changed what is in the audit log (audit.c). */
#include "api/change.h"
#include "api/decode.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/kept.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "core/limits.h"
#include "engine/engine.h"
#include <stdio.h>

#define MAX_REDOS 16

struct th_change *th_api_change(struct th_api_req *r, enum th_change_kind kind)
{
    struct th_change *c = &r->op->change;

    memset(c, 0, sizeof *c);
    c->kind = kind;
    c->tenant_id = th_api_request_tenant_id(r);
    c->user = r;
    c->idem = r->idem;
    return c;
}

static void render(struct th_change *c, struct th_buf *answer)
{
    struct th_api_req *r = c->user;
    struct th_buf fields, body;

    th_buf_init(&fields, 64u << 10);
    th_buf_init(&body, 4u << 20);
    if (r->answer)
        r->answer(r, c, &fields, &body);
    th_api_kept_write(r->answer_status, &fields, &body, answer);
    th_buf_fini(&fields);
    th_buf_wipe(&body);
}

/* The public id of what is new. */
static void note_made(struct th_api_req *r, const struct th_change *c)
{
    struct th_buf id;

    th_buf_init(&id, 128);
    if (c->kind == TH_CHANGE_KEY_ADD && c->key)
        th_engine_key_id(r->api->engine, c->key, &id);
    else if (c->kind == TH_CHANGE_ENDPOINT_ADD && c->ep)
        th_engine_endpoint_id(r->api->engine, c->ep, &id);
    if (!id.failed)
        th_api_request_made(r, &id);
    th_buf_fini(&id);
}

/* The rest is a pointer by itself. */
static struct th_span deeper(struct th_api_req *r, struct th_span pointer, struct th_span rest)
{
    struct th_buf whole;
    struct th_span out = pointer;

    th_buf_init(&whole, 1024);
    th_buf_span(&whole, pointer);
    th_buf_char(&whole, '/');
    th_buf_span(&whole, rest);
    (void)th_arena_copy(&r->mem, th_buf_view(&whole), &out);
    th_buf_fini(&whole);
    return out;
}

/* The engine names native fields; the client sees those of its dialect. */
static void copy_errors(struct th_api_req *r, const struct th_change *c)
{
    for (unsigned i = 0; i < c->error_count; i++) {
        struct th_span field = th_str(c->errors[i].field), rest = {0, 0}, pointer;
        const char *slash = memchr(field.p, '/', field.n);
        if (slash) {
            rest = th_span(slash + 1, field.n - (size_t)(slash + 1 - field.p));
            field.n = (size_t)(slash - field.p);
        }
        pointer = th_api_fault_pointer(r, TH_LIT(""), th_api_decode_wire(r, field));
        if (slash &&
            (th_span_is(field, "template") || th_span_is(field, "retry") || th_span_is(field, "schema") ||
             th_span_is(field, "example") || th_span_is(field, "versions")))
            pointer = deeper(r, pointer, rest);
        else if (slash)
            pointer = th_api_fault_pointer(r, pointer, rest);
        th_api_fault(r, pointer, "%s", c->errors[i].detail);
    }
}

static void succeeded(struct th_api_req *r, struct th_change *c)
{
    note_made(r, c);
    (void)th_api_reply_begin(r);
    if ((c->kind == TH_CHANGE_TENANT_PUT || c->kind == TH_CHANGE_TYPE_PUT) && c->created)
        r->answer_status = 201;
    if (r->answer)
        r->answer(r, c, &r->api->fields, &r->api->out);
    th_change_fini(c);
    if (r->api->out.n || r->api->out.failed)
        th_api_reply(r, r->answer_status);
    else
        th_api_reply_empty(r, r->answer_status);
}

/* Somebody else's change came first: merges again, over the present object. */
static bool redo(struct th_api_req *r, struct th_change *c)
{
    if (r->conditional || !c->check_rev || r->redos >= MAX_REDOS)
        return false;
    r->redos++;
    th_change_fini(c);
    r->tenant = th_api_request_tenant(r);
    if (!r->tenant)
        th_api_fail(r, 404, "the tenant has been deleted");
    else
        r->route->handle(r);
    return true;
}

static void changed(struct th_change *c)
{
    struct th_api_req *r = c->user;
    char detail[sizeof c->detail];

    if (c->result == TH_CH_DONE) {
        succeeded(r, c);
        return;
    }
    if (c->result == TH_CH_CHECKED) {
        th_change_fini(c);
        (void)th_api_reply_begin(r);
        th_api_reply_empty(r, 204);
        return;
    }
    if (c->result == TH_CH_REPEATED) {
        th_buf_wipe(&c->secret_text);
        th_api_kept_send(r, &c->repeated);
        return;
    }
    if (c->result == TH_CH_PRECONDITION && redo(r, c))
        return;
    snprintf(detail, sizeof detail, "%s", c->detail);
    copy_errors(r, c);
    enum th_change_result result = c->result;
    enum th_limit limit = c->limit;
    th_change_fini(c);
    switch (result) {
    case TH_CH_KEY_REUSED:
        th_api_fail(r, 422, "this Idempotency-Key was used with another body");
        break;
    case TH_CH_INVALID:
        if (!r->error_count)
            th_api_fault(r, TH_LIT(""), "%s", detail[0] ? detail : "is invalid");
        th_api_fail_invalid(r);
        break;
    case TH_CH_NOT_FOUND:
        th_api_fail(r, 404, "%s", detail[0] ? detail : "there is no such object");
        break;
    case TH_CH_CONFLICT:
        th_api_fail_conflict(r, detail);
        break;
    case TH_CH_LIMITED:
        th_api_fail_limit(r, limit, detail);
        break;
    case TH_CH_PRECONDITION:
        th_api_fail(r, 412, "the object was changed meanwhile");
        break;
    default:
        th_api_fail(r, 503, "%s", detail[0] ? detail : "the change cannot be stored now");
        break;
    }
}

void th_api_change_submit(struct th_api_req *r, unsigned status, th_api_answer_fn *answer)
{
    struct th_change *c = &r->op->change;

    if (!th_api_query_flag(r, "dry_run", &c->dry_run))
        return;
    r->dry_run = c->dry_run;
    r->answer = answer;
    r->answer_status = status;
    c->done = changed;
    if (c->idem.given)
        c->render = render;
    th_engine_change(r->api->engine, c);
}
