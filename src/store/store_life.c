/* Opening and closing, as far as all stores do it in the same way: locks, threads, connections for reading.
 *
 * Closing goes backwards: the writer first commits what is queued, then the readers end, then the sessions are drained a last
 * time, so that no op is lost.
 *
 * Invariant: nothing but this file starts or joins a thread of the store. */
#include "store/store_life.h"
#include "base/alloc.h"
#include "store/store_page.h"
#include "store/store_roll.h"
#include "store/store_session.h"
#include "store/store_settings_read.h"
#include "store/store_tail.h"
#include <time.h>

enum th_error st_life_settings(struct th_store *store, void (*row)(void *, const struct th_row *), void *ctx)
{
    struct st_store *s = (struct st_store *)store;
    struct st_db *db = NULL;
    enum th_error error = s->connect(s, &db);

    if (error != TH_OK)
        return error;
    error = st_error(db, st_settings_read(db, s->texts, row, ctx));
    s->disconnect(db);
    return error;
}

/* Its own connection, made when the first is asked for: the readers' belong to their threads, and few installations have
 * endpoints so large that one is asked for at all. */
static enum th_error open_conf(struct st_store *s)
{
    enum th_error error = s->connect(s, &s->conf_db);

    if (error != TH_OK)
        return error;
    error = st_error(s->conf_db, st_prepare(s->conf_db, s->texts->once[ST_O_ENDPOINT_SETTINGS], &s->conf_st));
    if (error != TH_OK) {
        s->disconnect(s->conf_db);
        s->conf_db = NULL;
    }
    return error;
}

/* Under the lock of the connection. */
static enum th_error read_conf(struct st_store *s, uint64_t endpoint, uint64_t rev, struct th_buf *out)
{
    enum th_error error = s->conf_st ? TH_OK : open_conf(s);
    int rc;

    if (error != TH_OK)
        return error;
    st_u64(s->conf_st, 1, endpoint);
    st_u64(s->conf_st, 2, rev);
    rc = st_step(s->conf_st);
    if (rc == ST_ROW) {
        th_buf_span(out, st_col(s->conf_st, 0));
        error = out->failed;
    } else {
        error = rc == ST_DONE ? TH_NOT_FOUND : st_error(s->conf_db, rc);
    }
    st_reset(s->conf_st); /* no snapshot is kept */
    return error;
}

enum th_error st_life_endpoint_settings(struct th_store *store, uint64_t endpoint, uint64_t rev,
                                        struct th_buf *out)
{
    struct st_store *s = (struct st_store *)store;
    enum th_error error;

    pthread_mutex_lock(&s->conf_lock);
    error = read_conf(s, endpoint, rev, out);
    pthread_mutex_unlock(&s->conf_lock);
    return error;
}

void st_life_page_free(struct th_store *store, struct th_page *page)
{
    (void)store;
    st_page_free(page);
}

/* ---- threads ---- */

bool st_life_init(struct st_store *s)
{
    pthread_condattr_t attr;
    bool wake, told;

    s->tail = &s->head;
    for (int kind = 0; kind < ST_RUN_KINDS; kind++) {
        s->builds[kind].kind = (enum st_run_kind)kind;
        th_buf_init(&s->builds[kind].values, 256u << 20);
        s->builds[kind].op.kind = (enum th_op_kind)ST_OP_RUN_BUILD;
    }
    wake = pthread_condattr_init(&attr) == 0 && pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(&s->wake, &attr) == 0;
    told = wake && pthread_cond_init(&s->told, NULL) == 0;
    (void)pthread_mutex_init(&s->conf_lock,
                             NULL); /* a mutex of the default kind: neither this nor the next can fail */
    (void)pthread_cond_init(&s->may_read, NULL);
    s->lock_ready = told && pthread_mutex_init(&s->lock, NULL) == 0;
    if (s->lock_ready && pthread_mutex_init(&s->use_lock, NULL) != 0) {
        pthread_mutex_destroy(&s->lock);
        s->lock_ready = false;
    }
    if (wake)
        pthread_condattr_destroy(&attr);
    if (told && !s->lock_ready)
        pthread_cond_destroy(&s->told);
    if (wake && !s->lock_ready)
        pthread_cond_destroy(&s->wake);
    return s->lock_ready;
}

static enum th_error start_reader(struct st_store *s, struct st_reader *r)
{
    enum th_error error;

    if (pthread_mutex_init(&r->lock, NULL) != 0)
        return TH_NOMEM;
    if (pthread_cond_init(&r->wake, NULL) != 0) {
        pthread_mutex_destroy(&r->lock);
        return TH_NOMEM;
    }
    r->store = s;
    r->tail = &r->head;
    r->ready = true; /* from here on stop_readers cleans up */
    error = s->connect(s, &r->db);
    if (error == TH_OK)
        error = st_error(r->db, st_prepare_all(r->db, s->texts->reader, ST_R_COUNT, r->st));
    if (error == TH_OK)
        error = pthread_create(&r->thread, NULL, st_reader_main, r) == 0 ? TH_OK : TH_NOMEM;
    r->started = error == TH_OK;
    return error;
}

enum th_error st_life_start(struct st_store *s, void *(*writer)(void *))
{
    enum th_error error = TH_OK;

    for (int i = 0; error == TH_OK && i < ST_READERS; i++)
        error = start_reader(s, &s->readers[i]);
    if (error == TH_OK)
        error = pthread_create(&s->thread, NULL, writer, s) == 0 ? TH_OK : TH_NOMEM;
    s->writer_started = error == TH_OK;
    return error;
}

static void stop_readers(struct st_store *s)
{
    for (int i = 0; i < ST_READERS; i++) {
        struct st_reader *r = &s->readers[i];

        if (!r->ready)
            continue;
        if (r->started) {
            pthread_mutex_lock(&r->lock);
            r->stop = true;
            pthread_cond_signal(&r->wake);
            pthread_mutex_unlock(&r->lock);
            pthread_join(r->thread, NULL);
        }
        st_finalize_all(r->st, ST_R_COUNT);
        st_tail_forget(r);
        if (r->db)
            s->disconnect(r->db);
        pthread_cond_destroy(&r->wake);
        pthread_mutex_destroy(&r->lock);
    }
}

static void stop_threads(struct st_store *s)
{
    if (s->writer_started) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    stop_readers(s);
}

void st_life_stop(struct st_store *s)
{
    for (struct th_session *session = s->sessions; session; session = session->next)
        st_session_flush(session);
    if (s->lock_ready)
        stop_threads(s);
    for (int kind = 0; kind < ST_RUN_KINDS; kind++) {
        th_free(s->builds[kind].pairs);
        st_roll_free(&s->builds[kind]);
    }
    while (s->sessions) {
        struct th_session *session = s->sessions;

        while (st_session_drain(session, 1000))
            ;
        s->sessions = session->next;
        pthread_mutex_destroy(&session->lock);
        th_free(session);
    }
    st_finalize(s->conf_st);
    if (s->conf_db)
        s->disconnect(s->conf_db);
    st_writer_close(&s->writer);
}

void st_life_fini(struct st_store *s)
{
    (void)pthread_mutex_destroy(&s->conf_lock);
    pthread_cond_destroy(&s->may_read);
    if (!s->lock_ready)
        return;
    pthread_cond_destroy(&s->told);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->use_lock);
    pthread_mutex_destroy(&s->lock);
}
