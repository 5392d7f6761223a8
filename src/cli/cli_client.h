/* A client of the HTTP API for commands: one request at a time, over the product's own transport on a private
 * loop. */
#ifndef TH_CLI_CLI_CLIENT_H
#define TH_CLI_CLI_CLIENT_H
#include "base/json.h"
#include "port/transport.h"

struct th_client;
struct th_client_options {
    const char *url;     /* base: "http://127.0.0.1:8420"; a path in front of /v1 is kept */
    const char *tenant;  /* or NULL */
    const char *ca_file; /* or NULL */
    unsigned timeout_ms; /* 0: 30 s */
};
struct th_answer {
    unsigned status;
    struct th_buf head, body; /* field lines; body */
    struct th_json json;      /* raw.n == 0: the body is no JSON */
};
/** Resolves the name and opens the transport; sends nothing. TH_INVALID: url or tenant is wrong;
 * TH_NOT_FOUND: the name does not resolve. */
TH_MUST_USE enum th_error th_client_open(const struct th_client_options *options, struct th_client **out,
                                         char *why, size_t why_size);
void th_client_close(struct th_client *c);
/** Whether every address that requests go to is one of this machine (127.0.0.0/8, ::1, and 0.0.0.0 and ::), whatever its name. */
bool th_client_here(const struct th_client *c);
/** Whether requests go out over TLS. */
bool th_client_encrypted(const struct th_client *c);
/** Sends the key with all requests from now on. The caller has checked first where they go: over plain HTTP
 * everybody on the way can read it. TH_INVALID: white space or control characters in it. */
TH_MUST_USE enum th_error th_client_set_key(struct th_client *c, const char *key);
/** Sends one request and waits. `path` begins with '/'. body.p NULL: none; else it is JSON. fields: finished
 * lines, or NULL. TH_OK: there is an answer (th_answer_free it, whatever its status). TH_IO: nobody answers,
 * `why` says what happened. */
TH_MUST_USE enum th_error th_client_call(struct th_client *c, const char *method, const char *path,
                                         struct th_span body, const char *fields, struct th_answer *out,
                                         char *why, size_t why_size);
/** An answer without an end: its body is given to `part` as it comes, inside th_client_stream_wait and
 * th_client_call. */
struct th_client_stream;
/** Sends a GET. fields: finished lines, or NULL. TH_NOMEM. */
TH_MUST_USE enum th_error th_client_stream_open(struct th_client *c, const char *path, const char *fields,
                                                void (*part)(void *ctx, struct th_span bytes), void *ctx,
                                                struct th_client_stream **out);
/** Waits until something comes, and at most `ms`. False: it has ended. */
bool th_client_stream_wait(struct th_client_stream *s, int64_t ms);
/** Milliseconds since something came. */
int64_t th_client_stream_silent(const struct th_client_stream *s);
/** Ends the stream if it has not ended, and frees it. TH_OK with *out (th_answer_free it): the server has
 * answered; the body of a 200 is not in it. TH_IO: nobody answered, or the connection was lost; `why` says
 * what happened. */
TH_MUST_USE enum th_error th_client_stream_close(struct th_client_stream *s, struct th_answer *out, char *why,
                                                 size_t why_size);
/** What to do after a call that failed: a clause without a full stop. Static memory. */
const char *th_client_advice(const struct th_client *c);
void th_answer_free(struct th_answer *a);
/** Value of a field of the answer; n == 0: absent. */
struct th_span th_answer_field(const struct th_answer *a, const char *name);
/** "http://host:port" as given, for messages. */
const char *th_client_url(const struct th_client *c);

/** Resolves a host to addresses with the port set, by the system's resolver. 0: none, `why` says why. */
unsigned th_client_resolve(struct th_span host, uint16_t port, struct th_addr out[TH_CONNECT_MAX], char *why,
                           size_t why_size);
#endif
