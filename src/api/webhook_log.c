/* GET /v1/webhooks/{id}/deliveries and POST /v1/webhooks/{id}/test.
 *
 * The list takes the rows (deliveries or attempts), the shape and the paging that the dialect says: cursor in
 * the body, cursor in a Link header, or numbered pages with totals. The native form is that of GET
 * /v1/deliveries. */
#include "api/cursor.h"
#include "api/decode.h"
#include "api/delivery_view.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/filter.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/list.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/rows.h"
#include "api/state.h"
#include "engine/engine.h"
#include "net/tls_common.h"

#define PART_ROWS 128u         /* of a numbered page */
#define PART_BYTES (64u << 10) /* of the store's rows; written they are about twice as large */

/* ---- the list ---- */

static bool page_parameter(struct th_api_req *r, const char *name, uint64_t max, uint64_t fallback,
                           uint64_t *out)
{
    struct th_span text;

    *out = fallback;
    if (!th_api_query_param(r, name, &text))
        return true;
    if (th_span_u64(text, max, out))
        return true;
    th_api_fault_param(r, name, "must be an integer from 0 to %llu", (unsigned long long)max);
    th_api_fail(r, 400, "query parameter %s must be an integer from 0 to %llu", name,
                (unsigned long long)max);
    return false;
}

/* Numbered pages, of 32 bits: a size above the dialect's limit is lowered to it, 0 is refused. */
static bool numbered(struct th_api_req *r, struct th_page *p)
{
    const struct th_dialect_values *v = th_dialect_values(r->dialect);
    uint64_t number, size, most = v->page_size_max ? v->page_size_max : 1000;

    if (!page_parameter(r, "page", INT32_MAX, 0, &number) ||
        !page_parameter(r, "size", INT32_MAX, v->page_size ? v->page_size : 20, &size))
        return false;
    if (size == 0) {
        th_api_fault_param(r, "size", "must be at least 1");
        th_api_fail(r, 400, "query parameter size must be at least 1");
        return false;
    }
    p->limit = (uint32_t)(size < most && size < 1000 ? size : most < 1000 ? most : 1000);
    p->skip = number * p->limit;
    r->rows_left = p->limit;
    p->limit = p->limit < PART_ROWS ? p->limit : PART_ROWS;
    p->max_bytes = PART_BYTES;
    p->with_total = true;
    r->page_number = number;
    return true;
}

static const struct th_api_rows native = {
    .kind = TH_PAGE_DELIVERIES, .row = th_api_delivery_page_row, .end = th_api_delivery_page_end};

static unsigned rows(void *ctx, enum th_field_list list)
{
    const struct th_api_list *l = ctx;

    (void)list;
    return l->count;
}

static void send_shaped(struct th_api_req *r, struct th_api_list *l)
{
    struct th_shape_source source = {th_api_delivery_field, rows, l, th_api_list_stop};

    (void)th_api_reply_begin(r);
    if (th_dialect_shape(r->dialect, TH_SHAPE_DELIVERY_PAGE, &source, &r->api->out) && !r->api->out.failed)
        r->api->out.failed = TH_NOMEM;
    if (l->ended)
        l->next = l->deliveries ? l->deliveries[l->ended - 1].no : l->attempts[l->ended - 1].no;
    th_api_cursor_link(r, l->next);
}

/* ---- numbered pages ----
 *
 * A numbered page has the rows that its number says, however large they are. So it is read and written in parts, as the lists of
 * rows.c: the store is asked for the rows behind those that are written, and the next part is read when the client has taken the
 * one before. The shape pauses behind an element, whose last byte stays for the next part: it says that a comma is due. */

static unsigned rows_of_page(void *ctx, enum th_field_list list)
{
    const struct th_api_list *l = ctx;

    (void)list;
    return l->count ? (unsigned)l->size : 0;
}

