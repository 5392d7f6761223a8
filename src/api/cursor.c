/* Cursors of lists.
 *
 * A cursor is base64url of version, number and a hash over tenant, path and filters. The number is hidden, because it counts
 * rows of the whole installation; cursors of version 1, where it is not, are still taken. It is no secret and no
 * capability: rows are looked up within the tenant whatever it says; the hash only catches mistakes. */
#include "api/cursor.h"
#include "api/fault.h"
#include "api/request.h"
#include "api/state.h"
#include "base/enc.h"
#include "engine/engine.h"
#include "lib/crypto.h"
#include "net/tls_common.h"

#define CURSOR_VERSION 2
#define CURSOR_PLAIN 1  /* the number as it is */
#define CURSOR_BYTES 17 /* version, 8 bytes number, 8 bytes hash */

/* Hash over everything that a cursor belongs to: tenant, path, and lines "name=value" of the filters. */
static void hash_of(struct th_api_req *r, struct th_span path, struct th_span filters, uint8_t out[8])
{
    uint8_t digest[32];
    struct th_buf text;

    th_buf_init(&text, 64u << 10);
    th_buf_span(&text, th_api_request_tenant_id(r));
    th_buf_char(&text, '\n');
    th_buf_span(&text, path);
    th_buf_span(&text, filters);
    th_sha256(text.p, text.n, digest);
    memcpy(out, digest, 8);
    th_buf_fini(&text);
}

static void filter_line(struct th_buf *text, struct th_span name, struct th_span value)
{
    th_buf_char(text, '\n');
    th_buf_span(text, name);
    th_buf_char(text, '=');
    th_buf_span(text, value);
}

/* The path of the list that the request asks for; a stream follows the list of its path, and takes the same cursors. */
static struct th_span list_path(const struct th_api_req *r)
{
    struct th_span path = r->x->path, stream = TH_LIT("/stream");

    if (path.n > stream.n && memcmp(path.p + path.n - stream.n, stream.p, stream.n) == 0)
        path.n -= stream.n;
    return path;
}

/* Of the list that the request asks for. */
static void filter_hash(struct th_api_req *r, uint8_t out[8])
{
    struct th_buf text;

    th_buf_init(&text, 64u << 10);
    for (const char *names = r->route->query;
         *names;) { /* in the order of the table, so that the client's is free */
        size_t n = strcspn(names, " ");
        for (unsigned i = 0; i < r->query_count; i++)
            if (th_span_eq(r->room->query[i].name, th_span(names, n)) &&
                !th_span_is(r->room->query[i].name, "limit") &&
                !th_span_is(r->room->query[i].name, "cursor") &&
                !th_span_is(r->room->query[i].name, "after") &&
                !th_span_is(r->room->query[i].name, "max_rate"))
                filter_line(&text, r->room->query[i].name, r->room->query[i].value);
        names += n;
        names += *names == ' ';
    }
    hash_of(r, list_path(r), th_buf_view(&text), out);
    th_buf_fini(&text);
}

static uint64_t tweak_of(const uint8_t hash[8])
{
    uint64_t n;

    memcpy(&n, hash, sizeof n);
    return n;
}

const char *th_api_cursor_open(struct th_api_req *r, struct th_span text, uint64_t *no)
{
    uint8_t bytes[CURSOR_BYTES], hash[8];
    size_t n;

    if (!th_unbase64url(text, bytes, sizeof bytes, &n) || n != CURSOR_BYTES ||
        (bytes[0] != CURSOR_VERSION && bytes[0] != CURSOR_PLAIN))
        return "is not a cursor of this API";
    filter_hash(r, hash);
    if (memcmp(hash, bytes + 9, 8) != 0)
        return "belongs to a list with other filters";
    *no = 0;
    for (int i = 1; i <= 8; i++)
        *no = *no << 8 | bytes[i];
    if (bytes[0] == CURSOR_VERSION)
        *no = th_engine_show(r->api->engine, tweak_of(hash), *no);
    return NULL;
}

bool th_api_cursor_read(struct th_api_req *r, const char *name, struct th_span text, uint64_t *no)
{
    const char *fault = th_api_cursor_open(r, text, no);

    if (fault)
        th_api_fault_param(r, name, "%s", fault);
    return !fault;
}

static void write_cursor(struct th_api_req *r, uint64_t before, const uint8_t hash[8], struct th_buf *out)
{
    uint8_t bytes[CURSOR_BYTES] = {CURSOR_VERSION};

    before = th_engine_hide(r->api->engine, tweak_of(hash), before);

    for (int i = 0; i < 8; i++)
        bytes[1 + i] = (uint8_t)(before >> (56 - 8 * i));
    memcpy(bytes + 9, hash, 8);
    th_base64url(out, bytes, sizeof bytes);
}

void th_api_cursor(struct th_api_req *r, uint64_t before, struct th_buf *out)
{
    uint8_t hash[8];

    filter_hash(r, hash);
    write_cursor(r, before, hash, out);
}

void th_api_cursor_base(struct th_api_req *r, uint8_t base[TH_API_CURSOR_BASE])
{
    filter_hash(r, base);
}

void th_api_cursor_on(struct th_api_req *r, const uint8_t base[TH_API_CURSOR_BASE], uint64_t number,
                      struct th_buf *out)
{
    write_cursor(r, number, base, out);
}

void th_api_cursor_of(struct th_api_req *r, struct th_span path, struct th_span name, struct th_span value,
                      uint64_t before, struct th_buf *out)
{
    uint8_t hash[8];
    struct th_buf text;

    th_buf_init(&text, 64u << 10);
    filter_line(&text, name, value);
    hash_of(r, path, th_buf_view(&text), hash);
    th_buf_fini(&text);
    write_cursor(r, before, hash, out);
}

void th_api_cursor_next(struct th_api_req *r, struct th_jw *w, uint64_t before)
{
    th_jw_key(w, TH_LIT("next_cursor"));
    if (!before) {
        th_jw_null(w);
        return;
    }
    th_jw_raw(w, TH_LIT("\""));
    th_api_cursor(r, before, w->out);
    th_buf_char(w->out, '"');
}

void th_api_cursor_after(struct th_api_req *r, struct th_jw *w, uint64_t reached, bool more)
{
    th_jw_key(w, TH_LIT("after"));
    th_jw_raw(w, TH_LIT("\""));
    th_api_cursor(r, reached, w->out);
    th_buf_char(w->out, '"');
    th_jw_key(w, TH_LIT("more"));
    th_jw_bool(w, more);
}

void th_api_cursor_link(struct th_api_req *r, uint64_t before)
{
    struct th_buf *f = &r->api->fields;

    if (!before)
        return;
    th_buf_str(f, "Link: <");
    th_buf_span(f, r->x->path);
    th_buf_str(f, "?cursor=");
    th_api_cursor(r, before, f);
    for (struct th_span rest = r->x->query; rest.n;) { /* the client's own spelling of the other parameters */
        struct th_span pair = th_span_cut(&rest, '&');
        if (!pair.n || th_span_starts(pair, TH_LIT("cursor=")))
            continue;
        th_buf_char(f, '&');
        th_buf_span(f, pair);
    }
    th_buf_str(f, ">; rel=\"next\"\r\n");
}
