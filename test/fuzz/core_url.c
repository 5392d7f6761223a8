/* URL reader, address text and header rule on any bytes: no crash; what the reader accepts is canonical,
 * holds no byte that could split a request, and is read the same when written again. */
#include "core/guard.h"
#include "fuzz.h"

static void check_safe(struct th_span s)
{
    must(s.n > 0);
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] > 0x20 && s.p[i] < 0x7f && s.p[i] != '\\' && s.p[i] != '#');
}

static void fuzz_url(struct th_span text)
{
    struct th_url u, again;
    struct th_buf b;
    struct th_guard g = {0};
    const char *why = NULL;

    (void)!th_guard_url(&g, text, &u, &why);
    if (th_url_parse(text, &u, &why)) {
        must(why != NULL);
        return;
    }
    check_safe(u.host);
    check_safe(u.authority);
    check_safe(u.target);
    must(*u.target.p == '/' && th_port_ok(u.port) && u.host.n <= 253);
    th_buf_init(&b, 4096);
    th_buf_str(&b, u.tls ? "https://" : "http://");
    th_buf_span(&b, u.authority);
    th_buf_span(&b, u.target);
    must(b.failed == TH_OK);
    if (b.n <= 2048) { /* "/" may have been added to a URL of the longest kind */
        must(th_url_parse(th_buf_view(&b), &again, &why) == TH_OK);
        must(th_span_eq(again.host, u.host) && th_span_eq(again.authority, u.authority));
        must(th_span_eq(again.target, u.target) && again.port == u.port && again.literal == u.literal);
        must(!u.literal || memcmp(again.addr.ip, u.addr.ip, 16) == 0);
    }
    th_buf_fini(&b);
}

static void fuzz_addr(struct th_span text)
{
    struct th_addr a, again;
    struct th_cidr c;
    struct th_buf b;
    struct th_guard g = {0};

    if (th_cidr_parse(text, &c))
        must(th_cidr_has(&c, &c.net));
    if (!th_addr_parse(text, &a))
        return;
    (void)th_guard_addr(&g, &a, NULL);
    th_buf_init(&b, 64);
    th_addr_format(&b, &a);
    must(th_addr_parse(th_buf_view(&b), &again) && memcmp(&a, &again, sizeof a) == 0);
    th_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct th_span text = th_span(data, size), name = text, value = {"", 0};
    const char *colon = size ? memchr(text.p, ':', size) : NULL, *why = NULL;

    fuzz_url(text);
    fuzz_addr(text);
    if (colon) {
        name.n = (size_t)(colon - text.p);
        value = th_span(colon + 1, size - name.n - 1);
    }
    if (th_guard_header(name, value, NULL, 0, &why) == TH_OK)
        must(!memchr(text.p, '\r', size) && !memchr(text.p, '\n', size) && !memchr(text.p, 0, size));
    else
        must(why != NULL);
    (void)th_event_type_ok(text);
    (void)th_id_ok(text);
    return 0;
}
