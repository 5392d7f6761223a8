/* No allocation: libcrypto's are counted while requests are verified, signed, constructed and dispatched.
 * (That the library has none of its own is seen in its symbols: test/py/test_library.py.) */
#include "lib_fixture.h"
#include <openssl/crypto.h>

static unsigned long allocations;

static void *counted_malloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    return malloc(n);
}
static void *counted_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    return realloc(p, n);
}
static void counted_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

static const char body[] = "{\"id\":\"evt_1\",\"type\":\"document.published\",\"created\":1775120399,"
                           "\"data\":{\"object\":{\"id\":\"d\"}}}";

static void run(const char *dialect, const char *secret_text)
{
    span secret = tenterhook_str(secret_text);
    struct tenterhook_scheme s;
    struct tenterhook_verifier v;
    struct tenterhook_event event;
    struct tenterhook_message m = {
        .body = TENTERHOOK_LIT(body), .event_id = TENTERHOOK_LIT("evt_1"), .ts = 1775120400};
    char value[256];
    size_t n;
    static char scratch[512];
    unsigned form = strncmp(secret_text, "whsk_", 5) == 0;

    m.scratch = scratch;
    m.scratch_len = sizeof scratch;
    assert_int_equal(tenterhook_scheme_find(dialect, &s), TENTERHOOK_OK);
    assert_int_equal(tenterhook_sign(&s, form, &secret, 1, &m, value, sizeof value, &n), TENTERHOOK_OK);
    assert_int_equal(tenterhook_verifier_init(&v, &s, &secret, 1, NULL), TENTERHOOK_OK);
    {
        struct tenterhook_header h[] = {
            {s.signature_count ? s.signature[0].header : s.auth_header, {value, n}},
            {TENTERHOOK_LIT("webhook-id"), m.event_id},
            {TENTERHOOK_LIT("webhook-timestamp"), TENTERHOOK_LIT("1775120400")}};
        struct tenterhook_request r = {.headers = h,
                                       .header_count = 3,
                                       .body = body,
                                       .body_len = sizeof body - 1,
                                       .scratch = scratch,
                                       .scratch_len = sizeof scratch};

        for (int i = 0; i < 100; i++)
            assert_int_equal(tenterhook_construct_event(&v, &r, m.ts, &event, NULL), TENTERHOOK_OK);
        r.body_len--;
        assert_int_not_equal(tenterhook_construct_event(&v, &r, m.ts, &event, NULL), TENTERHOOK_OK);
    }
}

static void test_none(void **state)
{
    (void)state;
    allocations = 0;
    run("tiro", "secret");
    run("tsanet", "secret");
    run("taskboard", "secret");
    run("techwriter", "secret");
    run("standard", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==");
    assert_int_equal(allocations, 0);
    run("standard", "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="); /* so the counter counts */
    assert_true(allocations > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_none)};

    if (!CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
