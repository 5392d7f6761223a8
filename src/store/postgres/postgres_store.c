/* The PostgreSQL store: waiting, opening and closing.
 *
 * One node works on a database. Another waits with a connection and its row in `node`, and takes over when the first has given up its
 * slots or has not renewed its lease. Only then is anything read: what was read before could be old.
 *
 * It refuses: versions of PostgreSQL below 14, tables of a newer program. */
#include "store/postgres/postgres_store.h"
#include "base/alloc.h"
#include "base/log.h"
#include "store/postgres/postgres_commit.h"
#include "store/postgres/postgres_follow.h"
#include "store/postgres/postgres_nodes.h"
#include "store/postgres/postgres_schema.h"
#include "store/postgres/postgres_statements.h"
#include "store/store_life.h"
#include "store/store_lock.h"
#include "store/store_session.h"
#include "store/store_usage.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define WRITE_TIMEOUT_MS 15000
#define READ_TIMEOUT_MS 10000
#define LEASE_MS 10000

struct th_store_waiting {
    struct pg_store *store;
    struct pg_hung hung;
};

static enum th_error connect_reader(struct st_store *store, struct st_db **out)
{
    struct pg_store *s = (struct pg_store *)store;
    struct pg_db *db = th_calloc(1, sizeof *db);

    *out = NULL;
    if (!db)
        return TH_NOMEM;
    pg_db_init(db, &s->address, READ_TIMEOUT_MS);
    db->reopens = true;
    if (pg_db_connect(db) != TH_OK) { /* the first step tries again */
        pg_db_disconnect(db);
        db->lost = true;
    }
    *out = &db->base;
    return TH_OK;
}

static void disconnect_reader(struct st_db *db)
{
    pg_db_fini((struct pg_db *)db);
    th_free(db);
}

static bool may_send(struct th_store *store)
{
    return pg_lease_holds(&((struct pg_store *)store)->lease);
}

static bool is_shared(struct th_store *store)
{
    return ((struct pg_store *)store)->share.on;
}

static int64_t fenced_ms(struct th_store *store, unsigned slot)
{
    return pg_share_fenced_ms(&((struct pg_store *)store)->share, slot);
}

static int tell(struct st_store *store)
{
    return pg_share_tell((struct pg_store *)store);
}

static void store_close(struct th_store *store)
{
    struct pg_store *s = (struct pg_store *)store;

    st_life_stop(&s->base);
    st_life_fini(&s->base);
    pg_follow_close(&s->share);
    pg_share_fini(&s->share);
    pg_db_fini(&s->db);
    th_map_fini(&s->days);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    th_free(s);
}

static const struct th_store_vt postgres_vt = {
    .settings = pg_follow_settings,
    .endpoint_settings = st_life_endpoint_settings,
    .attach = st_session_attach,
    .submit = st_session_submit,
    .flush = st_session_flush,
    .drain = st_session_drain,
    .detach = st_session_detach,
    .page_free = st_life_page_free,
    .usage = st_usage_now,
    .may_send = may_send,
    .is_shared = is_shared,
    .fenced_ms = fenced_ms,
    .nodes = pg_nodes,
    .close = store_close,
};

static struct pg_store *new_store(const struct th_store_postgres_options *o)
{
    struct pg_store *s = th_calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->base.base.vt = &postgres_vt;
    s->base.texts = &pg_texts;
    s->base.name = s->address.shown;
    s->base.metrics = o->metrics;
    s->base.connect = connect_reader;
    s->base.disconnect = disconnect_reader;
    s->lost = o->lost;
    s->lost_ctx = o->ctx;
    s->lock_fd = -1;
    s->lease.instance = s->instance;
    s->lease.address = o->address;
    s->lease.share = o->share;
    pg_share_init(&s->share, o->share);
    if (o->share) {
        s->base.tell = tell;
        s->base.follow = pg_follow;
    }
    s->lease.ttl_ms = o->lease_ms ? o->lease_ms : LEASE_MS;
    s->base.idle_ms = o->share ? 100 : s->lease.ttl_ms / 5;
    th_map_init(&s->days, 100000, 0x9e3779b97f4a7c15u);
    if (!st_life_init(&s->base)) {
        st_life_fini(&s->base);
        th_free(s);
        return NULL;
    }
    return s;
}

/** Reads the name of a data directory, or gives it one. */
static enum th_error name_folder(struct pg_store *s, const char *path, char *why, size_t why_size)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t raw[16];
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ssize_t n = fd >= 0 ? pread(fd, s->instance, 32, 0) : -1;

    if (n == 32) {
        close(fd);
        return TH_OK;
    }
    if (fd >= 0 && getrandom(raw, sizeof raw, 0) == (ssize_t)sizeof raw) {
        for (int i = 0; i < 32; i++)
            s->instance[i] = digits[raw[i / 2] >> (i % 2 ? 0 : 4) & 15];
        n = pwrite(fd, s->instance, 32, 0);
        if (n == 32 && fsync(fd) != 0)
            n = -1;
    }
    if (n != 32)
        snprintf(why, why_size, "%s cannot be written: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return n == 32 ? TH_OK : TH_IO;
}

/** The lock is held until the store is closed. */
static enum th_error take_folder(struct pg_store *s, const char *dir, char *why, size_t why_size)
{
    char path[4096];
    enum th_error error;

