/* One stream, as its YAML file says. */
#ifndef TH_BRIDGE_CONFIG_H
#define TH_BRIDGE_CONFIG_H
#include "base/arena.h"
#include "core/program/node.h"

/** Where a member of the event comes from. */
struct br_field {
    enum br_from { BR_ABSENT, BR_BODY, BR_HEADER, BR_KEY, BR_ID, BR_TIME, BR_TEXT } from;
    struct th_span text; /* BODY: JSON pointer; HEADER: name; TEXT: the value */
};

enum br_member { BR_M_TYPE, BR_M_DATA, BR_M_TENANT, BR_M_ID, BR_M_TIME, BR_M_TRACEPARENT, BR_MEMBERS };

struct br_option {
    const char *name, *value;
    struct br_option *next;
};

struct br_config {
    struct th_arena mem;
    const char *file;
    const char *source; /* URL of the broker */
    const char *queue, *stream, *subject, *topic, *group, *consumer, *body, *aside;
    const char *server, *ca_file, *key;
    unsigned batch, max_unacked, ack_wait_s;
    struct br_field fields[BR_MEMBERS];
    struct br_option *options; /* for the broker's library */
};

/** Reads a file. False with the reason, which names file and line. */
bool br_config_read(const char *file, struct br_config *c, char *why, size_t why_size);
void br_config_free(struct br_config *c);
#endif
