/* Strict reader of HTTP/1.1 message heads (RFC 9112), for requests and for answers.
 *
 * Why: every lenient reading of a head is a place where two programs on one connection can disagree about
 * where a message ends (request smuggling, response-queue poisoning). So there is one reading of each head or
 * none. Answers are read with more patience, because an endpoint that said 200 must not get its event again for
 * the form of its head: what RFC 9112 lets a user agent read is read (see judge_answer and http1_mend.c), and a
 * connection that carried such an answer carries no other.
 *
 * Refuses in requests: line ends other than CRLF, bare CR or LF, NUL and other controls, obs-fold, white space before the
 * colon, an empty line before the request line, more or less than one Host in HTTP/1.1, Content-Length that
 * is repeated, a list or above 2^63-1, Transfer-Encoding that is anything but one `chunked`, both of them
 * together, versions other than 1.0 and 1.1. Refuses in answers: NUL, bare CR and other controls, lengths that are
 * no number or differ, other versions, status codes that are not 100 to 599.
 *
 * Invariants: 1. Reads p[0..n) only, keeps nothing. 2. A head that is complete is never MORE. 3. Spans in the
 * result point into p, or into the mended head of an answer. 4. The result of a growing buffer does not depend on where its pieces ended. 5. A
 * control character is refused as soon as it is here (a TLS handshake sent to the plain port gets an answer).
 * On failure: BAD with a static English reason; nothing else of the result may be used. */
#include "net/http1.h"
#include "base/check.h"
#include "core/guard.h"

#define CLASS_TOKEN 1u  /* tchar */
#define CLASS_VALUE 2u  /* HTAB, SP, VCHAR, obs-text */
#define CLASS_TARGET 4u /* VCHAR */
#define CLASS_NAME 8u   /* unreserved and sub-delims: reg-name without percent-encoding */

/* Sums of the above for each byte below 0x80; the bytes above are obs-text, CLASS_VALUE only. */
/* clang-format off */
static const unsigned char ascii[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, /* 00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 10 */
    2, 15, 6, 7, 15, 7, 15, 15, 14, 14, 15, 15, 14, 15, 15, 6, /* 20 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 14, 6, 14, 6, 6, /* 30 */
    6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 40 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 6, 6, 7, 15, /* 50 */
    7, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, /* 60 */
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 7, 6, 15, 0, /* 70 */
};
/* clang-format on */

enum { MAX_EMPTY = 8 };

/* Framing fields seen so far in one head. */
struct framing {
    unsigned hosts, lengths, encodings; /* field lines */
    unsigned codings;                   /* transfer codings in all lines */
    uint64_t length;
    bool chunked; /* the last coding so far */
    bool chunked_before, close, keep, expect_continue, expect_other;
    /* answers */
    bool answer;
    bool odd;   /* framed in a way that RFC 9112 does not allow a sender */
    bool other; /* there is a coding beside chunked and identity */
};

static inline bool has_class(char c, unsigned class)
{
    unsigned char byte = (unsigned char)c;

    return (byte < 0x80 ? ascii[byte] : CLASS_VALUE) & class;
}

static bool is_class(struct th_span s, unsigned class)
{
    for (size_t i = 0; i < s.n; i++)
        if (!has_class(s.p[i], class))
            return false;
    return true;
}

bool th_http1_is_token(struct th_span s)
{
    return s.n > 0 && is_class(s, CLASS_TOKEN);
}

bool th_http1_is_value(struct th_span s)
{
    return is_class(s, CLASS_VALUE);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (th_lower(c) >= 'a' && th_lower(c) <= 'f');
}

static bool is_port(struct th_span s)
{
    uint64_t port;

    return s.n == 0 || th_span_u64(s, 65535, &port);
}

bool th_http1_is_host(struct th_span s)
{
    size_t i = 0;

    if (s.n > 0 && s.p[0] == '[') {
        const char *close = memchr(s.p, ']', s.n);
        struct th_addr addr;

        if (!close || !th_addr_parse(th_span(s.p + 1, (size_t)(close - s.p) - 1), &addr) || addr.family != 6)
            return false;
        i = (size_t)(close - s.p) + 1;
    } else {
        while (i < s.n && s.p[i] != ':') {
            if (s.p[i] == '%' && s.n - i > 2 && is_hex(s.p[i + 1]) && is_hex(s.p[i + 2]))
                i += 3;
            else if (has_class(s.p[i], CLASS_NAME))
                i++;
            else
                return false;
        }
        if (i == 0)
            return false;
    }
    if (i == s.n)
        return true;
    return s.p[i] == ':' && is_port(th_span(s.p + i + 1, s.n - i - 1));
}

