/* Verifying and signing: every form that schemes can have, the window, rotation, refusals and their reasons.
 * The signatures that are written out were made with another implementation (Python's hmac). */
#include "lib_fixture.h"

#define NOW INT64_C(1700000000)
#define BODY "{\"type\":\"note.created\",\"data\":{\"id\":7}}"

static struct tenterhook_scheme built_in(const char *name)
{
    struct tenterhook_scheme s;

    assert_int_equal(tenterhook_scheme_find(name, &s), TENTERHOOK_OK);
    return s;
}

struct one { /* a request with up to four headers */
    struct tenterhook_header h[4];
    struct tenterhook_request r;
    char scratch[512];
};
static void add(struct one *o, const char *name, const char *value)
{
    o->h[o->r.header_count++] = (struct tenterhook_header){tenterhook_str(name), tenterhook_str(value)};
    o->r.headers = o->h;
}
static void with_body(struct one *o, const char *body)
{
    memset(o, 0, sizeof *o);
    o->r.body = body;
    o->r.body_len = strlen(body);
    o->r.scratch = o->scratch;
    o->r.scratch_len = sizeof o->scratch;
}

static enum tenterhook_result check(const char *dialect, const char *secret, const char *old,
                                    const struct one *o, int64_t now, struct tenterhook_report *report)
{
    struct tenterhook_verifier v;
    enum tenterhook_result result;

    assert_int_equal(tenterhook_verifier_open(&v, dialect, secret, old), TENTERHOOK_OK);
    result = tenterhook_verify(&v, &o->r, now, report);
    tenterhook_verifier_wipe(&v);
    assert_int_equal(tenterhook_verify(&v, &o->r, now, NULL),
                     TENTERHOOK_INVALID); /* wiped: accepts nothing */
    return result;
}

/* ---- the seeds' schemes ---- */

static void test_bearer(void **state)
{
    struct tenterhook_report why;
    struct one o;

    (void)state;
    with_body(&o, BODY);
    assert_int_equal(check("tiro", "s3cret", NULL, &o, NOW, &why), TENTERHOOK_MISSING_HEADER);
    assert_true(tenterhook_is(why.header, "Authorization"));
    add(&o, "AUTHORIZATION", "Bearer s3cret");
    assert_int_equal(check("tiro", "s3cret", NULL, &o, NOW, &why), TENTERHOOK_OK);
    assert_int_equal(check("tiro", "other", "s3cret", &o, NOW, &why), TENTERHOOK_OK);
    assert_int_equal(why.secret, 1); /* the old one is still in use */
    assert_int_equal(check("tiro", "s3cre", NULL, &o, NOW, &why), TENTERHOOK_NO_MATCH);
    o.h[0].value = tenterhook_str("bearer s3cret");
    assert_int_equal(check("tiro", "s3cret", NULL, &o, NOW, &why), TENTERHOOK_MALFORMED);
    o.h[0].value = tenterhook_str("Bearer  s3cret");
    assert_int_equal(check("tiro", "s3cret", NULL, &o, NOW, &why), TENTERHOOK_NO_MATCH);
    add(&o, "authorization", "Bearer s3cret");
    assert_int_equal(check("tiro", "s3cret", NULL, &o, NOW, &why), TENTERHOOK_MALFORMED); /* twice */
}

static void sign_value(const char *dialect, unsigned form, const char *secret,
                       const struct tenterhook_message *m, char out[256])
{
    struct tenterhook_scheme s = built_in(dialect);
    span key = tenterhook_str(secret);
    size_t n;

    assert_int_equal(tenterhook_sign(&s, form, &key, 1, m, out, 256, &n), TENTERHOOK_OK);
    assert_int_equal(strlen(out), n);
}

