/* Dialect files: what is refused, with its line and key; our own small dialects that use every parameter;
 * secrets; shapes; and the failure of each allocation. Needs no shared test data. */
#include "base/alloc.h"
#include "core/dialect_tables.h"
#include "dialect_fixture.h"
#include "options/dialects.h"
#include <sys/stat.h>
#include <unistd.h>

/* A whole dialect in few lines; cases replace one part of it. */
static const char minimal[] = "body: {envelope: passthrough}\n"                              /* 1 */
                              "secret: {form: text, min: 1}\n"                               /* 2 */
                              "retry: {delays: [1]}\n"                                       /* 3 */
                              "success: {statuses: [2xx]}\n"                                 /* 4 */
                              "timeout: {total: 20}\n"                                       /* 5 */
                              "signatures:\n"                                                /* 6 */
                              "  - {header: X-Sig, algorithm: hmac-sha256, key: utf8,\n"     /* 7 */
                              "     content: \"{body}\", encoding: hex, item: \"{sig}\"}\n"; /* 8 */

static enum th_error load(const char *yaml, struct th_dialect **out, char why[512])
{
    return th_dialect_load("t.yaml", TH_LIT("t"), th_str(yaml), out, why, 512);
}

static struct th_dialect *must_load(const char *yaml)
{
    struct th_dialect *d = NULL;
    char why[512] = "";

    if (load(yaml, &d, why) != TH_OK)
        fail_msg("%s", why);
    return d;
}

/* `minimal` with the first `old` replaced; free with test_free. */
static char *edit(const char *old, const char *new)
{
    const char *at = strstr(minimal, old);
    size_t n = sizeof minimal + strlen(new);
    char *out = test_malloc(n);

    assert_non_null(at);
    snprintf(out, n, "%.*s%s%s", (int)(at - minimal), minimal, new, at + strlen(old));
    return out;
}

/* lib/dialect_keys.h names a key that the schema has no row for: the library would pass over what the server refuses. */
static void each_row_is_there(const struct dl_table *t, const char *where)
{
    for (unsigned i = 0; i < t->count; i++) {
        if (!t->rows[i].key)
            fail_msg(
                "row %u of %s has no key: lib/dialect_keys.h lists one that core/dialect_schema.c has not", i,
                where);
        if (t->rows[i].sub)
            each_row_is_there(t->rows[i].sub, t->rows[i].key);
    }
}

static void test_schema(void **state)
{
    (void)state;
    each_row_is_there(&th_dialect_schema, "the file");
}

