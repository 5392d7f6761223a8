/* Live deliveries, and keys of a terminal. Used by tail and dev. */
#ifndef TH_CLI_CLI_TAIL_H
#define TH_CLI_CLI_TAIL_H
#include "cli/cli.h"

#define TH_TAIL_MAX 1024
struct th_tail {
    struct th_cli *cli;
    const char *path; /* of the list, with its filters */
    struct th_tail_row {
        char id[80], status[16];
        int64_t attempts;
        bool fresh;      /* seen in this look */
    } rows[TH_TAIL_MAX]; /* ring: the newest TH_TAIL_MAX that were seen */
    unsigned count, next;
    char selected[80]; /* id of the newest that was printed, or of the one that was chosen */
    bool primed;
};
void th_tail_init(struct th_tail *t, struct th_cli *cli, const char *path);
/** Looks once; prints what is new or has changed since (the first time: the `last` newest). Exit status. */
int th_tail_look(struct th_tail *t, unsigned last);
/** Chooses the one printed before (-1) or after (+1) the selected one, and names it. */
void th_tail_move(struct th_tail *t, int step);
/** Request and answer of the selected delivery; sends it again. */
int th_tail_show(struct th_tail *t);
int th_tail_retry(struct th_tail *t);

/** Keys one by one, without echo, when standard input is a terminal. False: it is none. Restored by
 * th_keys_close, and at exit. */
bool th_keys_open(void);
void th_keys_close(void);
/** Next key that waits: 'A' to 'D' with *arrow for arrows (up, down, right, left); 0: none. */
int th_keys_read(bool *arrow);
#endif