static void test_hex(void **state)
{
    /* Documentation example of GitHub: secret and body are theirs. */
    static const char sig[] = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    struct tenterhook_report why;
    struct one o;

    (void)state;
    with_body(&o, "Hello, World!");
    add(&o, "x-hub-signature-256", sig);
    assert_int_equal(check("tsanet", "It's a Secret to Everybody", NULL, &o, NOW, &why), TENTERHOOK_OK);
    assert_int_equal(check("github", "It's a Secret to Everybody", NULL, &o, NOW, &why), TENTERHOOK_OK);
    o.h[0].value = tenterhook_str(sig + 7);
    assert_int_equal(check("tsanet", "It's a Secret to Everybody", NULL, &o, NOW, &why),
                     TENTERHOOK_MALFORMED);
    o.h[0].name = tenterhook_str("X-Webhook-Signature");
    assert_int_equal(check("taskboard", "It's a Secret to Everybody", NULL, &o, NOW, &why), TENTERHOOK_OK);
    assert_int_equal(why.signature, 1); /* the variant without the prefix */
    o.h[0].value = tenterhook_str(sig);
    assert_int_equal(check("taskboard", "It's a Secret to Everybody", NULL, &o, NOW, &why), TENTERHOOK_OK);
    assert_int_equal(why.signature, 0);
}

/* A header that holds one signature (secret.signing: oldest) holds no list, as the vendors' verifiers say. */
static void test_one_signature(void **state)
{
#define SIG "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    static const char *const lists[] = {"sha256=" SIG ",sha256=" SIG, "sha256=" SIG ", sha256=" SIG,
                                        "sha256=0000,sha256=" SIG, "sha256=" SIG ","};
    struct tenterhook_report why;
    struct one o;

    (void)state;
    with_body(&o, "Hello, World!");
    add(&o, "", "");
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        o.h[0].value = tenterhook_str(lists[i]);
        o.h[0].name = tenterhook_str("X-Hub-Signature-256");
        assert_int_equal(check("tsanet", "It's a Secret to Everybody", NULL, &o, NOW, &why),
                         TENTERHOOK_MALFORMED);
        assert_int_equal(check("github", "It's a Secret to Everybody", NULL, &o, NOW, &why),
                         TENTERHOOK_MALFORMED);
        o.h[0].name = tenterhook_str("X-Webhook-Signature");
        assert_int_not_equal(check("taskboard", "It's a Secret to Everybody", NULL, &o, NOW, &why),
                             TENTERHOOK_OK);
    }
    o.h[0].value = tenterhook_str(SIG "," SIG);
    assert_int_not_equal(check("taskboard", "It's a Secret to Everybody", NULL, &o, NOW, &why),
                         TENTERHOOK_OK);
#undef SIG
}

static void test_every_bit(void **state)
{
    struct tenterhook_message m = {.body = tenterhook_str(BODY), .ts = NOW};
    char value[256], body[] = BODY;
    struct one o;

    (void)state;
    sign_value("techwriter", 0, "key", &m, value);
    with_body(&o, body);
    add(&o, "X-TechWriter-Signature", value);
    assert_int_equal(check("techwriter", "key", NULL, &o, NOW, NULL), TENTERHOOK_OK);
    for (size_t i = 0; i < strlen(value) * 8; i++) {
        value[i / 8] = (char)(value[i / 8] ^ 1 << i % 8);
        assert_int_not_equal(check("techwriter", "key", NULL, &o, NOW, NULL), TENTERHOOK_OK);
        value[i / 8] = (char)(value[i / 8] ^ 1 << i % 8);
    }
    for (size_t i = 0; i < (sizeof body - 1) * 8; i++) {
        body[i / 8] = (char)(body[i / 8] ^ 1 << i % 8);
        assert_int_equal(check("techwriter", "key", NULL, &o, NOW, NULL), TENTERHOOK_NO_MATCH);
        body[i / 8] = (char)(body[i / 8] ^ 1 << i % 8);
    }
    for (size_t n = 0; n < strlen(value); n++) { /* every cut */
        o.h[0].value.n = n;
        assert_int_not_equal(check("techwriter", "key", NULL, &o, NOW, NULL), TENTERHOOK_OK);
    }
    for (size_t n = 0; n + 1 < sizeof body; n++) {
        o.h[0].value.n = strlen(value);
        o.r.body_len = n;
        assert_int_equal(check("techwriter", "key", NULL, &o, NOW, NULL), TENTERHOOK_NO_MATCH);
    }
}

