/* How the engines of one process talk to each other: by letters, each of which is run by the engine that it is sent to, in
 * one of its turns. What a letter points to belongs to the receiver from send until run, so nothing is shared and nobody locks;
 * whoever carries the letters (threads, or the simulator in one thread) orders memory between send and take. */
#ifndef TH_PORT_MAIL_H
#define TH_PORT_MAIL_H
#include "base/list.h"

struct th_engine;

struct th_mail {
    struct th_list link;
    /** Called in a turn of the engine that got it; the letter's memory is then its own business. */
    void (*run)(struct th_engine *to, struct th_mail *mail);
};

/** Two engines' letters arrive in the order in which they were sent; those of different senders in any order. */
struct th_post {
    void *ctx;
    /** Takes all letters of the list, which is then empty, and has the receiver take a turn soon. Never fails, never blocks for
     * long. Called by the sender's thread. */
    void (*send)(void *ctx, unsigned from, unsigned to, struct th_list *letters);
    /** Appends what has arrived. Called by the receiver's thread. */
    void (*take)(void *ctx, unsigned me, struct th_list *letters);
};
#endif
