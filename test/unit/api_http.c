/* The API over a real engine and the memory store: what is hard to see from outside the process. The wire
 * contract is tested in test/py. */
#include "api/idem.h"
#include "api/routes.h"
#include "api/schemas.h"
#include "api_fixture.h"
#include "base/log.h"

static struct call c, c2;

static int setup(void **state)
{
    *state = world_new();
    return 0;
}
static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

/* ---- the document and the tables ---- */

static bool in_table(const struct th_api_schema *t, const char *name)
{
    for (; t->name; t++)
        if (strcmp(t->name, name) == 0)
            return true;
    return false;
}

static void the_document_has_every_route(void **state)
{
    struct world *w = *state;
    struct th_json root, v;
    struct th_span text;

    call(w, &c, "GET", "/openapi.json", "Authorization:\n", NULL, 200);
    text = th_buf_view(&c.body);
    assert_int_equal(th_json_parse(text, 64, &root, NULL), TH_OK);
    for (const struct th_api_route *t = th_api_routes; t->method; t++) {
        char pointer[300] = "/paths/";
        char *to = pointer + strlen(pointer);
        for (const char *p = t->path; *p; p++)
            to += sprintf(to, *p == '/' ? "~1" : "%c", *p);
        *to++ = '/';
        for (const char *p = t->method; *p; p++)
            *to++ = th_lower(*p);
        *to = '\0';
        if (!th_json_pointer(root, th_str(pointer), &v))
            fail_msg("%s is not in the document", pointer);
        if (t->response && strcmp(t->response, "text") != 0 && !in_table(th_api_schemas, t->response))
            fail_msg("%s: no schema %s", t->path, t->response);
        if (!t->role == !(t->flags & (TH_R_PUBLIC | TH_R_PORTAL_LINK | TH_R_PORTAL)) ||
            (t->scope && !t->role))
            fail_msg("%s %s: nobody has decided whose keys may use it", t->method, t->path);
        if (!t->request == !!(t->flags & (TH_R_BODY | TH_R_BODY_MAY)))
            fail_msg("%s %s: body and schema differ", t->method, t->path);
    }
    call_free(&c);
}

static void every_reference_of_the_document_resolves(void **state)
{
    struct world *w = *state;
    struct th_json root, v;
    unsigned n = 0;

    call(w, &c, "GET", "/openapi.json", "Authorization:\n", NULL, 200);
    assert_int_equal(th_json_parse(th_buf_view(&c.body), 64, &root, NULL), TH_OK);
    for (const char *p = th_buf_cstr(&c.body); (p = strstr(p, "\"#/")); p++, n++) {
        const char *end = strchr(p + 1, '"');
        if (!th_json_pointer(root, th_span(p + 2, (size_t)(end - p - 2)), &v))
            fail_msg("%.*s leads nowhere", (int)(end - p), p);
    }
    assert_true(n > 100);
    call_free(&c);
}

/* Each property of a request's schema is known to its decoder, and the decoder knows no other. */
static void schema_and_decoder_agree(void **state)
{
    static const struct {
        const char *schema, *method, *path;
    } rows[] = {{"EventNew", "POST", "/v1/events"},
                {"WebhookNew", "POST", "/v1/webhooks"},
                {"TenantPut", "PUT", "/v1/tenants/x"},
                {"KeyNew", "POST", "/v1/tenants/default/keys"}};
    struct world *w = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (const struct th_api_schema *s = th_api_schemas; s->name; s++) {
            struct th_json root, properties, key, value;
            struct th_json_iter it;
            char body[4096] = "{\"surely not\":1";
            if (strcmp(s->name, rows[i].schema) != 0)
                continue;
            assert_int_equal(th_json_parse(th_str(s->json), 64, &root, NULL), TH_OK);
            assert_true(th_json_member(root, TH_LIT("properties"), &properties));
            th_json_iter(&it, properties);
            while (th_json_next(&it, &key, &value))
                sprintf(body + strlen(body), ",%.*s:[[]]", (int)key.raw.n, key.raw.p);
            strcat(body, "}");
            call(w, &c, rows[i].method, rows[i].path, NULL, body, 422);
            const char *list = strstr(th_buf_cstr(&c.body), "\"errors\":");
            assert_non_null(list);
            const char *first = strstr(list, "is not a field of this request");
            assert_non_null(first);
            /* once, and nowhere else */
            if (strstr(first + 1, "is not a field of this request"))
                fail_msg("%s: %s", s->name, th_buf_cstr(&c.body));
            call_free(&c);
        }
}

