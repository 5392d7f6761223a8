/* Events out of each dialect's envelope, routing, and the seen-set against a model that keeps everything. */
#include "lib_fixture.h"

#define NOW INT64_C(1775120400)

struct made {
    struct tenterhook_header h[4];
    struct tenterhook_request r;
    char value[256];
    struct tenterhook_event event;
};

/* Signs a body for a dialect and constructs the event; extra: another header, or NULL. */
static enum tenterhook_result make(struct made *m, const char *dialect, const char *id, const char *body,
                                   const char *extra, const char *extra_value)
{
    struct tenterhook_scheme s;
    struct tenterhook_verifier v;
    span secret = tenterhook_str("bWFkZQ==");
    struct tenterhook_message message = {
        .body = tenterhook_str(body), .event_id = tenterhook_str(id), .ts = NOW};
    size_t n;

    memset(m, 0, sizeof *m);
    assert_int_equal(tenterhook_scheme_find(dialect, &s), TENTERHOOK_OK);
    assert_int_equal(tenterhook_sign(&s, 0, &secret, 1, &message, m->value, sizeof m->value, &n),
                     TENTERHOOK_OK);
    m->h[0].name = s.signature_count ? s.signature[0].header : s.auth_header;
    m->h[0].value = th_span(m->value, n);
    m->h[1] = (struct tenterhook_header){TENTERHOOK_LIT("webhook-id"), tenterhook_str(id)};
    m->h[2] = (struct tenterhook_header){TENTERHOOK_LIT("webhook-timestamp"), TENTERHOOK_LIT("1775120400")};
    m->h[3] = (struct tenterhook_header){tenterhook_str(extra), tenterhook_str(extra_value)};
    m->r = (struct tenterhook_request){
        .headers = m->h, .header_count = extra ? 4 : 3, .body = body, .body_len = strlen(body)};
    assert_int_equal(tenterhook_verifier_init(&v, &s, &secret, 1, NULL), TENTERHOOK_OK);
    return tenterhook_construct_event(&v, &m->r, NOW, &m->event, NULL);
}

static void is(span s, const char *want)
{
    if (!tenterhook_is(s, want))
        fail_msg("\"%.*s\" is not \"%s\"", (int)s.n, s.p, want);
}

static void test_tiro(void **state)
{
    struct made m;

    (void)state;
    assert_int_equal(
        make(&m, "tiro", "",
             "{\"id\":\"evt_01J9ABCDEF\",\"type\":\"note.created\",\"createdAt\":\"2025-09-05T07:12:34Z\","
             "\"workspaceGuid\":\"ws_a1b2c3d4\",\"data\":{\"resourceType\":\"Note\",\"resourceId\":\"note-"
             "guid-123\",\"resource\":{\"title\":\"Meeting Note\"}}}",
             NULL, NULL),
        TENTERHOOK_OK);
    is(m.event.id, "evt_01J9ABCDEF");
    is(m.event.type, "note.created");
    is(m.event.resource_type, "Note");
    is(m.event.resource_id, "note-guid-123");
    is(m.event.data, "{\"title\":\"Meeting Note\"}");
    assert_true(m.event.has_time && m.event.time == 1757056354);
    assert_int_equal(m.event.body.n, m.r.body_len);
}

static void test_tsanet(void **state)
{
    struct made m;

    (void)state;
    assert_int_equal(make(&m, "tsanet", "",
                          " {\"requestToken\":\"tok1\",\"eventType\":\"note.created\",\"timestamp\":\"2026-"
                          "01-01T00:00:00Z\"}\n",
                          NULL, NULL),
                     TENTERHOOK_OK);
    is(m.event.id, "");
    is(m.event.type, "note.created");
    is(m.event.data,
       "{\"requestToken\":\"tok1\",\"eventType\":\"note.created\",\"timestamp\":\"2026-01-01T00:00:00Z\"}");
    assert_true(m.event.has_time && m.event.time == 1767225600);
}