/* ---- the window ---- */

static void test_window(void **state)
{
    struct tenterhook_message m = {.body = tenterhook_str(BODY), .ts = NOW};
    struct tenterhook_verifier v;
    struct tenterhook_report why;
    char value[256];
    struct one o;

    (void)state;
    sign_value("techwriter", 0, "key", &m, value);
    with_body(&o, BODY);
    add(&o, "X-TechWriter-Signature", value);
    assert_int_equal(tenterhook_verifier_open(&v, "techwriter", "key", NULL), TENTERHOOK_OK);
    assert_true(tenterhook_verifier_protects(&v));
    assert_int_equal(tenterhook_verify(&v, &o.r, NOW + 300, &why), TENTERHOOK_OK);
    assert_true(why.has_time && why.signed_at == NOW && why.age_s == 300);
    assert_int_equal(tenterhook_verify(&v, &o.r, NOW + 301, &why), TENTERHOOK_TOO_OLD);
    assert_int_equal(why.age_s, 301);
    assert_int_equal(tenterhook_verify(&v, &o.r, NOW - 300, &why), TENTERHOOK_OK);
    assert_int_equal(tenterhook_verify(&v, &o.r, NOW - 301, &why), TENTERHOOK_TOO_NEW);
    assert_int_equal(tenterhook_verify(&v, &o.r, INT64_MAX, &why), TENTERHOOK_TOO_OLD);
    assert_int_equal(tenterhook_verify(&v, &o.r, INT64_MIN, &why), TENTERHOOK_INVALID);
    assert_int_equal(tenterhook_verifier_window(&v, -1, 300), TENTERHOOK_INVALID);
    assert_int_equal(tenterhook_verifier_window(&v, 10, 0), TENTERHOOK_OK);
    assert_int_equal(tenterhook_verify(&v, &o.r, NOW + 11, &why), TENTERHOOK_TOO_OLD);
    assert_int_equal(tenterhook_verify(&v, &o.r, 0, &why), TENTERHOOK_OK);
    assert_int_equal(tenterhook_verifier_window(&v, 0, 0), TENTERHOOK_OK);
    assert_false(tenterhook_verifier_protects(&v));
    assert_int_equal(tenterhook_verify(&v, &o.r, NOW + 1000000000, &why), TENTERHOOK_OK);
    /* A time that is not signed proves nothing, and nothing is claimed of it. */
    assert_int_equal(tenterhook_verifier_open(&v, "taskboard", "key", NULL), TENTERHOOK_OK);
    assert_false(tenterhook_verifier_protects(&v));
    assert_int_equal(tenterhook_verifier_open(&v, "standard", "whsec_AAAA", NULL), TENTERHOOK_OK);
    assert_true(tenterhook_verifier_protects(&v));
    assert_int_equal(tenterhook_verifier_open(&v, "stripe", "key", NULL), TENTERHOOK_OK);
    assert_true(tenterhook_verifier_protects(&v));
    assert_int_equal(tenterhook_verifier_open(&v, "slack", "key", NULL), TENTERHOOK_OK);
    assert_true(tenterhook_verifier_protects(&v));
    assert_int_equal(tenterhook_verifier_open(&v, "github", "key", NULL), TENTERHOOK_OK);
    assert_false(tenterhook_verifier_protects(&v));
    assert_int_equal(tenterhook_verifier_open(&v, "tsanet", "key", NULL), TENTERHOOK_OK);
    assert_false(tenterhook_verifier_protects(&v));
    assert_int_equal(tenterhook_verifier_open(&v, "tiro", "key", NULL), TENTERHOOK_OK);
    assert_false(tenterhook_verifier_protects(&v));
}

/* ---- lists ---- */

