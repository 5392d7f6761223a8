/* Signs whole requests (RFC 9421) for `tenterhook sign`. */
#ifndef TH_CLI_MESSAGE_H
#define TH_CLI_MESSAGE_H
#include "cli/cli_request.h"

/** Appends the lines of the head as the server would send it, "Name: value\r\n" each, for a message at the URL `endpoint_url`. method
 * empty: the dialect's; variant: which form of signature. Exit status; a message has been printed when it is not 0. */
int th_message_head(struct th_cli *cli, const struct th_receiver *r, const struct tenterhook_message *m,
                    struct th_span method, unsigned variant, struct th_buf *head);
#endif
