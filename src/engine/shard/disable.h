/* Disables an endpoint, at the engine that owns it; and the letters between that engine and home. */
#ifndef TH_ENGINE_SHARD_DISABLE_H
#define TH_ENGINE_SHARD_DISABLE_H
#include "engine/engine.h"

struct change_impl;
struct th_attempt;
struct th_ep;

struct th_disabling {
    struct th_mail mail;
    struct th_change c;
    struct change_impl *i; /* home's, from its turn on */
    struct th_engine *home;
    unsigned owner;
    struct th_attempt *a; /* the owner's; NULL: a rule alone is the reason, or the attempt has been stored */
    struct th_settings_op *with;
    struct th_health health; /* the owner's view of it */
    bool wanted, applied;
    enum th_error error;
    uint64_t endpoint;
    char tenant[160];
    /* home asks the owner for these */
    void (*judge)(struct th_engine *owner, struct th_mail *m);
    void (*rows_ready)(struct th_engine *owner, struct th_mail *m);
    void (*store_alone)(struct th_engine *owner, struct th_mail *m);
};

/** `a`: the attempt whose end is the reason, to be concluded when it is its turn and stored in the same commit; it is stored in
 * any case. NULL: none. False: inactive already, or no memory; then `a` is the caller's. */
bool th_disable_endpoint(struct th_engine *e, struct th_ep *ep, enum th_disable why, struct th_attempt *a);
struct th_mono th_disable_rules_wanted(const struct th_engine *e);
void th_disable_by_rules(struct th_engine *e);

/* The owner sends these to home: change_disable.c. */
struct th_disable_home {
    void (*asked)(struct th_engine *home, struct th_mail *m);
    void (*judged)(struct th_engine *home, struct th_mail *m); /* the owner has said how it stands */
    void (*carried)(struct th_engine *home,
                    struct th_mail *m); /* it has stored the outcome, with the change or without */
    void (*enable)(struct th_engine *home, struct th_mail *m); /* enable.c: a test has succeeded */
};
#endif
