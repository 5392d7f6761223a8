/* References to URIs, as far as schemas need them: RFC 3986, section 5.2, without a look at what the parts mean. */
#include "core/schema/program.h"
#include "lib/text.h"

struct uri {
    struct th_span scheme, authority, path,
        query; /* each with the characters that mark it; without the fragment */
};

static struct th_span cut(struct th_span *s, size_t n)
{
    struct th_span head = th_span(s->p, n);

    *s = th_span(s->p + n, s->n - n);
    return head;
}

static size_t until(struct th_span s, size_t from, const char *ends)
{
    while (from < s.n && !strchr(ends, s.p[from]))
        from++;
    return from;
}

static struct uri parse(struct th_span s)
{
    struct uri u = {{"", 0}, {"", 0}, {"", 0}, {"", 0}};
    size_t n = until(s, 0, ":/?#");

    s.n = until(s, 0, "#");
    if (n > 0 && n < s.n && s.p[n] == ':')
        u.scheme = cut(&s, n + 1);
    if (th_span_starts(s, TH_LIT("//")))
        u.authority = cut(&s, until(s, 2, "/?"));
    u.path = cut(&s, until(s, 0, "?"));
    u.query = s;
    return u;
}

/* Appends the path without "." and "..". */
static void add_path(struct th_buf *out, struct th_span path)
{
    size_t start = out->n;

    for (size_t at = 0; at < path.n;) {
        size_t end = until(path, at + (path.p[at] == '/'), "/");
        struct th_span part = th_span(path.p + at, end - at);
        struct th_span name = part.n && *part.p == '/' ? th_span(part.p + 1, part.n - 1) : part;
        bool last = end == path.n;

        at = end;
        if (th_span_eq(name, TH_LIT(".."))) {
            while (out->n > start && out->p[--out->n] != '/')
                ;
        } else if (!th_span_eq(name, TH_LIT("."))) {
            th_buf_span(out, part);
            continue;
        }
        if (last)
            th_buf_char(out, '/');
    }
}

void sc_uri_resolve(struct th_span base, struct th_span reference, struct th_buf *out)
{
    struct uri r = parse(reference), b = parse(base);
    struct th_buf merged;

    if (r.scheme.n) {
        b = r;
    } else if (r.authority.n) {
        r.scheme = b.scheme;
        b = r;
    } else if (r.path.n == 0) {
        if (r.query.n)
            b.query = r.query;
    } else {
        b.query = r.query;
        th_buf_init(&merged, 64 << 10);
        if (*r.path.p != '/') {
            size_t n = b.path.n;

            while (n && b.path.p[n - 1] != '/')
                n--;
            if (n == 0 && b.authority.n)
                th_buf_char(&merged, '/');
            th_buf_add(&merged, b.path.p, n);
        }
        th_buf_span(&merged, r.path);
        th_buf_span(out, b.scheme);
        th_buf_span(out, b.authority);
        add_path(out, th_buf_view(&merged));
        th_buf_span(out, b.query);
        if (merged.failed)
            out->failed = merged.failed;
        th_buf_fini(&merged);
        return;
    }
    th_buf_span(out, b.scheme);
    th_buf_span(out, b.authority);
    th_buf_span(out, b.path);
    th_buf_span(out, b.query);
}

void sc_uri_decode(struct th_span s, struct th_buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '%' && s.n - i > 2 && th_hex_value(s.p[i + 1]) >= 0 && th_hex_value(s.p[i + 2]) >= 0) {
            th_buf_char(out, (char)(th_hex_value(s.p[i + 1]) << 4 | th_hex_value(s.p[i + 2])));
            i += 2;
        } else {
            th_buf_char(out, s.p[i]);
        }
    }
}