/* The body is the publisher's own: what stands where a time is expected may be anything. */
static void test_tsanet_without_a_time(void **state)
{
    static const char *const times[] = {"\"2026-01-01T00:00:01.123456\"",
                                        "[2026,1,1,0,0,1]",
                                        "1767225600000",
                                        "1767225600.5",
                                        "-1",
                                        "\"\"",
                                        "true",
                                        "{}",
                                        "null"};
    char body[128];
    struct made m;

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        snprintf(body, sizeof body, "{\"timestamp\":%s,\"eventType\":\"note.created\"}", times[i]);
        if (make(&m, "tsanet", "", body, NULL, NULL) != TENTERHOOK_OK || m.event.has_time || m.event.time)
            fail_msg("refused, or with a time: %s", body);
        is(m.event.type, "note.created");
        is(m.event.data, body);
    }
    assert_int_equal(make(&m, "tsanet", "", "{\"timestamp\":1767225600,\"eventType\":\"x\"}", NULL, NULL),
                     TENTERHOOK_OK);
    assert_true(m.event.has_time && m.event.time == 1767225600);
    assert_int_equal(make(&m, "tsanet", "", "{\"eventType\":{}}", NULL, NULL), TENTERHOOK_BAD_EVENT);
}

static void test_taskboard(void **state)
{
    static const char body[] =
        "{\"event\":\"task.created\",\"timestamp\":\"2025-10-14T10:30:00Z\",\"webhook_id\":\"webhook_123\","
        "\"data\":{\"id\":\"task_789\",\"name\":\"Design homepage\"}}";
    struct made m;

    (void)state;
    assert_int_equal(make(&m, "taskboard", "", body, "x-webhook-delivery", "delivery_9"), TENTERHOOK_OK);
    is(m.event.id, "");
    is(m.event.type, "task.created");
    is(m.event.resource_type, "task");
    is(m.event.resource_id, "task_789");
    is(m.event.endpoint_id, "webhook_123");
    is(m.event.delivery_id, "delivery_9");
    assert_int_equal(m.event.time, 1760437800);
}

static void test_techwriter(void **state)
{
    static const char body[] =
        "{\"id\":\"evt_01HW8N4Z3R8C9X\",\"type\":\"document.published\",\"created\":1775120399,\"data\":{"
        "\"object\":{\"id\":\"doc_8f2a\",\"title\":\"Getting started\"}}}";
    struct made m;

    (void)state;
    /* The header is not signed: the body goes before it. */
    assert_int_equal(make(&m, "techwriter", "", body, "X-TechWriter-Delivery", "evt_other"), TENTERHOOK_OK);
    is(m.event.id, "evt_01HW8N4Z3R8C9X");
    is(m.event.type, "document.published");
    is(m.event.resource_type, "Document");
    is(m.event.resource_id, "doc_8f2a");
    is(m.event.data, "{\"id\":\"doc_8f2a\",\"title\":\"Getting started\"}");
    assert_int_equal(m.event.time, 1775120399);
}

static void test_standard(void **state)
{
    struct made m;

    (void)state;
    assert_int_equal(make(&m, "standard", "msg_1",
                          "{\"type\":\"contact.created\",\"timestamp\":\"2022-11-03T20:26:10.344522Z\","
                          "\"data\":{\"id\":1e400}}",
                          NULL, NULL),
                     TENTERHOOK_OK);
    is(m.event.id, "msg_1");
    is(m.event.type, "contact.created");
    is(m.event.resource_type, "");
    is(m.event.resource_id, "1e400"); /* numbers stay as they are written */
    is(m.event.data, "{\"id\":1e400}");
    assert_int_equal(m.event.time, 1667507170);
}

