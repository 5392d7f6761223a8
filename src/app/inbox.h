/* Drains inboxes: takes what applications have published within their transactions, and has the engine store it. */
#ifndef TH_APP_INBOX_H
#define TH_APP_INBOX_H
#include "app/shard.h"
#include "port/inbox.h"

struct th_inbox_options {
    struct th_shard *home; /* its engine publishes */
    struct th_metrics *metrics;
    uint64_t max_bytes; /* data of more is rejected unread */
    const char *store,
        *password;              /* address of the store's own database, and the password; NULL: it has none */
    const char *const *sources; /* addresses of others */
    unsigned source_count;
};

/** Reads the addresses; nothing is opened. On failure `why` says what to write instead. */
TH_MUST_USE enum th_error th_inbox_new(const struct th_inbox_options *options, struct th_inbox **out,
                                       char *why, size_t why_size);
/** Starts a thread for each source. */
void th_inbox_start(struct th_inbox *inbox);
/** Takes no further batch. At once; on the home thread. */
void th_inbox_stop(struct th_inbox *inbox);
/** Whether a batch is with the engine, whose outcome the home thread has not told yet. */
bool th_inbox_busy(struct th_inbox *inbox);
/** Waits for the threads, which may take some seconds where a database does not answer, and frees it. NULL is allowed. */
void th_inbox_free(struct th_inbox *inbox);
/** Sets the gauges. Any thread. */
void th_inbox_measure(struct th_inbox *inbox, struct th_metrics *m);
#endif
