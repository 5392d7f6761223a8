/* Sessions of the SQLite store, and the reader threads.
 *
 * Why: each worker has a session, which takes its ops and gives back what has ended. Reads go to one of the
 * reader threads by how long they may take, writes to the writer (store_sqlite_commit.c). A read that fails
 * ends with its error in the op; it does not stop the store.
 *
 * Writes are gathered until the session flushes, once for all that came out of one look at the network: a writer that were woken
 * by the first of them would commit that one alone while the others wait.
 *
 * Invariants: (1) a session is woken only when it had nothing to drain, so at most once per commit, and never
 * after it was detached; (2) an op's `done` is called by sq_session_drain only, without a lock; (3) readers
 * are read-only and their transactions are short; (4) a session's struct stays until the store is closed; (5) a list is
 * handed over behind the writes that it shows: the writer hands them over right after the commit that makes them visible. */
#include "base/log.h"
#include "store/store_sqlite_threads.h"
#include <sched.h>
#include <sys/prctl.h>

static bool is_read(const struct th_op *op)
{
    return op->kind == TH_OP_LOAD || op->kind == TH_OP_WALK || op->kind == TH_OP_PAGE;
}

/** A page that may take long. The attempts of one delivery, without answers, are what dispatch itself asks
 * for: they must not queue up behind the lists of customers. */
static bool is_list(const struct th_op *op)
{
    const struct th_page *page = (const struct th_page *)op;

    return op->kind == TH_OP_PAGE && !(page->kind == TH_PAGE_ATTEMPTS && page->delivery && !page->with_data &&
                                       !page->with_answers && !page->with_total && !page->skip);
}

/** Hands a list of ops to their session. */
void sq_hand_over(struct th_session *s, struct th_op *first, struct th_op **tail)
{
    bool wake;

    *tail = NULL;
    pthread_mutex_lock(&s->lock);
    wake = s->done == NULL && s->wake.fn && s->attached;
    *s->done_tail = first;
    s->done_tail = tail;
    atomic_fetch_add(&s->waking, wake);
    pthread_mutex_unlock(&s->lock);
    if (!wake)
        return;
    s->wake.fn(s->wake.ctx); /* without the lock: whom it wakes would wait for that */
    atomic_fetch_sub(&s->waking, 1);
}

/* ---- readers ---- */

void *sq_reader_main(void *arg)
{
    static const char *const names[SQ_READERS] = {"store-dispatch", "store-lists", "store-runs"};
    struct sq_reader *r = arg;

    (void)prctl(PR_SET_NAME, names[r - r->store->readers]);
    for (;;) {
        struct th_op *op;

        pthread_mutex_lock(&r->lock);
        while (!r->head && !r->stop)
            pthread_cond_wait(&r->wake, &r->lock);
        op = r->head;
        if (!op) {
            pthread_mutex_unlock(&r->lock);
            return NULL;
        }
        r->head = op->next;
        if (!r->head)
            r->tail = &r->head;
        pthread_mutex_unlock(&r->lock);

        if ((int)op->kind == SQ_OP_RUN_BUILD) {
            struct sq_run *encrypt = (struct sq_run *)op;

            sq_read_begin(r->store);
            sq_run_collect(r, encrypt);
            sq_read_end(r->store);
            if (encrypt->count)
                sq_submit_write(r->store, op);
            else
                sq_run_idle(r->store, encrypt);
            continue;
        }
        sq_read_begin(r->store);
        if (op->kind == TH_OP_LOAD)
            sq_load(r, (struct th_load *)op);
        else if (op->kind == TH_OP_WALK)
            sq_walk(r, (struct th_walk *)op);
        else
            sq_page(r, (struct th_page *)op);
        sq_read_end(r->store);
        if (op->error == TH_CORRUPT || op->error == TH_IO)
            th_log(TH_LOG_ERROR,
                   "a read from the store failed; check the disk and the file with PRAGMA integrity_check",
                   TH_KC("file", r->store->path.db), TH_KC("error", th_error_name(op->error)),
                   TH_KC("sqlite", sqlite3_errmsg(r->db)));
        if (is_list(op)) /* and not before the writes that it shows */
            sq_group_wait(r->store, r->mark);
        sq_hand_over(op->session, op, &op->next);
    }
}

void sq_submit_read(struct sq_reader *r, struct th_op *op)
{
    op->next = NULL;
    pthread_mutex_lock(&r->lock);
    if (!r->head)
        pthread_cond_signal(&r->wake);
    *r->tail = op;
    r->tail = &op->next;
    pthread_mutex_unlock(&r->lock);
}

/* ---- the port ---- */

void sq_session_submit(struct th_session *session, struct th_op *op)
{
    struct sq_store *s = session->store;

    op->session = session;
    if (is_read(op)) {
        sq_submit_read(&s->readers[is_list(op)], op);
        return;
    }
    *session->out_tail = op;
    session->out_tail = &op->next;
    session->out_count++;
    session->out_urgent += sq_is_urgent(op);
}

void sq_session_flush(struct th_session *session)
{
    if (!session->out_count)
        return;
    sq_submit_writes(session->store, session->out, session->out_tail, session->out_count,
                     session->out_urgent);
    session->out = NULL;
    session->out_tail = &session->out;
    session->out_count = session->out_urgent = 0;
}

unsigned sq_session_drain(struct th_session *s, unsigned max)
{
    struct th_op *op, **tail;
    unsigned n = 0;

    sq_session_flush(s);
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

enum th_error sq_session_attach(struct th_store *store, struct th_wake wake, struct th_session **out)
{
    struct sq_store *s = (struct sq_store *)store;
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
void sq_session_detach(struct th_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->attached = false;
    pthread_mutex_unlock(&session->lock);
    while (atomic_load(&session->waking)) /* no wake comes after this call */
        sched_yield();
}