static bool field_of_part(void *ctx, enum th_field field, unsigned index, struct th_buf *out)
{
    const struct th_api_list *l = ctx;

    return th_api_delivery_field(ctx, field, index > l->first ? index - l->first : 0, out);
}

static bool no_more_rows(void *ctx, unsigned count, size_t bytes)
{
    const struct th_api_list *l = ctx;

    (void)bytes;
    return count == l->first + l->count && !l->next;
}

static void shape_ends(struct th_api_req *r)
{
    th_dialect_shape_end(&r->shape);
}

static void part_read(struct th_op *op);

static void read_part(struct th_api_req *r)
{
    r->page.max_bytes = PART_BYTES;
    th_api_read(r, &r->page, r->page.kind, part_read);
}

static void write_part(struct th_api_req *r, struct th_api_list *l)
{
    bool done;

    do {
        done = th_dialect_shape_step(&r->shape, 1);
    } while (!done && ++l->written < l->first + l->count);
    l->first += l->count;
    th_engine_page_free(r->api->engine, &r->page);
    if (done) {
        th_api_reply(r, 200);
        return;
    }
    r->page.skip = 0;
    r->page.with_total = false;
    r->page.before = l->next;
    if (r->page.limit > l->size - l->first)
        r->page.limit = (uint32_t)(l->size - l->first);
    r->api->out.n--;
    th_api_read_end(r);
    th_api_reply_part(r, read_part);
}

static void show_rows(struct th_api_list *l, const struct th_page *p)
{
    bool attempts = p->kind == TH_PAGE_ATTEMPTS;

    l->count = p->count;
    l->next = p->next;
    l->attempts = attempts ? p->rows.attempts : NULL;
    l->attempt_count = attempts ? p->count : 0;
    l->deliveries = attempts ? NULL : p->rows.deliveries;
}

static void part_read(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_api_list *l = r->shape_source.ctx;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    r->tenant = th_api_request_tenant(r);
    show_rows(l, &r->page);
    th_buf_reset(&r->api->out);
    th_buf_char(&r->api->out, '}');
    if (!l->count) /* retention has just taken what there was: an answer that cannot be ended in order */
        r->api->out.failed = TH_NOT_FOUND;
    write_part(r, l);
}

static bool begin_numbered(struct th_api_req *r, uint32_t limit)
{
    struct th_api_list *l = th_arena_get(&r->mem, sizeof *l);

    if (!l)
        return false;
    *l = (struct th_api_list){.r = r, .total = r->page.total, .size = limit, .number = r->page_number};
    show_rows(l, &r->page);
    r->shape_source = (struct th_shape_source){field_of_part, rows_of_page, l, no_more_rows};
    r->tenant = th_api_request_tenant(r);
    (void)th_api_reply_begin(r);
    th_dialect_shape_begin(&r->shape, r->dialect, TH_SHAPE_DELIVERY_PAGE, &r->shape_source, &r->api->out);
    th_api_request_at_end(r, shape_ends);
    write_part(r, l);
    return true;
}

static void listed(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_page *p = &r->page;
    struct th_api_list l = {.r = r, .size = p->limit};

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    if (th_dialect_values(r->dialect)->paging == TH_PAGING_PAGE) {
        if (!begin_numbered(r, r->rows_left)) {
            th_engine_page_free(r->api->engine, p);
            th_api_fail_nomem(r);
        }
        return;
    }
    show_rows(&l, p);
    r->tenant = th_api_request_tenant(r);
    send_shaped(r, &l);
    th_engine_page_free(r->api->engine, p);
    th_api_reply(r, 200);
}

