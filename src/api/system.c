/* Routes about the installation: dialects, source addresses, health, metrics, the API's own document. */
#include "api/api.h"
#include "api/fail.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "api/tenant_limits.h"
#include "core/guard.h"
#include "engine/engine.h"

static void write_dialects_now(struct th_api_req *r)
{
    const struct th_engine_options *options = th_engine_options(r->api->engine);
    struct th_jw w = th_api_reply_begin(r);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (unsigned i = 0; i < options->dialect_count; i++)
        th_dialect_show(options->dialects[i], &w);
    th_jw_end_array(&w);
    th_jw_key(&w, TH_LIT("next_cursor"));
    th_jw_null(&w);
    th_jw_key(&w, TH_LIT("default"));
    th_jw_string(&w, options->default_dialect);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_dialects(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_dialects_now);
}

void th_h_dialect(struct th_api_req *r)
{
    const struct th_dialect *d = th_engine_dialect(r->api->engine, r->param[0]);
    struct th_jw w;

    if (!d) {
        th_api_fail(r, 404, "no dialect of this name is loaded");
        return;
    }
    w = th_api_reply_begin(r);
    th_dialect_show(d, &w);
    th_api_reply(r, 200);
}

/* Those that an endpoint may choose. */
static void write_sources(const struct th_engine_options *options, struct th_jw *w)
{
    struct th_buf text;

    if (!options->source_count)
        return;
    th_buf_init(&text, 64);
    th_jw_key(w, TH_LIT("sources"));
    th_jw_array(w);
    for (unsigned i = 0; i < options->source_count; i++) {
        th_buf_reset(&text);
        th_addr_format(&text, &options->sources[i].addr);
        th_jw_object(w);
        th_api_member_str(w, "name", options->sources[i].name);
        th_api_member_str(w, "address", th_buf_view(&text));
        th_jw_end_object(w);
    }
    th_jw_end_array(w);
    th_buf_fini(&text);
}

void th_h_source_addresses(struct th_api_req *r)
{
    const struct th_api_options *options = &r->api->options;
    struct th_jw w = th_api_reply_begin(r);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("prefixes"));
    th_jw_array(&w);
    for (unsigned i = 0; i < options->source_address_count; i++)
        th_jw_string(&w, options->source_addresses[i]);
    th_jw_end_array(&w);
    write_sources(th_engine_options(r->api->engine), &w);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_config(struct th_api_req *r)
{
    struct th_jw w = th_api_reply_begin(r);

    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    if (r->api->options.settings)
        r->api->options.settings(r->api->options.settings_ctx, &w);
    th_jw_end_array(&w);
    th_jw_key(&w, TH_LIT("next_cursor"));
    th_jw_null(&w);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_livez(struct th_api_req *r)
{
    struct th_jw w = th_api_reply_begin(r);

    th_jw_object(&w);
    th_api_member_str(&w, "status", TH_LIT("ok"));
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_readyz(struct th_api_req *r)
{
    const char *why = "not ready";
    struct th_jw w;

    if (!th_engine_ready(r->api->engine, &why)) {
        th_api_fail(r, 503, "%s", why);
        return;
    }
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_api_member_str(&w, "status", TH_LIT("ready"));
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

static void write_metrics_now(struct th_api_req *r)
{
    struct th_buf text;

    th_engine_measure(r->api->engine);
    if (r->api->options.measure)
        r->api->options.measure(r->api->options.measure_ctx);
    th_buf_init(&text, 1u << 20);
    th_metrics_write(r->api->metrics, &text);
    th_api_tenant_limits_metrics(r->api, &text);
    if (text.failed)
        th_api_fail_nomem(r);
    else
        th_api_reply_text(r, 200, TH_LIT("text/plain; version=0.0.4; charset=utf-8"), th_buf_view(&text));
    th_buf_fini(&text);
}

void th_h_metrics(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_metrics_now);
}

void th_h_openapi_json(struct th_api_req *r)
{
    th_api_reply_lasting(r, TH_LIT("application/json"), th_buf_view(&r->api->openapi));
}
