/* The verifier and the signer against test data from elsewhere: the dialects' vectors, the Standard Webhooks
 * cases and Wycheproof through the public functions. Skipped where the data is not there. */
#include "lib_fixture.h"

static const char *const dialects[] = {"tiro", "tsanet", "taskboard", "techwriter", "standard"};
#define DIALECTS (sizeof dialects / sizeof *dialects)

static unsigned take_secrets(span list, struct tenterhook_span out[8])
{
    span rest = inside(list), value;
    unsigned n = 0;

    while (next_of(&rest, NULL, &value)) {
        assert_true(n < 8);
        out[n].p = text_of(value, &out[n].n);
        n++;
    }
    return n;
}

static enum tenterhook_result run_case(const char *dialect, span c, span secrets_json)
{
    static struct test_request r;
    struct tenterhook_verifier v;
    struct tenterhook_scheme scheme;
    struct tenterhook_span secrets[8];
    struct tenterhook_report report;
    unsigned count = take_secrets(secrets_json, secrets);
    span body = text_member(c, "body");
    enum tenterhook_result result;

    request_fill(&r, member(c, "headers"), body);
    assert_int_equal(tenterhook_scheme_find(dialect, &scheme), TENTERHOOK_OK);
    result = tenterhook_verifier_init(&v, &scheme, secrets, count, NULL);
    if (!result)
        result = tenterhook_verify(&v, &r.request, int_member(c, "now_unix"), &report);
    while (count)
        drop(secrets[--count]);
    request_drop(&r);
    drop(body);
    return result;
}

static void test_verify(void **state)
{
    unsigned total = 0;

    (void)state;
    for (size_t d = 0; d < DIALECTS; d++) {
        span file = vector_file(dialects[d]), rest, c = {NULL, 0};
        unsigned count = 0;

        if (!file.p)
            skip();
        for (rest = inside(member(file, "verify")); next_of(&rest, NULL, &c); count++) {
            bool accept = th_span_eq(member(c, "expect"), tenterhook_str("\"accept\""));
            enum tenterhook_result result = run_case(dialects[d], c, member(c, "secrets"));

            if ((result == TENTERHOOK_OK) != accept)
                fail_msg("%s %.*s: %s", dialects[d], (int)member(c, "name").n, member(c, "name").p,
                         tenterhook_name(result));
        }
        assert_true(count > 0);
        total += count;
        drop(file);
    }
    print_message("%u cases of five dialects\n", total);
}

/* The secret texts of a wire vector's inputs, newest first. */
static unsigned wire_secrets(span inputs, struct tenterhook_span out[8])
{
    span rest = inside(member(inputs, "secrets")), value;
    unsigned n = 0;

    while (next_of(&rest, NULL, &value) && n < 8)
        out[n++] = text_member(value, "value");
    return n;
}

/* Every request that the dialects put on the wire is accepted with each of its secrets, and viewed as the
 * event it was made from. */
static unsigned run_wire(const char *dialect, span c)
{
    static struct test_request r;
    span inputs = member(c, "inputs"), expected = member(c, "expected"), event = member(inputs, "event"), id;
    struct tenterhook_span secrets[8];
    unsigned count = wire_secrets(inputs, secrets), accepted = 0;
    span body = text_member(expected, "body");
    int64_t now = int_member(member(inputs, "attempt"), "at_unix");
    struct tenterhook_scheme scheme;

    request_fill(&r, member(expected, "headers"), body);
    assert_int_equal(tenterhook_scheme_find(dialect, &scheme), TENTERHOOK_OK);
    for (unsigned i = 0; i < count; i++) {
        struct tenterhook_verifier v;
        struct tenterhook_event view;
        enum tenterhook_result result;

        assert_int_equal(tenterhook_verifier_init(&v, &scheme, &secrets[i], 1, NULL), TENTERHOOK_OK);
        result = tenterhook_construct_event(&v, &r.request, now, &view, NULL);
        if (result == TENTERHOOK_NO_MATCH && count > 1)
            continue; /* the one of two that does not sign */
        if (result)
            fail_msg("%s %.*s: %s", dialect, (int)member(c, "name").n, member(c, "name").p,
                     tenterhook_name(result));
        accepted++;
        if (tenterhook_member(event, "type", &id) && view.type.n) {
            span want = text_member(event, "type");
            assert_true(th_span_eq(view.type, want));
            drop(want);
        }
        if (tenterhook_member(event, "resource_id", &id) && strcmp(dialect, "tiro") == 0) {
            span want = text_member(event, "resource_id");
            assert_true(th_span_eq(view.resource_id, want));
            drop(want);
        }
        if (tenterhook_member(event, "data_json", &id)) /* else the body is not the dialect's */
            assert_true(view.data.n > 0);
    }
    while (count)
        drop(secrets[--count]);
    request_drop(&r);
    drop(body);
    return accepted;
}

