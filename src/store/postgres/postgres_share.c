/* Several nodes on one database.
 *
 * The commits of all nodes have one order: each holds the row `shared` from its first statement to its end. So numbers still grow
 * in commit order, whoever gives them; a reader of the log finds each commit at the place behind the one before, without a gap; and
 * whatever a transaction reads is what all earlier ones have left. A node that stops inside a transaction holds up the others until
 * one of them ends it (postgres_hung.c).
 *
 * Each commit leaves a row in `log`. Its news are for the engines of the others (postgres_follow.c); its counts are for their
 * writers, which read them at the beginning of each transaction, and so always have what all others have done before.
 *
 * A slot belongs to the node that stands in its row. A node takes slots that nobody has, and only itself gives away what it has, when
 * its engine no longer works for them; the slots of a node whose lease has ended are free once that node is fenced
 * (postgres_lease.c). How many each is to have follows from who lives: an even part, and nothing moves that need not. */
#include "store/postgres/postgres_share.h"
#include "base/log.h"
#include "store/postgres/postgres_state.h"
#include "store/store_note.h"
#include "store/store_slots.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S PG_SCHEMA "."
#define LOOK_US 250000
#define CLEAN_US 10000000

void pg_share_init(struct pg_share *h, bool on)
{
    h->on = on;
    (void)pthread_mutex_init(&h->lock, NULL);
}

static const char *text(char out[24], uint64_t v)
{
    snprintf(out, 24, "%" PRIu64, v);
    return out;
}

static uint64_t number(const PGresult *r, int row, int column)
{
    return strtoull(PQgetvalue(r, row, column), NULL, 10);
}

/* ---- transactions ---- */

static bool follow_counts(struct pg_store *s, const PGresult *r, int row, int column)
{
    size_t n = 0;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(r, row, column), &n);
    bool ok = bytes && st_note_follow(&s->base.writer, th_span(bytes, n));

    PQfreemem(bytes);
    return ok;
}

/** Takes over what the others have committed: rows (position, settings, counts), the last two NULL for this node's own. */
static int take_counts(struct pg_store *s, const PGresult *r, int from_column, uint64_t upto)
{
    struct st_writer *w = &s->base.writer;
    uint64_t counted = atomic_load(&s->share.counted);
    int rows = 0;

    for (int i = 0; i < PQntuples(r); i++) {
        if (PQgetisnull(r, i, from_column))
            continue;
        rows++;
        if (PQgetisnull(r, i, from_column + 1))
            continue;
        if (!follow_counts(s, r, i, from_column + 2))
            return ST_NOMEM;
        if (PQgetvalue(r, i, from_column + 1)[0] == 't') {
            w->others_settings = number(r, i, from_column);
            th_map_fini(&w->versions);
        }
    }
    if (upto - counted != (uint64_t)rows) { /* what is missing was deleted: this node was away for too long */
        s->db.fenced = true;
        return ST_CORRUPT;
    }
    atomic_store(&s->share.counted, upto);
    return ST_OK;
}

#define NEWS_OF_OTHERS                                                                                       \
    "l.seq, CASE WHEN l.node<>$2::int2 THEN l.settings END, CASE WHEN l.node<>$2::int2 THEN l.counts END"