static void test_lists(void **state)
{
    struct tenterhook_message m = {.body = tenterhook_str(BODY), .ts = NOW};
    struct tenterhook_scheme s = built_in("techwriter");
    span secrets[2] = {tenterhook_str("new"), tenterhook_str("old")};
    struct tenterhook_report why;
    char value[4096], other[256];
    size_t n;
    struct one o;

    (void)state;
    assert_int_equal(tenterhook_sign(&s, 0, secrets, 2, &m, value, sizeof value, &n), TENTERHOOK_OK);
    with_body(&o, BODY);
    add(&o, "X-TechWriter-Signature", value);
    assert_int_equal(check("techwriter", "new", NULL, &o, NOW, &why), TENTERHOOK_OK);
    assert_int_equal(check("techwriter", "old", NULL, &o, NOW, &why), TENTERHOOK_OK);
    assert_int_equal(check("techwriter", "third", NULL, &o, NOW, &why), TENTERHOOK_NO_MATCH);
    assert_int_equal(check("techwriter", "third", "old", &o, NOW, &why), TENTERHOOK_OK);
    assert_int_equal(why.secret, 1); /* of the receiver's two the second one fits */
    sign_value("techwriter", 0, "old", &m, other);
    assert_string_equal(value + n - 64, other + strlen(other) - 64);
    o.h[0].value = tenterhook_str("t=1700000000,v0=ab,v1=00");
    assert_int_equal(check("techwriter", "new", NULL, &o, NOW, &why), TENTERHOOK_MALFORMED);
    assert_non_null(strstr(why.detail, "length"));
}

/* However many signatures there are, the one that fits is found, at either end. */
static void test_long_lists(void **state)
{
    struct tenterhook_message m = {.body = tenterhook_str(BODY), .ts = NOW};
    static char value[64 * 1024];
    struct tenterhook_report why;
    char own[256], other[256];
    struct one o;

    (void)state;
    sign_value("techwriter", 0, "own", &m, own);
    sign_value("techwriter", 0, "other", &m, other);
    for (int last = 0; last < 2; last++) {
        strcpy(value, last ? "t=1700000000" : own);
        for (int i = 0; i < 500; i++)
            strcat(value, strchr(other, ','));
        strcat(value, last ? strchr(own, ',') : "");
        with_body(&o, BODY);
        add(&o, "X-TechWriter-Signature", value);
        assert_int_equal(check("techwriter", "own", NULL, &o, NOW, &why), TENTERHOOK_OK);
        /* Of two secrets that fit the first is reported. */
        assert_int_equal(check("techwriter", "own", "other", &o, NOW, &why), TENTERHOOK_OK);
        assert_int_equal(why.secret, 0);
        assert_int_equal(check("techwriter", "third", NULL, &o, NOW, &why), TENTERHOOK_NO_MATCH);
    }
}

/* Ed25519 is dear: a stranger's list is looked at as far as 32 signatures. */
static void test_long_asymmetric_list(void **state)
{
    static const char secret[] = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    static char scratch[512], value[8192];
    struct tenterhook_message m = {.body = tenterhook_str(BODY),
                                   .event_id = tenterhook_str("msg_1"),
                                   .ts = NOW,
                                   .scratch = scratch,
                                   .scratch_len = sizeof scratch};
    char own[256];
    struct one o;

    (void)state;
    sign_value("standard", 1, secret, &m, own);
    value[0] = 0;
    for (int i = 0; i < 32; i++) {
        strcat(value, own);
        strcat(value, " ");
    }
    with_body(&o, BODY);
    add(&o, "webhook-id", "msg_1");
    add(&o, "webhook-timestamp", "1700000000");
    add(&o, "webhook-signature", value);
    assert_int_equal(check("standard", secret, NULL, &o, NOW, NULL), TENTERHOOK_OK);
    strcat(value, own);
    o.h[2].value = tenterhook_str(value);
    assert_int_equal(check("standard", secret, NULL, &o, NOW, NULL), TENTERHOOK_MALFORMED);
}

