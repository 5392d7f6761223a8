/* TLS of an endpoint's own as an object of JSON: {"ca", "certificate", "key"}, each a text in PEM.
 *
 * All of it is tried out in OpenSSL before it is taken, and what is wrong is said with its member: a text that cannot be read, a key that
 * belongs to another certificate, a certificate that has ended. The key is a secret, and shown as one. */
#include "api/endpoint_tls.h"
#include "api/decode.h"
#include "api/fault.h"
#include "api/member.h"
#include "net/tls_own.h"
#include <time.h>

enum { T_CA, T_CERTIFICATE, T_KEY, T_COUNT };

static const struct th_api_field fields[T_COUNT] = {
    {"ca", TH_T_STRING, false, true, 65536, 0, 0},
    {"certificate", TH_T_STRING, false, true, 32768, 0, 0},
    {"key", TH_T_STRING, false, true, 16384, 0, 0},
};

static void fault(struct th_api_req *r, struct th_span pointer, const char *member, const char *what)
{
    th_api_fault(r, th_api_fault_pointer(r, pointer, th_str(member)), "%s", what);
}

/* False: no memory. */
static bool check(struct th_api_req *r, struct th_span pointer, struct th_own_tls *tls)
{
    const struct th_client_tls own = {.ca = tls->ca, .certificate = tls->certificate, .key = tls->key};
    struct th_tls_facts facts;
    struct th_tls_fault what;
    enum th_error error = th_tls_own_check(&own, (int64_t)time(NULL) * 1000, &facts, &what);

    if (error == TH_NOMEM)
        return false;
    if (error)
        fault(r, pointer, what.member, what.what);
    tls->expires_ms = facts.expires_ms;
    return th_arena_copy(&r->mem, th_str(facts.subject), &tls->subject);
}

bool th_api_endpoint_tls_read(struct th_api_req *r, struct th_span pointer, struct th_json object,
                              struct th_own_tls *out)
{
    struct th_api_value v[T_COUNT];
    struct th_span *const to[T_COUNT] = {&out->ca, &out->certificate, &out->key};
    bool good = true;

    if (!th_api_decode(r, object, pointer, fields, T_COUNT, false, v))
        return false;
    for (int m = 0; m < T_COUNT; m++) {
        good = good && !v[m].bad;
        if (!v[m].present || v[m].bad)
            continue;
        *to[m] = v[m].null ? th_span("", 0) : v[m].text;
        if (m == T_KEY && th_span_is(v[m].text, "***")) {
            fault(r, pointer, "key",
                  "is one that was masked when it was shown; give it whole, or leave it out to keep it");
            good = false;
        } else if (!v[m].null && !v[m].text.n) {
            fault(r, pointer, fields[m].name, "must not be empty; null takes it away");
            good = false;
        }
    }
    if (!good)
        return true;
    if (!out->certificate.n != !out->key.n) {
        fault(r, pointer, out->key.n ? "certificate" : "key",
              "is required: certificate and key belong together");
        return true;
    }
    return check(r, pointer, out);
}

static void member(struct th_jw *w, const char *name, struct th_span text)
{
    if (!text.n)
        return;
    th_jw_key(w, th_str(name));
    th_jw_string(w, text);
}

void th_api_endpoint_tls_write(struct th_jw *w, const struct th_own_tls *tls, bool clear)
{
    th_jw_object(w);
    member(w, "ca", tls->ca);
    member(w, "certificate", tls->certificate);
    member(w, "key", tls->key.n && !clear ? TH_LIT("***") : tls->key);
    th_jw_end_object(w);
}

void th_api_endpoint_tls_facts(struct th_jw *w, const struct th_own_tls *tls)
{
    th_jw_object(w);
    th_api_member_str(w, "subject", tls->subject);
    th_api_member_time(w, "expires_at", tls->expires_ms);
    th_jw_end_object(w);
}