/* ---- the frame ---- */

static void wrong_requests(void **state)
{
    static const struct {
        const char *method, *target, *fields, *body;
        unsigned status;
        const char *in_body, *in_fields;
    } rows[] = {
        {"GET", "/nowhere", NULL, NULL, 404, "nothing at this path", ""},
        {"GET", "/v1/webhooks/", NULL, NULL, 404, "", ""},
        {"GET", "/v1/webhooks/a/b/c", NULL, NULL, 404, "", ""},
        {"GET", "/v1/webhooks/%zz", NULL, NULL, 404, "percent", ""},
        {"GET", "/v1/webhooks/%00", NULL, NULL, 404, "percent", ""},
        {"PUT", "/v1/events", NULL, NULL, 405, "", "Allow: POST, GET, HEAD\r\n"},
        {"OPTIONS", "/livez", NULL, NULL, 405, "", "Allow: GET, HEAD\r\n"},
        {"get", "/livez", NULL, NULL, 405, "", "Allow: GET, HEAD\r\n"},
        {"GET", "/v1/events", "Authorization:\n", NULL, 401, "Bearer", "WWW-Authenticate: Bearer\r\n"},
        {"GET", "/v1/events", "Authorization: Bearer no\n", NULL, 401, "", "error=\"invalid_token\""},
        {"GET", "/v1/events", "Authorization: Basic eDp5\n", NULL, 401, "", ""},
        {"GET", "/v1/events", "Tenterhook-Tenant: nobody\n", NULL, 404, "there is no tenant", ""},
        {"GET", "/v1/events?nonsense=1", NULL, NULL, 400, "\"parameter\":\"nonsense\"", ""},
        {"GET", "/v1/events?limit=1&limit=2", NULL, NULL, 400, "given twice", ""},
        {"GET", "/v1/events?limit=%3", NULL, NULL, 400, "percent", ""},
        {"GET", "/v1/events?limit=0", NULL, NULL, 400, "from 1 to 1000", ""},
        {"GET", "/v1/events?limit=-1", NULL, NULL, 400, "from 1 to 1000", ""},
        {"GET", "/v1/events?limit=99999999999999999999", NULL, NULL, 400, "from 1 to 1000", ""},
        {"GET", "/v1/events?since=2026-02-30T00:00:00Z", NULL, NULL, 400, "\"parameter\":\"since\"", ""},
        {"GET", "/v1/events?cursor=AAAA", NULL, NULL, 400, "\"parameter\":\"cursor\"", ""},
        {"GET", "/v1/deliveries?status=lost", NULL, NULL, 400, "\"parameter\":\"status\"", ""},
        {"POST", "/v1/events?x=1", NULL, "{}", 400, "unknown query parameter", ""},
        {"POST", "/v1/events", "Content-Type: text/plain\n", "{}", 415, "application/json", ""},
        {"POST", "/v1/events", "Content-Type:\n", "{}", 415, "missing", ""},
        {"POST", "/v1/events", "Content-Type: application/json; charset=latin1\n", "{}", 415, "UTF-8", ""},
        {"POST", "/v1/events", "Content-Encoding: gzip\n", "{}", 415, "coding", ""},
        {"POST", "/v1/events", "Content-Type: text/x+json\n", "{}", 422, "is required", ""},
        {"POST", "/v1/events", NULL, "{\"type\":\n  nul}", 400, "\"line\":2,\"column\":3", ""},
        {"POST", "/v1/events", NULL, "\"text\"", 422, "must be an object, not a string", ""},
        {"POST", "/v1/events", NULL, "{\"type\":\"a\",\"type\":\"b\",\"data\":1}", 422, "given twice", ""},
        {"POST", "/v1/events", NULL, "{\"a~/b\":1,\"type\":\"a\",\"data\":1}", 422, "\"pointer\":\"/a~0~1b\"",
         ""},
        {"POST", "/v1/events", NULL, "{\"type\":null,\"data\":1}", 422, "must be a string, not null", ""},
        {"POST", "/v1/events", "Idempotency-Key: a b\n", "{\"type\":\"a\",\"data\":1}", 400,
         "Idempotency-Key", ""},
        {"POST", "/v1/events", "Idempotency-Key: \"\"\n", "{\"type\":\"a\",\"data\":1}", 400,
         "Idempotency-Key", ""},
        {"POST", "/v1/events/batch", NULL, "[]", 422, "1 to 1000", ""},
        {"POST", "/v1/events/batch", NULL, "{}", 422, "1 to 1000", ""},
        {"POST", "/v1/events/batch", NULL, "[1]", 422, "\"pointer\":\"/0\"", ""},
        {"POST", "/v1/events/batch", NULL, "[{\"type\":\"a\",\"data\":1},{\"type\":\"a b\",\"data\":1}]", 422,
         "\"pointer\":\"/1/type\",\"detail\":\"must be names of A-Z a-z 0-9 _ - joined by full stops, at "
         "most 128 bytes\"}",
         ""},
        {"POST", "/v1/events/batch", NULL,
         "[{\"type\":\"a\",\"data\":1},{\"type\":\"a\",\"data\":1,\"tenant\":\"x\"}]", 422,
         "\"pointer\":\"/1/tenant\"", ""},
        {"POST", "/v1/webhooks", NULL, "{\"url\":\"http://127.0.0.1/\",\"id\":\"x\"}", 422, "read-only", ""},
        {"POST", "/v1/webhooks", NULL, "{\"url\":\"http://127.0.0.1/\",\"metadata\":{\"a\":[1]}}", 422,
         "/metadata/a", ""},
        {"POST", "/v1/webhooks", NULL,
         "{\"url\":\"http://127.0.0.1/\",\"metadata\":{\"a\":\"1\",\"\\u0061\":\"2\"}}", 422, "given twice",
         ""},
        {"POST", "/v1/webhooks", NULL, "{\"url\":\"http://127.0.0.1/\",\"options\":{\"x\":true}}", 422,
         "/options/x", ""},
        {"POST", "/v1/webhooks", NULL, "{\"url\":\"http://127.0.0.1/\",\"rate_limit_per_second\":-1}", 422,
         "/rate_limit_per_second", ""},
        {"POST", "/v1/webhooks", NULL, "{\"url\":\"http://127.0.0.1/\",\"timeout_seconds\":1.5}", 422,
         "must be an integer", ""},
        {"POST", "/v1/webhooks", NULL, "{\"url\":\"http://127.0.0.1/\",\"timeout_seconds\":1e3}", 422,
         "must be from 1 to 30", ""},
        {"POST", "/v1/tenants/default/keys", NULL, "{\"scopes\":[\"operator\"]}", 422, "/scopes/0", ""},
        {"POST", "/v1/tenants/default/keys", NULL, "{\"scopes\":[]}", 422, "at least one", ""},
        {"POST", "/v1/tenants/default/keys", NULL,
         "{\"scopes\":[\"webhooks:read\"],\"expires_at\":\"2000-01-01T00:00:00Z\"}", 422, "in the past", ""},
        {"DELETE", "/v1/tenants/default", NULL, NULL, 409, "", ""},
        {"DELETE", "/v1/tenants/default/keys/key_x", NULL, NULL, 404, "", ""},
        {"POST", "/v1/deliveries/dlv_x/retry", NULL, NULL, 404, "", ""},
        {"POST", "/v1/deliveries/dlv_x/retry", NULL, "{\"now\":1}", 422, "/now", ""},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        call(w, &c, rows[i].method, rows[i].target, rows[i].fields, rows[i].body, rows[i].status);
        if (!has(&c, rows[i].in_body) || !has_field(&c, rows[i].in_fields) ||
            !has(&c, "\"request_id\":\"req_test\""))
            fail_msg("row %zu: %s\n%s", i, th_buf_cstr(&c.fields), th_buf_cstr(&c.body));
        call_free(&c);
    }
}