/* Where two headers carry what one signature covers, neither may be changed. */
static void test_two_headers_of_one_value(void **state)
{
    static const char secret[] = "whsec_MDEyMzQ1Njc4OWFiY2RlZg==";
    struct tenterhook_message m = {
        .body = tenterhook_str(BODY), .event_id = tenterhook_str("evt_1"), .ts = NOW};
    struct tenterhook_report why;
    char value[256];
    struct one o;

    (void)state;
    sign_value("cloudevents", 0, secret, &m, value);
    with_body(&o, BODY);
    add(&o, "webhook-id", "evt_1");
    add(&o, "webhook-timestamp", "1700000000");
    add(&o, "webhook-signature", value);
    add(&o, "ce-id", "evt_1");
    assert_int_equal(check("cloudevents", secret, NULL, &o, NOW, &why), TENTERHOOK_OK);
    o.h[0].value = tenterhook_str("evt_2");
    assert_int_equal(check("cloudevents", secret, NULL, &o, NOW, &why), TENTERHOOK_MALFORMED);
    assert_true(tenterhook_is(why.header, "webhook-id"));
    o.h[0].value = tenterhook_str("evt_1");
    o.h[3].value = tenterhook_str("evt_2");
    assert_int_not_equal(check("cloudevents", secret, NULL, &o, NOW, &why), TENTERHOOK_OK);
}