static void test_wire(void **state)
{
    unsigned total = 0, requests = 0;

    (void)state;
    for (size_t d = 0; d < DIALECTS; d++) {
        span file = vector_file(dialects[d]), rest, c = {NULL, 0};

        if (!file.p)
            skip();
        for (rest = inside(member(file, "wire")); next_of(&rest, NULL, &c); requests++) {
            unsigned accepted = run_wire(dialects[d], c);
            if (accepted == 0)
                fail_msg("%s %.*s: no secret fits", dialects[d], (int)member(c, "name").n,
                         member(c, "name").p);
            total += accepted;
        }
        drop(file);
    }
    assert_true(requests > 0);
    print_message("%u requests on the wire, %u acceptances\n", requests, total);
}

/* ---- Standard Webhooks ---- */

static bool next_line(span *rest, span *line)
{
    struct th_span r = {rest->p, rest->n}, l;

    if (!corpus_line(&r, &l))
        return false;
    *rest = th_span(r.p, r.n);
    *line = th_span(l.p, l.n);
    return true;
}

static void test_standard_verify(void **state)
{
    span file = corpus_file("standard-webhooks/verify.jsonl"), rest = file, c;
    unsigned count = 0;

    (void)state;
    if (!file.p)
        skip();
    for (; next_line(&rest, &c); count++) {
        static struct test_request r;
        struct tenterhook_verifier v;
        span secret = text_member(c, "secret"), encoded = text_member(c, "body_b64"),
             body = unbase64(encoded);
        bool valid = th_span_eq(member(c, "expect"), tenterhook_str("\"VALID\""));
        enum tenterhook_result result;

        request_fill(&r, member(c, "headers"), body);
        assert_int_equal(tenterhook_verifier_open(&v, "standard", secret.p, NULL), TENTERHOOK_OK);
        result = tenterhook_verify(&v, &r.request, int_member(c, "now"), NULL);
        if ((result == TENTERHOOK_OK) != valid)
            fail_msg("%.*s: %s", (int)c.n, c.p, tenterhook_name(result));
        request_drop(&r);
        drop(secret);
        drop(encoded);
        drop(body);
    }
    assert_true(count > 0);
    print_message("%u cases\n", count);
    drop(file);
}

/* Signs a case, compares, and verifies what was signed with `public` (NULL: the secret itself). */
static void run_sign(span c, unsigned form, const char *secret_name, const char *public_name)
{
    static char scratch[1 << 16];
    struct tenterhook_scheme scheme;
    struct tenterhook_verifier v;
    span secret = text_member(c, secret_name), id = text_member(c, "msg_id"),
         expect = text_member(c, "expect");
    span encoded = text_member(c, "body_b64"), body = unbase64(encoded), ts = member(c, "timestamp");
    span key = public_name ? text_member(c, public_name) : secret;
    struct tenterhook_message m = {
        .body = body, .event_id = id, .scratch = scratch, .scratch_len = sizeof scratch};
    char out[256];
    size_t n;

    assert_true(th_lib_decimal(ts, &m.ts));
    assert_int_equal(tenterhook_scheme_find("standard", &scheme), TENTERHOOK_OK);
    assert_int_equal(tenterhook_sign(&scheme, form, &secret, 1, &m, out, sizeof out, &n), TENTERHOOK_OK);
    assert_string_equal(out, expect.p);
    {
        struct tenterhook_header headers[] = {{TENTERHOOK_LIT("webhook-id"), id},
                                              {TENTERHOOK_LIT("webhook-timestamp"), ts},
                                              {TENTERHOOK_LIT("webhook-signature"), {out, n}}};
        struct tenterhook_request r = {.headers = headers,
                                       .header_count = 3,
                                       .body = body.p,
                                       .body_len = body.n,
                                       .scratch = scratch,
                                       .scratch_len = sizeof scratch};

        assert_int_equal(tenterhook_verifier_init(&v, &scheme, &key, 1, NULL), TENTERHOOK_OK);
        assert_int_equal(tenterhook_verify(&v, &r, m.ts, NULL), TENTERHOOK_OK);
        out[n - 3] = out[n - 3] == 'A' ? 'B' : 'A';
        assert_int_equal(tenterhook_verify(&v, &r, m.ts, NULL), TENTERHOOK_NO_MATCH);
    }
    drop(secret);
    drop(id);
    drop(expect);
    drop(encoded);
    drop(body);
    if (public_name)
        drop(key);
}

