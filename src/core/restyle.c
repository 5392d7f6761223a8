/* A body as other programs would have written it: for those that explain why a signature does not verify, and look for the one that was
 * signed.
 *
 * Works over the bytes of valid JSON: numbers and the order of members stay, but for ECMAScript's own rules.
 * Each function returns false where its change is not possible (the body is not JSON). */
#include "core/restyle.h"
#include "core/ecma.h"

enum { RE_MINIFY = 0, RE_PYTHON = 1, RE_PRETTY2 = 2, RE_PRETTY4 = 4, RE_ASCII = 8, RE_SLASH = 16 };

static void new_line(struct th_buf *out, unsigned flags, unsigned depth)
{
    if (!(flags & (RE_PRETTY2 | RE_PRETTY4)))
        return;
    th_buf_char(out, '\n');
    for (unsigned i = 0; i < depth * (flags & RE_PRETTY2 ? 2u : 4u); i++)
        th_buf_char(out, ' ');
}

/* One UTF-8 sequence as \uXXXX (a pair above the BMP); the length read. The text is valid. */
static size_t escape_one(const unsigned char *p, struct th_buf *out)
{
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    uint32_t c = p[0] & (n == 4 ? 7u : n == 3 ? 15u : 31u);

    for (size_t i = 1; i < n; i++)
        c = c << 6 | (p[i] & 63u);
    if (c > 0xffff)
        th_buf_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                      0xdc00 + ((c - 0x10000) & 0x3ff));
    else
        th_buf_printf(out, "\\u%04x", c);
    return n;
}

static bool restyle(struct th_span body, unsigned flags, struct th_buf *out)
{
    struct th_json root;
    unsigned depth = 0;
    bool string = false, empty = false;

    if (th_json_parse(body, TH_JSON_DEPTH, &root, NULL))
        return false;
    for (size_t i = 0; i < root.raw.n; i++) {
        char c = root.raw.p[i];
        if (string) {
            if ((flags & RE_ASCII) && (unsigned char)c >= 0x80) {
                i += escape_one((const unsigned char *)root.raw.p + i, out) - 1;
                continue;
            }
            if ((flags & RE_SLASH) && c == '/')
                th_buf_char(out, '\\');
            th_buf_char(out, c);
            if (c == '\\')
                th_buf_char(out, root.raw.p[++i]);
            string = c != '"';
            continue;
        }
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        if (c == '}' || c == ']') {
            depth--;
            if (!empty)
                new_line(out, flags, depth);
        } else if (empty) {
            new_line(out, flags, depth);
        }
        empty = c == '{' || c == '[';
        depth += empty;
        string = c == '"';
        th_buf_char(out, c);
        if (c == ':' && flags & (RE_PYTHON | RE_PRETTY2 | RE_PRETTY4))
            th_buf_char(out, ' ');
        if (c == ',' && flags & RE_PYTHON)
            th_buf_char(out, ' ');
        if (c == ',')
            new_line(out, flags, depth);
    }
    return !out->failed;
}

static bool minify(struct th_span b, struct th_buf *out)
{
    return restyle(b, RE_MINIFY, out);
}
static bool python(struct th_span b, struct th_buf *out)
{
    return restyle(b, RE_PYTHON, out);
}
static bool python_ascii(struct th_span b, struct th_buf *out)
{
    return restyle(b, RE_PYTHON | RE_ASCII, out);
}
static bool ascii(struct th_span b, struct th_buf *out)
{
    return restyle(b, RE_ASCII, out);
}
static bool php(struct th_span b, struct th_buf *out)
{
    return restyle(b, RE_ASCII | RE_SLASH, out);
}
static bool pretty2(struct th_span b, struct th_buf *out)
{
    return restyle(b, RE_PRETTY2, out);
}
static bool pretty4(struct th_span b, struct th_buf *out)
{
    return restyle(b, RE_PRETTY4, out);
}
static bool ecmascript(struct th_span b, struct th_buf *out)
{
    struct th_json v;

    return th_json_parse(b, TH_JSON_DEPTH_MAX, &v, NULL) == TH_OK && th_ecma_write(v, out, NULL) == TH_OK;
}
static bool more_newline(struct th_span b, struct th_buf *out)
{
    th_buf_span(out, b);
    th_buf_char(out, '\n');
    return true;
}
static bool less_newline(struct th_span b, struct th_buf *out)
{
    while (b.n && (b.p[b.n - 1] == '\n' || b.p[b.n - 1] == '\r'))
        b.n--;
    th_buf_span(out, b);
    return true;
}
static bool to_lf(struct th_span b, struct th_buf *out)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] != '\r')
            th_buf_char(out, b.p[i]);
    return true;
}
static bool to_crlf(struct th_span b, struct th_buf *out)
{
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] == '\n' && (i == 0 || b.p[i - 1] != '\r'))
            th_buf_char(out, '\r');
        th_buf_char(out, b.p[i]);
    }
    return true;
}
#define BOM "\xef\xbb\xbf"

