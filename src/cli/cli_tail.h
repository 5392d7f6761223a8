/* Live attempts, and keys of a terminal. Used by tail and dev. */
#ifndef TH_CLI_CLI_TAIL_H
#define TH_CLI_CLI_TAIL_H
#include "cli/cli.h"

#define TH_TAIL_MAX 1024 /* attempts that can be chosen with the arrows */
#define TH_TAIL_LAST 200 /* most attempts from before the start that can be shown */
struct th_tail {
    struct th_cli *cli;
    const char *path; /* of the list of attempts, with its filters */
    char after[128];  /* the place where the server goes on; "": nothing has been read yet */
    struct th_client_stream *stream;
    struct th_buf text;             /* the stream's last event, which is not whole yet */
    bool heard;                     /* the stream has begun */
    bool behind;                    /* we were too slow for the stream: it is to be opened again */
    char ids[TH_TAIL_MAX][80];      /* ring: deliveries of the newest attempts that were printed */
    unsigned count, next, selected; /* selected: the newest, or the one that was chosen */
};
void th_tail_init(struct th_tail *t, struct th_cli *cli, const char *path);
/** Looks once; prints every attempt that has ended since (the first time: the `last` newest, at most TH_TAIL_LAST). Exit
 * status. */
int th_tail_look(struct th_tail *t, unsigned last);
/** Prints, for at most `ms`, attempts that end from now on and those that have ended since the last look or
 * wait; opens the stream if there is none. *open: the stream goes on; otherwise it was lost or has ended, and
 * the next wait opens it again after the last printed attempt. Exit status. */
int th_tail_wait(struct th_tail *t, int64_t ms, bool *open);
void th_tail_close(struct th_tail *t);
/** Chooses the one printed before (-1) or after (+1) the selected one, and names it. */
void th_tail_move(struct th_tail *t, int step);
/** Shows request and answer of the selected delivery. `retry` sends it again. */
int th_tail_show(struct th_tail *t);
int th_tail_retry(struct th_tail *t);

/** Keys one by one, without echo, when standard input is a terminal. False: it is none. Restored by
 * th_keys_close, and at exit. */
bool th_keys_open(void);
void th_keys_close(void);
/** Next key that waits: 'A' to 'D' with *arrow for arrows (up, down, right, left); 0: none. */
int th_keys_read(bool *arrow);
#endif
