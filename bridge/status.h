/* The bridge's own page: metrics, and whether it lives and works. */
#ifndef TH_BRIDGE_STATUS_H
#define TH_BRIDGE_STATUS_H
#include "counts.h"
#include <stdbool.h>
#include <stddef.h>

struct br_seen { /* of a stream; lives as long as the page */
    const char *file;
    const struct br_counts *counts;
};

/** Answers on "ADDRESS:PORT" (a numeric address) until br_status_close; of `count` streams. NULL: *why says what is wrong. */
struct br_status *br_status_open(const char *where, const struct br_seen *seen, unsigned count, char *why,
                                 size_t why_size);
void br_status_close(struct br_status *s);
#endif