/* What can be said of an incomplete head (in a request, every LF has been seen to follow a CR): no control but CRLF, and a
 * CR as the last byte so far. */
static bool may_become_head(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!has_class(p[i], CLASS_VALUE) && p[i] != '\n' &&
            !(p[i] == '\r' && (i == n - 1 || p[i + 1] == '\n')))
            return false;
    return true;
}

/* True when the line that ends at p[i] of an answer is empty: nothing or a CR lies between two line ends. Up
 * to MAX_EMPTY such lines may come first: they are left over from an earlier answer whose length was wrong. */
static bool ends_answer(const char *p, size_t i, const char **why)
{
    size_t start = i > 0 && p[i - 1] == '\r' ? i - 1 : i, k = 0;

    if (start > 0 && p[start - 1] != '\n')
        return false;
    while (k < start && (p[k] == '\r' || p[k] == '\n'))
        k++;
    if (k == start && k >= MAX_EMPTY)
        *why = "empty lines where a message must start";
    return k < start;
}

/* Finds the empty line. DONE: *used is the length of the head. *scanned counts the bytes that need no second
 * look. */
static enum th_http1_result find_end(const char *p, size_t n, bool answer, size_t *scanned, size_t *used,
                                     const char **why)
{
    size_t from = *scanned;
    const char *lf;

    while (from < n && (lf = memchr(p + from, '\n', n - from))) {
        size_t i = (size_t)(lf - p);

        if (answer) {
            from = i + 1;
            if (ends_answer(p, i, why)) {
                *used = from;
                return TH_HTTP1_DONE;
            }
            if (*why)
                return TH_HTTP1_BAD;
            continue;
        }
        if (i == 0 || p[i - 1] != '\r') {
            *why = "line end is not CRLF";
            return TH_HTTP1_BAD;
        }
        if (i == 1) {
            *why = "empty line where a message must start";
            return TH_HTTP1_BAD;
        }
        from = i + 1;
        if (p[i - 2] == '\n') {
            *used = from;
            return TH_HTTP1_DONE;
        }
    }
    if (!may_become_head(p + *scanned, n - *scanned)) {
        *why = "control character in the head";
        return TH_HTTP1_BAD;
    }
    *scanned = n > 0 && p[n - 1] == '\r' ? n - 1 : n;
    return TH_HTTP1_MORE;
}

/* One element of a comma-separated list without surrounding white space; moves *rest behind its comma. */
static struct th_span next_element(struct th_span *rest)
{
    const char *comma = memchr(rest->p, ',', rest->n);
    struct th_span e = {rest->p, comma ? (size_t)(comma - rest->p) : rest->n};

    rest->p += e.n + (comma != NULL);
    rest->n -= e.n + (comma != NULL);
    while (e.n > 0 && (e.p[0] == ' ' || e.p[0] == '\t'))
        e.p++, e.n--;
    while (e.n > 0 && (e.p[e.n - 1] == ' ' || e.p[e.n - 1] == '\t'))
        e.n--;
    return e;
}

static const char *note_host(struct framing *f, struct th_span value)
{
    f->hosts++;
    /* Empty: what a client sends whose target URI has no authority (RFC 9112 section 3.2). */
    return value.n == 0 || th_http1_is_host(value) ? NULL : "Host is not a host with an optional port";
}

static const char *note_length(struct framing *f, struct th_span value)
{
    uint64_t length;

    if (f->lengths++ && !f->answer)
        return "more than one Content-Length";
    while (value.n > 1 && value.p[0] == '0') /* 1*DIGIT: zeros in front do not make it large */
        value.p++, value.n--;
    if (!th_span_u64(value, INT64_MAX, &length))
        return "Content-Length is not a decimal number";
    if (f->lengths > 1 && length != f->length)
        return "two Content-Length that differ";
    f->odd |= f->lengths > 1;
    f->length = length;
    return NULL;
}

static const char *note_encoding(struct framing *f, struct th_span value)
{
    f->encodings++;
    for (bool more = true; more;) { /* an empty element counts as a coding that nobody knows, in requests */
        struct th_span coding;

        more = memchr(value.p, ',', value.n) != NULL;
        coding = next_element(&value);
        if (f->answer && coding.n == 0)
            continue;
        f->chunked_before |= f->chunked;
        f->chunked = th_span_ieq(coding, TH_LIT("chunked"));
        f->other |= !f->chunked && !th_span_ieq(coding, TH_LIT("identity"));
        f->codings++;
    }
    return NULL; /* judged when all fields are known: 400 or 501 depends on the others */
}

