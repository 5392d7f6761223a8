/* A saved request, a dialect and secrets, as sign, verify, explain, listen and dev take them. */
#ifndef TH_CLI_CLI_REQUEST_H
#define TH_CLI_CLI_REQUEST_H
#include "cli/cli.h"
#include "tenterhook/tenterhook.h"

#define TH_REQUEST_HEADERS 100
/** A request in memory. The spans point into what it was read from, or into cli->mem. */
struct th_saved_request {
    struct th_span method, target;
    struct tenterhook_header headers[TH_REQUEST_HEADERS];
    size_t header_count;
    struct th_span body, url;
};
/** Reads raw HTTP ("POST /x HTTP/1.1", headers, empty line, body; also as `curl -v` shows it, with names of HTTP/2,
 * in chunks) or JSON: {"method", "url", "headers": {} or [[name, value]] or [{"name", "value"}], "body" or
 * "body_base64"}, what `tenterhook attempts ID --json` prints (its last attempt), a HAR file (its last entry), ngrok's
 * inspector, a Lambda event. Exit status. (cli_saved.c) */
int th_request_read(struct th_cli *cli, const char *path, struct th_saved_request *out);
/** Value of a header compared without case; n == 0 with p NULL: absent. */
struct th_span th_request_header(const struct th_saved_request *r, const char *name);

#define TH_SECRETS 4
struct th_receiver {
    const char *dialect;
    struct tenterhook_scheme scheme;
    struct th_buf scheme_text; /* of a dialect file */
    struct th_buf secret[TH_SECRETS], old;
    unsigned secret_count;
    bool has_old;
    int64_t window_s; /* the verifier's window, on both sides; 0: any time */
    struct tenterhook_verifier verifier;
};
/** From --dialect (or the option named here), --secret-file (repeated: newest first), --old-secret-file.
 * Secrets may also stand in TENTERHOOK_SECRET. Exit status; th_receiver_fini in any case. */
int th_receiver_init(struct th_cli *cli, const char *dialect_option, struct th_receiver *r);
void th_receiver_fini(struct th_receiver *r);
/** Returns the secret without what copying has put around it: white space, quotation marks, a byte order
 * mark, a "v1," that belongs to signatures, a "Bearer ". False: nothing is around it. *what names the part
 * that was taken off first. */
bool th_secret_clean(struct th_span secret, struct th_span *clean, const char **what);
/** The public key, as text, when the scheme verifies with one and `secret` is a private key in hex; else NULL. */
const char *th_receiver_public(struct th_cli *cli, const struct tenterhook_scheme *scheme,
                               struct th_span secret);
/** Finds a scheme by built-in name, or reads a dialect file when the name holds '/' or ends with .yaml. Exit
 * status. */
int th_receiver_scheme(struct th_cli *cli, const char *name, struct th_receiver *r);
/** Verifies at `now`; event may be NULL. Scratch memory is found here. */
enum tenterhook_result th_receiver_check(struct th_cli *cli, const struct tenterhook_verifier *v,
                                         const struct th_saved_request *request, int64_t now,
                                         struct tenterhook_event *event, struct tenterhook_report *report);

/* ---- explaining (cli_explain.c) ---- */

/** Explains why a request is refused, or says that it is not: `json` gets an object with "ok", "result",
 * "detail", "steps", "signed", "expected", "findings". Returns the result of verifying. */
enum tenterhook_result th_explain(struct th_cli *cli, const struct th_receiver *r,
                                  const struct th_saved_request *request, int64_t now, struct th_buf *json);
/** Prints that object for people. steps: also those that are right. */
void th_explain_print(struct th_cli *cli, struct th_json explained, bool steps, const char *margin);
#endif
