/* What a commit tells the other nodes of a store that several share: records that the writer gathers while it writes. They stand
 * in the log of the store, one row for each commit. */
#ifndef TH_STORE_NOTE_H
#define TH_STORE_NOTE_H
#include "store/store_writer.h"

enum st_note_kind {
    ST_NOTE_QUEUED = 1, /* a: first delivery, b: how many have been queued */
    ST_NOTE_MOVED,      /* a: a delivery whose row in the queue is another one now */
    ST_NOTE_CANCELLED,  /* a: delivery */
    ST_NOTE_ROW, /* a: enum th_row_kind, plus 256: deleted; b: its number; c: the endpoint of a secret, or the tenant */
    ST_NOTE_ERASED, /* a: event */
    ST_NOTE_PURGED, /* a: every event up to this one is gone */
    /* for the memory of the other writers */
    ST_NOTE_WAITING, /* a: endpoint; b: is added to its counts (store_count.c) */
    ST_NOTE_USAGE,   /* a: tenant; b: bytes, c: unfinished deliveries that are added */
    ST_NOTE_QUEUE,   /* a: is added to the number of rows in the queue */
    ST_NOTE_USED     /* `usage` has been written */
};

struct st_note {
    enum st_note_kind kind;
    uint64_t a, b, c;
};

/** Adds a record to those of the open transaction. Does nothing where nobody else is to be told. */
void st_note(struct st_writer *w, enum st_note_kind kind, uint64_t a, uint64_t b, uint64_t c);
/** Adds what the open transaction has changed in the writer's memory. To be called last. */
void st_note_counts(struct st_writer *w, uint64_t queued_before);
/** Forgets the records: at the beginning of a transaction. */
void st_note_begin(struct st_writer *w);
/** Reads the next record and cuts it off. False: there is none. */
bool st_note_next(struct th_span *records, struct st_note *out);
/** Brings the writer's memory to what another node has committed. False: no memory. */
bool st_note_follow(struct st_writer *w, struct th_span counts);
#endif
