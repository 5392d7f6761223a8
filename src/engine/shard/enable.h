/* An endpoint that failures have disabled comes back by a test that succeeds, where its settings say so. */
#ifndef TH_ENGINE_SHARD_ENABLE_H
#define TH_ENGINE_SHARD_ENABLE_H
#include "engine/engine.h"

struct th_ep;

/* From its owner to home; freed there when the change has ended. */
struct th_enabling {
    struct th_mail mail;
    struct th_change c;
    struct th_engine *home;
    uint64_t endpoint;
    char tenant[132];
};

/** Whether a test may enable it: not where the receiver itself has said that it is gone. */
bool th_enable_may(const struct th_endpoint *ep);
/** A test has succeeded. Without memory the next test does it. */
void th_enable_by_test(struct th_engine *e, const struct th_ep *ep);
#endif
