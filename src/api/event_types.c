/* The catalogue of event types: the installation's, and those of tenants.
 *
 * The engine checks what is put (catalogue.c, change_type.c). A tenant's key sees what holds for its tenant: its own types, and of the
 * installation's those that it has none of its own for. */
#include "api/change.h"
#include "api/cursor.h"
#include "api/decode.h"
#include "api/fail.h"
#include "api/fault.h"
#include "api/handlers.h"
#include "api/member.h"
#include "api/owner.h"
#include "api/query.h"
#include "api/read.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"
#include "engine/engine.h"

#define LOOK_AT 20000 /* endpoints that a page of users looks at */

/* ---- what is shown ---- */

static void write_type(struct th_jw *w, const struct th_event_type *type, bool of_tenant)
{
    th_jw_object(w);
    th_api_member_str(w, "type", type->name);
    if (type->description.n)
        th_api_member_str(w, "description", type->description);
    if (type->group.n)
        th_api_member_str(w, "group", type->group);
    if (type->schema_text.n) {
        th_jw_key(w, TH_LIT("schema"));
        th_jw_raw(w, type->schema_text);
    }
    if (type->example.n) {
        th_jw_key(w, TH_LIT("example"));
        th_jw_raw(w, type->example);
    }
    th_api_member_str(w, "validate", th_str(th_validate_name(type->validate)));
    th_jw_key(w, TH_LIT("archived"));
    th_jw_bool(w, type->archived);
    th_jw_key(w, TH_LIT("deprecated"));
    th_jw_bool(w, type->deprecated);
    if (type->version_count) {
        th_jw_key(w, TH_LIT("versions"));
        th_event_type_versions(type, w);
    }
    th_api_member_str(w, "of", of_tenant ? TH_LIT("tenant") : TH_LIT("installation"));
    th_api_member_time(w, "created_at", type->created);
    th_api_member_time(w, "updated_at", type->updated);
    th_jw_end_object(w);
}

static const struct th_tenant *installation(struct th_api_req *r)
{
    return th_engine_tenant(r->api->engine, TH_LIT(TH_CATALOGUE_OF_ALL));
}

static bool is_installation(const struct th_tenant *t)
{
    return th_span_is(t->id, TH_CATALOGUE_OF_ALL);
}

/* ---- lists ---- */

/* The next of two catalogues by name; of two with the same name the first one's. NULL at the end. */
static const struct th_event_type *next_of(const struct th_catalogue *own, const struct th_catalogue *all,
                                           unsigned *i, unsigned *k, bool *is_own)
{
    const struct th_event_type *a = own && *i < own->count ? own->types[*i] : NULL,
                               *b = all && *k < all->count ? all->types[*k] : NULL;
    size_t n = a && b ? (a->name.n < b->name.n ? a->name.n : b->name.n) : 0;
    int order = !a ? 1 : !b ? -1 : memcmp(a->name.p, b->name.p, n);

    if (a && b && order == 0)
        order = a->name.n < b->name.n ? -1 : a->name.n > b->name.n;
    *is_own = order <= 0;
    *i += a && order <= 0;
    *k += b && order >= 0;
    return *is_own ? a : b;
}

/* The cursor is the number of types before the page, plus 1. */
static void write_list(struct th_api_req *r, const struct th_catalogue *own, const struct th_catalogue *all)
{
    const struct th_event_type *type;
    unsigned i = 0, k = 0, shown = 0;
    uint64_t before, at = 0, next = 0;
    uint32_t limit;
    struct th_jw w;
    bool is_own;

    if (!th_api_query_paging(r, &limit, &before))
        return;
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    while ((type = next_of(own, all, &i, &k, &is_own)) != NULL) {
        if (before && at + 1 < before) {
            at++;
            continue;
        }
        if (shown == limit || (shown && th_api_reply_is_full(r))) {
            next = at + 1;
            break;
        }
        write_type(&w, type, is_own);
        shown++;
        at++;
    }
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, next);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

static void write_types_now(struct th_api_req *r)
{
    const struct th_tenant *all = installation(r);

    write_list(r, r->operator_key ? NULL : &r->key_owner->catalogue, all ? &all->catalogue : NULL);
}

void th_h_event_types(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_types_now);
}

