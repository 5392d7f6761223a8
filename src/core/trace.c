/* Reads and writes traceparent and tracestate. What is not exactly as the specification says is no trace context: the caller goes on
 * without one, as the specification asks (section 4.3). Pure; no memory. */
#include "core/trace.h"

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; /* upper case is not allowed (section 3.2.2) */
}

/* False: one is no digit. */
static bool bytes(const char *hex, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const uint8_t *p, size_t n)
{
    uint8_t all = 0;

    for (size_t i = 0; i < n; i++)
        all |= p[i];
    return all == 0;
}

bool th_trace_parent_read(struct th_span text, struct th_trace_parent *out)
{
    uint8_t version;

    if (text.n < TH_TRACEPARENT_BYTES || text.p[2] != '-' || text.p[35] != '-' || text.p[52] != '-')
        return false;
    if (!bytes(text.p, &version, 1) || version == 0xff)
        return false;
    /* a later version may go on behind another '-'; this one is read as far as it is known (section 3.2.3) */
    if (text.n > TH_TRACEPARENT_BYTES && (version == 0 || text.p[TH_TRACEPARENT_BYTES] != '-'))
        return false;
    out->state = TH_LIT("");
    return bytes(text.p + 3, out->trace, sizeof out->trace) &&
           bytes(text.p + 36, out->span, sizeof out->span) && bytes(text.p + 53, &out->flags, 1) &&
           !is_zero(out->trace, sizeof out->trace) && !is_zero(out->span, sizeof out->span);
}

bool th_trace_state_ok(struct th_span text)
{
    if (text.n == 0 || text.n > TH_TRACESTATE_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '\t' && (text.p[i] < ' ' || text.p[i] > '~'))
            return false;
    return true;
}

static void hex(const uint8_t *p, size_t n, char **at)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        *(*at)++ = digits[p[i] >> 4];
        *(*at)++ = digits[p[i] & 15];
    }
}

void th_trace_parent_write(const uint8_t trace[16], const uint8_t span[8], unsigned flags, struct th_buf *out)
{
    const uint8_t byte = (uint8_t)flags;
    char text[TH_TRACEPARENT_BYTES], *at = text;

    *at++ = '0';
    *at++ = '0';
    *at++ = '-';
    hex(trace, 16, &at);
    *at++ = '-';
    hex(span, 8, &at);
    *at++ = '-';
    hex(&byte, 1, &at);
    th_buf_add(out, text, sizeof text);
}

bool th_trace_kept_read(struct th_span kept, struct th_trace_parent *out)
{
    if (!th_trace_parent_read(th_trace_kept_parent(kept), out))
        return false;
    if (kept.n > TH_TRACEPARENT_BYTES + 1)
        out->state = th_span(kept.p + TH_TRACEPARENT_BYTES + 1, kept.n - TH_TRACEPARENT_BYTES - 1);
    return true;
}

struct th_span th_trace_kept_parent(struct th_span kept)
{
    return kept.n > TH_TRACEPARENT_BYTES && kept.p[TH_TRACEPARENT_BYTES] == '\n'
               ? th_span(kept.p, TH_TRACEPARENT_BYTES)
               : kept;
}