int pg_share_begin(struct pg_store *s)
{
    struct st_writer *w = &s->base.writer;
    char counted[24], me[24];
    const char *values[] = {text(counted, atomic_load(&s->share.counted)), text(me, (uint64_t)s->lease.node)};
    uint64_t position;
    PGresult *r;
    int rc;

    st_note_begin(w);
    pg_db_send(&s->db, "UPDATE " S "shared SET seq=seq+1", 0, NULL);
    r = pg_db_query(&s->db,
                    "SELECT h.seq,h.event,h.delivery,h.attempt," NEWS_OF_OTHERS " FROM " S
                    "shared h LEFT JOIN " S "log l ON l.seq>$1::int8 ORDER BY l.seq",
                    2, values);
    if (!r)
        return pg_db_failed(&s->db);
    position = number(r, 0, 0);
    rc = take_counts(s, r, 4, position - 1);
    w->position = position;
    w->next.event = number(r, 0, 1) > w->next.event ? number(r, 0, 1) : w->next.event;
    w->next.delivery = number(r, 0, 2) > w->next.delivery ? number(r, 0, 2) : w->next.delivery;
    w->next.attempt = number(r, 0, 3) > w->next.attempt ? number(r, 0, 3) : w->next.attempt;
    PQclear(r);
    w->tells = rc == ST_OK;
    s->share.queued = w->next.queued;
    return rc;
}

static char *hex_of(struct th_buf *out, const struct th_buf *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *p = th_buf_room(out, 2 * bytes->n + 3);

    if (!p)
        return NULL;
    *p++ = '\\';
    *p++ = 'x';
    for (size_t i = 0; i < bytes->n; i++) {
        *p++ = digits[(unsigned char)bytes->p[i] >> 4];
        *p++ = digits[bytes->p[i] & 15];
    }
    *p = '\0';
    return out->p;
}

static bool has_settings(const struct st_writer *w)
{
    struct th_span news = th_buf_view(&w->news);
    struct st_note n;

    while (st_note_next(&news, &n))
        if (n.kind == ST_NOTE_ROW && (n.a & 255) != TH_ROW_HEALTH)
            return true;
    return false;
}

int pg_share_tell(struct pg_store *s)
{
    struct st_writer *w = &s->base.writer;
    char position[24], me[24], event[24], delivery[24], attempt[24];
    const char *next[] = {text(event, w->next.event), text(delivery, w->next.delivery),
                          text(attempt, w->next.attempt)};
    const char *values[5] = {text(position, w->position), text(me, (uint64_t)s->lease.node),
                             has_settings(w) ? "true" : "false"};
    struct th_buf news, counts;
    bool ok;

    st_note_counts(w, s->share.queued);
    th_buf_init(&news, 256u << 20);
    th_buf_init(&counts, 256u << 20);
    ok = !w->news.failed && !w->counts.failed && (values[3] = hex_of(&news, &w->news)) &&
         (values[4] = hex_of(&counts, &w->counts));
    if (ok) {
        pg_db_send(&s->db, "UPDATE " S "shared SET event=$1::int8, delivery=$2::int8, attempt=$3::int8", 3,
                   next);
        pg_db_send(&s->db,
                   "INSERT INTO " S
                   "log(seq,node,at,settings,news,counts) VALUES($1::int8,$2::int2,clock_timestamp(),"
                   "$3::bool,$4::bytea,$5::bytea)",
                   5, values);
    }
    th_buf_fini(&news);
    th_buf_fini(&counts);
    w->tells = false;
    return ok ? ST_OK : ST_NOMEM;
}

/** Without a transaction of its own a writer would never hear of the others, and the log could not be cut off. */
static void catch_up(struct pg_store *s)
{
    char counted[24], me[24];
    const char *values[] = {text(counted, atomic_load(&s->share.counted)), text(me, (uint64_t)s->lease.node)};
    PGresult *r = pg_db_query(
        &s->db, "SELECT " NEWS_OF_OTHERS " FROM " S "log l WHERE l.seq>$1::int8 ORDER BY l.seq LIMIT 5000", 2,
        values);

    if (r && PQntuples(r))
        (void)take_counts(s, r, 0, number(r, PQntuples(r) - 1, 0));
    PQclear(r);
}

/* ---- who lives, and who owns what ---- */

struct view {
    struct st_slots all;
    int64_t fenced_us[TH_SLOTS]; /* as in struct pg_share */
};

/* how long ago, in milliseconds */
#define FENCED "(extract(epoch FROM clock_timestamp() - fenced) * 1000)::int8"

