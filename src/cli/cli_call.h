/* Requests to the server. */
#ifndef TH_CLI_CALL_H
#define TH_CLI_CALL_H
#include "cli/cli.h"
#include "cli/cli_client.h"

#define TH_CLI_SERVER "http://127.0.0.1:8420" /* where --server names none */

/** Opens the client from --server, key and tenant. Exit status. */
int th_cli_connect(struct th_cli *cli);
/** The same for requests that need no key: none is looked for, and none is sent. */
int th_cli_connect_keyless(struct th_cli *cli);
/** Makes one request; 2xx gives TH_EXIT_OK and *answer (th_answer_free). Otherwise the problem is printed in
 * plain words and *answer is empty. fields: extra field lines, or NULL. */
int th_cli_call(struct th_cli *cli, const char *method, const char *path, struct th_span body,
                const char *fields, struct th_answer *answer);
/** Makes one request and takes any status, without a message. The exit status is that of the transport alone. */
int th_cli_try(struct th_cli *cli, const char *method, const char *path, struct th_span body,
               const char *fields, struct th_answer *answer);
/** Prints what an answer that is no 2xx means; returns the exit status. */
int th_cli_refused(const struct th_cli *cli, const struct th_answer *answer);
struct th_cli_rest {
    bool more; /* there are other rows */
    /* the place to go on, if looking for rows took too long; NULL: it did not */
    const char *cursor;
};
/** Reads a list page by page (at most `limit` rows) and calls back for each. With `rest`, the search for rare
 * rows ends after a fifth of a second; without it (NULL) all is read. */
int th_cli_list(struct th_cli *cli, const char *path, int64_t limit,
                void (*row)(void *ctx, struct th_json row), void *ctx, struct th_cli_rest *rest);
/** Path from a format whose %s are percent-encoded. In cli->mem. */
const char *th_cli_path(struct th_cli *cli, const char *format, ...);
#endif
