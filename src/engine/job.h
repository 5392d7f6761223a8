/* What an engine does beside the deliveries, and what a turn consists of: one table of jobs (job.c).
 *
 * A job is begun in a turn when it is wanted, is not busy, and its moment has come. A part of the engine that needs something of
 * a job does not call it: it marks in the engine's state what is wanted, and the job finds it. */
#ifndef TH_ENGINE_JOB_H
#define TH_ENGINE_JOB_H
#include "base/time.h"
#include <stdbool.h>

struct th_engine;

/* In the order in which a turn begins them. */
enum th_job_id {
    TH_JOB_KNOWN,     /* a change of settings ends, for all engines know it */
    TH_JOB_OWN,       /* events that the engine itself publishes */
    TH_JOB_MATCH,     /* publishes that waited for settings of home */
    TH_JOB_REWRAP,    /* encrypts with the new key what the old one encrypted */
    TH_JOB_CHANGE,    /* the next change of settings */
    TH_JOB_ASK,       /* asks receivers for their consent */
    TH_JOB_SETTLE,    /* outcomes that found no room */
    TH_JOB_DISPATCH,  /* requests */
    TH_JOB_LEAVE,     /* what has been deleted leaves */
    TH_JOB_GRAVES,    /* memory of endpoints that nobody holds any more */
    TH_JOB_REFILL,    /* deliveries that memory had no room for */
    TH_JOB_WALK,      /* the queue, at the start */
    TH_JOB_RULES,     /* rules of disabling, after it */
    TH_JOB_FANOUT,    /* deliveries that an accept has left */
    TH_JOB_REPLAY,    /* ended deliveries again */
    TH_JOB_HURRY,     /* waiting ones now */
    TH_JOB_ERASE,     /* content of events */
    TH_JOB_HEALTH,    /* writes down how endpoints do */
    TH_JOB_CANCEL,    /* deliveries of a deleted endpoint */
    TH_JOB_RETENTION, /* what is older than the installation keeps */
    TH_JOB_TELL,      /* tells home that the store has no room */
    TH_JOB_PROBE,     /* whether it has room again */
    TH_JOBS
};

/* What an engine has of each job. */
struct th_job_state {
    struct th_mono at; /* not before */
    bool busy;         /* something of it is under way; it is not begun again */
};

/** Begins what is wanted. */
void th_job_turn(struct th_engine *e);
/** When the next one is wanted; now: one is wanted already. */
struct th_mono th_job_next(const struct th_engine *e);
/** Something of a job is under way, or waits and must be done before the engine ends. */
bool th_job_pending(const struct th_engine *e);
#endif