/* ---- publishing ---- */

static void escapes_in_members_are_resolved(void **state)
{
    struct world *w = *state;

    call(w, &c, "POST", "/v1/events", NULL,
         "{\"typ\\u0065\":\"a\\u002eb\",\"data\":{\"x\":\"\\u0041\"},\"id\":\"\\u0031\"}", 202);
    assert_string_equal(text_of(&c, "type"), "a.b");
    assert_string_equal(text_of(&c, "id"), "1");
    call_free(&c);
    call(w, &c, "GET", "/v1/events/1", NULL, NULL, 200);
    assert_true(has(&c, "\"data\":{\"x\":\"\\u0041\"}")); /* data is kept byte for byte */
    call_free(&c);
}

static void same_key_twice_in_one_turn(void **state)
{
    struct world *w = *state;
    const char *key = "Idempotency-Key: k\n", *body = "{\"type\":\"a\",\"data\":1}";

    call_begin(w, &c, "POST", "/v1/events", key, body);
    call_begin(w, &c2, "POST", "/v1/events", key, body);
    call_end(w, &c);
    call_end(w, &c2);
    assert_int_equal(c.status, 202);
    assert_int_equal(c2.status, 202);
    assert_string_equal(text_of(&c, "id"), text_of(&c2, "id"));
    assert_false(has_field(&c, "Idempotency-Replayed"));
    assert_true(has_field(&c2, "Idempotency-Replayed: true"));
    call_free(&c);
    call_free(&c2);
}

