/* HTTP/1.1 message reader (RFC 9112), shared by server and client: strict for requests, as patient as the RFC allows for
 * answers. No I/O: bytes in, spans out. */
#ifndef TH_NET_HTTP1_H
#define TH_NET_HTTP1_H
#include "base/buf.h"

#define TH_HTTP1_MAX_FIELDS 128
#define TH_HTTP1_MAX_TARGET 16384 /* bytes; RFC 9112 section 3 asks for at least 8,000 */

struct th_http1_field {
    struct th_span name, value; /* value without surrounding white space */
};

enum th_http1_body { TH_HTTP1_NO_BODY, TH_HTTP1_LENGTH, TH_HTTP1_CHUNKED, TH_HTTP1_UNTIL_CLOSE };

struct th_http1_head {
    struct th_span method, target; /* requests */
    unsigned minor;                /* HTTP/1.minor: 0 or 1 */
    unsigned status;               /* answers */
    struct th_span field_lines;    /* all field lines with their CRLFs, without the empty line */
    struct th_http1_field fields[TH_HTTP1_MAX_FIELDS];
    unsigned field_count;
    enum th_http1_body body;
    uint64_t length; /* TH_HTTP1_LENGTH */
    bool keep_alive, expect_continue;
};

enum th_http1_result { TH_HTTP1_MORE, TH_HTTP1_DONE, TH_HTTP1_BAD };

/** Classes of bytes, for whoever checks names and values outside a message: a token character (RFC 9110 section 5.6.2)
 * and a byte that a field value may hold (HTAB, SP, VCHAR, obs-text; section 5.5). */
bool th_http1_is_token(struct th_span s);
bool th_http1_is_value(struct th_span s);
/** True for uri-host [":" port] as in the Host field (RFC 9110 section 7.2, RFC 3986 section 3.2.2), but not
 * for an empty text. */
bool th_http1_is_host(struct th_span s);

/** Reads one request head from the start of p[0..n). MORE: incomplete so far and still acceptable. BAD: *status is
 * the answer to give (400, 414, 417, 431, 501, 505), *why says what. DONE: *used bytes belong to the head.
 * `scanned` (in/out, starts at 0) lets repeated calls on a growing buffer avoid reading from the start. */
enum th_http1_result th_http1_request(const char *p, size_t n, size_t *scanned, struct th_http1_head *head,
                                      size_t *used, unsigned *status, const char **why);
/** The same for an answer to a request whose method was not HEAD. Interim (1xx) answers are returned like others. A head
 * with oddities is rewritten into `mended` (the caller's, with its limit; emptied first) and read there: if it is not
 * empty afterwards, spans of the result point into it instead of p. keep_alive is false after any oddity. */
enum th_http1_result th_http1_answer(const char *p, size_t n, size_t *scanned, struct th_buf *mended,
                                     struct th_http1_head *head, size_t *used, const char **why);
/** Rewrites a complete head of an answer, its empty line included, to CRLF and one line a field: bare LF becomes CRLF,
 * folded lines are joined by a space (RFC 9112 section 5.2), blanks before a colon go (section 5.1), empty lines before
 * the status line go, and so do lines that are no field. NULL, or why it cannot be: a control character, no memory. */
const char *th_http1_mend(struct th_span head, struct th_buf *out);
/** First field of that name, compared without case; NULL when absent. */
const struct th_http1_field *th_http1_field(const struct th_http1_head *head, const char *name);

/** Incremental chunked decoder (RFC 9112 section 7.1). Sizes up to 16 hex digits, bounded extensions and trailers (which
 * are dropped). Strict in requests: CRLF only, extensions and trailers are checked. In answers a bare LF, blanks behind a
 * size, and any extension and trailer without control characters are taken, and make `odd` true. */
struct th_http1_chunked {
    unsigned state, line;
    uint64_t left;
    unsigned overhead;
    bool answer, odd;
};
void th_http1_chunked_init(struct th_http1_chunked *c, bool answer);
/** True when the last chunk has been read. The payload is whole then; only trailers and the empty line are
 * missing. */
bool th_http1_chunked_whole(const struct th_http1_chunked *c);
/** Payload bytes of the present chunk that have not come yet; 0 while its size is being read. */
uint64_t th_http1_chunked_left(const struct th_http1_chunked *c);
/** Reads from p[0..n): sets *used, and *data to a run of payload bytes inside p (may be empty). Call again with the rest
 * until it returns MORE with *used == n, DONE (message complete; *used ends after the trailer) or BAD (*why). */
enum th_http1_result th_http1_chunked(struct th_http1_chunked *c, const char *p, size_t n, size_t *used,
                                      struct th_span *data, const char **why);
#endif
