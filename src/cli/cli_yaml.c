/* JSON values as YAML, for files that people edit.
 *
 * JSON is nearly YAML, but not quite: YAML takes some characters in quotes for line ends or refuses them, and has
 * no pairs of surrogates. So strings are decoded and written anew, with what YAML reads differently as \u. */
#include "base/enc.h"
#include "base/unseen.h"
#include "cli/cmd_transfer.h"
#include <stdlib.h>

/* Length of the UTF-8 sequence at p, and its code point. The text is well formed. */
static size_t code_point(const unsigned char *p, unsigned *out)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    *out = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        *out = *out << 6 | (p[i] & 0x3fu);
    return n;
}

/* What YAML would take for a line end, or refuse; and what a terminal must not get. */
static bool read_otherwise(unsigned c)
{
    return (c >= 0x7f && c <= 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe ||
           c == 0xffff || (c < 0xffff && th_unseen(c));
}

static void write_string(struct th_buf *out, struct th_json v)
{
    struct th_buf text, json;
    struct th_jw w;

    th_buf_init(&text, v.raw.n + 16);
    th_buf_init(&json, v.raw.n * 6 + 64);
    (void)th_json_string(v, &text);
    w = th_jw(&json);
    th_jw_string(&w, th_buf_view(&text));
    for (size_t i = 0, n; i < json.n; i += n) {
        unsigned c;
        n = code_point((const unsigned char *)json.p + i, &c);
        if (read_otherwise(c))
            th_buf_printf(out, "\\u%04x", c);
        else
            th_buf_add(out, json.p + i, n);
    }
    if (text.failed || json.failed)
        out->failed = TH_NOMEM;
    th_buf_wipe(&text);
    th_buf_wipe(&json);
}

/* Over the bytes: strings are written anew, the rest is YAML as it stands. */
void th_yaml_write(struct th_buf *out, struct th_json v)
{
    for (size_t i = 0; i < v.raw.n;) {
        size_t end = i + 1;
        if (v.raw.p[i] != '"') {
            th_buf_char(out, v.raw.p[i++]);
            continue;
        }
        while (v.raw.p[end] != '"')
            end += v.raw.p[end] == '\\' ? 2 : 1;
        write_string(out, (struct th_json){TH_JSON_STRING, {v.raw.p + i, end + 1 - i}});
        i = end + 1;
    }
}