static void a_key_under_way_for_long_is_409(void **state)
{
    struct world *w = *state;
    const char *key = "Idempotency-Key: k\n", *body = "{\"type\":\"a\",\"data\":1}";

    call(w, &c, "PUT", "/v1/tenants/s", NULL, "{\"dialect\":\"shaped\"}", 201);
    call_free(&c);
    th_store_memory_auto(w->store, false);
    call_begin(w, &c, "POST", "/v1/events", key, body);
    turns(w, 3);
    assert_int_equal(c.replies, 0);
    w->now.mono.us += TH_API_IDEM_WAIT_US + 1;
    turns(w, 1);
    call(w, &c2, "POST", "/v1/events", key, body, 409);
    call_free(&c2);
    /* the same key of another tenant is another key */
    call_begin(w, &c2, "POST", "/v1/events", "Tenterhook-Tenant: s\nIdempotency-Key: k\n", body);
    turns(w, 3);
    assert_int_equal(c2.replies, 0);
    th_store_memory_auto(w->store, true);
    call_end(w, &c2);
    assert_int_equal(c2.status, 202);
    assert_false(has_field(&c2, "Idempotency-Replayed"));
    call_free(&c2);
    call_end(w, &c);
    assert_int_equal(c.status, 202);
    call_free(&c);
    call(w, &c, "POST", "/v1/events", key, body, 202);
    assert_true(has_field(&c, "Idempotency-Replayed: true"));
    call_free(&c);
}

static void a_full_store_is_503(void **state)
{
    struct world *w = *state;

    th_store_memory_fail(w->store, TH_FULL, 1, false);
    call(w, &c, "POST", "/v1/events", NULL, "{\"type\":\"a\",\"data\":1}", 503);
    assert_true(has_field(&c, "Retry-After: "));
    call_free(&c);
    call(w, &c, "GET", "/readyz", NULL, NULL, 503);
    call_free(&c);
}

/* ---- changes ---- */

static void a_repeated_creation_gives_the_first_answer_whole(void **state)
{
    struct world *w = *state;
    const char *key = "Idempotency-Key: \"make\"\n", *body = "{\"url\":\"http://127.0.0.1:8009/\"}";

    call(w, &c, "POST", "/v1/webhooks", key, body, 201);
    call(w, &c2, "POST", "/v1/webhooks", key, body, 201);
    assert_string_equal(th_buf_cstr(&c.body), th_buf_cstr(&c2.body));
    assert_true(has(&c2, "\"secret\":\"whsec_"));
    assert_true(has_field(&c2, "Idempotency-Replayed: true\r\n"));
    assert_true(has_field(&c2, "Location: /v1/webhooks/we_"));
    assert_true(has_field(&c2, "ETag: \""));
    call_free(&c);
    call_free(&c2);
    call(w, &c, "POST", "/v1/webhooks", key, "{\"url\":\"http://127.0.0.1:8008/\"}", 422);
    call_free(&c);
    call(w, &c, "GET", "/v1/webhooks", NULL, NULL, 200);
    assert_null(strstr(strstr(th_buf_cstr(&c.body), "\"url\"") + 1, "\"url\""));
    call_free(&c);
}

