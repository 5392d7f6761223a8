/* Who the client is behind proxies, out of any bytes. Input: a byte; a header of the PROXY protocol, of which every beginning
 * says the same or wants more; or, for odd bytes, a line of X-Forwarded-For and one of Forwarded. */
#include "fuzz.h"
#include "net/client_address.h"
#include "net/http_server.h"
#include "net/proxy_protocol.h"

static void read_proxy(struct fuzz *f)
{
    struct fuzz_bytes all = fuzz_rest(f);
    struct th_addr from, earlier;
    size_t used, before;
    enum th_proxy_result r = th_proxy_read(all.p, all.n, &used, &from);

    must(used <= all.n && used <= TH_PROXY_MAX);
    must(r == TH_PROXY_NAMED || r == TH_PROXY_LOCAL || used == 0 || r == TH_PROXY_BAD);
    must(r != TH_PROXY_NAMED || from.family == 4 || from.family == 6);
    for (size_t n = 0; n < all.n && n < 64; n++) {
        struct fuzz_bytes part = fuzz_copy(f, all.p, n);
        enum th_proxy_result p = th_proxy_read(part.p, part.n, &before, &earlier);

        must(p == TH_PROXY_MORE || p == r);
        free(f->block[--f->blocks]);
    }
}

static void read_fields(struct fuzz *f)
{
    static struct th_http_exchange x; /* large */
    struct fuzz_bytes list = fuzz_line(f), forwarded = fuzz_rest(f);
    struct th_cidr trusted[2];
    bool proxy;

    must(th_cidr_parse(TH_LIT("10.0.0.0/8"), &trusted[0]) && th_cidr_parse(TH_LIT("fd00::/8"), &trusted[1]));
    x.peer = (struct th_addr){.family = 4, .ip = {10, 1, 2, 3}};
    x.head.field_count = 2;
    x.head.fields[0] = (struct th_http1_field){TH_LIT("X-Forwarded-For"), th_span(list.p, list.n)};
    x.head.fields[1] = (struct th_http1_field){TH_LIT("Forwarded"), th_span(forwarded.p, forwarded.n)};
    for (int field = TH_CLIENT_AUTO; field <= TH_CLIENT_NONE; field++) {
        struct th_addr a = th_http_client_address(trusted, 2, &x, (enum th_client_header)field, &proxy);

        must(a.family == 4 || a.family == 6);
        must(proxy == th_is_trusted(trusted, 2, &a));
        must(field != TH_CLIENT_NONE || (proxy && a.ip[3] == 3));
    }
    must(!th_http_client_address(trusted, 0, &x, TH_CLIENT_AUTO, &proxy).port && !proxy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);

    if (fuzz_byte(&f) & 1)
        read_fields(&f);
    else
        read_proxy(&f);
    fuzz_end(&f);
    return 0;
}
