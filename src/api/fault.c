/* The list of faults of a request: where each one is, and what is wrong there. One answer reports all that
 * are found.
 *
 * The place is a JSON pointer into the body (RFC 6901), or the name of a query parameter. At most
 * TH_API_MAX_ERRORS are kept. If there is no memory for a fault it is lost, and the answer says that there
 * was no memory. */
#include "api/fault.h"
#include "api/request.h"
#include "net/tls_common.h"

static void add(struct th_api_req *r, struct th_span where, bool parameter, const char *format, va_list ap)
{
    struct th_api_fault *e;
    char text[300];
    int n;

    if (r->error_count == TH_API_MAX_ERRORS)
        return;
    e = &r->room->errors[r->error_count];
    n = vsnprintf(text, sizeof text, format, ap);
    if (n < 0)
        return;
    if (!th_arena_copy(&r->mem, where, &e->pointer) ||
        !th_arena_copy(&r->mem, th_span(text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1),
                       &e->detail))
        return;
    e->parameter = parameter;
    r->error_count++;
}

void th_api_fault(struct th_api_req *r, struct th_span pointer, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    add(r, pointer, false, format, ap);
    va_end(ap);
}

void th_api_fault_param(struct th_api_req *r, const char *name, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    add(r, th_str(name), true, format, ap);
    va_end(ap);
}

/* First name of a pointer, after the index of a batch: "/3/type" → "type", "/events/0" → "events". */
struct th_span th_api_fault_field(const struct th_api_fault *e)
{
    const char *p = e->pointer.p, *end = p + e->pointer.n, *from;

    if (e->parameter)
        return e->pointer;
    for (int round = 0; round < 2 && p < end; round++) {
        from = ++p;
        while (p < end && *p != '/')
            p++;
        if (p == end || !(*from >= '0' && *from <= '9'))
            return th_span(from, (size_t)(p - from));
    }
    return TH_LIT("");
}

struct th_span th_api_fault_pointer(struct th_api_req *r, struct th_span prefix, struct th_span name)
{
    size_t n = name.n < 200 ? name.n : 200;
    char *p = th_arena_get(&r->mem, prefix.n + 1 + 2 * n), *to = p;

    if (!p)
        return TH_LIT("");
    if (prefix.n)
        memcpy(to, prefix.p, prefix.n);
    to += prefix.n;
    *to++ = '/';
    for (size_t i = 0; i < n; i++) {
        if (name.p[i] == '~' || name.p[i] == '/') {
            *to++ = '~';
            *to++ = name.p[i] == '~' ? '0' : '1';
        } else {
            *to++ = name.p[i];
        }
    }
    return th_span(p, (size_t)(to - p));
}