static void test_odd_bodies(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "[]",
                                      "\"text\"",
                                      "{\"type\":1,\"type\":{}}",
                                      "{\"type\":true}",
                                      "{\"timestamp\":true}",
                                      "{\"timestamp\":\"yesterday\"}",
                                      "{\"type\":\"\\ud800\"}",
                                      "{} {}",
                                      "{\"data\":\xff}"};
    char body[1024] = "{\"type\":\"\\n";
    struct made m;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (make(&m, "standard", "msg_1", bad[i], NULL, NULL) != TENTERHOOK_BAD_EVENT || m.event.id.p ||
            m.event.body.p)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(make(&m, "standard", "msg_1", "{}", NULL, NULL), TENTERHOOK_OK); /* all empty */
    is(m.event.type, "");
    assert_int_equal(
        make(&m, "standard", "msg_1", "{\"type\":\"a\\/b\\u00e9\",\"data\":{\"id\":\"\\\"x\"}}", NULL, NULL),
        TENTERHOOK_OK);
    is(m.event.type, "a/b\xc3\xa9");
    assert_int_equal(
        make(&m, "standard", "msg_1", "{\"type\":\"a\",\"t\\u0079pe\":\"b\",\"d\\u0061ta\":{}}", NULL, NULL),
        TENTERHOOK_OK); /* names with escapes: as JSON.parse would read them */
    is(m.event.type, "b");
    is(m.event.data, "{}");
    assert_int_equal(
        make(&m, "standard", "msg_1", "{\"type\":\"a\\/b\\u00e9\",\"data\":{\"id\":\"\\\"x\"}}", NULL, NULL),
        TENTERHOOK_OK);
    is(m.event.resource_id, "\"x");
    memset(body + strlen(body), 'a', 600);
    strcat(body, "\"}");
    assert_int_equal(make(&m, "standard", "msg_1", body, NULL, NULL),
                     TENTERHOOK_BAD_EVENT); /* longer than its room */
}

/* ---- routing ---- */

struct calls {
    const char *last;
    unsigned count;
    enum tenterhook_handled answer;
};
static enum tenterhook_handled on(void *ctx, const char *name)
{
    struct calls *c = ctx;

    c->last = name;
    c->count++;
    return c->answer;
}
static enum tenterhook_handled on_exact(void *ctx, const struct tenterhook_event *e)
{
    (void)e;
    return on(ctx, "exact");
}
static enum tenterhook_handled on_prefix(void *ctx, const struct tenterhook_event *e)
{
    (void)e;
    return on(ctx, "prefix");
}
static enum tenterhook_handled on_resource(void *ctx, const struct tenterhook_event *e)
{
    (void)e;
    return on(ctx, "resource");
}
static void on_unknown(void *ctx, const struct tenterhook_event *e)
{
    (void)e;
    on(ctx, "unknown");
}

static void test_routes(void **state)
{
    static const struct tenterhook_route routes[] = {
        {"note.created", NULL, on_exact}, {"folder.*", "Folder", on_prefix}, {NULL, "Note", on_resource}};
    struct calls calls = {NULL, 0, TENTERHOOK_DONE};
    struct tenterhook_router r = {.routes = routes, .count = 3, .unknown = on_unknown, .ctx = &calls};
    static const struct {
        const char *type, *resource, *want;
        enum tenterhook_outcome outcome;
    } cases[] = {{"note.created", "Note", "exact", TENTERHOOK_HANDLED},
                 {"note.deleted", "Note", "resource", TENTERHOOK_HANDLED},
                 {"note.created.x", "", "unknown", TENTERHOOK_UNROUTED},
                 {"folder.moved", "Folder", "prefix", TENTERHOOK_HANDLED},
                 {"folder.moved", "Note", "resource", TENTERHOOK_HANDLED},
                 {"folder", "Folder", "unknown", TENTERHOOK_UNROUTED},
                 {"", "", "unknown", TENTERHOOK_UNROUTED}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tenterhook_event e = {.type = tenterhook_str(cases[i].type),
                                     .resource_type = tenterhook_str(cases[i].resource)};
        assert_int_equal(tenterhook_dispatch(&r, &e), cases[i].outcome);
        assert_string_equal(calls.last, cases[i].want);
    }
    assert_int_equal(tenterhook_outcome_status(TENTERHOOK_UNROUTED), 200);
    r.unknown = NULL;
    calls.count = 0;
    {
        struct tenterhook_event e = {.type = TENTERHOOK_LIT("x")};
        assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_UNROUTED);
    }
    assert_int_equal(calls.count, 0);
}

