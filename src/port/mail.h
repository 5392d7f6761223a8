/* How the engines of one process talk to each other: by letters. The engine that gets a letter runs it in one of its turns.
 * Whatever a letter points to belongs to the receiver from send on, so nothing is shared and nobody locks. The carrier of the
 * letters (threads, or the simulator in one thread) sees to it that the receiver sees all memory as it was at send. */
#ifndef TH_PORT_MAIL_H
#define TH_PORT_MAIL_H
#include "base/list.h"

struct th_engine;

struct th_mail {
    struct th_list link;
    /** Called in a turn of the engine that got the letter. From then on this function owns the letter's
     * memory. */
    void (*run)(struct th_engine *to, struct th_mail *mail);
};

/** Letters from one engine to another arrive in the order in which they were sent; letters of different
 * senders in any order. */
struct th_post {
    void *ctx;
    /** Takes all letters of the list, which is then empty, and makes the receiver take a turn soon. It never fails and never blocks
     * for long. Called by the sender's thread. */
    void (*send)(void *ctx, unsigned from, unsigned to, struct th_list *letters);
    /** Appends the letters that have arrived. Called by the receiver's thread. */
    void (*take)(void *ctx, unsigned me, struct th_list *letters);
};
#endif
