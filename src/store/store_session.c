/* Sessions of the stores.
 *
 * Why: each worker has a session, which takes its ops and gives back what has ended. Reads go to one of the
 * reader threads by how long they may take, writes to the writer (sqlite_commit.c). A read that fails
 * ends with its error in the op; it does not stop the store.
 *
 * Writes are gathered until the session flushes, which it does once for everything that came from one look at
 * the network: a writer that the first of them woke would commit that one alone while the others wait.
 *
 * Invariants: (1) a session is woken only when it had nothing to drain, so at most once per commit, and never
 * after it was detached; (2) an op's `done` is called by st_session_drain only, without a lock; (3) readers
 * are read-only and their transactions are short; (4) a session's struct stays until the store is closed; (5) a list is
 * handed over behind the writes that it shows: the writer hands them over right after the commit that makes them visible. */
#include "store/store_session.h"
#include "base/alloc.h"
#include "base/check.h"
#include "store/store_exchange.h"
#include <sched.h>

static bool is_read(const struct th_op *op)
{
    return op->kind == TH_OP_LOAD || op->kind == TH_OP_WALK || op->kind == TH_OP_PAGE ||
           op->kind == TH_OP_FOLLOW || op->kind == TH_OP_STATS;
}

void st_session_submit(struct th_session *session, struct th_op *op)
{
    struct st_store *s = session->store;

    TH_CHECK(session->attached);
    op->session = session;
    if (is_read(op)) {
        st_exchange_read(&s->readers[st_reader_is_list(op)], op);
        return;
    }
    *session->out_tail = op;
    session->out_tail = &op->next;
    session->out_count++;
    session->out_urgent += st_exchange_is_urgent(op);
}

void st_session_flush(struct th_session *session)
{
    if (!session->out_count)
        return;
    st_exchange_writes(session->store, session->out, session->out_tail, session->out_count,
                       session->out_urgent);
    session->out = NULL;
    session->out_tail = &session->out;
    session->out_count = session->out_urgent = 0;
}

unsigned st_session_drain(struct th_session *s, unsigned max)
{
    struct th_op *op, **tail;
    unsigned n = 0;

    st_session_flush(s);
    if (!max)
        return 0;
    /* takes everything, calls back without the lock, and puts back what is over `max` */
    pthread_mutex_lock(&s->lock);
    op = s->done;
    tail = s->done_tail;
    s->done = NULL;
    s->done_tail = &s->done;
    pthread_mutex_unlock(&s->lock);
    for (; op && n < max; n++) {
        struct th_op *next = op->next;

        op->next = NULL;
        op->done(op);
        op = next;
    }
    if (!op)
        return n;
    pthread_mutex_lock(&s->lock);
    *tail = s->done;
    if (!s->done)
        s->done_tail = tail;
    s->done = op;
    pthread_mutex_unlock(&s->lock);
    return n;
}

enum th_error st_session_attach(struct th_store *store, struct th_wake wake, struct th_session **out)
{
    struct st_store *s = (struct st_store *)store;
    struct th_session *session = th_calloc(1, sizeof *session);

    if (!session)
        return TH_NOMEM;
    if (pthread_mutex_init(&session->lock, NULL) != 0) {
        th_free(session);
        return TH_NOMEM;
    }
    session->store = s;
    session->wake = wake;
    session->attached = true;
    session->done_tail = &session->done;
    session->out_tail = &session->out;
    pthread_mutex_lock(&s->lock);
    session->next = s->sessions;
    s->sessions = session;
    pthread_mutex_unlock(&s->lock);
    *out = session;
    return TH_OK;
}

/** The struct stays until close: the writer may just be leaving it. */
void st_session_detach(struct th_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->attached = false;
    pthread_mutex_unlock(&session->lock);
    while (atomic_load(&session->waking)) /* no wake comes after this call */
        sched_yield();
}
