/* Signs whole requests (RFC 9421) for `tenterhook sign`. */
#ifndef TH_CLI_MESSAGE_H
#define TH_CLI_MESSAGE_H
#include "cli/cli_request.h"

/** What the head says beside what follows from the dialect, and what the signature covers of the request. */
struct th_message_ask {
    struct th_span body, event_id, event_type, delivery_id, endpoint_id, url,
        method; /* method empty: the dialect's */
    int64_t at_unix;
    unsigned variant;
};
/** Appends the lines of the head as the server would send it, "Name: value\r\n" each. Exit status; a message has been printed when it is not 0. */
int th_message_head(struct th_cli *cli, const struct th_receiver *r, const struct th_message_ask *ask,
                    struct th_buf *head);
#endif