/** In boot time, which this process has at hand; 0: never. */
static int64_t fenced_us(const PGresult *r, int row, int column, int64_t now_us)
{
    return PQgetisnull(r, row, column) ? 0 : now_us - atoll(PQgetvalue(r, row, column)) * 1000;
}

static bool look(struct pg_store *s, struct view *v)
{
    PGresult *r =
        pg_db_query(&s->db,
                    "SELECT 0 AS what, id::int8, until > clock_timestamp(), share AND works, NULL "
                    "FROM " S "node UNION ALL SELECT 2 + coalesce(node,0), slot, NULL, NULL, " FENCED
                    " FROM " S "slot ORDER BY 1, 2",
                    0, NULL);
    int64_t now_us = pg_lease_now_us();

    *v = (struct view){0};
    for (int i = 0; r && i < PQntuples(r); i++) {
        int what = atoi(PQgetvalue(r, i, 0)), no = atoi(PQgetvalue(r, i, 1));

        if (what == 0)
            st_slots_node(&v->all, no, PQgetvalue(r, i, 2)[0] == 't', PQgetvalue(r, i, 3)[0] == 't');
        else if (what >= 2 && no >= 0 && no < TH_SLOTS) {
            v->all.owner[no] = what - 2;
            v->fenced_us[no] = fenced_us(r, i, 4, now_us);
        }
    }
    PQclear(r);
    if (!r)
        return false;
    st_slots_divide(&v->all);
    return true;
}

/* `fenced`: requests that it has begun may still be under way */
#define FREE_OF_DEAD                                                                                         \
    "UPDATE " S "slot SET node=NULL, epoch=epoch+1, fenced=clock_timestamp() WHERE node=$1::int2"

/** Fences a node whose lease has ended, and frees its slots. */
static void bury(struct pg_store *s, int id)
{
    char no[24];
    const char *values[] = {text(no, (uint64_t)id)};
    bool dead;
    PGresult *r;

    if (pg_db_begin(&s->db, "BEGIN") != TH_OK)
        return;
    /* waits for a batch of that node that is executing; where that one has renewed the lease, no row fits any more */
    r = pg_db_query(
        &s->db,
        "UPDATE " S
        "node SET epoch=epoch+1, works=false, fenced=fenced+1 WHERE id=$1::int2 AND until < clock_timestamp()"
        " RETURNING id",
        1, values);
    dead = r && PQntuples(r) == 1;
    PQclear(r);
    if (dead)
        pg_db_send(&s->db, FREE_OF_DEAD, 1, values);
    if (pg_db_commit(&s->db) == TH_OK && dead) {
        th_log(TH_LOG_WARN, "a node has not renewed its lease: the others take over", TH_KI("node", id));
        if (s->base.metrics)
            th_count(s->base.metrics, TH_C_STORE_TAKEOVERS, 1);
    }
}

static void list_slots(char *out, size_t size, const uint64_t *slots)
{
    size_t n = (size_t)snprintf(out, size, "{");

    for (unsigned i = 0; i < TH_SLOTS && n + 8 < size; i++)
        if (th_slots_have(slots, i))
            n += (size_t)snprintf(out + n, size - n, "%s%u", n > 1 ? "," : "", i);
    snprintf(out + n, size - n, "}");
}

/** Takes or gives up slots, if this node is what it takes itself for. */
static void move_slots(struct pg_store *s, const uint64_t *slots, bool take)
{
    char me[24], epoch[24], list[TH_SLOTS * 4 + 3];
    const char *values[] = {text(me, (uint64_t)s->lease.node), text(epoch, (uint64_t)s->lease.epoch), list};
    PGresult *r;

    list_slots(list, sizeof list, slots);
    r = pg_db_query(
        &s->db,
        take ? "WITH n AS (SELECT id FROM " S "node WHERE id=$1::int2 AND epoch=$2::int8 FOR SHARE) UPDATE " S
               "slot SET node=n.id, epoch=slot.epoch+1 FROM n WHERE slot.node IS NULL AND "
               "slot.slot=ANY($3::int2[])"
             : "WITH n AS (SELECT id FROM " S "node WHERE id=$1::int2 AND epoch=$2::int8 FOR SHARE) UPDATE " S
               "slot SET node=NULL, epoch=slot.epoch+1 FROM n WHERE slot.node=n.id AND "
               "slot.slot=ANY($3::int2[])",
        3, values);
    PQclear(r);
}

