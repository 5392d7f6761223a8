/* JSON writer: values in order, commas and colons by itself.
 *
 * It keeps one bit of state (a comma is due), so it cannot notice a caller who closes what it never opened;
 * what is written is checked by the reader in tests. Output bytes are those of JSON.stringify: only '"', '\'
 * and bytes below 0x20 are escaped, short forms where they exist, \u00xx in lower case else. Ill-formed UTF-8
 * becomes U+FFFD, so the result is always valid. Failure (memory, maximum) sticks in the buffer; the writer
 * itself never fails. */
#include "base/json.h"
#include "lib/json_scan.h"

static void separate(struct th_jw *w)
{
    if (w->comma)
        th_buf_char(w->out, ',');
    w->comma = true;
}

static void open_with(struct th_jw *w, char c)
{
    separate(w);
    th_buf_char(w->out, c);
    w->comma = false;
}

static void close_with(struct th_jw *w, char c)
{
    th_buf_char(w->out, c);
    w->comma = true;
}

void th_jw_object(struct th_jw *w)
{
    open_with(w, '{');
}

void th_jw_end_object(struct th_jw *w)
{
    close_with(w, '}');
}

void th_jw_array(struct th_jw *w)
{
    open_with(w, '[');
}

void th_jw_end_array(struct th_jw *w)
{
    close_with(w, ']');
}

static void add_escaped(struct th_buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[32] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char text[6] = {'\\', (char)c, '0', '0', hex[c >> 4 & 15], hex[c & 15]};

    if (c < 0x20)
        text[1] = shorts[c] ? shorts[c] : 'u';
    th_buf_add(out, text, text[1] == 'u' && c < 0x20 ? 6 : 2);
}

static void add_string(struct th_buf *out, struct th_span s)
{
    const char *p = s.n ? s.p : "", *end = p + s.n, *from = p; /* an empty span may have no address */

    th_buf_char(out, '"');
    while ((p = th_plain_end(p, end)) < end) {
        unsigned char c = (unsigned char)*p;
        size_t bad = 0, n = c < 0x80 ? 0 : th_utf8_step(p, end, &bad);

        if (n) {
            p += n;
            continue;
        }
        th_buf_add(out, from, (size_t)(p - from));
        if (c < 0x80)
            add_escaped(out, c);
        else
            th_buf_add(out, "\xef\xbf\xbd", 3);
        p += c < 0x80 ? 1 : bad;
        from = p;
    }
    th_buf_add(out, from, (size_t)(p - from));
    th_buf_char(out, '"');
}

void th_jw_key(struct th_jw *w, struct th_span name)
{
    separate(w);
    add_string(w->out, name);
    th_buf_char(w->out, ':');
    w->comma = false;
}

void th_jw_string(struct th_jw *w, struct th_span s)
{
    separate(w);
    add_string(w->out, s);
}

void th_jw_i64(struct th_jw *w, int64_t v)
{
    separate(w);
    th_buf_i64(w->out, v);
}

void th_jw_u64(struct th_jw *w, uint64_t v)
{
    separate(w);
    th_buf_u64(w->out, v);
}

void th_jw_bool(struct th_jw *w, bool v)
{
    separate(w);
    th_buf_str(w->out, v ? "true" : "false");
}

void th_jw_null(struct th_jw *w)
{
    separate(w);
    th_buf_str(w->out, "null");
}

void th_jw_raw(struct th_jw *w, struct th_span json)
{
    separate(w);
    th_buf_span(w->out, json);
}

struct th_span th_utf8_cut(struct th_span s)
{
    for (size_t back = 1; back <= 3 && back <= s.n; back++) {
        unsigned char c = (unsigned char)s.p[s.n - back];
        size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

        if ((c & 0xc0) == 0x80)
            continue; /* inside a character */
        if (whole > back)
            s.n -= back;
        break;
    }
    return s;
}

bool th_utf8_ok(struct th_span s)
{
    const char *p = s.p, *end = p + s.n;
    size_t bad, n;

    while (p < end) {
        n = (unsigned char)*p < 0x80 ? 1 : th_utf8_step(p, end, &bad);
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}
