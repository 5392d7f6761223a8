/* What a forward proxy is asked: a CONNECT that names the address, never a name, so the proxy looks nothing up. */
#include "net/proxy_ask.h"
#include "base/enc.h"
#include "core/guard.h"
#include <string.h>

void th_proxy_ask_credentials(struct th_buf *out, const char *credentials)
{
    th_buf_str(out, "Proxy-Authorization: Basic ");
    th_base64(out, credentials, strlen(credentials));
    th_buf_str(out, "\r\n");
}

static void add_address(struct th_buf *out, const struct th_addr *to)
{
    if (to->family == 6)
        th_buf_char(out, '[');
    th_addr_format(out, to);
    th_buf_printf(out, "%s:%u", to->family == 6 ? "]" : "", to->port);
}

void th_proxy_ask_connect(struct th_buf *out, const struct th_addr *to, struct th_span fields)
{
    th_buf_str(out, "CONNECT ");
    add_address(out, to);
    th_buf_str(out, " HTTP/1.1\r\nHost: ");
    add_address(out, to);
    th_buf_str(out, "\r\n");
    th_buf_span(out, fields);
    th_buf_str(out, "\r\n");
}
