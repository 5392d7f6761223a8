/* How an endpoint is reached: what its requests show to be let in, and what TLS it asks for. Pure values; all of it is kept
 * encrypted. */
#ifndef TH_CORE_REACH_H
#define TH_CORE_REACH_H
#include "base/arena.h"
#include "base/json.h"

#define TH_AUTH_TEXT 4096      /* bytes of the longest text of an authentication */
#define TH_AUTH_HEADER_MAX 128 /* of the name of an API key's header */

enum th_auth_kind { TH_AUTH_NONE, TH_AUTH_BASIC, TH_AUTH_API_KEY, TH_AUTH_KINDS };

struct th_auth {
    enum th_auth_kind kind;
    struct th_span name;   /* BASIC: the user; API_KEY: the header */
    struct th_span secret; /* BASIC: the password; API_KEY: the header's value */
};

struct th_reach {
    struct th_auth auth;
};

/** "basic", "api_key"; "" of none. */
const char *th_auth_name(enum th_auth_kind kind);
/** False: there is no such kind. */
bool th_auth_read(struct th_span name, enum th_auth_kind *out);
/** The header field that its requests carry; n == 0: none. */
struct th_span th_auth_header(const struct th_auth *auth);
/** Appends the line of that field with CRLF; hide: its value is "***". */
void th_auth_line(const struct th_auth *auth, bool hide, struct th_buf *out);
/** Whether anything is set. */
bool th_reach_any(const struct th_reach *reach);
/** Bytes that th_reach_copy takes from the arena; 0 for NULL. */
size_t th_reach_size(const struct th_reach *reach);
/** Copies it with its texts, in one piece. NULL: no memory, or `from` is NULL. */
struct th_reach *th_reach_copy(const struct th_reach *from, struct th_arena *mem);
/** The stored form: an object of JSON, with secrets in clear. */
void th_reach_write(const struct th_reach *reach, struct th_jw *w);
/** Reads that form; the texts go into the arena. TH_NOMEM, TH_CORRUPT. */
TH_MUST_USE enum th_error th_reach_read(struct th_json stored, struct th_arena *mem, struct th_reach *out);
#endif
