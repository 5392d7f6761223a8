/* Shared by cli_explain.c (which writes the explanation) and cli_explain_try.c (which makes mistakes on
 * purpose). */
#ifndef TH_CLI_CLI_EXPLAIN_H
#define TH_CLI_CLI_EXPLAIN_H
#include "cli/cli_request.h"

struct th_explain {
    struct th_cli *cli;
    const struct th_receiver *r;
    const struct th_saved_request *request;
    int64_t now;
    struct tenterhook_report report;
    enum tenterhook_result result;
    struct th_jw w;
    struct th_buf body, value; /* the body and the signature's header of the try that matched */
};

/** Adds a sentence about what is wrong. */
void th_explain_finding(struct th_explain *x, const char *text);
/** The first bytes as "7b 22 61"; "(end)" for none. */
const char *th_explain_hex(struct th_cli *cli, struct th_span s);
/** Whether the body as it came verifies, whatever the time. */
bool th_explain_verifies(const struct th_explain *x, const struct tenterhook_scheme *scheme,
                         struct th_span secret);
/** Whether the signature is right as it came, whatever the time. */
bool th_explain_as_it_is(struct th_explain *x);
/** Looks for one change, or for two together, that make the signature right, and adds which these are. */
bool th_explain_one_change(struct th_explain *x);
bool th_explain_two_changes(struct th_explain *x);
#endif
