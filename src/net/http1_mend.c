/* Rewrites the odd head of an answer into the form that the strict reader takes.
 *
 * Why: endpoints that answer 200 in an old or careless form (headers folded over two lines, bare LF, a blank before the
 * colon, a line of a warning among the fields) have taken the event; it would be worse to send it again and
 * again. RFC 9112 sections 2.2, 5.1 and 5.2 tell user agents how to read most of that. Requests never come
 * here, and a connection whose answer came here carries no other, so nothing can be smuggled.
 *
 * Refuses: NUL, CR that ends no line, other control characters. Framing is not judged here: a folded Content-Length is
 * joined and then refused by the reader.
 *
 * Invariants: 1. A head that is canonical already is copied unchanged but for blanks around values. 2. At most as long as
 * the input and 2 bytes a line. The caller owns the buffer and bounds it. */
#include "net/http1.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct th_span trim(struct th_span s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s.p++, s.n--;
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* One line without its end; moves *rest behind it. */
static struct th_span next_line(struct th_span *rest)
{
    const char *lf = memchr(rest->p, '\n', rest->n);
    size_t n = lf ? (size_t)(lf - rest->p) : rest->n;
    struct th_span line = {rest->p, n > 0 && rest->p[n - 1] == '\r' ? n - 1 : n};

    rest->p += n + (lf != NULL);
    rest->n -= n + (lf != NULL);
    return line;
}

/* False: the line is no field. */
static bool add_field(struct th_span line, struct th_buf *out)
{
    const char *colon = memchr(line.p, ':', line.n);
    struct th_span name, value;

    if (!colon)
        return false;
    name = trim(th_span(line.p, (size_t)(colon - line.p)));
    if (!th_http1_is_token(name))
        return false;
    value = trim(th_span(colon + 1, line.n - (size_t)(colon - line.p) - 1));
    th_buf_str(out, "\r\n");
    th_buf_span(out, name);
    th_buf_str(out, ": ");
    th_buf_span(out, value);
    return true;
}

const char *th_http1_mend(struct th_span head, struct th_buf *out)
{
    bool in_field = false;
    struct th_span line;

    th_buf_reset(out);
    while (head.n > 0) {
        line = next_line(&head);
        if (!th_http1_is_value(line))
            return "control character in the head";
        if (line.n == 0)
            continue; /* an empty line before the status line, or the one at the end of the head */
        if (out->n == 0) {
            th_buf_span(out, line);
        } else if (!is_blank(line.p[0])) {
            in_field = add_field(line, out);
        } else if (in_field && trim(line).n > 0) {
            th_buf_char(out, ' ');
            th_buf_span(out, trim(line));
        }
    }
    th_buf_str(out, "\r\n\r\n");
    return out->failed ? out->failed == TH_TOO_LARGE ? "the answer's head is too large" : "out of memory"
                       : NULL;
}
