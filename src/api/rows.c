/* Lists of rows of the store, written in parts.
 *
 * A part is read from the store, written, and handed to the server; the next one is read when the client has
 * taken that. So a list takes the memory of one part, however long it is and however slowly it is read, and
 * other requests read meanwhile. A list that fits into the first part goes out as a whole, with its length.
 *
 * Rows have falling numbers (or growing ones, behind `after`), so parts fit together as pages do: none is left out and none
 * comes twice. `after` is the place where the first part began to read; rows that have come since follow it.
 *
 * Invariants: 1. a part is read and written as one reader among others (read.c), and nobody is one while he waits for his
 * client. 2. the list ends at its limit, at about TH_API_PAGE_BYTES, after PARTS parts, or where the store gives up looking;
 * then its cursor leads on. Failure: an error after the first part cuts the connection, so that the answer
 * does not look whole. */
#include "api/rows.h"
#include "api/fail.h"
#include "api/owner.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/engine.h"

#define PART_ROWS 128u
#define PART_BYTES (64u << 10) /* bytes of the store's rows; their JSON is about twice as large */
#define PARTS 24               /* at most; a page of short rows has 8, one of large rows 12 */

static uint64_t number_of(const struct th_page *p, unsigned i)
{
    return p->kind == TH_PAGE_EVENTS       ? p->rows.events[i].no
           : p->kind == TH_PAGE_DELIVERIES ? p->rows.deliveries[i].no
                                           : p->rows.attempts[i].no;
}

static void read_part(struct th_api_req *r);

static void begin(struct th_api_req *r)
{
    r->rows_w = th_api_reply_begin(r);
    th_jw_object(&r->rows_w);
    th_jw_key(&r->rows_w, TH_LIT("data"));
    th_jw_array(&r->rows_w);
}

static void end(struct th_api_req *r, const struct th_page *p)
{
    th_jw_end_array(&r->rows_w);
    r->rows_form->end(&r->rows_w, r, p);
    th_jw_end_object(&r->rows_w);
    th_api_reply(r, 200);
}

static bool is_full(const struct th_api_req *r)
{
    return r->rows_bytes + r->api->out.n >= TH_API_PAGE_BYTES;
}

uint64_t th_api_rows_tenant(const struct th_page *p, unsigned i)
{
    return p->kind == TH_PAGE_EVENTS       ? p->rows.events[i].tenant
           : p->kind == TH_PAGE_DELIVERIES ? p->rows.deliveries[i].event.tenant
                                           : p->rows.attempts[i].event.tenant;
}

/* Rows of a tenant that has been deleted are left out of a list of all. */
static void write_row(struct th_api_req *r, const struct th_page *p, unsigned i)
{
    struct th_api_owner_home home;

    if (!r->all_tenants) {
        r->rows_form->row(&r->rows_w, r, p, i);
        return;
    }
    if (!th_api_owner_row(r, th_api_rows_tenant(p, i), &home))
        return;
    r->rows_form->row(&r->rows_w, r, p, i);
    th_api_owner_back(r, &home);
}

/* As far as there is room: then the page ends with the last row that is written. */
static void write_rows(struct th_api_req *r, struct th_page *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (i && is_full(r)) {
            p->next = p->reached = number_of(p, i - 1);
            break;
        }
        write_row(r, p, i);
    }
}

static void part_read(struct th_op *op)
{
    struct th_api_req *r = op->user;
    struct th_page *p = r->rows_page, last;

    if (op->error) {
        th_api_fail_store(r, op->error);
        return;
    }
    r->tenant = th_api_request_tenant(r);
    if (r->rows_parts++ == 0) {
        if (r->rows_form->first)
            r->rows_form->first(r, p);
        r->rows_newest = p->reached;
        begin(r);
    } else {
        th_buf_reset(&r->api->out);
    }
    write_rows(r, p);
    r->rows_left -= p->count;
    last = *p;
    if (!p->ascending)
        last.reached = r->rows_newest;
    th_engine_page_free(r->api->engine, p);
    if (is_full(r) || !last.next || !last.count || !r->rows_left || r->rows_parts == PARTS) {
        end(r, &last);
        return;
    }
    if (p->ascending)
        p->after = last.reached;
    else
        p->before = last.next;
    r->rows_bytes += r->api->out.n;
    th_api_read_end(r);
    th_api_reply_part(r, read_part);
}

static void read_part(struct th_api_req *r)
{
    struct th_page *p = r->rows_page;

    p->limit = r->rows_left < PART_ROWS ? r->rows_left : PART_ROWS;
    p->max_bytes = PART_BYTES;
    th_api_read(r, p, r->rows_form->kind, part_read);
}

void th_api_rows(struct th_api_req *r, struct th_page *p, const struct th_api_rows *form)
{
    r->rows_page = p;
    r->rows_form = form;
    r->rows_left = p->limit;
    r->rows_bytes = 0;
    r->rows_parts = 0;
    read_part(r);
}

void th_api_rows_none(struct th_api_req *r, struct th_page *p, const struct th_api_rows *form)
{
    r->rows_form = form;
    begin(r);
    end(r, p);
}