/** Tells the follower what this node has, and finds what its engine has let go. */
static void note_slots(struct pg_store *s, const struct view *v, const uint64_t *give, uint64_t *let_go)
{
    struct pg_share *h = &s->share;

    pthread_mutex_lock(&h->lock);
    memcpy(h->fenced_us, v->fenced_us, sizeof h->fenced_us);
    memset(h->owned, 0, sizeof h->owned);
    for (unsigned i = 0; i < TH_SLOTS; i++)
        if (v->all.owner[i] == s->lease.node)
            h->owned[i / 64] |= UINT64_C(1) << i % 64;
    for (unsigned i = 0; i < TH_SLOT_WORDS; i++) {
        h->give[i] = give[i];
        let_go[i] = give[i] & ~h->held[i];
    }
    pthread_mutex_unlock(&h->lock);
}

static void clean(struct pg_store *s)
{
    PGresult *r;

    if (s->lease.sent_us < s->share.clean_at_us)
        return;
    s->share.clean_at_us = s->lease.sent_us + CLEAN_US;
    r = pg_db_query(
        &s->db,
        "DELETE FROM " S
        "log WHERE at < clock_timestamp() - interval '10 s' AND seq <= (SELECT min(least(p.applied,"
        "p.counted)) FROM " S "progress p JOIN " S "node n ON n.id=p.node WHERE n.share AND n.works)",
        0, NULL);
    PQclear(r);
}

static bool leaves(struct pg_store *s)
{
    bool yes;

    pthread_mutex_lock(&s->share.lock);
    yes = s->share.leaves;
    pthread_mutex_unlock(&s->share.lock);
    return yes;
}

/** This node stops: what its engine has let go is for the others. */
static void leave(struct pg_store *s)
{
    char me[24], epoch[24];
    const char *values[] = {text(me, (uint64_t)s->lease.node), text(epoch, (uint64_t)s->lease.epoch)};
    uint64_t all[TH_SLOT_WORDS], let_go[TH_SLOT_WORDS];
    struct view v;
    PGresult *r;

    memset(all, 255, sizeof all);
    s->share.look_at_us = pg_lease_now_us() + LOOK_US / 3;
    /* so the others divide the slots without it */
    r = pg_db_query(&s->db, "UPDATE " S "node SET works=false WHERE id=$1::int2 AND epoch=$2::int8 AND works",
                    2, values);
    PQclear(r);
    if (!look(s, &v))
        return;
    note_slots(s, &v, all, let_go);
    for (unsigned i = 0; i < TH_SLOT_WORDS; i++)
        let_go[i] &= s->share.owned[i];
    if (st_slots_any(let_go))
        move_slots(s, let_go, false);
}