static void test_once(void **state)
{
    static const struct tenterhook_route routes[] = {{"a", NULL, on_exact}};
    static uint64_t memory[1024];
    struct calls calls = {NULL, 0, TENTERHOOK_RETRY};
    struct tenterhook_seen set;
    struct tenterhook_store store;
    struct tenterhook_router r = {.routes = routes, .count = 1, .ctx = &calls, .store = &store};
    struct tenterhook_event e = {
        .type = TENTERHOOK_LIT("a"), .id = TENTERHOOK_LIT("evt_1"), .resource_id = TENTERHOOK_LIT("r1")};
    struct tenterhook_key_id key;

    (void)state;
    assert_int_equal(tenterhook_seen_init(&set, 16, memory, sizeof memory), TENTERHOOK_OK);
    store = tenterhook_seen_store(&set);
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_DEFERRED); /* failed: not marked */
    assert_int_equal(tenterhook_outcome_status(TENTERHOOK_DEFERRED), 500);
    calls.answer = TENTERHOOK_REJECT;
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_REFUSED);
    assert_int_equal(tenterhook_outcome_status(TENTERHOOK_REFUSED), 400);
    calls.answer = TENTERHOOK_DONE;
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_HANDLED);
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_DUPLICATE);
    assert_int_equal(calls.count, 3);
    /* The resource counts only when it is asked for. */
    e.resource_id = tenterhook_str("r2");
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_DUPLICATE);
    r.key_flags = TENTERHOOK_BY_RESOURCE;
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_HANDLED);
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_DUPLICATE);
    /* Taken by another thread; and no room, because everything is. */
    e.id = tenterhook_str("evt_2");
    assert_true(tenterhook_event_key(&e, TENTERHOOK_BY_RESOURCE, &key));
    assert_int_equal(tenterhook_seen_begin(&set, &key), TENTERHOOK_NEW);
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_UNDERWAY);
    for (int i = 0; i < 15; i++) {
        key.b[0]++;
        assert_int_equal(tenterhook_seen_begin(&set, &key), TENTERHOOK_NEW);
    }
    e.id = tenterhook_str("evt_3");
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_DEFERRED);
    tenterhook_seen_forget(&set, &key);
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_HANDLED);
    /* Without an id there is nothing to know an event by, unless the body is to count. */
    e.id = e.resource_id = th_span(NULL, 0);
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_HANDLED);
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_HANDLED);
    e.body = tenterhook_str("{}");
    assert_false(tenterhook_event_key(&e, TENTERHOOK_BY_ID, &key));
    r.key_flags = TENTERHOOK_BY_BODY;
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_HANDLED);
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_DUPLICATE);
    e.delivery_id = tenterhook_str("{}"); /* another kind of key with the same text */
    assert_int_equal(tenterhook_dispatch(&r, &e), TENTERHOOK_HANDLED);
}

/* ---- the set against a model ---- */

#define CAPACITY 37
struct model { /* the oldest first; what was given back goes to the front */
    struct model_entry {
        uint32_t id;
        int state; /* 0 free, 1 busy, 2 done */
    } entry[CAPACITY];
};

static struct model_entry *model_find(struct model *m, uint32_t id)
{
    for (unsigned i = 0; i < CAPACITY; i++)
        if (m->entry[i].state && m->entry[i].id == id)
            return &m->entry[i];
    return NULL;
}

static void model_to_back(struct model *m)
{
    struct model_entry first = m->entry[0];

    memmove(m->entry, m->entry + 1, (CAPACITY - 1) * sizeof first);
    m->entry[CAPACITY - 1] = first;
}

