/* Brings messages into the engine by its HTTP API. */
#ifndef TH_BRIDGE_PUBLISH_H
#define TH_BRIDGE_PUBLISH_H
#include "counts.h"
#include "source.h"

struct br_publisher;

/** stop: set by another thread; then br_publish returns. idle: called now and then while nothing can be done but wait. NULL on failure. */
struct br_publisher *br_publisher_new(const struct br_config *c, const atomic_bool *stop,
                                      void (*idle)(void *ctx), void *idle_ctx, char *why, size_t why_size);
void br_publisher_free(struct br_publisher *p);
/** Publishes the messages that are neither done nor refused, until each is one of both, however long the engine is away. `texts` has their
 * events. False: it was stopped. */
bool br_publish(struct br_publisher *p, struct br_message *m, unsigned count, struct br_counts *counts);
#endif