static void two_patches_in_one_turn_lose_nothing(void **state)
{
    struct world *w = *state;
    char path[200];

    call(w, &c, "POST", "/v1/webhooks", NULL,
         "{\"url\":\"http://127.0.0.1:8009/\",\"metadata\":{\"a\":\"1\",\"b\":\"2\"}}", 201);
    snprintf(path, sizeof path, "/v1/webhooks/%s", text_of(&c, "id"));
    call_free(&c);
    call_begin(w, &c, "PATCH", path, NULL, "{\"description\":\"first\",\"metadata\":{\"a\":null}}");
    call_begin(w, &c2, "PATCH", path, NULL, "{\"metadata\":{\"c\":\"3\"},\"headers\":{\"X-A\":\"1\"}}");
    call_end(w, &c);
    call_end(w, &c2);
    assert_int_equal(c.status, 200);
    assert_int_equal(c2.status, 200);
    call_free(&c);
    call_free(&c2);
    call(w, &c, "GET", path, NULL, NULL, 200);
    assert_true(has(&c, "\"description\":\"first\""));
    assert_true(has(&c, "\"metadata\":{\"b\":\"2\",\"c\":\"3\"}"));
    assert_true(has(&c, "\"headers\":{\"X-A\":\"1\"}"));
    call_free(&c);
    /* names of headers are compared without case; null takes one away */
    call(w, &c, "PATCH", path, NULL, "{\"headers\":{\"x-a\":\"2\",\"X-B\":\"3\"}}", 200);
    assert_true(has(&c, "\"headers\":{\"x-a\":\"2\",\"X-B\":\"3\"}"));
    call_free(&c);
    call(w, &c, "PATCH", path, NULL, "{\"headers\":{\"X-A\":null}}", 200);
    assert_true(has(&c, "\"headers\":{\"X-B\":\"3\"}"));
    call_free(&c);
}

static void conditional_requests(void **state)
{
    struct world *w = *state;
    char path[200], etag[100], line[200];
    const char *from;

    call(w, &c, "POST", "/v1/webhooks", NULL, "{\"url\":\"http://127.0.0.1:8009/\"}", 201);
    snprintf(path, sizeof path, "/v1/webhooks/%s", text_of(&c, "id"));
    from = strstr(th_buf_cstr(&c.fields), "ETag: ") + 6;
    snprintf(etag, sizeof etag, "%.*s", (int)strcspn(from, "\r"), from);
    call_free(&c);
    snprintf(line, sizeof line, "If-None-Match: \"x\", W/%s\n", etag);
    call(w, &c, "GET", path, line, NULL, 304);
    assert_int_equal(c.body.n, 0);
    call_free(&c);
    snprintf(line, sizeof line, "If-Match: W/%s\n", etag); /* weak tags never match strongly */
    call(w, &c, "PATCH", path, line, "{\"active\":false}", 412);
    call_free(&c);
    snprintf(line, sizeof line, "If-Match: \"x\", %s\n", etag);
    call(w, &c, "PATCH", path, line, "{\"active\":false}", 200);
    call_free(&c);
    call(w, &c, "DELETE", path, line, NULL, 412);
    call_free(&c);
    call(w, &c, "PUT", "/v1/tenants/new", "If-Match: *\n", "{}", 412);
    call_free(&c);
    call(w, &c, "PUT", "/v1/tenants/new", "If-None-Match: *\n", "{}", 201);
    call_free(&c);
    call(w, &c, "PUT", "/v1/tenants/new", "If-None-Match: *\n", "{}", 412);
    call_free(&c);
}

/* ---- lists and views ---- */