static void test_standard_sign(void **state)
{
    span file = corpus_file("standard-webhooks/sign_hmac.jsonl"), rest = file, c;
    unsigned count = 0;

    (void)state;
    if (!file.p)
        skip();
    for (; next_line(&rest, &c); count++)
        run_sign(c, 0, "secret", NULL);
    drop(file);
    file = rest = corpus_file("standard-webhooks/sign_ed25519.jsonl");
    assert_non_null(file.p);
    for (; next_line(&rest, &c); count++) {
        run_sign(c, 1, "secret_whsk_seed64", "public");
        run_sign(c, 1, "secret_whsk_seed64", NULL);
    }
    drop(file);
    assert_true(count > 0);
    print_message("%u vectors\n", count);
}

/* ---- Wycheproof, through schemes of the form that its vectors need ---- */

static const struct tenterhook_scheme raw_hmac = {.signature = {{.header = TENTERHOOK_LIT("sig"),
                                                                 .algorithm = TENTERHOOK_HMAC_SHA256,
                                                                 .key = TENTERHOOK_KEY_HEX,
                                                                 .encoding = TENTERHOOK_HEX,
                                                                 .content = TENTERHOOK_LIT("{body}")}},
                                                  .signature_count = 1};
static const struct tenterhook_scheme raw_ed25519 = {.signature = {{.header = TENTERHOOK_LIT("sig"),
                                                                    .algorithm = TENTERHOOK_ED25519,
                                                                    .key = TENTERHOOK_KEY_HEX,
                                                                    .encoding = TENTERHOOK_HEX,
                                                                    .content = TENTERHOOK_LIT("{body}")}},
                                                     .signature_count = 1};

static bool run_wycheproof(const struct tenterhook_scheme *scheme, span key, span test, const char *tag_name)
{
    span msg = text_member(test, "msg"), tag = text_member(test, tag_name);
    bool valid = th_span_eq(member(test, "result"), tenterhook_str("\"valid\""));
    uint8_t *body = malloc(msg.n + 1);
    size_t n;
    struct tenterhook_verifier v;
    struct tenterhook_header header = {TENTERHOOK_LIT("sig"), tag};
    struct tenterhook_request r = {.headers = &header, .header_count = 1};
    enum tenterhook_result result;

    assert_true(th_unhex(msg, body, msg.n, &n));
    r.body = body;
    r.body_len = n;
    assert_int_equal(tenterhook_verifier_init(&v, scheme, &key, 1, NULL), TENTERHOOK_OK);
    result = tenterhook_verify(&v, &r, 0, NULL);
    if ((result == TENTERHOOK_OK) != valid)
        fail_msg("tcId %.*s: %s", (int)member(test, "tcId").n, member(test, "tcId").p,
                 tenterhook_name(result));
    free(body);
    drop(msg);
    drop(tag);
    return true;
}

static void test_wycheproof(void **state)
{
    unsigned hmac = 0, ed = 0, cut = 0;
    span file = corpus_file("wycheproof/hmac_sha256_test.json"), groups, group = {NULL, 0};

    (void)state;
    if (!file.p)
        skip();
    for (groups = inside(member(file, "testGroups")); next_of(&groups, NULL, &group);) {
        bool full = int_member(group, "tagSize") == 256;
        span tests, test = {NULL, 0};

        for (tests = inside(member(group, "tests")); next_of(&tests, NULL, &test);) {
            span key = text_member(test, "key");
            /* Tags of other lengths are never signatures of ours. */
            if (full)
                hmac += run_wycheproof(&raw_hmac, key, test, "tag");
            else
                cut++;
            drop(key);
        }
    }
    drop(file);
    file = corpus_file("wycheproof/ed25519_test.json");
    assert_non_null(file.p);
    for (groups = inside(member(file, "testGroups")); next_of(&groups, NULL, &group);) {
        span key = text_member(member(group, "publicKey"), "pk"), tests, test = {NULL, 0};

        for (tests = inside(member(group, "tests")); next_of(&tests, NULL, &test);)
            ed += run_wycheproof(&raw_ed25519, key, test, "sig");
        drop(key);
    }
    drop(file);
    assert_true(hmac > 0 && ed > 0);
    print_message("%u of HMAC (%u with cut tags left out), %u of Ed25519\n", hmac, cut, ed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify),          cmocka_unit_test(test_wire),
        cmocka_unit_test(test_standard_verify), cmocka_unit_test(test_standard_sign),
        cmocka_unit_test(test_wycheproof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