static void test_standard(void **state)
{
    struct tenterhook_message m = {
        .body = tenterhook_str(BODY), .event_id = tenterhook_str("msg_1"), .ts = NOW};
    struct tenterhook_report why;
    char value[256], ed[256], both[600];
    static char scratch[512];
    struct one o;

    (void)state;
    m.scratch = scratch;
    m.scratch_len = sizeof scratch;
    sign_value("standard", 0, "whsec_MDEyMzQ1Njc4OWFiY2RlZg==", &m, value);
    sign_value("standard", 1, "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", &m,
               ed); /* RFC 8032, 7.1 */
    snprintf(both, sizeof both, "%s %s", ed, value);
    with_body(&o, BODY);
    add(&o, "webhook-id", "msg_1");
    add(&o, "webhook-timestamp", "1700000000");
    add(&o, "webhook-signature", both);
    assert_int_equal(check("standard", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==", NULL, &o, NOW, &why), TENTERHOOK_OK);
    assert_int_equal(why.signature, 0);
    assert_int_equal(
        check("standard", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", NULL, &o, NOW, &why),
        TENTERHOOK_OK);
    assert_int_equal(why.signature, 1);
    o.r.scratch_len = 20;
    assert_int_equal(
        check("standard", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", NULL, &o, NOW, &why),
        TENTERHOOK_NO_ROOM);
    o.h[0].value = tenterhook_str("msg_2");
    assert_int_equal(check("standard", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==", NULL, &o, NOW, &why),
                     TENTERHOOK_NO_MATCH);
    o.h[0].value = tenterhook_str("");
    assert_int_equal(check("standard", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==", NULL, &o, NOW, &why),
                     TENTERHOOK_MALFORMED);
    assert_true(tenterhook_is(why.header, "webhook-id"));
}

/* "a" + "1.x" and "a.1" + "x" have one content; neither is accepted as the other. */
static void test_ambiguous(void **state)
{
    struct tenterhook_message m = {
        .body = tenterhook_str("1700000000.x"), .event_id = tenterhook_str("a"), .ts = NOW};
    struct tenterhook_report why;
    char value[256];
    struct one o;

    (void)state;
    sign_value("standard", 0, "whsec_AAAA", &m, value);
    with_body(&o, "1700000000.x");
    add(&o, "webhook-id", "a");
    add(&o, "webhook-timestamp", "1700000000");
    add(&o, "webhook-signature", value);
    assert_int_equal(check("standard", "whsec_AAAA", NULL, &o, NOW, &why), TENTERHOOK_MALFORMED);
    with_body(&o, "x");
    add(&o, "webhook-id", "a.1700000000");
    add(&o, "webhook-timestamp", "1700000000");
    add(&o, "webhook-signature", value);
    assert_int_equal(check("standard", "whsec_AAAA", NULL, &o, NOW, &why), TENTERHOOK_MALFORMED);
}

/* ---- schemes written by hand ---- */

static bool by_function(void *ctx, const char *name, struct tenterhook_span *value)
{
    const struct tenterhook_header *h = ctx;

    for (; h->name.p; h++)
        if (th_span_ieq(h->name, tenterhook_str(name))) {
            *value = h->value;
            return true;
        }
    return false;
}

/* The example of Slack's documentation. */
static void test_own_scheme(void **state)
{
    static const char body[] = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&"
                               "channel_id=G8PSS9T3V&channel_name="
                               "foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&"
                               "text=&response_url=https%3A%2F%2Fhooks"
                               ".slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
                               "trigger_id=398738663015.47445629"
                               "121.803a0bc887a14d10d2c447fce8b6703c";
    const struct tenterhook_scheme scheme = {
        .signature = {{.header = TENTERHOOK_LIT("X-Slack-Signature"),
                       .algorithm = TENTERHOOK_HMAC_SHA256,
                       .key = TENTERHOOK_KEY_UTF8,
                       .encoding = TENTERHOOK_HEX,
                       .content = TENTERHOOK_LIT("v0:{ts}:{body}"),
                       .item = TENTERHOOK_LIT("v0={sig}")}},
        .signature_count = 1,
        .source = {{TENTERHOOK_LIT("X-Slack-Request-Timestamp"), TENTERHOOK_LIT("{ts}")}},
        .source_count = 1};
    const span secret = TENTERHOOK_LIT("8f742231b10e8888abcd99yyyzzz85a5");
    const struct tenterhook_header headers[] = {
        {TENTERHOOK_LIT("x-slack-request-timestamp"), TENTERHOOK_LIT("1531420618")},
        {TENTERHOOK_LIT("x-slack-signature"),
         TENTERHOOK_LIT("v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503")},
        {{NULL, 0}, {NULL, 0}}};
    struct tenterhook_request r = {
        .header = by_function, .ctx = (void *)(uintptr_t)headers, .body = body, .body_len = sizeof body - 1};
    struct tenterhook_verifier v;

    (void)state;
    assert_int_equal(tenterhook_verifier_init(&v, &scheme, &secret, 1, NULL), TENTERHOOK_OK);
    assert_int_equal(tenterhook_verify(&v, &r, 1531420618, NULL), TENTERHOOK_OK);
    assert_int_equal(tenterhook_verify(&v, &r, 1531420919, NULL), TENTERHOOK_TOO_OLD);
    /* The same from the built-in file. */
    assert_int_equal(tenterhook_verifier_open(&v, "slack", secret.p, NULL), TENTERHOOK_OK);
    assert_int_equal(tenterhook_verify(&v, &r, 1531420618, NULL), TENTERHOOK_OK);
    r.body_len--;
    assert_int_equal(tenterhook_verify(&v, &r, 1531420618, NULL), TENTERHOOK_NO_MATCH);
}

/* Every combination of the parameters signs what it verifies, and nothing else. */
static void test_round_trips(void **state)
{
    static const struct {
        const char *content, *item, *join, *wrap;
    } forms[] = {
        {"{body}", "{sig}", "", ""},
        {"{ts}.{body}", "v1={sig}", ",", "t={ts},{items}"},
        {"{ts}.{body}", "v1={sig}", ";", "{items} at {ts}"},
        {"{ts}.{body}", "{ts}/{sig}", " ", "<{items}>"},
        {"v0:{event.id}:{ts}:{body}", "v1,{sig}", " ", "{items}"},
        {"{endpoint.url}{body}", "a{{{sig}}}", "|", "{items}"},
        {"{body}{schema.version}", "{sig}", "", "{items}"},
    };
    static char scratch[512];
    unsigned count = 0;

    (void)state;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
        for (unsigned algorithm = TENTERHOOK_HMAC_SHA256; algorithm <= TENTERHOOK_ED25519; algorithm++)
            for (unsigned encoding = TENTERHOOK_HEX; encoding <= TENTERHOOK_BASE64; encoding++)
                for (unsigned stamp = TENTERHOOK_UNIX; stamp <= TENTERHOOK_RFC3339; stamp++) {
                    const char *const whsk = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
                    bool ed = algorithm == TENTERHOOK_ED25519;
                    struct tenterhook_scheme s = {
                        .signature = {{.header = TENTERHOOK_LIT("S"),
                                       .algorithm = (enum tenterhook_algorithm)algorithm,
                                       .key = ed ? TENTERHOOK_KEY_WHSK : TENTERHOOK_KEY_BASE64,
                                       .encoding = (enum tenterhook_encoding)encoding,
                                       .stamp = (enum tenterhook_stamp)stamp,
                                       .content = tenterhook_str(forms[f].content),
                                       .item = tenterhook_str(forms[f].item),
                                       .join = tenterhook_str(forms[f].join),
                                       .wrap = tenterhook_str(forms[f].wrap)}},
                        .signature_count = 1,
                        .source = {{TENTERHOOK_LIT("T"), TENTERHOOK_LIT("{ts}")},
                                   {TENTERHOOK_LIT("I"), TENTERHOOK_LIT("{event.id}")}},
                        .source_count = 2,
                        .schema_version = TENTERHOOK_LIT("7")};
                    span secrets[2] = {tenterhook_str(ed ? whsk : "a2V5MQ=="),
                                       tenterhook_str(ed ? "whsk_TM0Imyj/ltqdtsNG7BFODJ2Ld8kdXW2K8TuRvaQ2uaE="
                                                         : "a2V5Mg==")};
                    struct tenterhook_message m = {.body = tenterhook_str(BODY),
                                                   .event_id = tenterhook_str("evt_1"),
                                                   .endpoint_url = tenterhook_str("https://example.com/hook"),
                                                   .ts = NOW,
                                                   .scratch = scratch,
                                                   .scratch_len = sizeof scratch};
                    size_t keys = forms[f].join[0] ? 2 : 1, n;
                    char value[1024], ts[32];
                    struct tenterhook_header h[3] = {{TENTERHOOK_LIT("s"), {value, 0}},
                                                     {TENTERHOOK_LIT("t"), {ts, 0}},
                                                     {TENTERHOOK_LIT("i"), m.event_id}};
                    struct tenterhook_request r = {.headers = h,
                                                   .header_count = 3,
                                                   .body = BODY,
                                                   .body_len = strlen(BODY),
                                                   .url = m.endpoint_url,
                                                   .scratch = scratch,
                                                   .scratch_len = sizeof scratch};
                    struct tenterhook_verifier v;

                    assert_int_equal(tenterhook_sign(&s, 0, secrets, keys, &m, value, sizeof value, &n),
                                     TENTERHOOK_OK);
                    h[0].value.n = n;
                    h[1].value.n = th_lib_stamp((enum tenterhook_stamp)stamp, NOW, ts);
                    for (size_t k = 0; k < keys; k++) {
                        assert_int_equal(tenterhook_verifier_init(&v, &s, &secrets[k], 1, NULL),
                                         TENTERHOOK_OK);
                        assert_int_equal(tenterhook_verify(&v, &r, NOW + 1, NULL), TENTERHOOK_OK);
                        r.body_len--;
                        assert_int_equal(tenterhook_verify(&v, &r, NOW + 1, NULL), TENTERHOOK_NO_MATCH);
                        r.body_len++;
                    }
                    if (keys == 1)
                        assert_int_equal(tenterhook_sign(&s, 0, secrets, 2, &m, value, sizeof value, &n),
                                         TENTERHOOK_INVALID);
                    for (size_t cap = 1; cap <= n; cap += 7)
                        assert_int_equal(tenterhook_sign(&s, 0, secrets, keys, &m, value, cap, &n),
                                         TENTERHOOK_NO_ROOM);
                    count++;
                }
    assert_int_equal(count, 7 * 4 * 2 * 3);
}

/* ---- what cannot be initialised ---- */

static void test_refused_schemes(void **state)
{
    const struct tenterhook_signature good = {.header = TENTERHOOK_LIT("S"),
                                              .algorithm = TENTERHOOK_HMAC_SHA256,
                                              .key = TENTERHOOK_KEY_UTF8,
                                              .encoding = TENTERHOOK_HEX,
                                              .content = TENTERHOOK_LIT("{body}")};
    static const char *const contents[] = {
        "",      "{ts}",  "{body}{body}", "{secret}{body}",    "{body}{sig}",  "{nobody}",
        "{body", "body}", "{ts}.{body}",  "{event.id}.{body}", "{body}{items}"};
    static const char *const items[] = {"v1", "{sig}{sig}", "{sig}{ts}", "{body}{sig}", "{items}"};
    struct tenterhook_scheme s = {.signature = {good}, .signature_count = 1};
    struct tenterhook_fault fault;
    struct tenterhook_verifier v;
    span secret = tenterhook_str("key"), nine[9];

    (void)state;
    assert_int_equal(tenterhook_verifier_init(&v, &s, &secret, 1, &fault), TENTERHOOK_OK);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        s.signature[0].content = tenterhook_str(contents[i]);
        fault.what = NULL;
        assert_int_equal(tenterhook_verifier_init(&v, &s, &secret, 1, &fault), TENTERHOOK_BAD_DIALECT);
        assert_non_null(fault.what);
    }
    s.signature[0] = good;
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        s.signature[0].item = tenterhook_str(items[i]);
        assert_int_equal(tenterhook_verifier_init(&v, &s, &secret, 1, &fault), TENTERHOOK_BAD_DIALECT);
    }
    s.signature[0] = good;
    s.signature[0].algorithm = TENTERHOOK_ED25519;
    assert_int_equal(tenterhook_verifier_init(&v, &s, &secret, 1, &fault), TENTERHOOK_BAD_DIALECT);
    s.signature_count = 0;
    assert_int_equal(tenterhook_verifier_init(&v, &s, &secret, 1, &fault), TENTERHOOK_BAD_DIALECT);
    s.signature_count = 1;
    s.signature[0] = good;
    assert_int_equal(tenterhook_verifier_init(&v, &s, &secret, 0, &fault), TENTERHOOK_INVALID);
    secret = tenterhook_str("");
    assert_int_equal(tenterhook_verifier_init(&v, &s, &secret, 1, &fault), TENTERHOOK_BAD_SECRET);
    for (int i = 0; i < 9; i++)
        nine[i] = tenterhook_str("key");
    assert_int_equal(tenterhook_verifier_init(&v, &s, nine, 8, &fault), TENTERHOOK_OK);
    assert_int_equal(tenterhook_verifier_init(&v, &s, nine, 9, &fault), TENTERHOOK_TOO_MANY);
    assert_int_equal(tenterhook_verifier_open(&v, "standard", "whsec_", NULL), TENTERHOOK_BAD_SECRET);
    assert_int_equal(tenterhook_verifier_open(&v, "standard", "whsec_%%%%", NULL), TENTERHOOK_BAD_SECRET);
    assert_int_equal(tenterhook_verifier_open(&v, "standard", "whpk_AAAA", NULL), TENTERHOOK_BAD_SECRET);
    assert_int_equal(tenterhook_verifier_open(&v, "nobody", "key", NULL), TENTERHOOK_UNKNOWN_DIALECT);
    assert_int_equal(tenterhook_verifier_open(&v, NULL, "key", NULL), TENTERHOOK_UNKNOWN_DIALECT);
}

static void test_results(void **state)
{
    (void)state;
    for (int r = TENTERHOOK_OK; r <= TENTERHOOK_FAILED; r++) {
        assert_true(strlen(tenterhook_text((enum tenterhook_result)r)) > 3);
        assert_true(strlen(tenterhook_name((enum tenterhook_result)r)) > 1);
    }
    assert_int_equal(tenterhook_status(TENTERHOOK_OK), 200);
    assert_int_equal(tenterhook_status(TENTERHOOK_NO_MATCH), 401);
    assert_int_equal(tenterhook_status(TENTERHOOK_MALFORMED), 400);
    assert_int_equal(tenterhook_status(TENTERHOOK_BAD_SECRET), 500);
    assert_string_equal(tenterhook_name((enum tenterhook_result)99), "invalid");
    assert_string_equal(tenterhook_version(), TH_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_lists),
        cmocka_unit_test(test_long_asymmetric_list),
        cmocka_unit_test(test_two_headers_of_one_value),
        cmocka_unit_test(test_bearer),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_one_signature),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_standard),
        cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_own_scheme),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_refused_schemes),
        cmocka_unit_test(test_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