static void cursors_belong_to_their_filters(void **state)
{
    struct world *w = *state;
    char target[300], cursor[100];

    for (int i = 0; i < 3; i++) {
        call(w, &c, "POST", "/v1/events", NULL, "{\"type\":\"a\",\"data\":1}", 202);
        call_free(&c);
    }
    call(w, &c, "GET", "/v1/events?limit=2&event_type=a", NULL, NULL, 200);
    snprintf(cursor, sizeof cursor, "%s", text_of(&c, "next_cursor"));
    assert_true(cursor[0]);
    call_free(&c);
    snprintf(target, sizeof target, "/v1/events?event_type=a&limit=1&cursor=%s",
             cursor); /* order and limit are free */
    call(w, &c, "GET", target, NULL, NULL, 200);
    call_free(&c);
    snprintf(target, sizeof target, "/v1/events?cursor=%s", cursor);
    call(w, &c, "GET", target, NULL, NULL, 400);
    assert_true(has(&c, "other filters"));
    call_free(&c);
    snprintf(target, sizeof target, "/v1/deliveries?event_type=a&cursor=%s", cursor);
    call(w, &c, "GET", target, NULL, NULL, 400);
    call_free(&c);
}

static void an_attempt_is_shown(void **state)
{
    struct world *w = *state;
    char path[200];

    call(w, &c, "POST", "/v1/webhooks", NULL,
         "{\"url\":\"http://127.0.0.1:8009/hook\",\"headers\":{\"X-Key\":\"hidden\"}}", 201);
    call_free(&c);
    call(w, &c, "POST", "/v1/events", NULL, "{\"type\":\"a\",\"data\":{\"n\":1}}", 202);
    assert_true(has(&c, "\"deliveries\":1"));
    call_free(&c);
    turns(w, 5);
    assert_int_equal(w->request_count, 1);
    answer_all(w, 500);
    call(w, &c, "GET", "/v1/deliveries?status=retrying", NULL, NULL, 200);
    const char *id = strstr(th_buf_cstr(&c.body), "\"id\":\"") + 6;
    snprintf(path, sizeof path, "/v1/deliveries/%.*s", (int)strcspn(id, "\""), id);
    call_free(&c);
    call(w, &c, "GET", path, NULL, NULL, 200);
    assert_true(has(&c, "\"number\":1"));
    assert_true(has(&c, "\"outcome\":\"failed_status\",\"status\":500"));
    assert_true(has(&c, "\"address\":\"127.0.0.1:8009\""));
    assert_true(has(&c, "\"Set-Cookie\":\"a, b\",\"X-Why\":\"down\"")); /* joined, whatever the case */
    assert_true(has(&c, "\"body_base64\":\"//4=\""));                   /* not UTF-8 */
    assert_true(has(&c, "\"tls_ms\":null"));
    assert_true(has(&c, "***"));
    assert_false(has(&c, "hidden"));
    call_free(&c);
    call(w, &c, "GET", "/v1/deliveries?status=held", NULL, NULL, 200);
    assert_true(has(&c, "{\"data\":[],\"next_cursor\":null}"));
    call_free(&c);
}

static void a_dialects_own_shapes(void **state)
{
    struct world *w = *state;
    const char *tenant = "Tenterhook-Tenant: s\n";
    char path[200];

    call(w, &c, "PUT", "/v1/tenants/s", NULL, "{\"dialect\":\"shaped\"}", 201);
    call_free(&c);
    call(w, &c, "POST", "/v1/webhooks", tenant,
         "{\"callbackUrl\":\"http://127.0.0.1:8009/\",\"url\":5,\"more\":1}", 200);
    snprintf(path, sizeof path, "/v1/webhooks/%s", text_of(&c, "id"));
    assert_string_equal(text_of(&c, "callbackUrl"), "http://127.0.0.1:8009/");
    call_free(&c);
    call(w, &c, "POST", "/v1/webhooks", tenant, "{\"eventTypes\":[5]}", 400);
    assert_true(has(&c, "{\"field\":\"eventTypes\",\"message\":\"must be a string, not a number\"}"));
    assert_true(has(&c, "{\"field\":\"callbackUrl\",\"message\":\"is required\"}"));
    assert_true(has_field(&c, "Content-Type: application/json\r\n"));
    call_free(&c);
    call(w, &c, "GET", "/v1/webhooks/we_x", "Tenterhook-Tenant: s\nAccept: application/problem+json\n", NULL,
         404);
    assert_true(has_field(&c, "Content-Type: application/problem+json\r\n"));
    call_free(&c);
    call(w, &c, "POST", "/v1/webhooks", tenant, "{\"callbackUrl\":\"http://127.0.0.1:8008/\"}", 200);
    call_free(&c);
    call(w, &c, "GET", "/v1/webhooks?limit=1", tenant, NULL, 200);
    assert_true(c.body.p[0] == '[');
    assert_true(has_field(&c, "Link: </v1/webhooks?cursor="));
    assert_true(has_field(&c, "&limit=1>; rel=\"next\"\r\n"));
    call_free(&c);
    /* native routes keep the native form */
    call(w, &c, "POST", "/v1/events", tenant, "{\"type\":\"a b\",\"data\":1}", 422);
    assert_true(has_field(&c, "Content-Type: application/problem+json\r\n"));
    call_free(&c);
    /* another tenant's endpoint is what the dialect says */
    call(w, &c, "PUT", "/v1/tenants/s2", NULL, "{\"dialect\":\"shaped\"}", 201);
    call_free(&c);
    call(w, &c, "GET", path, "Tenterhook-Tenant: s2\n", NULL, 403);
    call_free(&c);
}