static const char *note_connection(struct framing *f, struct th_span value)
{
    while (value.n > 0) {
        struct th_span option = next_element(&value);

        f->close |= th_span_ieq(option, TH_LIT("close"));
        f->keep |= th_span_ieq(option, TH_LIT("keep-alive"));
    }
    return NULL;
}

static const char *note_expect(struct framing *f, struct th_span value)
{
    if (th_span_ieq(value, TH_LIT("100-continue")))
        f->expect_continue = true;
    else
        f->expect_other = true;
    return NULL;
}

static const struct {
    struct th_span name;
    const char *(*note)(struct framing *f, struct th_span value);
} framing_fields[] = {
    {{"host", 4}, note_host},
    {{"content-length", 14}, note_length},
    {{"transfer-encoding", 17}, note_encoding},
    {{"connection", 10}, note_connection},
    {{"expect", 6}, note_expect},
};

static const char *note_field(struct framing *f, const struct th_http1_field *field)
{
    for (size_t i = 0; i < sizeof framing_fields / sizeof framing_fields[0]; i++)
        if (field->name.n == framing_fields[i].name.n && th_span_ieq(field->name, framing_fields[i].name))
            return framing_fields[i].note(f, field->value);
    return NULL;
}

/* One field line without its CRLF. */
static const char *read_field(struct th_span line, struct th_http1_field *field)
{
    size_t i = 0, end = line.n;

    while (i < line.n && has_class(line.p[i], CLASS_TOKEN))
        i++;
    if (i == 0 && (line.p[0] == ' ' || line.p[0] == '\t'))
        return "folded field line";
    if (i == 0 || i == line.n || line.p[i] != ':')
        return "field name is not a token followed by a colon";
    field->name = th_span(line.p, i);
    for (i++; i < end && (line.p[i] == ' ' || line.p[i] == '\t'); i++)
        continue;
    while (end > i && (line.p[end - 1] == ' ' || line.p[end - 1] == '\t'))
        end--;
    field->value = th_span(line.p + i, end - i);
    return is_class(field->value, CLASS_VALUE) ? NULL : "control character in a field value";
}

/* All field lines, from the byte after the start line to the empty line. */
static const char *read_fields(struct th_span lines, struct th_http1_head *head, struct framing *f,
                               unsigned *status)
{
    const char *p = lines.p, *end = lines.p + lines.n, *why = NULL;

    head->field_lines = lines;
    head->field_count = 0;
    while (p < end && !why) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        struct th_http1_field *field;

        if (head->field_count == TH_HTTP1_MAX_FIELDS) {
            *status = 431;
            return "too many fields";
        }
        if (lf == p || lf[-1] != '\r')
            return "line end is not CRLF"; /* an answer; in a request every line end has been looked at */
        field = &head->fields[head->field_count++];
        why = read_field(th_span(p, (size_t)(lf - p) - 1), field);
        if (!why)
            why = note_field(f, field);
        p = lf + 1;
    }
    return why;
}

/* "HTTP/1.0" or "HTTP/1.1"; another well-formed version is 505. */
static const char *read_version(struct th_span v, unsigned *minor, unsigned *status)
{
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[5] < '0' || v.p[5] > '9' || v.p[6] != '.' ||
        v.p[7] < '0' || v.p[7] > '9')
        return "malformed HTTP version";
    if (v.p[5] != '1' || v.p[7] > '1') {
        *status = 505;
        return "HTTP version is neither 1.0 nor 1.1";
    }
    *minor = (unsigned)(v.p[7] - '0');
    return NULL;
}

/* origin-form, absolute-form, or asterisk-form for OPTIONS (RFC 9112 section 3.2). */
static const char *check_target(struct th_span method, struct th_span target)
{
    static const struct th_span schemes[] = {{"http://", 7}, {"https://", 8}};

    if (!is_class(target, CLASS_TARGET))
        return "request target has a byte that is not visible ASCII";
    if (target.p[0] == '/' || (th_span_is(target, "*") && th_span_is(method, "OPTIONS")))
        return NULL;
    for (size_t i = 0; i < 2; i++) {
        struct th_span rest = target;
        size_t n = 0;

        if (target.n <= schemes[i].n || !th_span_ieq(th_span(target.p, schemes[i].n), schemes[i]))
            continue;
        rest.p += schemes[i].n;
        rest.n -= schemes[i].n;
        while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
            n++;
        if (th_http1_is_host(th_span(rest.p, n)))
            return NULL;
    }
    return "request target is neither a path nor an absolute http URI";
}