static bool less_mark(struct th_span b, struct th_buf *out)
{
    if (!th_span_starts(b, TH_LIT(BOM)))
        return false;
    th_buf_add(out, b.p + 3, b.n - 3);
    return true;
}
static bool more_mark(struct th_span b, struct th_buf *out)
{
    th_buf_str(out, BOM);
    th_buf_span(out, b);
    return true;
}
/* UTF-8 that was taken for Latin-1 (or Windows-1252) and written as UTF-8 once more. */
static bool decoded_once(struct th_span b, struct th_buf *out)
{
    static const uint16_t windows[32] = {0x20ac, 0x81,   0x201a, 0x192,  0x201e, 0x2026, 0x2020, 0x2021,
                                         0x2c6,  0x2030, 0x160,  0x2039, 0x152,  0x8d,   0x17d,  0x8f,
                                         0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                         0x2dc,  0x2122, 0x161,  0x203a, 0x153,  0x9d,   0x17e,  0x178};

    if (!th_utf8_ok(b))
        return false;
    for (size_t i = 0; i < b.n; i++) {
        unsigned char c = (unsigned char)b.p[i];
        uint32_t point = c;
        size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;

        if (more)
            point = c & (more == 3 ? 7u : more == 2 ? 15u : 31u);
        for (size_t k = 0; k < more; k++)
            point = point << 6 | ((unsigned char)b.p[++i] & 63u);
        for (unsigned w = 0; point > 0xff && w < 32; w++)
            if (windows[w] == point)
                point = 0x80 + w;
        if (point > 0xff)
            return false;
        th_buf_char(out, (char)(unsigned char)point);
    }
    return th_utf8_ok(th_buf_view(out));
}
/* Whole numbers in the form of programs that know only floating point. */
static bool with_point(struct th_span b, struct th_buf *out)
{
    bool string = false;

    for (size_t i = 0; i < b.n; i++) {
        char c = b.p[i];

        if (c == '"')
            string = !string;
        th_buf_char(out, c);
        if (string && c == '\\' && i + 1 < b.n)
            th_buf_char(out, b.p[++i]);
        if (string || c < '0' || c > '9' || (i > 0 && strchr("+.eE", b.p[i - 1])))
            continue;
        while (i + 1 < b.n && b.p[i + 1] >= '0' && b.p[i + 1] <= '9')
            th_buf_char(out, b.p[++i]);
        if (i + 1 == b.n || !strchr(".eE", b.p[i + 1]))
            th_buf_str(out, ".0");
    }
    return true;
}

/* The envelope of Standard Webhooks again, after a program that sorts the members of objects. */
static bool envelope(struct th_span b, struct th_buf *out)
{
    static const char *const names[] = {"type", "timestamp", "data"};
    struct th_json root, member;
    struct th_json_iter it;
    unsigned n = 0;

    if (th_json_parse(b, TH_JSON_DEPTH, &root, NULL) || root.type != TH_JSON_OBJECT)
        return false;
    th_json_iter(&it, root);
    while (th_json_next(&it, NULL, &member))
        n++;
    if (n != 3)
        return false;
    for (unsigned i = 0; i < 3; i++) {
        if (!th_json_member(root, th_str(names[i]), &member))
            return false;
        th_buf_printf(out, "%s\"%s\":", i ? "," : "{", names[i]);
        th_buf_span(out, member.raw);
    }
    th_buf_char(out, '}');
    return true;
}
static bool nothing(struct th_span b, struct th_buf *out)
{
    (void)b;
    (void)out;
    return true;
}

const struct th_restyle th_restyles[TH_RESTYLES] = {
    [TH_RESTYLE_NONE] = {NULL, NULL},
    [TH_RESTYLE_LESS_NEWLINE] = {less_newline, "without the line end behind it"},
    [TH_RESTYLE_MORE_NEWLINE] = {more_newline, "with a line end behind it"},
    [TH_RESTYLE_MINIFY] = {minify, "written without white space"},
    [TH_RESTYLE_PYTHON] = {python,
                           "written with a space behind each comma and colon, as Python's json.dumps does"},
    [TH_RESTYLE_PYTHON_ASCII] = {python_ascii, "written as Python's json.dumps does, with \\u escapes"},
    [TH_RESTYLE_ASCII] = {ascii, "written without white space and with \\u escapes"},
    [TH_RESTYLE_PHP] = {php, "written as PHP's json_encode does"},
    [TH_RESTYLE_ECMASCRIPT] = {ecmascript, "written as JSON.stringify does"},
    [TH_RESTYLE_PRETTY2] = {pretty2, "indented by two spaces"},
    [TH_RESTYLE_PRETTY4] = {pretty4, "indented by four spaces"},
    [TH_RESTYLE_TO_LF] = {to_lf, "with LF line ends"},
    [TH_RESTYLE_TO_CRLF] = {to_crlf, "with CRLF line ends"},
    [TH_RESTYLE_LESS_MARK] = {less_mark, "without the byte order mark in front of it"},
    [TH_RESTYLE_MORE_MARK] = {more_mark, "with a byte order mark in front of it"},
    [TH_RESTYLE_DECODED_ONCE] = {decoded_once,
                                 "with its characters decoded once: it was encoded as UTF-8 twice"},
    [TH_RESTYLE_WITH_POINT] =
        {with_point, "with .0 behind whole numbers, as programs write them that know only floating point"},
    [TH_RESTYLE_ENVELOPE] =
        {envelope,
         "with the members of the outermost object in the order type, timestamp, data: they were sorted"},
    [TH_RESTYLE_NOTHING] = {nothing, "empty"},
};