static void header_values_need_the_scope(void **state)
{
    struct world *w = *state;
    char line[300];

    call(w, &c, "POST", "/v1/webhooks", NULL,
         "{\"url\":\"http://127.0.0.1:8009/\",\"headers\":{\"X-Key\":\"hidden\"}}", 201);
    call_free(&c);
    call(w, &c, "POST", "/v1/tenants/default/keys", NULL, "{\"scopes\":[\"webhooks:read\"]}", 201);
    assert_int_equal(strlen(text_of(&c, "key")), 7 + 43);
    assert_true(has_field(&c, "Cache-Control: no-store\r\n"));
    snprintf(line, sizeof line, "Authorization: Bearer %s\n", text_of(&c, "key"));
    call_free(&c);
    call(w, &c, "GET", "/v1/webhooks", line, NULL, 200);
    assert_true(has(&c, "\"X-Key\":\"***\""));
    call_free(&c);
    call(w, &c, "GET", "/v1/webhooks", NULL, NULL, 200);
    assert_true(has(&c, "\"X-Key\":\"hidden\""));
    call_free(&c);
    call(w, &c, "GET", "/v1/tenants/default/keys", NULL, NULL, 200);
    assert_false(has(&c, "th_key_"));
    call_free(&c);
}

/* Every allocation of a request fails in turn: each time there is exactly one answer, and no memory is lost.
 */