static const char *read_request_line(struct th_span line, struct th_http1_head *head, unsigned *status)
{
    const char *sp1 = memchr(line.p, ' ', line.n), *sp2 = NULL, *end = line.p + line.n, *why;

    if (sp1)
        sp2 = memchr(sp1 + 1, ' ', (size_t)(end - sp1) - 1);
    if (!sp2 || sp1 == line.p || sp2 == sp1 + 1 || memchr(sp2 + 1, ' ', (size_t)(end - sp2) - 1))
        return "request line is not method, target and version, each after one space";
    head->method = th_span(line.p, (size_t)(sp1 - line.p));
    head->target = th_span(sp1 + 1, (size_t)(sp2 - sp1) - 1);
    if (!th_http1_is_token(head->method))
        return "method is not a token";
    why = read_version(th_span(sp2 + 1, (size_t)(end - sp2) - 1), &head->minor, status);
    if (why)
        return why;
    if (head->target.n > TH_HTTP1_MAX_TARGET) {
        *status = 414;
        return "request target too long";
    }
    if (th_span_is(head->method, "CONNECT")) {
        *status = 501;
        return "CONNECT is not implemented";
    }
    return check_target(head->method, head->target);
}

static bool is_persistent(const struct framing *f, unsigned minor)
{
    return !f->close && (minor == 1 || f->keep);
}

/* Rules that both kinds of message share (RFC 9112 section 6.1 and 6.3). Where chunked is not the last coding, or was applied
 * before, nobody can tell where the body ends: that is the sender's mistake, and not a coding which we lack. */
static const char *check_framing(const struct framing *f, unsigned minor, unsigned *status)
{
    if (f->encodings == 0)
        return NULL;
    if (f->lengths > 0)
        return "both Transfer-Encoding and Content-Length";
    if (minor == 0)
        return "Transfer-Encoding in an HTTP/1.0 message";
    if (f->encodings > 1)
        return "more than one Transfer-Encoding";
    if (f->chunked_before)
        return "chunked is not the last transfer coding, or is there twice";
    if (!f->chunked)
        return "the last transfer coding is not chunked";
    if (f->codings == 1)
        return NULL;
    *status = 501;
    return "transfer coding other than a single chunked";
}

static const char *judge_request(struct th_http1_head *head, const struct framing *f, unsigned *status)
{
    const char *why;

    if (f->hosts > 1 || (f->hosts == 0 && head->minor == 1))
        return "a request needs exactly one Host field";
    why = check_framing(f, head->minor, status);
    if (why)
        return why;
    if (f->expect_other && head->minor == 1) {
        *status = 417;
        return "expectation other than 100-continue";
    }
    head->body = f->encodings ? TH_HTTP1_CHUNKED : f->length ? TH_HTTP1_LENGTH : TH_HTTP1_NO_BODY;
    head->length = f->length;
    head->keep_alive = is_persistent(f, head->minor);
    /* RFC 9110 section 10.1.1: ignored in HTTP/1.0 and where no body follows. */
    head->expect_continue = f->expect_continue && head->minor == 1 && head->body != TH_HTTP1_NO_BODY;
    return NULL;
}

enum th_http1_result th_http1_request(const char *p, size_t n, size_t *scanned, struct th_http1_head *head,
                                      size_t *used, unsigned *status, const char **why)
{
    struct framing f = {0};
    enum th_http1_result r;
    const char *lf;

    *status = 400;
    *why = NULL;
    TH_CHECK(*scanned <= n);
    r = find_end(p, n, false, scanned, used, why);
    if (r != TH_HTTP1_DONE)
        return r;
    head->status = 0;
    lf = memchr(p, '\n', *used);
    *why = read_request_line(th_span(p, (size_t)(lf - p) - 1), head, status);
    if (!*why)
        *why = read_fields(th_span(lf + 1, *used - (size_t)(lf - p) - 3), head, &f, status);
    if (!*why)
        *why = judge_request(head, &f, status);
    if (*why && *status != 400 && !may_become_head(p, *used)) {
        *status = 400; /* as when that byte is the last one here: see invariant 4 */
        *why = "control character in the head";
    }
    return *why ? TH_HTTP1_BAD : TH_HTTP1_DONE;
}