void th_h_webhook_deliveries(struct th_api_req *r)
{
    const struct th_dialect_values *v = th_dialect_values(r->dialect);
    struct th_endpoint *ep = th_api_find_endpoint(r);
    bool shaped = th_api_request_shaped(r, TH_SHAPE_DELIVERY_PAGE);
    struct th_page *p = &r->page;
    struct th_span unused;

    if (!ep)
        return;
    if (shaped && v->paging == TH_PAGING_PAGE) {
        *p = (struct th_page){.tenant = r->tenant->no};
        if (!numbered(r, p) || !th_api_query_since_until(r, &p->since, &p->until) ||
            !th_api_query_tests(r, p))
            return;
        if (!th_api_query_type(r, &p->type))
            return;
    } else {
        switch (th_api_filter_deliveries(r, p)) {
        case TH_API_FILTER_ANSWERED:
            return;
        case TH_API_FILTER_EMPTY:
            p->before = 1; /* no row has a number below 1 */
            break;
        default:
            break;
        }
        if (th_api_query_param(r, "page", &unused) || th_api_query_param(r, "size", &unused)) {
            th_api_fault_param(r, th_api_query_param(r, "page", &unused) ? "page" : "size",
                               "this dialect pages with limit and cursor");
            th_api_fail(r, 400, "this dialect pages with limit and cursor, not with page and size");
            return;
        }
    }
    p->endpoint = ep->no;
    if (shaped && !th_api_query_param(r, "include_tests", &unused))
        p->without_tests = false; /* the vendor's log has a row for each request */
    p->with_data = p->with_answers = shaped && v->log_attempts;
    if (v->paging != TH_PAGING_PAGE && p->with_data)
        p->max_bytes = TH_API_ROW_BYTES;
    if (!shaped) {
        th_api_rows(r, p, &native);
        return;
    }
    th_api_read(r, p, v->log_attempts ? TH_PAGE_ATTEMPTS : TH_PAGE_DELIVERIES, listed);
}

/* ---- test ---- */

/* What a test of this endpoint sends: the first type that it subscribed to, a type of the catalogue for "*"
 * and prefixes, else "webhook.test". */
static bool test_type(struct th_api_req *r, const struct th_endpoint *ep, struct th_span *type)
{
    struct th_span want = TH_LIT("*"), known, resource, sample;
    struct th_endpoint_spec spec;
    struct th_buf text;
    bool ok;

    if (th_engine_spec(r->api->engine, ep, &r->mem, &spec))
        return false;
    if (spec.event_count)
        want = spec.events[0];
    if (want.n && !memchr(want.p, '*', want.n))
        return th_arena_copy(&r->mem, want, type);
    for (unsigned i = 0; th_dialect_type(r->dialect, i, &known, &resource, &sample); i++)
        if (th_pattern_has(want, known)) {
            *type = known;
            return true;
        }
    th_buf_init(&text, 256);
    if (want.n > 1 && want.p[0] == '*') { /* "*.paid" */
        th_buf_str(&text, "test");
        th_buf_add(&text, want.p + 1, want.n - 1);
    } else {
        th_buf_span(&text, want.n > 1 ? th_span(want.p, want.n - 1) : TH_LIT("webhook."));
        th_buf_str(&text, "test");
    }
    ok = !text.failed && th_arena_copy(&r->mem, th_buf_view(&text), type);
    th_buf_fini(&text);
    return ok;
}

/* A sample has every field that the envelope names. */
static void fill_sample(struct th_api_req *r, struct th_publish_event *ev)
{
    struct th_render render;
    const char *missing;

    ev->data = th_span_is(ev->type, TH_TEST_TYPE) ? TH_LIT("{\"test\":true}")
                                                  : th_dialect_sample(r->dialect, ev->type);
    ev->resource_type = th_dialect_resource(r->dialect, ev->type);
    for (int i = 0; i < 2; i++) {
        render = (struct th_render){.event_id = TH_LIT("x"),
                                    .event_type = ev->type,
                                    .data = ev->data,
                                    .resource_type = ev->resource_type,
                                    .resource_id = ev->resource_id,
                                    .tenant_id = r->tenant->id,
                                    .attributes = r->tenant->attributes};
        missing = th_dialect_missing(r->dialect, &render);
        if (!missing)
            return;
        if (th_span_is(th_str(missing), "resource_id"))
            ev->resource_id = TH_LIT("test");
        else if (th_span_is(th_str(missing), "resource_type"))
            ev->resource_type = TH_LIT("Test");
    }
}

