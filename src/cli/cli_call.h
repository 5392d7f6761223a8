/* Requests to the server. */
#ifndef TH_CLI_CALL_H
#define TH_CLI_CALL_H
#include "cli/cli.h"
#include "cli/cli_client.h"

#define TH_CLI_SERVER "http://127.0.0.1:8420" /* where --server names none */

/** Opens the client from --server, key and tenant. Exit status. */
int th_cli_connect(struct th_cli *cli);
/** One request; 2xx gives TH_EXIT_OK and *answer (th_answer_free). Else the problem is said in plain words
 * and *answer is empty. fields: extra field lines, or NULL. */
int th_cli_call(struct th_cli *cli, const char *method, const char *path, struct th_span body,
                const char *fields, struct th_answer *answer);
/** The same, without a message: any status. Exit status of the transport alone. */
int th_cli_try(struct th_cli *cli, const char *method, const char *path, struct th_span body,
               const char *fields, struct th_answer *answer);
/** What an answer that is no 2xx means: says it, gives the exit status. */
int th_cli_refused(const struct th_cli *cli, const struct th_answer *answer);
struct th_cli_rest {
    bool more; /* there are other rows */
    /* and this is where to go on, since looking for them took too long; NULL: it did not */
    const char *cursor;
};
/** Reads a list page by page (at most `limit` rows) and calls back for each. With `rest`, looking for rows that are rare ends
 * after a fifth of a second; without (NULL) all is read. */
int th_cli_list(struct th_cli *cli, const char *path, int64_t limit,
                void (*row)(void *ctx, struct th_json row), void *ctx, struct th_cli_rest *rest);
/** Path from a format whose %s are percent-encoded. In cli->mem. */
const char *th_cli_path(struct th_cli *cli, const char *format, ...);
#endif