static void test_refused(void **state)
{
    static const struct {
        const char *old, *new, *why;
    } cases[] = {
        {"body:", "bodys: 1\nbody:", "t.yaml:1: bodys: unknown key"},
        {"retry: {delays: [1]}", "retry: {delays: [1], delay: 2}", "t.yaml:3: retry.delay: unknown key"},
        {"retry: {delays: [1]}", "retry: {}", "t.yaml:3: retry.delays: is required"},
        {"retry: {delays: [1]}", "retry: {delays: [0]}",
         "t.yaml:3: retry.delays[0]: must be from 1 to 31536000"},
        {"retry: {delays: [1]}", "retry: {delays: [1, x]}",
         "t.yaml:3: retry.delays[1]: must be a whole number"},
        {"retry: {delays: [1]}", "retry: {delays: [1, -5]}",
         "t.yaml:3: retry.delays[1]: must be a whole number"},
        {"retry: {delays: [1]}", "retry: {delays: 1}",
         "t.yaml:3: retry.delays: must be a list, not a scalar"},
        {"retry: {delays: [1]}", "retry: {delays: [1], jitter_percent: 101}",
         "t.yaml:3: retry.jitter_percent: must be from 0 to 100"},
        {"retry: {delays: [1]}", "retry: {delays: [1], final: [200]}",
         "t.yaml:3: retry.final: 200 is among success.statuses"},
        {"envelope: passthrough", "envelope: passthrough, template: '{\"a\":'",
         "body.template: is no JSON: byte 5"},
        {"envelope: passthrough", "envelope: passthrough, template: '{\"a\": {\"$\": \"$.data[*]\"}}'",
         "body.template: /a/$: may find several values"},
        {"envelope: passthrough", "envelope: [{name: id, from: event.id}], template: '{}'",
         "body.template: takes the place of the envelope, which must be passthrough then"},
        {"envelope: passthrough", "envelope: passthrough, format: xml",
         "body.format: unknown value \"xml\"; one of: json, form"},
        {"[2xx]", "[2xy]", "t.yaml:4: success.statuses[0]: must be a status"},
        {"[2xx]", "[299-200]", "t.yaml:4: success.statuses[0]: must be a status"},
        {"[2xx]", "[700]", "t.yaml:4: success.statuses[0]: must be a status"},
        {"{total: 20}", "{total: 20, min: 25, max: 30}",
         "t.yaml:5: timeout.total: is not between min and max"},
        {"hmac-sha256", "sha",
         "t.yaml:7: signatures[0].algorithm: unknown value \"sha\"; one of: hmac-sha256, hmac-sha1"},
        {"hmac-sha256", "ed25519", "signatures[0].key: this algorithm cannot use a key of this kind"},
        {"{body}", "{bod}", "t.yaml:8: signatures[0].content: unknown variable {bod}"},
        {"{body}", "{sig}", "t.yaml:8: signatures[0].content: {sig} has no meaning here"},
        {"{body}", "{body", "t.yaml:8: signatures[0].content: has an opening brace without a closing one"},
        {"{body}", "body}", "t.yaml:8: signatures[0].content: has a closing brace without an opening one"},
        {"{sig}", "v1", "t.yaml:8: signatures[0].item: must use {sig}"},
        {"X-Sig", "X Sig", "t.yaml:7: signatures[0].header: \"X Sig\" is no header name"},
        {"X-Sig", "Content-Length", "t.yaml:7: signatures[0].header: Content-Length is set by the transport"},
        {"X-Sig", "content-type", "t.yaml:7: signatures[0].header: the header content-type is set twice"},
        {"body:", "request: {headers: [{name: x-sig, value: a}]}\nbody:",
         "signatures[0].header: the header X-Sig is set twice"},
        {"body:", "request: {headers: [{name: A, value: a}, {name: a, value: b}]}\nbody:",
         "t.yaml:1: request.headers[1].name: the header a is set twice"},
        {"body:", "request: {headers: [{name: A, value: \"a\\r\\nB: c\"}]}\nbody:",
         "request.headers[0].value: holds bytes that a header value cannot carry"},
        {"body:", "request: {headers: [{name: A, value: \"{body}\"}]}\nbody:",
         "request.headers[0].value: {body} has no meaning here"},
        {"body:", "request: {headers: [{name: A, value: a, when: asked}]}\nbody:",
         "request.headers[0].when: \"asked\" is not among endpoint.options"},
        {"body:", "request: {headers: [{name: A, value: \"{schema.version}\"}]}\nbody:",
         "request.headers[0].value: {schema.version} needs the key schema_version"},
        {"body:", "request: {method: \"GET /\"}\nbody:", "request.method: is no method"},
        {"passthrough", "[{name: a, from: event.nothing}]",
         "body.envelope[0].from: unknown source \"event.nothing\""},
        {"passthrough", "[{name: a, from: status}]", "body.envelope[0].from: unknown source \"status\""},
        {"passthrough", "[{name: a, from: data}, {name: a, value: 1}]",
         "body.envelope[1]: the name is given twice"},
        {"passthrough", "[{name: a, from: data, value: 1}]", "body.envelope[0]: needs exactly one of"},
        {"passthrough", "[{from: data}]", "body.envelope[0]: needs a name"},
        {"passthrough", "[{name: a, from: data, as: number}]",
         "body.envelope[0].as: unknown form \"number\""},
        {"passthrough", "[{name: a, each: deliveries, shape: []}]",
         "body.envelope[0].each: a list cannot stand here"},
        {"passthrough", "[{name: a, from: data, when: never}]", "body.envelope[0].when: unknown condition"},
        {"passthrough", "[{name: a, from: data, als: 1}]", "body.envelope[0].als: unknown key"},
        {"passthrough", "pass", "t.yaml:1: body.envelope: must be a shape, or passthrough"},
        {"{envelope: passthrough}", "{json: ecmascript, envelope: [{name: \"7\", from: data}]}",
         "body.envelope[0].name: ECMAScript would move"},
        {"body:", "catalogue: {closed: true}\nbody:",
         "t.yaml:1: catalogue.closed: a closed catalogue needs types"},
        {"body:", "catalogue: {types: [{type: a, sample: '{'}]}\nbody:",
         "t.yaml:1: catalogue.types[0]: the sample must be a JSON object"},
        {"body:", "catalogue: {types: [{type: a}, {type: a}]}\nbody:",
         "catalogue.types[1]: the type a is given twice"},
        {"body:", "api: {shapes: {error: {each: errors}}}\nbody:", "api.shapes.error.each: needs a shape"},
        {"body:", "api: {shapes: {error: [{name: a, shape: delivery}]}}\nbody:",
         "api.shapes.error[0].shape: there is no shape of this name"},
        {"body:", "api: {shapes: {delivery: [{name: a, shape: delivery}]}}\nbody:",
         "is nested more than 8 levels deep"},
        {"body:", "exhausted: {degraded_after: 3}\nbody:",
         "t.yaml:1: exhausted.degraded_after: is beyond the last attempt"},
        {"min: 1}", "min: 1, overlap_seconds: soon}", "secret.overlap_seconds: must be seconds"},
        {"min: 1}", "min: 9, max: 8}", "t.yaml:2: secret.min: is above max"},
        {"min: 1}", "min: 1, active: yes}", "t.yaml:2: secret.active: must be a whole number"},
        {"body:", "endpoint: {star: yes}\nbody:", "t.yaml:1: endpoint.star: must be true or false"},
        {"body:", "endpoint: {star: \"true\"}\nbody:", "t.yaml:1: endpoint.star: must be true or false"},
        {"signatures:", "auth: {header: Authorization, value: Bearer x}\nsigs:", ": sigs: unknown key"},
        /* of YAML itself */
        {"body:", "retry: 1\nbody:", "t.yaml:4: "},
        {"body:", "about: &a x\nbody:", "t.yaml:1: "},
        {"body:", "about: !!str x\nbody:", "t.yaml:1: "},
        {"body:", "about: [\nbody:", "t.yaml:"},
        {"body:", "a: 1\n---\nbody:", "t.yaml:"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *yaml = edit(cases[i].old, cases[i].new), why[512] = "";
        struct th_dialect *d = NULL;
        enum th_error error = load(yaml, &d, why);
        if (error == TH_OK || d)
            fail_msg("accepted: %s", cases[i].new);
        if (!strstr(why, cases[i].why))
            fail_msg("%s: said\n%s\nnot\n%s", cases[i].new, why, cases[i].why);
        test_free(yaml);
    }
}

/* A dialect without any signature or secret on the wire is refused. */
static void test_unsigned(void **state)
{
    struct th_dialect *d = NULL;
    char why[512] = "", yaml[512];
    (void)state;

    snprintf(yaml, sizeof yaml, "%.*s", (int)(strstr(minimal, "signatures:") - minimal), minimal);
    assert_int_equal(load(yaml, &d, why), TH_INVALID);
    assert_non_null(strstr(why, "needs a signature or an auth header"));
}

/* ---- everything at once: a dialect of our own invention ---- */

static const char invented[] =
    "schema_version: 2026-01\n"
    "signatures:\n"
    "  - header: X-One\n"
    "    variant: plain\n"
    "    algorithm: hmac-sha1\n"
    "    key: utf8\n"
    "    content: \"{endpoint.url}|{body}|{attempt.number}|{{x}}|{event.time}\"\n"
    "    encoding: hex\n"
    "    variants:\n"
    "      long: {header: X-One-512, algorithm: hmac-sha512, timestamp: unix_millis, content: "
    "\"{ts}.{body}\", encoding: base64}\n"
    "  - header: X-Two\n"
    "    algorithm: hmac-sha256\n"
    "    key: utf8\n"
    "    content: \"v0:{ts}:{body}\"\n"
    "    timestamp: rfc3339\n"
    "    encoding: hex\n"
    "    item: \"v0={sig}\"\n"
    "    join: \", \"\n"
    "    wrap: \"{ts};{items};\"\n"
    "request:\n"
    "  method: PUT\n"
    "  headers:\n"
    "    - {name: X-Event, value: \"{event.type}/{event.id} of {delivery.id} for {endpoint.id} "
    "{schema.version}\"}\n"
    "    - {name: X-Asked, value: \"{attempt.number}\", when: asked}\n"
    "  content_type: text/plain\n"
    "  user_agent: \"\"\n"
    "auth: {header: X-Key, value: \"Key {secret}\"}\n"
    "body:\n"
    "  envelope:\n"
    "    - {name: specversion, value: \"1.0\"}\n"
    "    - {name: n, value: 7}\n"
    "    - {name: no, value: null}\n"
    "    - {name: who, from: /user/id, as: string}\n"
    "    - {name: maybe, from: /missing, when: present}\n"
    "    - {name: shown, from: /missing2, when: present, \"null\": true}\n"
    "    - {name: plan, from: tenant.attributes.plan, map: {pro: 2, \"*\": other}, otherwise: tenant.id}\n"
    "    - {name: at, from: attempt.time, as: unix_millis}\n"
    "    - {name: inner, shape: [{name: t, from: event.time, as: rfc3339_millis}, {name: u, from: "
    "endpoint.url}]}\n"
    "    - {name: payload, from: data}\n"
    "secret: {form: text, min: 3, max: 40, generated_form: hex, generated_bytes: 16, signing: all, order: "
    "oldest_first,\n"
    "         prefix: \"p_\", source: customer, readable: once, active: 3, overlap_seconds: until_revoked}\n"
    "retry: {delays: [1, 2], final: [4xx, 501-503], retry_after: {statuses: [429], max_seconds: 60}}\n"
    "success: {statuses: [200, 204]}\n"
    "timeout: {total: 20, min: 5, max: 40, connect: 3}\n"
    "disable: {after_exhausted: 2, after_seconds: 60, statuses: [418], meanwhile: dropped}\n"
    "exhausted: {event: it.failed, degraded_after: 2}\n"
    "endpoint: {https: always, star: true, options: {quiet: true, asked: false}}\n"
    "api: {unknown_fields: ignore, paging: link, fields: {address: url},\n"
    "      shapes: {delivery_page: [{name: rows, from: total}]}}\n";

static void render(const struct th_dialect *d, unsigned variant, uint32_t options, bool hide,
                   struct th_buf *head, struct th_buf *body, bool *shared)
{
    struct th_sign_key newer, older;
    const struct th_sign_key *keys[] = {&newer, &older};
    struct th_render r = {.event_id = TH_LIT("e1"),
                          .event_type = TH_LIT("a.b"),
                          .data = TH_LIT("{ \"user\": {\"id\": 12} }"),
                          .event_time = {1700000000123},
                          .tenant_id = TH_LIT("acme"),
                          .attributes = TH_LIT("{\"plan\":\"pro\"}"),
                          .endpoint_id = TH_LIT("w1"),
                          .endpoint_url = TH_LIT("https://example.com/h"),
                          .delivery_id = TH_LIT("d1"),
                          .attempt = 2,
                          .at_unix = 1700000001,
                          .variant = variant,
                          .options = options,
                          .keys = keys,
                          .key_count = 2,
                          .custom = TH_LIT("X-Own: 1\r\n")};

    assert_int_equal(th_dialect_key_init(d, TH_LIT("newer"), &newer), TH_OK);
    assert_int_equal(th_dialect_key_init(d, TH_LIT("older"), &older), TH_OK);
    assert_null(th_dialect_missing(d, &r));
    assert_int_equal(th_dialect_body(d, &r, body, shared), TH_OK);
    assert_int_equal(th_dialect_head(d, &r, th_buf_view(body), head, NULL, hide), TH_OK);
    th_dialect_key_fini(&newer);
    th_dialect_key_fini(&older);
}

static void assert_text(const struct th_buf *b, const char *want)
{
    if (!th_span_is(th_buf_view(b), want))
        fail_msg("\n%.*s\nis not\n%s", (int)b->n, b->p, want);
}

/* The signatures were made with Python's hmac module, not with the code under test. */
static void test_invented_request(void **state)
{
    struct th_dialect *d = must_load(invented);
    struct th_buf head, body;
    bool shared = true;
    (void)state;

    th_buf_init(&head, 4096);
    th_buf_init(&body, 4096);
    render(d, 0, 0, false, &head, &body, &shared);
    assert_false(shared);
    assert_text(&body,
                "{\"specversion\":\"1.0\",\"n\":7,\"no\":null,\"who\":\"12\",\"shown\":null,\"plan\":2,"
                "\"at\":1700000001000,\"inner\":{\"t\":\"2023-11-14T22:13:20.123Z\","
                "\"u\":\"https://example.com/h\"},\"payload\":{ \"user\": {\"id\": 12} }}");
    assert_text(
        &head,
        "X-One: bcda021ab01161e0ce42447589842abb018435fb,4b54ff5ad5d2581011d5eac1de5ad65a6a9856df\r\n"
        "X-Two: 2023-11-14T22:13:21Z;v0=93caa256e250b8ab6b9e976ab40fb8f8477aebe17656f06a52ba97587db57104, "
        "v0=e6fa425ea6137dd0c430f0b8e25bbc2237b2f492ded6624dc151239df106d441;\r\n"
        "X-Event: a.b/e1 of d1 for w1 2026-01\r\n"
        "Content-Type: text/plain\r\n"
        "X-Key: Key newer\r\n"
        "X-Own: 1\r\n");
    th_buf_reset(&head);
    th_buf_reset(&body);
    render(d, 1, th_dialect_option(d, TH_LIT("asked")), true, &head, &body, &shared);
    assert_text(
        &head,
        "X-One-512: "
        "5jZIMlfMERb/nOKtJZeg2kUycvirnY6SM0fPdpe78DKq9g+DVCDYDHbBhyzFckmwZKFvezmA8JyGADBOiz9a1w==,fYKCfhzoa/"
        "Ju9f3+8YSyTldF2GLJ5GwI7gb8Huckppr1sH0uHIBRISkhCpuipjigJWbsvb8bicmozS3p6QsgUQ==\r\n"
        "X-Two: 2023-11-14T22:13:21Z;v0=93caa256e250b8ab6b9e976ab40fb8f8477aebe17656f06a52ba97587db57104, "
        "v0=e6fa425ea6137dd0c430f0b8e25bbc2237b2f492ded6624dc151239df106d441;\r\n"
        "X-Event: a.b/e1 of d1 for w1 2026-01\r\n"
        "X-Asked: 2\r\n"
        "Content-Type: text/plain\r\n"
        "X-Key: ***\r\n"
        "X-Own: 1\r\n");
    th_buf_fini(&head);
    th_buf_fini(&body);
    th_dialect_free(d);
}

static void test_invented_values(void **state)
{
    struct th_dialect *d = must_load(invented);
    const struct th_dialect_values *v = th_dialect_values(d);
    unsigned n;
    const struct th_span *owned = th_dialect_owned_headers(d, &n);
    struct th_span name;
    (void)state;

    assert_true(th_span_is(v->name, "t"));
    assert_int_equal(v->variant_count, 2);
    assert_true(th_span_is(v->variants[0], "plain") && th_span_is(v->variants[1], "long"));
    assert_int_equal(v->rules.delays, 2);
    assert_true(th_status_in(&v->rules.final, 499) && th_status_in(&v->rules.final, 502));
    assert_false(th_status_in(&v->rules.final, 504) || th_status_in(&v->rules.success, 201));
    assert_int_equal(v->rules.retry_after_max_s, 60);
    assert_true(v->rules.drop_while_disabled && th_status_in(&v->rules.disable, 418));
    assert_int_equal(v->rules.timeout_min_s, 5);
    assert_int_equal(v->rules.timeout_max_s, 40);
    assert_int_equal(v->overlap_s, -1);
    assert_int_equal(v->secrets_max_active, 3);
    assert_int_equal(v->https, TH_HTTPS_ALWAYS);
    assert_int_equal(v->secret_source, TH_SECRET_CUSTOMER);
    assert_int_equal(v->secret_read, TH_SECRET_ONCE);
    assert_int_equal(v->paging, TH_PAGING_LINK);
    assert_true(th_span_is(v->exhausted_event, "it.failed"));
    assert_int_equal(v->options_default, th_dialect_option(d, TH_LIT("quiet")));
    assert_true(th_dialect_option_at(d, 1, &name) && th_span_is(name, "asked"));
    assert_false(th_dialect_option_at(d, 2, &name));
    assert_int_equal(th_dialect_option(d, TH_LIT("loud")), 0);
    assert_true(th_span_is(th_dialect_request_field(d, TH_LIT("address"), false), "url"));
    assert_int_equal(th_dialect_request_field(d, TH_LIT("url"), false).n, 0);
    assert_true(th_span_is(th_dialect_request_field(d, TH_LIT("active"), true), "active"));
    assert_true(th_span_is(th_dialect_wire_field(d, TH_LIT("url")), "address"));
    assert_true(th_span_is(th_dialect_method(d), "PUT"));
    assert_int_equal(
        n, 10); /* x-one x-one-512 x-two x-event x-asked content-type x-key, and the three of an order */
    for (unsigned i = 0; i < n; i++)
        for (size_t k = 0; k < owned[i].n; k++)
            assert_int_equal(owned[i].p[k], th_lower(owned[i].p[k]));
    th_dialect_free(d);
}

/* A head with this sunset, as it is sent and as it is shown again when the date is another one. */
static void sunset_is(const char *file, uint64_t skipped, int64_t sunset, const char *custom,
                      const char *sent, const char *kept_end)
{
    struct th_dialect *d = must_load(file);
    const char *const secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    struct th_sign_key key;
    const struct th_sign_key *keys[] = {&key};
    struct th_render r = {.event_id = TH_LIT("e1"),
                          .event_type = TH_LIT("a"),
                          .endpoint_id = TH_LIT("w1"),
                          .delivery_id = TH_LIT("d1"),
                          .data = TH_LIT("{}"),
                          .keys = keys,
                          .key_count = 1,
                          .attempt = 1,
                          .custom = th_str(custom),
                          .sequence = skipped ? skipped + 1 : 0,
                          .skipped = skipped,
                          .sunset = sunset};
    struct th_buf head, sigs, again;
    const char *found;

    th_buf_init(&head, 4096);
    th_buf_init(&again, 4096);
    th_buf_init(&sigs, 4096);
    assert_int_equal(th_dialect_key_init(d, th_str(secret), &key), TH_OK);
    assert_int_equal(th_dialect_head(d, &r, TH_LIT("{}"), &head, &sigs, false), TH_OK);
    found = strstr(th_buf_cstr(&head), "Sunset:");
    assert_string_equal(found ? found : "", sent);
    assert_true(sigs.n >= strlen(kept_end));
    assert_string_equal(th_buf_cstr(&sigs) + sigs.n - strlen(kept_end), kept_end);
    r.sigs = th_buf_view(&sigs);
    r.sunset = r.sigs.n ? 4102444800000 : 0;
    r.skipped = 0;
    assert_int_equal(th_dialect_head(d, &r, TH_LIT("{}"), &again, NULL, false), TH_OK);
    assert_string_equal(th_buf_cstr(&again), th_buf_cstr(&head));
    th_buf_fini(&head);
    th_buf_fini(&again);
    th_buf_fini(&sigs);
    th_dialect_key_fini(&key);
    th_dialect_free(d);
}

static void test_sunset(void **state)
{
    static const char signless[] =
        "extends: standard\nsignatures: []\nauth: {header: X-Key, value: \"{secret}\"}\n";
    static const char signing[] = "extends: standard\n";
    static const char line[] = "Sunset: Fri, 01 Jan 2027 00:00:00 GMT\r\n";
    (void)state;

    for (unsigned i = 0; i < 2; i++) {
        const char *file = i ? signing : signless;

        sunset_is(file, 0, 0, "", "", i ? "\n" : "");
        sunset_is(file, 7, 0, "", "", "7\n");
        sunset_is(file, 0, 1798761600999, "", line, "~1798761600\n");
        sunset_is(file, 7, 1798761600000, "", line, "7\n~1798761600\n");
        sunset_is(file, 0, 1798761600000, "sunset-x: 1\r\nSunset: never\r\n", "Sunset: never\r\n",
                  i ? "\n" : "");
    }
}

/* What the event lacks is named; what has no keys is not sent unsigned. */
static void test_missing(void **state)
{
    struct th_dialect *d = must_load(invented);
    struct th_render r = {.event_type = TH_LIT("a"), .data = TH_LIT("{}")};
    struct th_buf out;
    (void)state;

    th_buf_init(&out, 4096);
    assert_string_equal(th_dialect_missing(d, &r), "/user/id");
    assert_int_equal(th_dialect_head(d, &r, r.data, &out, NULL, false), TH_INVALID);
    th_dialect_free(d);
    th_buf_fini(&out);
}

/* The second lock against header injection. */
static void test_injection(void **state)
{
    struct th_dialect *d = must_load(invented);
    struct th_sign_key key;
    const struct th_sign_key *keys[] = {&key};
    struct th_render r = {.event_id = TH_LIT("e\r\nX-Evil: 1"), .keys = keys, .key_count = 1, .attempt = 1};
    struct th_buf out;
    (void)state;

    assert_int_equal(th_dialect_key_init(d, TH_LIT("a\r\nb"), &key), TH_INVALID);
    assert_int_equal(th_dialect_key_init(d, TH_LIT("abc"), &key), TH_OK);
    th_buf_init(&out, 4096);
    assert_int_equal(th_dialect_head(d, &r, TH_LIT("{}"), &out, NULL, false), TH_INVALID);
    r.event_id = TH_LIT("e1");
    assert_int_equal(th_dialect_head(d, &r, TH_LIT("{}"), &out, NULL, false), TH_OK);
    th_dialect_key_fini(&key);
    th_buf_fini(&out);
    th_dialect_free(d);
}

/* ---- secrets ---- */

static void test_secrets(void **state)
{
    static const struct {
        const char *dialect, *secret;
        bool ok;
    } cases[] = {
        {"standard", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true},
        {"standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true},  /* 24 bytes */
        {"standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==", false}, /* not canonical */
        {"standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==", false}, /* 22 bytes */
        {"standard", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false},
        {"standard", "whsec_", false},
        {"standard",
         "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==",
         true},
        {"standard",
         "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHwA=",
         false}, /* 65 bytes */
        {"standard",
         "whsk_4SHxLrJs9zLJyptqlAmFki5DXCeqc5HWIl1vtx2OvzmR51SkvUbtGnovIPY6TOGLx8xJ+1GfEX+AFuAYXDbf5A==",
         true},
        {"standard",
         "whsk_4SHxLrJs9zLJyptqlAmFki5DXCeqc5HWIl1vtx2OvzmR51SkvUbtGnovIPY6TOGLx8xJ+1GfEX+AFuAYXDbf5B==",
         false},
        {"standard", "whsk_4SHxLrJs9zLJyptqlAmFki5DXCeqc5HWIl1vtx2Ovzk=", true},
        {"standard",
         "whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8AAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==",
         false}, /* the public half is not of this seed */
        {"tiro", "tiro_secret_4cK9rXw2Zp8LmQ7v", true},
        {"tiro", "tiro_secret_4cK9rXw2Zp8", false},
        {"tiro", "tiro secret 4cK9rXw2Zp8LmQ7v", false},
        {"tiro", "tiro_secret_4cK9rXw2Zp8LmQ7v\r\n", false},
        {"tsanet", "5f2b8d0c9a7e4613b1d4c6f8e2a09375", true},
        {"tsanet", "5f2b8d0c9a7e4613b1d4c6f8e2a0937", false},
        {"tsanet", "5f2b8d0c9a7e4613b1d4c6f8e2a0937g", false},
        {"taskboard", "your_webhook_secret", true},
        {"taskboard", "s3cret", true},
        {"taskboard", "schl\xc3\xbcssel mit Leerzeichen", true},
        {"taskboard", "", false},
        {"taskboard", "a\nb", false},
        {"techwriter", "tw_signing_secret_one_7d1f", true},
    };
    struct th_dialect_set set;
    char why[512];
    uint8_t random[64];
    (void)state;

    assert_int_equal(th_dialects_load(NULL, &set, why, sizeof why), TH_OK);
    for (unsigned i = 0; i < sizeof random; i++)
        random[i] = (uint8_t)(i * 37);
    for (unsigned i = 0; i < set.count; i++) {
        const struct th_dialect *d = set.v[i];
        unsigned variants = th_dialect_values(d)->variant_count ? th_dialect_values(d)->variant_count : 1;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            const char *reason = NULL;
            if (!th_span_is(th_dialect_values(d)->name, cases[k].dialect))
                continue;
            if ((th_dialect_secret_check(d, th_str(cases[k].secret), &reason) == TH_OK) != cases[k].ok)
                fail_msg("%s: %s: %s", cases[k].dialect, cases[k].secret, reason ? reason : "accepted");
            assert_true(cases[k].ok || reason);
        }
        for (unsigned v = 0; v < variants; v++) { /* what we make, we accept, and can sign with */
            struct th_buf made;
            struct th_sign_key key;
            const char *reason;
            th_buf_init(&made, 512);
            th_dialect_secret_make_for(d, v, random, &made);
            assert_int_equal(made.failed, TH_OK);
            assert_int_equal(th_dialect_secret_check_for(d, v, th_buf_view(&made), &reason), TH_OK);
            assert_int_equal(th_dialect_key_init(d, th_buf_view(&made), &key), TH_OK);
            th_dialect_key_fini(&key);
            th_buf_fini(&made);
        }
    }
    th_dialects_free(&set);
}

static const struct th_dialect *dialect_of(const struct th_dialect_set *set, const char *name)
{
    for (unsigned i = 0; i < set->count; i++)
        if (th_span_is(th_dialect_values(set->v[i])->name, name))
            return set->v[i];
    fail_msg("no dialect %s", name);
    return NULL;
}

static void test_public_key(void **state)
{
    static const struct {
        const char *dialect, *secret, *public;
    } cases[] = {
        {"standard", "whsk_4SHxLrJs9zLJyptqlAmFki5DXCeqc5HWIl1vtx2Ovzk=",
         "whpk_kedUpL1G7Rp6LyD2Okzhi8fMSftRnxF/gBbgGFw23+Q="},
        {"standard", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", ""},
        /* RFC 8032 section 7.1, test 1 */
        {"discord", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"},
        {"discord", "9d61b19d", ""},
        {"tsanet", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", ""},
    };
    struct th_dialect_set set;
    struct th_buf out;
    char why[512];
    (void)state;

    assert_int_equal(th_dialects_load(NULL, &set, why, sizeof why), TH_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        th_buf_init(&out, 256);
        assert_int_equal(
            th_dialect_secret_public(dialect_of(&set, cases[i].dialect), th_str(cases[i].secret), &out),
            cases[i].public[0] != 0);
        assert_text(&out, cases[i].public);
        th_buf_fini(&out);
    }
    th_dialects_free(&set);
}

/* ---- shapes of the API ---- */

/* Fields as the management API gives them: JSON by native name. */
static bool give(void *ctx, enum th_field field, unsigned index, struct th_buf *out)
{
    static const char *const fields[][2] = {
        {"id", "\"42\""},
        {"url", "\"https://api.example.com/h\""},
        {"events", "[]"},
        {"active", "false"},
        {"enabled", "true"},
        {"description", "null"},
        {"metadata", "{}"},
        {"timeout_seconds", "30"},
        {"created_at", "\"2026-01-01T00:00:00.999Z\""},
        {"updated_at", "\"2026-01-01T00:00:00.000Z\""},
        {"secret", "\"s\""},
        {"endpoint_id", "\"42\""},
        {"event_type", "\"note.created\""},
        {"at", "\"2026-01-01T00:01:11.500Z\""},
        {"duration_ms", "145"},
        {"attempt_number", "3"},
        {"request_body", "\"{\\\"a\\\":1}\""},
        {"total", "2"},
        {"total_pages", "1"},
        {"page_size", "20"},
        {"page", "0"},
        {"detail", "\"what is wrong\""},
        {"code", "\"invalid_request\""},
        {"category", "\"validation_error\""},
        {"last_attempt_at", "\"2026-01-01T00:01:11.500Z\""},
        {"message", "\"is required\""},
        {"field", "\"url\""},
    };
    const struct th_span name = th_str(th_field_name(field));
    const char *status = ctx;

    if (th_span_is(name, "status")) {
        th_buf_str(out, status);
        return true;
    }
    if (th_span_is(name, "http_status") || th_span_is(name, "response_body") || th_span_is(name, "success")) {
        if (index == 1 && !th_span_is(name, "success"))
            return false; /* no answer */
        th_buf_str(out, th_span_is(name, "http_status") ? "200"
                        : th_span_is(name, "success")   ? "true"
                                                        : "\"ok\"");
        return true;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (th_span_is(name, fields[i][0])) {
            th_buf_str(out, fields[i][1]);
            return true;
        }
    return false;
}

static unsigned two(void *ctx, enum th_field_list list)
{
    (void)ctx;
    return list == TH_LIST_ERRORS ? 1 : 2;
}

static unsigned none(void *ctx, enum th_field_list list)
{
    (void)ctx;
    (void)list;
    return 0;
}

static void test_shapes(void **state)
{
#define ROW_TSANET "\"integrationId\":42,\"eventType\":\"note.created\","
#define ROW_TASK(more)                                                                                       \
    "{\"id\":\"42\",\"event\":\"note.created\",\"timestamp\":\"2026-01-01T00:01:11Z\",\"status\":" more
    static const struct {
        const char *dialect;
        enum th_shape_id id;
        const char *status, *want;
        unsigned (*count)(void *ctx, enum th_field_list list);
    } cases[] = {
        {"tsanet", TH_SHAPE_ENDPOINT, "",
         "{\"id\":42,\"callbackUrl\":\"https://api.example.com/h\",\"eventTypes\":[],\"active\":true,"
         "\"createdAt\":\"2026-01-01T00:00:00Z\",\"updatedAt\":\"2026-01-01T00:00:00Z\"}",
         two},
        {"tsanet", TH_SHAPE_ENDPOINT_CREATED, "",
         "{\"id\":42,\"callbackUrl\":\"https://api.example.com/"
         "h\",\"eventTypes\":[],\"active\":true,\"secret\":\"s\","
         "\"createdAt\":\"2026-01-01T00:00:00Z\"}",
         two},
        {"tsanet", TH_SHAPE_ENDPOINT_LIST, "", "[]", none},
        {"tsanet", TH_SHAPE_DELIVERY_PAGE, "",
         "{\"content\":[{\"id\":42," ROW_TSANET "\"httpStatus\":200,\"attemptNumber\":3,\"success\":true,"
         "\"requestBody\":\"{\\\"a\\\":1}\",\"responseBody\":\"ok\",\"createdAt\":\"2026-01-01T00:01:11Z\"},"
         "{\"id\":42," ROW_TSANET "\"attemptNumber\":3,\"success\":true,\"requestBody\":\"{\\\"a\\\":1}\","
         "\"createdAt\":\"2026-01-01T00:01:11Z\"}],\"totalElements\":2,\"totalPages\":1,\"size\":20,"
         "\"number\":0}",
         two},
        {"tsanet", TH_SHAPE_ERROR, "400",
         "{\"message\":\"what is wrong\",\"validationErrors\":[{\"field\":\"url\",\"message\":\"is "
         "required\"}]}",
         two},
        {"tsanet", TH_SHAPE_ERROR, "404", "{\"message\":\"Webhook subscription not found\"}", none},
        {"taskboard", TH_SHAPE_ENDPOINT, "",
         "{\"id\":\"42\",\"url\":\"https://api.example.com/h\",\"events\":[],\"active\":true,"
         "\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"}",
         two},
        {"taskboard", TH_SHAPE_ENDPOINT_CREATED, "",
         "{\"id\":\"42\",\"url\":\"https://api.example.com/"
         "h\",\"events\":[],\"active\":true,\"secret\":\"s\","
         "\"created_at\":\"2026-01-01T00:00:00Z\",\"updated_at\":\"2026-01-01T00:00:00Z\"}",
         two},
        {"taskboard", TH_SHAPE_DELIVERY_PAGE, "\"delivered\"",
         "{\"data\":[" ROW_TASK("\"success\",\"response_code\":200,\"response_time_ms\":145},")
             ROW_TASK("\"success\",\"response_time_ms\":145}]}"),
         two},
        {"taskboard", TH_SHAPE_DELIVERY, "\"retrying\"",
         ROW_TASK("\"pending\",\"response_code\":200,\"response_time_ms\":145}"), two},
        {"taskboard", TH_SHAPE_ERROR, "400",
         "{\"error\":{\"code\":\"invalid_request\",\"message\":\"what is wrong\",\"param\":\"url\","
         "\"type\":\"validation_error\"}}",
         two},
        {"techwriter", TH_SHAPE_ENDPOINT_CREATED, "",
         "{\"id\":\"42\",\"url\":\"https://api.example.com/"
         "h\",\"events\":[],\"active\":true,\"description\":null,"
         "\"metadata\":{},\"timeout\":30,\"created_at\":\"2026-01-01T00:00:00Z\","
         "\"updated_at\":\"2026-01-01T00:00:00Z\"}",
         two},
    };
    struct th_dialect_set set;
    char why[512];
    (void)state;

    assert_int_equal(th_dialects_load(NULL, &set, why, sizeof why), TH_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned k = 0; k < set.count; k++) {
            struct th_shape_source src = {give, cases[i].count, (void *)(uintptr_t)cases[i].status, NULL};
            struct th_buf out;
            if (!th_span_is(th_dialect_values(set.v[k])->name, cases[i].dialect))
                continue;
            assert_true(th_dialect_has_shape(set.v[k], cases[i].id));
            th_buf_init(&out, 8192);
            assert_int_equal(th_dialect_shape(set.v[k], cases[i].id, &src, &out), TH_OK);
            assert_text(&out, cases[i].want);
            fixture_json(th_buf_view(&out));
            th_buf_fini(&out);
        }
    for (unsigned k = 0; k < set.count; k++)
        if (th_span_is(th_dialect_values(set.v[k])->name, "standard"))
            assert_false(th_dialect_has_shape(set.v[k], TH_SHAPE_ENDPOINT));
    th_dialects_free(&set);
}

/* Shown: valid JSON with every group, and with the defaults that the file leaves out. */
static void test_show(void **state)
{
    struct th_dialect *d = must_load(minimal);
    struct th_buf out;
    struct th_jw w = th_jw(&out);
    struct th_json root, v;
    int64_t n;
    (void)state;

    th_buf_init(&out, 65536);
    th_dialect_show(d, &w);
    root = fixture_json(th_buf_view(&out));
    assert_true(th_json_pointer(root, TH_LIT("/name"), &v) && fixture_is(v, "t"));
    assert_true(th_json_pointer(root, TH_LIT("/request/method"), &v) && fixture_is(v, "POST"));
    assert_true(th_json_pointer(root, TH_LIT("/body/max_bytes"), &v) && th_json_i64(v, &n) && n == 262144);
    assert_true(th_json_pointer(root, TH_LIT("/signatures/0/item"), &v) && fixture_is(v, "{sig}"));
    assert_true(th_json_pointer(root, TH_LIT("/success/statuses/0"), &v) && fixture_is(v, "2xx"));
    assert_true(th_json_pointer(root, TH_LIT("/api/validation_status"), &v) && th_json_i64(v, &n) &&
                n == 422);
    th_buf_fini(&out);
    th_dialect_free(d);
}

/* ---- the document ---- */

static void each_key_documented(struct th_json v, struct th_span docs)
{
    struct th_json_iter it;
    struct th_json key, value;

    th_json_iter(&it, v);
    while (th_json_next(&it, &key, &value)) {
        if (v.type == TH_JSON_OBJECT) {
            char quoted[64];
            int n = snprintf(quoted, sizeof quoted, "`%.*s`", (int)key.raw.n - 2, key.raw.p + 1);
            if (!memmem(docs.p, docs.n, quoted, (size_t)n))
                fail_msg("docs/dialects.md does not name %s", quoted);
        }
        each_key_documented(value, docs);
    }
}

/* Every key of the schema stands in docs/dialects.md. */
static void test_documented(void **state)
{
    char *yaml = edit("body: {envelope", "request: {headers: [{name: A, value: a}]}\n"
                                         "catalogue: {types: [{type: a}]}\nbody: {envelope");
    struct th_dialect *d = must_load(yaml);
    struct th_buf docs, out;
    struct th_jw w = th_jw(&out);
    struct th_json name, shown;
    struct th_json_iter it;
    (void)state;

    th_buf_init(&out, 65536);
    th_dialect_show(d, &w);
    assert_int_equal(setenv("TH_TEST_DOCS", TH_TEST_ROOT "/docs", 1), 0);
    assert_true(fixture_file("TH_TEST_DOCS", "", "dialects.md", &docs));
    th_json_iter(&it, fixture_json(th_buf_view(&out)));
    while (th_json_next(&it, &name, &shown))
        if (!fixture_is(name, "name"))
            each_key_documented(shown, th_buf_view(&docs));
    test_free(yaml);
    th_buf_fini(&docs);
    th_buf_fini(&out);
    th_dialect_free(d);
}

/* ---- loading ---- */

static void test_directory(void **state)
{
    char dir[] = "/tmp/th_dialects_XXXXXX", path[128], why[512] = "";
    struct th_dialect_set set;
    unsigned built_in;
    FILE *f;
    (void)state;

    assert_int_equal(th_dialects_load(NULL, &set, why, sizeof why), TH_OK);
    built_in = set.count;
    th_dialects_free(&set);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/standard.yaml", dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(minimal, f);
    fclose(f);
    assert_int_equal(th_dialects_load(dir, &set, why, sizeof why), TH_OK);
    assert_int_equal(set.count, built_in); /* replaced, not added */
    for (unsigned i = 0; i < set.count; i++)
        if (th_span_is(th_dialect_values(set.v[i])->name, "standard"))
            assert_int_equal(th_dialect_values(set.v[i])->rules.delays, 1);
    th_dialects_free(&set);
    f = fopen(path, "w");
    fputs("body: 1\n", f);
    fclose(f);
    assert_int_equal(th_dialects_load(dir, &set, why, sizeof why), TH_INVALID);
    assert_non_null(strstr(why, "standard.yaml:1: body: must be a map, not a scalar"));
    unlink(path);
    rmdir(dir);
    assert_int_equal(th_dialects_load(dir, &set, why, sizeof why), TH_IO);
}

/* Each allocation of loading and rendering fails once: an error, nothing leaked (the sanitizer looks). */
static void test_no_memory(void **state)
{
    enum th_error error = TH_NOMEM;
    struct th_dialect *d = NULL;
    char why[512];
    (void)state;

    for (unsigned n = 1; error != TH_OK; n++) {
        th_alloc_fail_after(n);
        error = load(invented, &d, why);
        th_alloc_fail_after(0);
        if (error != TH_OK && error != TH_NOMEM)
            fail_msg("allocation %u: %s", n, why);
        assert_in_range(n, 1, 5000);
    }
    error = TH_NOMEM;
    for (unsigned n = 1; error != TH_OK; n++) {
        struct th_sign_key key;
        th_alloc_fail_after(n);
        error = th_dialect_key_init(d, TH_LIT("abc"), &key);
        th_alloc_fail_after(0);
        if (error == TH_OK)
            th_dialect_key_fini(&key);
        assert_in_range(n, 1, 10);
    }
    th_dialect_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_unsigned),   cmocka_unit_test(test_invented_request),
        cmocka_unit_test(test_missing),    cmocka_unit_test(test_sunset),
        cmocka_unit_test(test_injection),  cmocka_unit_test(test_invented_values),
        cmocka_unit_test(test_secrets),    cmocka_unit_test(test_public_key),
        cmocka_unit_test(test_shapes),     cmocka_unit_test(test_show),
        cmocka_unit_test(test_documented), cmocka_unit_test(test_directory),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