static void write_tenants_types_now(struct th_api_req *r)
{
    if (th_api_owner_bind(r, r->param[0]))
        write_list(r, &r->tenant->catalogue, NULL);
}

void th_h_tenant_types(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_tenants_types_now);
}

/* ---- one ---- */

static void show(struct th_api_req *r, const struct th_event_type *type, bool of_tenant)
{
    struct th_jw w;

    if (!type) {
        th_api_fail(r, 404, "there is no such event type");
        return;
    }
    w = th_api_reply_begin(r);
    write_type(&w, type, of_tenant);
    th_api_reply(r, 200);
}

void th_h_event_type(struct th_api_req *r)
{
    const struct th_tenant *t = r->operator_key ? NULL : r->key_owner;

    show(r, th_engine_event_type(r->api->engine, t, r->param[0]),
         t && th_catalogue_own(t, r->param[0]) && !is_installation(t));
}

void th_h_tenant_type(struct th_api_req *r)
{
    if (th_api_owner_bind(r, r->param[0]))
        show(r, th_catalogue_own(r->tenant, r->param[1]), !is_installation(r->tenant));
}

static void put_answer(struct th_api_req *r, struct th_change *c, struct th_buf *fields, struct th_buf *body)
{
    struct th_jw w = th_jw(body);

    (void)fields;
    (void)r;
    write_type(&w, c->type, !is_installation(c->tenant));
}

enum {
    F_DESCRIPTION,
    F_GROUP,
    F_SCHEMA,
    F_EXAMPLE,
    F_VALIDATE,
    F_ARCHIVED,
    F_DEPRECATED,
    F_VERSIONS,
    F_COUNT
};

static const struct th_api_field put_fields[F_COUNT] = {
    {"description", TH_T_STRING, false, true, 4096, 0, 0},
    {"group", TH_T_STRING, false, true, 128, 0, 0},
    {"schema", TH_T_ANY, false, true, 0, 0, 0},
    {"example", TH_T_ANY, false, true, 0, 0, 0},
    {"validate", TH_T_STRING, false, true, 16, 0, 0},
    {"archived", TH_T_BOOL, false, true, 0, 0, 0},
    {"deprecated", TH_T_BOOL, false, true, 0, 0, 0},
    {"versions", TH_T_ANY, false, true, 0, 0, 0},
};

static struct th_span json_of(const struct th_api_value *v)
{
    return v->json.raw.n && v->json.type != TH_JSON_NULL ? v->json.raw : TH_LIT("");
}

static void put(struct th_api_req *r, struct th_span name)
{
    struct th_api_value v[F_COUNT];
    struct th_change *c;

    if (!th_api_decode(r, r->body, TH_LIT(""), put_fields, F_COUNT, false, v)) {
        th_api_fail_nomem(r);
        return;
    }
    if (!th_dialect_type_ok(r->dialect, name, false)) {
        th_api_fail(r, 422,
                    "an event type has letters, digits, \"_\" and \"-\" joined by \".\", at most 128 bytes");
        return;
    }
    c = th_api_change(r, TH_CHANGE_TYPE_PUT);
    c->of_type.name = name;
    c->of_type.spec = (struct th_type_spec){.description = v[F_DESCRIPTION].text,
                                            .group = v[F_GROUP].text,
                                            .schema = json_of(&v[F_SCHEMA]),
                                            .example = json_of(&v[F_EXAMPLE]),
                                            .versions = json_of(&v[F_VERSIONS]),
                                            .archived = v[F_ARCHIVED].i,
                                            .deprecated = v[F_DEPRECATED].i};
    c->of_type.description = v[F_DESCRIPTION].present;
    c->of_type.group = v[F_GROUP].present;
    c->of_type.schema = v[F_SCHEMA].present;
    c->of_type.example = v[F_EXAMPLE].present;
    c->of_type.versions = v[F_VERSIONS].present;
    c->of_type.validate = v[F_VALIDATE].present;
    c->of_type.archived = v[F_ARCHIVED].present;
    c->of_type.deprecated = v[F_DEPRECATED].present;
    if (v[F_VALIDATE].present && !v[F_VALIDATE].null && !v[F_VALIDATE].bad &&
        !th_validate_read(v[F_VALIDATE].text, &c->of_type.spec.validate))
        th_api_fault(r, TH_LIT("/validate"), "must be \"off\", \"warn\", \"refuse\" or \"default\"");
    if (c->of_type.spec.versions.n && v[F_VERSIONS].json.type != TH_JSON_ARRAY)
        th_api_fault(r, TH_LIT("/versions"), "must be a list of versions, the newest first");
    if (r->error_count)
        th_api_fail_invalid(r);
    else
        th_api_change_submit(r, 200, put_answer);
}