static void model_forget(struct model *m, uint32_t id)
{
    struct model_entry *e = model_find(m, id);

    if (!e)
        return;
    memmove(m->entry + 1, m->entry, (size_t)(e - m->entry) * sizeof *e);
    m->entry[0].state = 0;
}

static enum tenterhook_mark model_begin(struct model *m, uint32_t id)
{
    struct model_entry *found = model_find(m, id);

    if (found)
        return found->state == 2 ? TENTERHOOK_SEEN : TENTERHOOK_BUSY;
    for (unsigned steps = 0; m->entry[0].state == 1; model_to_back(m))
        if (++steps > CAPACITY)
            return TENTERHOOK_FULL;
    m->entry[0] = (struct model_entry){id, 1};
    model_to_back(m);
    return TENTERHOOK_NEW;
}

static void test_seen_model(void **state)
{
    struct tenterhook_seen set;
    struct model m;
    size_t size = tenterhook_seen_size(CAPACITY);
    void *memory = malloc(size); /* exactly: a sanitizer sees one byte too far */
    uint32_t random = 1;
    unsigned marks[4] = {0};

    (void)state;
    memset(&m, 0, sizeof m);
    assert_int_equal(tenterhook_seen_init(&set, CAPACITY, memory, size - 1), TENTERHOOK_NO_ROOM);
    assert_int_equal(tenterhook_seen_init(&set, CAPACITY, (char *)memory + 1, size), TENTERHOOK_INVALID);
    assert_int_equal(tenterhook_seen_init(&set, CAPACITY, memory, size), TENTERHOOK_OK);
    assert_int_equal(tenterhook_seen_size(0), 0);
    assert_int_equal(tenterhook_seen_size(UINT32_MAX), 0);
    for (unsigned step = 0; step < 300000; step++) {
        struct tenterhook_key_id key = {{0}};
        uint32_t id;
        struct model_entry *at;

        random = random * 1664525 + 1013904223;
        id = (random >> 8) % 60;
        /* Few homes in the table, so that runs of slots arise and are shifted. */
        key.b[0] = (uint8_t)(id % 7 * 5);
        key.b[15] = (uint8_t)id;
        at = model_find(&m, id);
        switch (random >> 4 & 7) {
        case 0:
            tenterhook_seen_forget(&set, &key);
            model_forget(&m, id);
            break;
        case 1:
        case 2:
            tenterhook_seen_done(&set, &key);
            if (at)
                at->state = 2;
            break;
        default: {
            enum tenterhook_mark mark = tenterhook_seen_begin(&set, &key);
            assert_int_equal(mark, model_begin(&m, id));
            marks[mark]++;
        }
        }
    }
    for (int i = 0; i < 4; i++)
        assert_true(i == TENTERHOOK_FULL || marks[i] > 1000);
    free(memory);
}

/* A failing event that comes again and again must not push out what was done. */
static void test_seen_failures(void **state)
{
    uint64_t memory[64];
    struct tenterhook_seen set;
    struct tenterhook_key_id done = {{1}}, failing = {{2}};

    (void)state;
    assert_int_equal(tenterhook_seen_init(&set, 4, memory, sizeof memory), TENTERHOOK_OK);
    assert_int_equal(tenterhook_seen_begin(&set, &done), TENTERHOOK_NEW);
    tenterhook_seen_done(&set, &done);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(tenterhook_seen_begin(&set, &failing), TENTERHOOK_NEW);
        tenterhook_seen_forget(&set, &failing);
    }
    assert_int_equal(tenterhook_seen_begin(&set, &done), TENTERHOOK_SEEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiro),
        cmocka_unit_test(test_tsanet),
        cmocka_unit_test(test_tsanet_without_a_time),
        cmocka_unit_test(test_taskboard),
        cmocka_unit_test(test_techwriter),
        cmocka_unit_test(test_standard),
        cmocka_unit_test(test_odd_bodies),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_seen_model),
        cmocka_unit_test(test_seen_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