static void tested(struct th_publish *p)
{
    struct th_api_req *r = p->user;
    struct th_delivery_row row = {.no = p->first_delivery,
                                  .endpoint = r->endpoint_no,
                                  .state = TH_DS_QUEUED,
                                  .lane = TH_LANE_TEST,
                                  .event = p->events[0].row};
    struct th_api_list l = {.r = r, .deliveries = &row, .count = 1};
    struct th_shape_source source = {th_api_delivery_field, rows, &l, NULL};
    const struct th_dialect_values *v = th_dialect_values(r->dialect);

    switch (p->result) {
    case TH_PUB_ACCEPTED:
        break;
    case TH_PUB_REPEATED:
        r->repeated = true;
        break;
    case TH_PUB_KEY_REUSED:
        th_api_fail(r, 422, "this Idempotency-Key was used with another body");
        return;
    case TH_PUB_INVALID:
    case TH_PUB_TOO_LARGE:
        th_api_fault(r, TH_LIT("/type"), "%s", p->detail);
        th_api_fail_invalid(r);
        return;
    case TH_PUB_FORGOTTEN:
        th_api_fail(r, 409, "%s", p->detail);
        return;
    case TH_PUB_LIMITED:
        th_api_fail_limit(r, p->limit, p->detail);
        return;
    case TH_PUB_TENANT_GONE:
        th_api_fail(r, 404, "the tenant has been deleted");
        return;
    default:
        th_api_fail(r, 503, "%s", p->detail[0] ? p->detail : "events cannot be stored now");
        return;
    }
    (void)th_api_reply_begin(r);
    if (th_api_request_shaped(r, TH_SHAPE_DELIVERY)) {
        if (th_dialect_shape(r->dialect, TH_SHAPE_DELIVERY, &source, &r->api->out) && !r->api->out.failed)
            r->api->out.failed = TH_NOMEM;
    } else {
        struct th_jw w = th_jw(&r->api->out);
        th_api_delivery_row(&w, &l, 0, false);
    }
    th_api_reply(r, r->shaped && v->test_status ? v->test_status : 202);
}

void th_h_webhook_test(struct th_api_req *r)
{
    static const struct th_api_field fields[] = {{"type", TH_T_STRING, false, true, 128, 0, 0}};
    struct th_endpoint *ep = th_api_find_endpoint(r);
    struct th_api_value v[1];
    struct th_publish *p = &r->op->publish;
    bool ok;

    if (!ep)
        return;
    memset(&r->room->one, 0, sizeof r->room->one);
    ok = th_api_decode(r, r->body, TH_LIT(""), fields, 1, false, v);
    if (ok && v[0].present && !v[0].null && v[0].json.type == TH_JSON_STRING &&
        !th_dialect_type_ok(r->dialect, v[0].text, false))
        th_api_fault(r, TH_LIT("/type"),
                     "must be names of A-Z a-z 0-9 _ - joined by full stops, at most 128 bytes");
    if (ok && r->error_count) {
        th_api_fail_invalid(r);
        return;
    }
    r->room->one.type = v[0].text;
    if (!ok || (!r->room->one.type.n && !test_type(r, ep, &r->room->one.type))) {
        th_api_fail_nomem(r);
        return;
    }
    fill_sample(r, &r->room->one);
    r->endpoint_no = ep->no;
    *p = (struct th_publish){.tenant = r->tenant,
                             .idem = r->idem,
                             .count = 1,
                             .events = &r->room->one,
                             .only = ep,
                             .done = tested,
                             .user = r};
    th_engine_publish(r->api->engine, p);
}
