/* Which nodes share the store. Asked of the database on another thread, since that may take its time. */
#include "api/api.h"
#include "api/fail.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "base/alloc.h"
#include "engine/engine.h"

struct asking {
    struct th_api_req *r;
    struct th_store *store;
    struct th_buf rows;
    struct th_jw w;
    enum th_error error;
};

static void write_node(void *ctx, const struct th_store_node *n)
{
    struct th_jw *w = &((struct asking *)ctx)->w;
    const char *state = n->slots          ? "working"
                        : n->lease_ms < 0 ? "gone"
                        : n->works        ? "working"
                        : n->lease_ms > 0 ? "waiting"
                                          : "gone";

    th_jw_object(w);
    th_jw_key(w, TH_LIT("id"));
    th_jw_u64(w, n->id);
    th_api_member_str(w, "address", th_str(n->address));
    th_api_member_str(w, "state", th_str(state));
    th_jw_key(w, TH_LIT("this"));
    th_jw_bool(w, n->is_this);
    th_jw_key(w, TH_LIT("slots"));
    th_jw_u64(w, n->slots);
    th_jw_key(w, TH_LIT("lease_ms"));
    if (n->lease_ms)
        th_jw_i64(w, n->lease_ms);
    else
        th_jw_null(w);
    th_jw_key(w, TH_LIT("behind"));
    if (n->behind >= 0)
        th_jw_i64(w, n->behind);
    else
        th_jw_null(w);
    th_api_member_str(w, "version", th_str(n->version));
    th_jw_end_object(w);
}

static void ask(void *arg)
{
    struct asking *a = arg;

    a->w = th_jw(&a->rows);
    th_jw_array(&a->w);
    if (a->store->vt->nodes)
        a->error = a->store->vt->nodes(a->store, write_node, a);
    else /* the embedded store has one, and no lease */
        write_node(
            a,
            &(struct th_store_node){
                .id = 1, .address = "", .version = TH_VERSION, .slots = 256, .behind = -1, .is_this = true});
    th_jw_end_array(&a->w);
}

static void told(void *arg)
{
    struct asking *a = arg;
    struct th_jw w;

    if (a->error || a->rows.failed) {
        th_api_fail(a->r, 503, "the database cannot be asked now");
    } else {
        w = th_api_reply_begin(a->r);
        th_jw_object(&w);
        th_jw_key(&w, TH_LIT("data"));
        th_jw_raw(&w, th_buf_view(&a->rows));
        th_jw_key(&w, TH_LIT("next_cursor"));
        th_jw_null(&w);
        th_jw_end_object(&w);
        th_api_reply(a->r, 200);
    }
    th_buf_fini(&a->rows);
    th_free(a);
}

void th_h_nodes(struct th_api_req *r)
{
    const struct th_api_options *options = &r->api->options;
    struct asking *a = th_calloc(1, sizeof *a);

    if (!a) {
        th_api_fail_nomem(r);
        return;
    }
    a->r = r;
    a->store = th_engine_options(r->api->engine)->store;
    th_buf_init(&a->rows, 1u << 20);
    if (options->work) {
        options->work(options->work_ctx, ask, told, a);
    } else {
        ask(a);
        told(a);
    }
}