/* HTTP-version SP 3DIGIT [SP reason-phrase]. */
static const char *read_status_line(struct th_span line, struct th_http1_head *head)
{
    unsigned ignored;
    const char *why, *code;

    if (line.n < 12 || line.p[8] != ' ')
        return "malformed status line";
    code = line.p + 9;
    why = read_version(th_span(line.p, 8), &head->minor, &ignored);
    if (why)
        return why;
    if (code[0] < '1' || code[0] > '5' || code[1] < '0' || code[1] > '9' || code[2] < '0' || code[2] > '9')
        return "status code is not a number from 100 to 599";
    if (line.n > 12 && line.p[12] != ' ')
        return "status code is not followed by a space";
    if (!is_class(th_span(line.p + 12, line.n - 12), CLASS_VALUE))
        return "control character in the reason phrase";
    head->status =
        (unsigned)(code[0] - '0') * 100 + (unsigned)(code[1] - '0') * 10 + (unsigned)(code[2] - '0');
    return NULL;
}

/* RFC 9112 section 6.3 for a user agent: a transfer coding is stronger than a length, and where chunked is not the last
 * one the end of the connection ends the body. `identity`, which RFC 2616 had, is none. Whoever sends what that
 * section forbids may have meant another end of the body: the connection is not used again. */
static void judge_answer(struct th_http1_head *head, const struct framing *f)
{
    bool bodiless = head->status < 200 || head->status == 204 || head->status == 304;
    bool coded = f->chunked || f->chunked_before || f->other;

    head->length = f->length;
    head->expect_continue = false;
    head->keep_alive = is_persistent(f, head->minor) && !f->odd;
    if (f->encodings && (f->lengths || head->minor == 0 || !f->chunked || f->codings > 1 || f->encodings > 1))
        head->keep_alive = false;
    if (bodiless) {
        head->body = TH_HTTP1_NO_BODY;
        /* RFC 9110 section 8.6 and RFC 9112 section 6.1 forbid these; who sends them may send a body as well.
         */
        if (head->status != 304 && (f->encodings || f->length))
            head->keep_alive = false;
        head->length = 0;
    } else if (coded) {
        head->body = f->chunked ? TH_HTTP1_CHUNKED : TH_HTTP1_UNTIL_CLOSE;
        head->keep_alive &= f->chunked;
        head->length = 0;
    } else if (f->lengths) {
        head->body = f->length ? TH_HTTP1_LENGTH : TH_HTTP1_NO_BODY;
    } else {
        head->body = TH_HTTP1_UNTIL_CLOSE;
        head->keep_alive = false;
    }
}

/* One complete head of an answer, in canonical form. */
static const char *read_answer(struct th_span text, struct th_http1_head *head)
{
    struct framing f = {.answer = true};
    const char *lf = memchr(text.p, '\n', text.n), *why;
    size_t line = (size_t)(lf - text.p);
    unsigned ignored;

    if (line == 0 || lf[-1] != '\r' || memcmp(text.p + text.n - 4, "\r\n\r\n", 4) != 0)
        return "line end is not CRLF";
    head->method = head->target = th_span("", 0);
    why = read_status_line(th_span(text.p, line - 1), head);
    if (!why)
        why = read_fields(th_span(lf + 1, text.n - line - 3), head, &f, &ignored);
    if (!why)
        judge_answer(head, &f);
    return why;
}

enum th_http1_result th_http1_answer(const char *p, size_t n, size_t *scanned, struct th_buf *mended,
                                     struct th_http1_head *head, size_t *used, const char **why)
{
    enum th_http1_result r;

    *why = NULL;
    th_buf_reset(mended);
    TH_CHECK(*scanned <= n);
    r = find_end(p, n, true, scanned, used, why);
    if (r != TH_HTTP1_DONE)
        return r;
    *why = read_answer(th_span(p, *used), head);
    if (!*why)
        return TH_HTTP1_DONE;
    *why = th_http1_mend(th_span(p, *used), mended);
    if (!*why)
        *why = read_answer(th_buf_view(mended), head);
    head->keep_alive = false;
    return *why ? TH_HTTP1_BAD : TH_HTTP1_DONE;
}

const struct th_http1_field *th_http1_field(const struct th_http1_head *head, const char *name)
{
    struct th_span wanted = th_str(name);

    for (unsigned i = 0; i < head->field_count; i++)
        if (th_span_ieq(head->fields[i].name, wanted))
            return &head->fields[i];
    return NULL;
}
