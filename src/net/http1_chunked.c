/* Incremental decoder of the chunked transfer coding (RFC 9112 section 7.1), one byte of framing at a time,
 * payload in runs that stay where they are.
 *
 * Refuses in requests: line ends other than CRLF, white space around the size, sizes of more than 16 hex digits or above
 * 2^63-1, extensions that do not follow the grammar, trailer lines that are no field lines, lines above
 * LINE_MAX bytes, and more than OVERHEAD_MAX bytes of extensions and trailers in one message. Extensions and
 * trailers are dropped. In answers what is said of the size, of the bounds and of control characters holds; the rest is
 * taken and noted (`odd`), because the payload is plain all the same. Invariants: 1. `left` counts payload bytes only in state DATA. 2. Same result for
 * every way of cutting the input. On failure: BAD; the decoder must not be used again. The caller bounds the
 * sum of the payload. */
#include "base/check.h"
#include "net/http1.h"

#define LINE_MAX 1024
#define OVERHEAD_MAX (16 * 1024)

enum {
    SIZE_FIRST, /* first digit of a size */
    SIZE,
    SIZE_LF,
    EXT_NAME_FIRST, /* after ";" */
    EXT_NAME,
    EXT_VALUE_FIRST, /* after "=" */
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPE,
    EXT_QUOTED_END,
    EXT_JUNK, /* of an answer: up to the line end */
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST, /* first byte of a trailer line, or the CR of the empty line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    FINISHED,
};

void th_http1_chunked_init(struct th_http1_chunked *c, bool answer)
{
    *c = (struct th_http1_chunked){.state = SIZE_FIRST, .answer = answer};
}

bool th_http1_chunked_whole(const struct th_http1_chunked *c)
{
    return c->state >= TRAILER_FIRST;
}

uint64_t th_http1_chunked_left(const struct th_http1_chunked *c)
{
    return c->state == DATA ? c->left : 0;
}

static bool is_token_byte(char ch)
{
    return th_http1_is_token(th_span(&ch, 1));
}

static bool is_value_byte(char ch)
{
    return th_http1_is_value(th_span(&ch, 1));
}

/* Where a size or an extension may end: at CR, or at ";" where another extension begins. */
static const char *end_of_part(struct th_http1_chunked *c, char ch)
{
    if (ch == '\r')
        c->state = SIZE_LF;
    else if (ch == ';')
        c->state = EXT_NAME_FIRST;
    else
        return "malformed chunk size line";
    return NULL;
}

static const char *on_size(struct th_http1_chunked *c, char ch)
{
    int v = th_hex_value(ch);

    if (v < 0)
        return c->state == SIZE ? end_of_part(c, ch) : "chunk size is not a hexadecimal number";
    if (c->line > 16 || c->left > (uint64_t)INT64_MAX >> 4)
        return "chunk size too large";
    c->left = c->left << 4 | (unsigned)v;
    c->state = SIZE;
    return NULL;
}

static const char *on_extension(struct th_http1_chunked *c, char ch)
{
    switch (c->state) {
    case EXT_NAME_FIRST:
    case EXT_NAME:
        if (is_token_byte(ch))
            c->state = EXT_NAME;
        else if (c->state == EXT_NAME_FIRST)
            return "chunk extension without a name";
        else if (ch == '=')
            c->state = EXT_VALUE_FIRST;
        else
            return end_of_part(c, ch);
        return NULL;
    case EXT_VALUE_FIRST:
    case EXT_VALUE:
        if (c->state == EXT_VALUE_FIRST && ch == '"')
            c->state = EXT_QUOTED;
        else if (is_token_byte(ch))
            c->state = EXT_VALUE;
        else if (c->state == EXT_VALUE_FIRST)
            return "chunk extension without a value";
        else
            return end_of_part(c, ch);
        return NULL;
    case EXT_QUOTED:
        if (!is_value_byte(ch))
            return "control character in a chunk extension";
        c->state = ch == '"' ? EXT_QUOTED_END : ch == '\\' ? EXT_ESCAPE : EXT_QUOTED;
        return NULL;
    case EXT_ESCAPE:
        c->state = EXT_QUOTED;
        return is_value_byte(ch) ? NULL : "control character in a chunk extension";
    case EXT_JUNK:
        return "malformed chunk size line"; /* what of it can be passed over is */
    default:
        return end_of_part(c, ch);
    }
}

static const char *on_trailer(struct th_http1_chunked *c, char ch)
{
    switch (c->state) {
    case TRAILER_FIRST:
        c->state = ch == '\r' ? LAST_LF : TRAILER_NAME;
        return ch == '\r' || is_token_byte(ch) ? NULL : "malformed trailer";
    case TRAILER_NAME:
        if (ch == ':')
            c->state = TRAILER_VALUE;
        else if (!is_token_byte(ch))
            return "malformed trailer";
        return NULL;
    default:
        if (ch == '\r')
            c->state = TRAILER_LF;
        else if (!is_value_byte(ch))
            return "control character in a trailer";
        return NULL;
    }
}

static const char *on_line_feed(struct th_http1_chunked *c, char ch)
{
    if (ch != '\n')
        return "line end is not CRLF";
    c->line = 0; /* and the state says which line has ended */
    switch (c->state) {
    case SIZE_LF:
        c->state = c->left ? DATA : TRAILER_FIRST;
        break;
    case DATA_LF:
        c->state = SIZE_FIRST;
        break;
    case TRAILER_LF:
        c->state = TRAILER_FIRST;
        break;
    default:
        c->state = FINISHED;
    }
    return NULL;
}

/* In answers a bare LF ends a line like CRLF. It goes to the state to which a CR would have led. False: no
 * line can end here. */
static bool bare_line_feed(struct th_http1_chunked *c)
{
    if (c->state == TRAILER_FIRST)
        c->state = LAST_LF;
    else if (c->state == TRAILER_NAME || c->state == TRAILER_VALUE)
        c->state = TRAILER_LF;
    else if (c->state == DATA_CR)
        c->state = DATA_LF;
    else if (c->state == SIZE || (c->state >= EXT_NAME_FIRST && c->state <= EXT_JUNK))
        c->state = SIZE_LF;
    else
        return false;
    return true;
}

/* In answers: handles a byte that the grammar does not allow here. True when it can be passed over. */
static bool pass_over(struct th_http1_chunked *c, char ch)
{
    if (c->state >= EXT_NAME_FIRST && c->state <= EXT_JUNK && ch == '\r')
        c->state = SIZE_LF;
    else if (!is_value_byte(ch))
        return false;
    else if (c->state >= EXT_NAME_FIRST && c->state <= EXT_JUNK)
        c->state = EXT_JUNK;
    else if (c->state == SIZE && (ch == ' ' || ch == '\t'))
        c->state = EXT_JUNK;
    else if (c->state == TRAILER_FIRST || c->state == TRAILER_NAME)
        c->state = TRAILER_VALUE;
    else
        return false;
    return true;
}

static const char *step_strictly(struct th_http1_chunked *c, char ch);

static const char *step_patiently(struct th_http1_chunked *c, char ch)
{
    unsigned state = c->state;
    const char *why;

    if (ch == '\n' && bare_line_feed(c)) {
        c->odd = true;
        return on_line_feed(c, ch);
    }
    why = step_strictly(c, ch);
    if (!why)
        return NULL;
    c->state = state;
    if (!pass_over(c, ch))
        return why;
    c->odd = true;
    return NULL;
}

/* One byte of framing. */
static const char *step(struct th_http1_chunked *c, char ch)
{
    if (++c->line > LINE_MAX)
        return "chunk line too long";
    if (c->state >= EXT_NAME_FIRST && c->state <= EXT_JUNK && ++c->overhead > OVERHEAD_MAX)
        return "too many bytes of chunk extensions";
    if (c->state >= TRAILER_FIRST && c->state <= TRAILER_LF && ++c->overhead > OVERHEAD_MAX)
        return "too many bytes of trailers";
    return c->answer ? step_patiently(c, ch) : step_strictly(c, ch);
}

static const char *step_strictly(struct th_http1_chunked *c, char ch)
{
    switch (c->state) {
    case SIZE_FIRST:
    case SIZE:
        return on_size(c, ch);
    case SIZE_LF:
    case DATA_LF:
    case TRAILER_LF:
    case LAST_LF:
        return on_line_feed(c, ch);
    case DATA_CR:
        c->state = DATA_LF;
        return ch == '\r' ? NULL : "chunk data is not followed by CRLF";
    case TRAILER_FIRST:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return on_trailer(c, ch);
    default:
        return on_extension(c, ch);
    }
}

enum th_http1_result th_http1_chunked(struct th_http1_chunked *c, const char *p, size_t n, size_t *used,
                                      struct th_span *data, const char **why)
{
    size_t i = 0;

    TH_CHECK(c->state <= FINISHED && (c->state != DATA || c->left > 0));
    *data = th_span(p, 0);
    *why = NULL;
    while (i < n && c->state != FINISHED) {
        if (c->state == DATA) {
            size_t run = n - i < c->left ? n - i : (size_t)c->left;

            *data = th_span(p + i, run);
            c->left -= run;
            if (c->left == 0)
                c->state = DATA_CR;
            *used = i + run;
            return TH_HTTP1_MORE;
        }
        *why = step(c, p[i]);
        if (*why)
            return TH_HTTP1_BAD;
        i++;
    }
    *used = i;
    return c->state == FINISHED ? TH_HTTP1_DONE : TH_HTTP1_MORE;
}