void pg_share_balance(struct pg_store *s)
{
    uint64_t take[TH_SLOT_WORDS] = {0}, give[TH_SLOT_WORDS] = {0}, let_go[TH_SLOT_WORDS];
    struct view v;
    bool changed = false;

    if (!s->share.on || s->db.lost || s->broken != TH_OK || pg_lease_now_us() < s->share.look_at_us)
        return;
    s->share.look_at_us = pg_lease_now_us() + LOOK_US;
    catch_up(s);
    if (leaves(s)) {
        leave(s);
        return;
    }
    if (!look(s, &v) || !st_slots_works(&v.all, s->lease.node))
        return;
    for (int dead, nth = 0; (dead = st_slots_dead(&v.all, nth)); nth++) {
        bury(s, dead);
        changed = true;
    }
    if (changed && !look(s, &v))
        return;
    st_slots_give(&v.all, s->lease.node, give);
    note_slots(s, &v, give, let_go);
    if (st_slots_any(let_go))
        move_slots(s, let_go, false);
    st_slots_take(&v.all, s->lease.node, take);
    if (st_slots_any(take))
        move_slots(s, take, true);
    if (st_slots_any(let_go) || st_slots_any(take)) {
        s->share.look_at_us = 0; /* what has come of it is seen at once */
        if (look(s, &v))
            note_slots(s, &v, give, let_go);
        s->share.look_at_us = pg_lease_now_us() + LOOK_US / 5;
    }
    if (v.all.owner[0] == s->lease.node)
        clean(s);
}

enum th_error pg_share_read_fenced(struct pg_store *s)
{
    struct view v;

    if (!look(s, &v))
        return TH_RETRY;
    memcpy(s->share.fenced_us, v.fenced_us, sizeof v.fenced_us);
    return TH_OK;
}

int64_t pg_share_fenced_ms(struct pg_share *h, unsigned slot)
{
    int64_t us;

    pthread_mutex_lock(&h->lock);
    us = h->fenced_us[slot];
    pthread_mutex_unlock(&h->lock);
    return us ? (pg_lease_now_us() - us) / 1000 : -1;
}

/* ---- coming and going ---- */

enum th_error pg_share_join(struct pg_db *db, struct pg_lease *l, struct pg_holder *holder)
{
    char me[24];
    const char *values[] = {text(me, (uint64_t)l->node)};
    PGresult *r = pg_db_query(
        db,
        "SELECT n.id, n.addr, n.until > clock_timestamp(), n.share, (SELECT count(*) FROM " S
        "meta WHERE k='id_key') FROM " S
        "node n WHERE n.id<>$1::int2 AND ((n.share AND n.works) OR n.id IN (SELECT node FROM " S "slot))",
        1, values);
    enum th_error error = r ? TH_OK : TH_RETRY;

    for (int i = 0; r && i < PQntuples(r) && !error; i++) {
        bool lives = PQgetvalue(r, i, 2)[0] == 't', shares = PQgetvalue(r, i, 3)[0] == 't',
             began = PQgetvalue(r, i, 4)[0] != '0';
        const char *dead[] = {PQgetvalue(r, i, 0)};

        if (lives && (shares != l->share || !began)) { /* works in the other way, or makes the first start */
            holder->node = atoi(dead[0]);
            snprintf(holder->address, sizeof holder->address, "%s", PQgetvalue(r, i, 1));
            error = TH_CONFLICT;
        } else if (!lives && shares != l->share) {
            PGresult *u = pg_db_query(
                db,
                "UPDATE " S
                "node SET epoch=epoch+1, works=false, fenced=fenced+1 WHERE id=$1::int2 AND until <"
                " clock_timestamp() RETURNING id",
                1, dead);
            error = u && PQntuples(u) == 1 ? TH_OK : TH_RETRY;
            PQclear(u);
            if (!error)
                pg_db_send(db, FREE_OF_DEAD, 1, dead);
        }
    }
    PQclear(r);
    if (error || !l->share)
        return error;
    pg_db_send(db,
               "INSERT INTO " S
               "progress(node,applied,counted) VALUES($1::int2,0,0) ON CONFLICT(node) DO UPDATE SET"
               " applied=0, counted=0",
               1, values);
    /* its slots of before are free: nothing is known here of what they hold */
    pg_db_send(db, "UPDATE " S "slot SET node=NULL, epoch=epoch+1 WHERE node=$1::int2", 1, values);
    return TH_OK;
}

void pg_share_fini(struct pg_share *h)
{
    pthread_mutex_destroy(&h->lock);
}
