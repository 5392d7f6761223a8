/* POST /v1/templates/preview: what a template makes of an event that is stored, or of data that the request brings. It is compiled and
 * rendered as for a delivery, so what is shown here is what would be sent. */
#include "api/decode.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/find.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "core/jsonpath/payload.h"
#include "engine/engine.h"

enum { F_TEMPLATE, F_EVENT, F_TYPE, F_DATA, F_COUNT };

static const struct th_api_field fields[F_COUNT] = {
    {"template", TH_T_ANY, true, false, 0, 0, 0},
    {"event", TH_T_STRING, false, true, 256, 0, 0},
    {"type", TH_T_STRING, false, true, 128, 0, 0},
    {"data", TH_T_ANY, false, false, 0, 0, 0},
};

/* Compiles the template of the request; false: answered. */
static bool compiled(struct th_api_req *r, struct th_json template, const struct th_payload **out)
{
    struct th_payload_fault fault;
    enum th_error error = th_payload_compile(template, &r->mem, out, &fault);
    struct th_buf pointer;
    struct th_span at;

    if (!error)
        return true;
    if (error != TH_MALFORMED) {
        th_api_fail_nomem(r);
        return false;
    }
    th_buf_init(&pointer, 1024);
    th_buf_printf(&pointer, "/template%s", fault.pointer);
    if (th_arena_copy(&r->mem, th_buf_view(&pointer), &at))
        th_api_fault(r, at, "%s", fault.what);
    th_buf_fini(&pointer);
    th_api_fail_invalid(r);
    return false;
}

static void answer(struct th_api_req *r, const struct th_event_row *row)
{
    const struct th_payload *payload;
    struct th_json template;
    struct th_buf body;
    enum th_error error;
    struct th_jw w;

    if (!th_json_member(r->body, TH_LIT("template"), &template) || !compiled(r, template, &payload))
        return;
    th_buf_init(&body, 64u << 20);
    error = th_engine_template(r->api->engine, r->dialect, payload, row, &body);
    if (error == TH_TOO_LARGE) {
        th_api_fail(r, 422, "the body would have more than %u bytes, or take more than %d steps",
                    (unsigned)th_dialect_values(r->dialect)->body_max, TH_JSONPATH_STEPS);
    } else if (error) {
        th_api_fail_nomem(r);
    } else {
        w = th_api_reply_begin(r);
        th_jw_object(&w);
        th_jw_key(&w, TH_LIT("body"));
        th_jw_raw(&w, th_buf_view(&body));
        th_api_member_int(&w, "bytes", (int64_t)body.n);
        th_jw_end_object(&w);
        th_api_reply(r, 200);
    }
    th_buf_fini(&body);
}

static void found(struct th_api_req *r, const struct th_event_row *row)
{
    if (!row) {
        th_api_fault(r, TH_LIT("/event"), "there is no such event");
        th_api_fail_invalid(r);
        return;
    }
    if (row->erased)
        th_api_fail(r, 409, "what this event said has been erased");
    else
        answer(r, row);
    th_engine_page_free(r->api->engine, &r->page);
}

void th_h_template_preview(struct th_api_req *r)
{
    struct th_api_value v[F_COUNT];
    struct th_event_row row = {0};

    if (!th_api_decode(r, r->body, TH_LIT(""), fields, F_COUNT, false, v)) {
        th_api_fail_nomem(r);
        return;
    }
    if (r->body.type == TH_JSON_OBJECT && (v[F_EVENT].text.n != 0) == v[F_DATA].present)
        th_api_fault(r, TH_LIT("/event"), "give the id of an event, or data; one of both");
    if (r->error_count) {
        th_api_fail_invalid(r);
    } else if (v[F_EVENT].text.n) {
        th_api_find_event(r, v[F_EVENT].text, true, found);
    } else {
        row.no = 1;
        row.type = v[F_TYPE].text.n ? v[F_TYPE].text : TH_LIT(TH_TEST_TYPE);
        row.data = v[F_DATA].json.raw;
        row.at = row.time = th_engine_now(r->api->engine).wall;
        row.tenant = r->tenant->no;
        answer(r, &row);
    }
}
