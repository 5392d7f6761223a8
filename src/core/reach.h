/* How an endpoint is reached: what its requests show to be let in, what TLS it asks for, and from where they come. Pure values; all of it is kept
 * encrypted. */
#ifndef TH_CORE_REACH_H
#define TH_CORE_REACH_H
#include "base/arena.h"
#include "base/json.h"

#define TH_AUTH_TEXT 4096      /* bytes of the longest text of an authentication */
#define TH_AUTH_HEADER_MAX 128 /* of the name of an API key's header */

enum th_auth_kind { TH_AUTH_NONE, TH_AUTH_BASIC, TH_AUTH_API_KEY, TH_AUTH_OAUTH2, TH_AUTH_KINDS };

struct th_auth {
    enum th_auth_kind kind;
    struct th_span name;   /* BASIC: the user; API_KEY: the header; OAUTH2: the client's id */
    struct th_span secret; /* BASIC: the password; API_KEY: the header's value; OAUTH2: the client's secret */
    /* OAUTH2: where tokens are asked for, and for what; n == 0: not said */
    struct th_span token_url, scope, audience;
    bool in_body; /* OAUTH2: id and secret go in the body (client_secret_post), else as HTTP Basic */
};

/** TLS of an endpoint's own; PEM, n == 0: none. */
struct th_own_tls {
    struct th_span ca;               /* the authorities that may have signed its server's certificate */
    struct th_span certificate, key; /* what we show to its server: both or none */
    struct th_span subject;          /* of the certificate, for people */
    int64_t expires_ms;              /* of the certificate, wall; 0: there is none */
};

struct th_reach {
    struct th_auth auth;
    struct th_own_tls tls;
    struct th_span source; /* name of the source address that it is reached from; n == 0: any */
};

/** "basic", "api_key", "oauth2"; "" of none. */
const char *th_auth_name(enum th_auth_kind kind);
/** False: there is no such kind. */
bool th_auth_read(struct th_span name, enum th_auth_kind *out);
/** The header field that its requests carry; n == 0: none. */
struct th_span th_auth_header(const struct th_auth *auth);
/** Appends the line of that field with CRLF; hide: its value is "***". In clear nothing for OAUTH2, whose value is not known here. */
void th_auth_line(const struct th_auth *auth, bool hide, struct th_buf *out);
/** Whether it has TLS of its own. */
static inline bool th_reach_tls(const struct th_reach *reach)
{
    return reach && (reach->tls.ca.n || reach->tls.certificate.n);
}
/** Appends the request for a token (RFC 6749 section 4.4.2): a form, and in *head the field lines. */
void th_auth_token_request(const struct th_auth *auth, struct th_buf *head, struct th_buf *body);

/** A token, as its server has answered. */
struct th_auth_token {
    struct th_span text; /* in the arena */
    uint32_t lives_s;
};
#define TH_AUTH_TOKEN_BYTES 8192
/** Reads the answer of status 200 (RFC 6749 section 5.1). TH_INVALID: *why, static English. TH_NOMEM. */
TH_MUST_USE enum th_error th_auth_token_read(struct th_span answer, struct th_arena *mem,
                                             struct th_auth_token *out, const char **why);
/** The `error` of another answer (RFC 6749 section 5.2), if it is one of words; n == 0: none. */
struct th_span th_auth_token_error(struct th_span answer);
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