    if (strlen(dir) + sizeof "/tenterhook.lock" > sizeof path) {
        snprintf(why, why_size, "the name of the data directory is too long");
        return TH_INVALID;
    }
    snprintf(path, sizeof path, "%s/tenterhook.lock", dir);
    error = st_lock_take(path, &s->lock_fd, why, why_size);
    snprintf(path, sizeof path, "%s/tenterhook.node", dir);
    return error ? error : name_folder(s, path, why, why_size);
}

enum th_error th_store_postgres_wait(const struct th_store_postgres_options *options,
                                     struct th_store_waiting **out, char *why, size_t why_size)
{
    struct th_store_waiting *w = th_calloc(1, sizeof *w);
    enum th_error error;

    *out = NULL;
    why[0] = '\0';
    if (w)
        w->store = new_store(options);
    if (!w || !w->store) {
        snprintf(why, why_size, "no memory");
        th_free(w);
        return TH_NOMEM;
    }
    error = take_folder(w->store, options->dir, why, why_size);
    if (!error)
        error = pg_address_read(&w->store->address, options->url, options->password, options->unnamed, why,
                                why_size);
    pg_db_init(&w->store->db, &w->store->address, WRITE_TIMEOUT_MS);
    if (!error)
        error = pg_schema_raise(&w->store->address, why, why_size);
    if (!error)
        error = pg_db_connect(&w->store->db);
    if (!error)
        error = pg_lease_register(&w->store->db, &w->store->lease);
    if (!error) {
        *out = w;
        return TH_OK;
    }
    if (!why[0])
        snprintf(why, why_size, "the database %s cannot be used: %s", w->store->address.shown,
                 w->store->db.message);
    th_store_postgres_leave(w);
    return error;
}

enum th_error th_store_postgres_take(struct th_store_waiting *w, char *why, size_t why_size)
{
    struct pg_store *s = w->store;
    struct pg_holder holder = {0};
    enum th_error error = TH_OK;

    if (s->db.lost || !s->db.conn)
        error = pg_db_connect(&s->db);
    if (!error && pg_schema_is_partial(&s->db)) {
        snprintf(why, why_size,
                 "the database %s has the beginning of a copy: give the same `tenterhook migrate` again, "
                 "which finishes it",
                 s->address.shown);
        return TH_INVALID;
    }
    if (!error && !pg_lease_wait(&s->db, &s->lease))
        error = s->db.lost ? TH_RETRY : pg_lease_register(&s->db, &s->lease);
    if (!error) {
        pg_hung_look(&w->hung, &s->db, s->lease.ttl_ms, s->base.metrics);
        error = pg_lease_take(&s->db, &s->lease, &holder);
    }
    if (error == TH_CONFLICT)
        snprintf(why, why_size, "node %d at %s works on the database", holder.node, holder.address);
    else if (error)
        snprintf(why, why_size, "the database %s cannot be reached: %s", s->address.shown, s->db.message);
    return error;
}

void th_store_postgres_leave(struct th_store_waiting *w)
{
    if (w->store)
        store_close(&w->store->base.base);
    th_free(w);
}

/** While others go on: what the writer keeps in memory is that of one position of the log. */
static enum th_error open_in_snapshot(struct pg_store *s)
{
    enum th_error error = pg_db_begin(&s->db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    PGresult *r = error ? NULL : pg_db_query(&s->db, "SELECT seq FROM " PG_SCHEMA ".shared", 0, NULL);

    if (!r)
        return TH_RETRY;
    atomic_store(&s->share.counted, strtoull(PQgetvalue(r, 0, 0), NULL, 10));
    PQclear(r);
    error = st_writer_open(&s->base.writer, &s->base, &s->db.base);
    if (pg_db_commit(&s->db) != TH_OK && !error)
        error = TH_RETRY;
    return error;
}

static enum th_error start(struct pg_store *s)
{
    enum th_error error = pg_schema_days(&s->db, &s->days);

    if (!error)
        error = pg_share_read_fenced(s);
    if (!error && s->share.on)
        error = open_in_snapshot(s);
    else if (!error)
        error = st_writer_open(&s->base.writer, &s->base, &s->db.base);
    return error ? error : st_life_start(&s->base, pg_commit_main);
}

enum th_error th_store_postgres_open(struct th_store_waiting *w, struct th_store **out, char *why,
                                     size_t why_size)
{
    struct pg_store *s = w->store;
    enum th_error error = start(s);

    th_free(w);
    *out = NULL;
    if (error) {
        snprintf(why, why_size, "the database %s cannot be read: %s", s->address.shown, s->db.message);
        if (!s->db.lost)
            pg_lease_release(&s->db, &s->lease);
        store_close(&s->base.base);
        return error;
    }
    if (s->base.metrics) {
        th_gauge_set(s->base.metrics, TH_G_STORE_READY, 1);
        th_gauge_set(s->base.metrics, TH_G_STORE_RENEWED, (int64_t)time(NULL));
        th_count(s->base.metrics, TH_C_STORE_TAKEOVERS, s->lease.took_over);
        th_count(s->base.metrics, TH_C_STORE_FENCED, (uint64_t)s->lease.fenced);
        th_gauge_set(s->base.metrics, TH_G_DELIVERIES_PENDING, (int64_t)s->base.writer.next.queued);
    }
    *out = &s->base.base;
    return TH_OK;
}