static void without_memory(void **state)
{
    static const struct {
        const char *method, *target, *body;
    } rows[] = {
        {"POST", "/v1/events", "{\"type\":\"a\\u002eb\",\"data\":{},\"id\":\"\\u0078\"}"},
        {"POST", "/v1/events/batch", "[{\"type\":\"a\",\"data\":1},{\"type\":\"b\",\"data\":1}]"},
        {"POST", "/v1/events", "{\"type\":5,\"more\":1}"},
        {"GET", "/v1/events?since=2026-01-01T00%3A00:00Z", NULL},
        {"GET", "/v1/deliveries", NULL},
        {"GET", "/v1/webhooks", NULL},
        {"GET", "/metrics", NULL},
        {"GET", "/v1/dialects", NULL},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (uint64_t n = 1; n < 40; n++) {
            call_begin(w, &c, "GET", "/livez", NULL, NULL); /* both buffers of the call have memory now */
            call_end(w, &c);
            th_buf_reset(&c.fields);
            th_buf_reset(&c.body);
            struct th_buf fields = c.fields, body = c.body;
            th_alloc_fail_after(n);
            call_begin(w, &c2, rows[i].method, rows[i].target, NULL, rows[i].body);
            call_end(w, &c2);
            th_alloc_fail_after(0);
            assert_true(c2.status >= 200);
            call_free(&c2);
            th_buf_fini(&fields);
            th_buf_fini(&body);
            turns(w, 3);
        }
}

/* One endpoint and one delivery that has been delivered; fills the paths of its retry and replay. */
static void a_delivery(struct world *w, char retry[200], char replay[200])
{
    call(w, &c, "POST", "/v1/webhooks", NULL, "{\"url\":\"http://127.0.0.1:8009/hook\"}", 201);
    snprintf(replay, 200, "/v1/webhooks/%s/replay", text_of(&c, "id"));
    call_free(&c);
    call(w, &c, "POST", "/v1/events", NULL, "{\"type\":\"a\",\"data\":{}}", 202);
    call_free(&c);
    turns(w, 5);
    answer_all(w, 200);
    call(w, &c, "GET", "/v1/deliveries?status=delivered", NULL, NULL, 200);
    const char *id = strstr(th_buf_cstr(&c.body), "\"id\":\"") + 6;
    snprintf(retry, 200, "/v1/deliveries/%.*s/retry", (int)strcspn(id, "\""), id);
    call_free(&c);
}

#define REPLAY_BODY                                                                                          \
    "{\"since\":\"2000-01-01T00:00:00Z\",\"status\":[\"deliv\\u0065red\"],\"event_types\":[\"\\u0061\"]}"

/* Whatever allocation fails, there is an answer, and the same request can be made again. */
static void retry_and_replay_without_memory(void **state)
{
    struct world *w = *state;
    char path[2][200], key[40];
    const char *body[2] = {NULL, REPLAY_BODY};

    a_delivery(w, path[0], path[1]);
    for (int i = 0; i < 2; i++) {
        unsigned refused = 0;

        for (uint64_t n = 1; n < 60; n++) {
            snprintf(key, sizeof key, "Idempotency-Key: k%d-%u\n", i, (unsigned)n);
            call_begin(w, &c, "GET", "/livez", NULL, NULL); /* both buffers of the call have memory now */
            call_end(w, &c);
            call_free(&c);
            th_alloc_fail_after(n);
            call_begin(w, &c2, "POST", path[i], key, body[i]);
            call_end(w, &c2);
            th_alloc_fail_after(0);
            if (c2.status != 202)
                assert_int_equal(c2.status, 503);
            refused += c2.status == 503;
            call_free(&c2);
            turns(w, 5);
            answer_all(w, 200);
            turns(w, 5);
            call(w, &c, "POST", path[i], key, body[i], 202);
            call_free(&c);
            turns(w, 5);
            answer_all(w, 200);
            turns(w, 5);
        }
        assert_in_range(refused, 1, 58); /* some allocations were reached, and not all are needed */
    }
}

/* A store that cannot commit is 503, and nothing is remembered. */
static void retry_and_replay_without_store(void **state)
{
    struct world *w = *state;
    char path[2][200];
    const char *body[2] = {NULL, REPLAY_BODY};

    a_delivery(w, path[0], path[1]);
    for (int i = 0; i < 2; i++) {
        for (unsigned n = 1; n < 4; n++) {
            th_store_memory_fail(w->store, TH_RETRY, n, false);
            call_begin(w, &c, "POST", path[i], "Idempotency-Key: k\n", body[i]);
            call_end(w, &c);
            assert_int_equal(c.status, 503);
            call_free(&c);
            th_store_memory_fail(w->store, TH_RETRY, 0, false);
            w->now.mono.us += 10000000;
            turns(w, 20);
            answer_all(w, 200);
        }
        call(w, &c, "POST", path[i], "Idempotency-Key: k\n", body[i], 202);
        call_free(&c);
    }
    call(w, &c, "POST", path[1], NULL, body[1], 202);
    snprintf(path[0], sizeof path[0], "/v1/replays/%s", text_of(&c, "id"));
    call_free(&c);
    th_engine_drain(w->engine);
    call_begin(w, &c, "DELETE", path[0], NULL,
               NULL); /* a stop does not wait for the row of one that is at work */
    call_end(w, &c);
    assert_int_equal(c.status, 503);
    call_free(&c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_document_has_every_route),
        T(every_reference_of_the_document_resolves),
        T(schema_and_decoder_agree),
        T(wrong_requests),
        T(escapes_in_members_are_resolved),
        T(same_key_twice_in_one_turn),
        T(a_key_under_way_for_long_is_409),
        T(a_full_store_is_503),
        T(a_repeated_creation_gives_the_first_answer_whole),
        T(two_patches_in_one_turn_lose_nothing),
        T(conditional_requests),
        T(cursors_belong_to_their_filters),
        T(an_attempt_is_shown),
        T(a_dialects_own_shapes),
        T(header_values_need_the_scope),
        T(without_memory),
        T(retry_and_replay_without_memory),
        T(retry_and_replay_without_store),
    };

    th_log_setup(TH_LOG_ERROR, TH_LOG_LOGFMT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