static void del(struct th_api_req *r, struct th_span name)
{
    struct th_change *c = th_api_change(r, TH_CHANGE_TYPE_DEL);

    c->of_type.name = name;
    th_api_change_submit(r, 204, NULL);
}

void th_h_event_type_put(struct th_api_req *r)
{
    if (th_api_owner_bind(r, TH_LIT(TH_CATALOGUE_OF_ALL)))
        put(r, r->param[0]);
}

void th_h_event_type_del(struct th_api_req *r)
{
    if (th_api_owner_bind(r, TH_LIT(TH_CATALOGUE_OF_ALL)))
        del(r, r->param[0]);
}

void th_h_tenant_type_put(struct th_api_req *r)
{
    if (th_api_owner_bind(r, r->param[0]))
        put(r, r->param[1]);
}

void th_h_tenant_type_del(struct th_api_req *r)
{
    if (th_api_owner_bind(r, r->param[0]))
        del(r, r->param[1]);
}

/* ---- who takes it ---- */

static void write_version_or_null(struct th_jw *w, const char *name, uint32_t version)
{
    struct th_buf text;

    th_jw_key(w, th_str(name));
    if (!version) {
        th_jw_null(w);
        return;
    }
    th_buf_init(&text, 16);
    th_version_write(version, &text);
    th_jw_string(w, th_buf_view(&text));
    th_buf_fini(&text);
}

static void write_use(struct th_api_req *r, struct th_jw *w, const struct th_endpoint *ep,
                      const struct th_event_type *type)
{
    const struct th_type_version *v = NULL;

    if (type->version_count)
        v = &type->versions[th_type_version_for(type, type->versions[0].version, ep->spec.data_version)];
    th_jw_object(w);
    th_jw_key(w, TH_LIT("endpoint"));
    th_jw_raw(w, TH_LIT("\""));
    th_engine_endpoint_id(r->api->engine, ep, w->out);
    th_buf_char(w->out, '"');
    th_api_member_str(w, "tenant", ep->tenant->id);
    write_version_or_null(w, "payload_version", ep->spec.data_version);
    write_version_or_null(w, "version", v ? v->version : 0);
    th_api_member_time(w, "sunset", v ? v->sunset : 0);
    th_jw_end_object(w);
}

static void write_usage_now(struct th_api_req *r)
{
    struct th_engine *e = r->api->engine;
    const struct th_event_type *type;
    uint64_t before, next = 0;
    uint32_t limit, shown = 0, looked = 0;
    struct th_jw w;

    if (!th_api_query_paging(r, &limit, &before))
        return;
    if (!th_engine_event_type(e, NULL, r->param[0])) {
        th_api_fail(r, 404, "there is no such event type");
        return;
    }
    w = th_api_reply_begin(r);
    th_jw_object(&w);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_array(&w);
    for (uint64_t no = before ? before - 1 : th_engine_last_endpoint(e); no; no--) {
        const struct th_endpoint *ep;

        if (shown == limit || looked++ == LOOK_AT || (shown && th_api_reply_is_full(r))) {
            next = no + 1;
            break;
        }
        ep = th_engine_endpoint_no(e, no);
        type = ep && !ep->tenant->deleting ? th_engine_event_type(e, ep->tenant, r->param[0]) : NULL;
        if (!type || !th_engine_subscribes(ep, r->param[0]))
            continue;
        write_use(r, &w, ep, type);
        shown++;
    }
    th_jw_end_array(&w);
    th_api_cursor_next(r, &w, next);
    th_jw_end_object(&w);
    th_api_reply(r, 200);
}

void th_h_event_type_usage(struct th_api_req *r)
{
    th_api_read_in_turn(r, write_usage_now);
}
