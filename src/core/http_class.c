/* Names of the transport's result classes, as logs and the API show them. They are stored with every attempt,
 * so they never change; a value outside the enumeration is our own mistake and is shown as "internal_error". */
#include "port/transport.h"

const char *th_http_class_name(enum th_http_class c)
{
    switch (c) {
    case TH_HTTP_OK:
        return "ok";
    case TH_HTTP_DNS:
        return "dns_error";
    case TH_HTTP_DENIED:
        return "denied";
    case TH_HTTP_CONNECT:
        return "connect_error";
    case TH_HTTP_TLS:
        return "tls_error";
    case TH_HTTP_TIMEOUT:
        return "timeout";
    case TH_HTTP_RESET:
        return "connection_reset";
    case TH_HTTP_PROTOCOL:
        return "protocol_error";
    case TH_HTTP_CANCELLED:
        return "cancelled";
    case TH_HTTP_CLIENT_CERTIFICATE:
        return "client_certificate_error";
    case TH_HTTP_TOKEN:
        return "token_error";
    case TH_HTTP_INTERNAL:
        break;
    }
    return "internal_error";
}

const char *th_outcome_name(enum th_http_class c, bool ok)
{
    if (c != TH_HTTP_OK)
        return th_http_class_name(c);
    return ok ? "success" : "failed_status";
}
