/* The work of an engine besides the callbacks, in one table of jobs (job.c), which each turn goes through.
  
  * A turn begins a job when it is wanted, is not busy, and its time has come. A part of the engine that needs a job does not call it: it marks in the engine's state what is wanted, and the job finds it. */
#ifndef TH_ENGINE_JOB_H
#define TH_ENGINE_JOB_H
#include "base/time.h"
#include <stdbool.h>

struct th_engine;

/* In the order in which a turn begins them. */
enum th_job_id {
    TH_JOB_FOLLOW,       /* asks what other nodes have done */
    TH_JOB_KNOWN,        /* ends a change of settings, because all engines know it */
    TH_JOB_OWN,          /* events that the engine itself publishes */
    TH_JOB_MATCH,        /* publishes that waited for settings of home */
    TH_JOB_REWRAP,       /* encrypts with the new key what the old one encrypted */
    TH_JOB_CHANGE,       /* the next change of settings */
    TH_JOB_ASK,          /* asks receivers for their consent */
    TH_JOB_SETTLE,       /* stores outcomes that found no room */
    TH_JOB_DISPATCH,     /* begins requests */
    TH_JOB_LEAVE,        /* takes deleted endpoints and tenants out of memory */
    TH_JOB_GRAVES,       /* frees the memory of endpoints that nobody holds any more */
    TH_JOB_REFILL,       /* reads deliveries for which memory had no room */
    TH_JOB_WALK,         /* walks the queue, at the start */
    TH_JOB_RULES,        /* evaluates the rules of disabling, after the walk */
    TH_JOB_FANOUT,       /* queues deliveries that an accept has left */
    TH_JOB_REPLAY,       /* sends ended deliveries again */
    TH_JOB_HURRY,        /* makes waiting deliveries due now */
    TH_JOB_ERASE,        /* erases the content of events */
    TH_JOB_HEALTH,       /* stores the health of endpoints */
    TH_JOB_AUDIT,        /* stores rows of the audit log */
    TH_JOB_CANCEL,       /* cancels deliveries of a deleted endpoint */
    TH_JOB_RETENTION,    /* deletes events that are older than the installation keeps them */
    TH_JOB_TRIM,         /* deletes events of tenants with a shorter retention */
    TH_JOB_BACKLOG,      /* notes each minute how much waits */
    TH_JOB_SUNSET,       /* tells of versions of event types whose time is ending */
    TH_JOB_CERTIFICATES, /* tells of client certificates that end */
    TH_JOB_TELL,         /* tells home that the store has no room */
    TH_JOB_PROBE,        /* tries whether the store has room again */
    TH_JOBS
};

/* The state of a job. */
struct th_job_state {
    struct th_mono at; /* not before */
    bool busy;         /* something of it is under way; it is not begun again */
};

/** Begins what is wanted. */
void th_job_turn(struct th_engine *e);
/** When the next job is wanted; now: one is wanted already. */
struct th_mono th_job_next(const struct th_engine *e);
/** True while a job is under way, or has work that must be done before the engine ends. */
bool th_job_pending(const struct th_engine *e);
#endif
