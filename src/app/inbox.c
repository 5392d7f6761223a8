/* Drains inboxes.
 *
 * Each source has a thread, since asking a database may take its time. It fetches a batch, has the home thread's engine publish it,
 * waits for all outcomes, and writes down what follows: rows that were stored are deleted (those of the store's own database were, by
 * the commit that stored them), rows that can never be accepted are moved aside, and what cannot be accepted now stays. Then the
 * next batch.
 *
 * What dies where: before the commit of an event its row is untouched; between the commit and the delete the row is there once more,
 * the store knows the event by its id, and the row is deleted without another event; a row is moved aside by one statement.
 *
 * A tenant that has reached a limit rests for some seconds, and everybody else goes on. When the store cannot commit, nothing is
 * taken at all.
 *
 * Under the lock: the state that others read, and who has the batch. The batch itself belongs to the thread, or, while it is posted, to the
 * home thread. */
#include "app/inbox.h"
#include "app/inbox_event.h"
#include "base/alloc.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define POLL_MS 250
#define ABSENT_MS 3000 /* between two looks for an inbox that is not there */
#define STATE_US 2000000
#define PAUSE_MS 1000 /* when the store takes nothing */
#define REST_US 5000000
#define RESTING 64
#define MEM_MAX ((size_t)256 << 20)

enum verdict { TAKE, TAKEN_WITH_COMMIT, REJECT, LATER, REST };

struct entry {
    struct source *source;
    struct th_publish publish;
    struct th_publish_event event;
    enum verdict verdict;
    char why[TH_INBOX_REASON];
};

struct source {
    struct set *set;
    unsigned no; /* 0: the store's own database */
    const char *url, *password;
    struct th_inbox_db *db;
    pthread_t thread;
    bool runs;
    /* under the lock */
    struct th_inbox_state state;
    char error[300];
    bool is_there; /* it has an inbox */
    bool posted;   /* the batch is with the home thread */
    pthread_cond_t back;
    /* the batch */
    struct th_errand errand;
    struct th_arena mem;
    unsigned count, left; /* left: outcomes that have not come */
    struct th_inbox_row rows[TH_INBOX_BATCH];
    struct entry entries[TH_INBOX_BATCH];
    uint64_t taken[TH_INBOX_BATCH];
    /* the thread's */
    int64_t looked_us;
    unsigned failures;
    struct {
        char tenant[129];
        int64_t until_us;
    } resting[RESTING];
};

struct set {
    struct th_inbox base;
    struct th_inbox_options options;
    pthread_mutex_t lock;
    bool stop;
    unsigned count;
    struct source **sources;
};

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool stopping(struct set *t)
{
    bool stop;

    pthread_mutex_lock(&t->lock);
    stop = t->stop;
    pthread_mutex_unlock(&t->lock);
    return stop;
}

/* ---- on the home thread: a batch is published ---- */

static void give_back(struct source *s)
{
    pthread_mutex_lock(&s->set->lock);
    s->posted = false;
    pthread_cond_signal(&s->back);
    pthread_mutex_unlock(&s->set->lock);
}

static void one_less(struct source *s)
{
    if (--s->left == 0)
        give_back(s);
}

static void reject(struct entry *e, const char *why)
{
    e->verdict = REJECT;
    snprintf(e->why, sizeof e->why, "%s", why);
}

static void published(struct th_publish *p)
{
    struct entry *e = p->user;
    char text[TH_INBOX_REASON];

    switch (p->result) {
    case TH_PUB_ACCEPTED:
    case TH_PUB_REPEATED:
        e->verdict = e->event.inbox ? TAKEN_WITH_COMMIT : TAKE;
        th_count(e->source->set->options.metrics, TH_C_INBOX_ACCEPTED, 1);
        break;
    case TH_PUB_ID_TAKEN:
        e->verdict = TAKE;
        th_count(e->source->set->options.metrics, TH_C_INBOX_REPEATED, 1);
        break;
    case TH_PUB_LIMITED:
        e->verdict = REST;
        break;
    case TH_PUB_UNAVAILABLE:
        e->verdict = LATER;
        break;
    case TH_PUB_TENANT_GONE:
        reject(e, "the tenant has been deleted");
        break;
    default:
        snprintf(text, sizeof text, "%s%s%s", p->field ? p->field : "", p->field ? ": " : "",
                 p->detail[0] ? p->detail : "it cannot be accepted");
        reject(e, text);
        break;
    }
    one_less(e->source);
}

static void judge(struct source *s, struct th_engine *engine, const struct th_inbox_row *row, struct entry *e)
{
    enum th_error error = th_inbox_event(row, s->set->options.max_bytes, &s->mem, &e->event, e->why);
    struct th_tenant *tenant = error ? NULL : th_engine_tenant(engine, row->tenant);

    e->verdict = error == TH_INVALID ? REJECT : LATER;
    if (error)
        return;
    if (!tenant || tenant->deleting) {
        char text[TH_INBOX_REASON];

        snprintf(text, sizeof text, "there is no tenant \"%.*s\"", (int)row->tenant.n, row->tenant.p);
        reject(e, text);
        return;
    }
    e->event.inbox = s->no ? 0 : row->no;
    e->publish =
        (struct th_publish){.tenant = tenant, .count = 1, .events = &e->event, .done = published, .user = e};
    s->left++;
    th_engine_publish(engine, &e->publish);
}

static void publish_batch(struct th_shard *home, struct th_errand *errand)
{
    struct source *s = TH_CONTAINER(errand, struct source, errand);

    s->left = 1;
    for (unsigned i = 0; i < s->count; i++) {
        s->entries[i].source = s;
        judge(s, home->engine, &s->rows[i], &s->entries[i]);
    }
    one_less(s);
}

/* ---- the thread of a source ---- */

/** False: the batch will not be published, since the server stops. */
static bool post(struct source *s)
{
    struct set *t = s->set;

    pthread_mutex_lock(&t->lock);
    if (t->stop) {
        pthread_mutex_unlock(&t->lock);
        return false;
    }
    s->posted = true;
    pthread_mutex_unlock(&t->lock);
    th_shard_ask(t->options.home, &s->errand, publish_batch);
    pthread_mutex_lock(&t->lock);
    while (s->posted)
        pthread_cond_wait(&s->back, &t->lock);
    pthread_mutex_unlock(&t->lock);
    return true;
}

static void rest(struct source *s, struct th_span tenant)
{
    unsigned at = 0;

    for (unsigned i = 0; i < RESTING; i++) {
        if (th_span_eq(th_str(s->resting[i].tenant), tenant))
            return;
        if (s->resting[i].until_us < s->resting[at].until_us)
            at = i;
    }
    snprintf(s->resting[at].tenant, sizeof s->resting[at].tenant, "%.*s", (int)tenant.n, tenant.p);
    s->resting[at].until_us = now_us() + REST_US;
}

/** "{a,b}": names of tenants have no character that would have to be quoted. */
static void write_resting(struct source *s, struct th_buf *out)
{
    int64_t now = now_us();
    bool any = false;

    th_buf_char(out, '{');
    for (unsigned i = 0; i < RESTING; i++) {
        if (s->resting[i].until_us <= now)
            s->resting[i].tenant[0] = '\0';
        if (!s->resting[i].tenant[0])
            continue;
        th_buf_printf(out, "%s%s", any ? "," : "", s->resting[i].tenant);
        any = true;
    }
    th_buf_char(out, '}');
}

static void tell(struct source *s, enum th_error error)
{
    char before[sizeof s->error];
    bool known = s->no || error != TH_NOT_FOUND;

    pthread_mutex_lock(&s->set->lock);
    snprintf(before, sizeof before, "%s", s->error);
    snprintf(s->error, sizeof s->error, "%s", error ? th_inbox_db_why(s->db) : "");
    if (error && !s->error[0])
        snprintf(s->error, sizeof s->error, "%s", th_error_name(error));
    s->is_there = s->no || !error || (s->is_there && error != TH_NOT_FOUND) || error == TH_DENIED;
    pthread_mutex_unlock(&s->set->lock);
    if (error && known && strcmp(before, s->error) != 0)
        th_log(TH_LOG_WARN, "an inbox cannot be drained", TH_KC("database", th_inbox_db_name(s->db)),
               TH_KC("why", s->error));
    if (!error && before[0] && known)
        th_log(TH_LOG_INFO, "the inbox is being drained", TH_KC("database", th_inbox_db_name(s->db)));
}

static enum th_error look(struct source *s)
{
    struct th_inbox_state state = {0};
    enum th_error error;

    if (s->looked_us && now_us() - s->looked_us < STATE_US)
        return TH_OK;
    error = th_inbox_db_state(s->db, &state);
    if (error)
        return error;
    s->looked_us = now_us();
    pthread_mutex_lock(&s->set->lock);
    s->state.waiting = state.waiting;
    s->state.oldest = state.oldest;
    s->state.rejected = state.rejected;
    pthread_mutex_unlock(&s->set->lock);
    return TH_OK;
}

/** Writes down what has become of a batch. *pause: the store takes nothing now. */
static enum th_error settle(struct source *s, bool *pause)
{
    enum th_error error = TH_OK;
    unsigned taken = 0;

    *pause = false;
    for (unsigned i = 0; i < s->count; i++) {
        struct entry *e = &s->entries[i];

        if (e->verdict == TAKE)
            s->taken[taken++] = s->rows[i].no;
        *pause = *pause || e->verdict == LATER;
        if (e->verdict == REST)
            rest(s, s->rows[i].tenant);
    }
    error = th_inbox_db_taken(s->db, s->taken, taken);
    for (unsigned i = 0; !error && i < s->count; i++) {
        struct entry *e = &s->entries[i];

        if (e->verdict != REJECT)
            continue;
        error = th_inbox_db_reject(s->db, s->rows[i].no, e->why);
        if (error)
            break;
        s->looked_us = 0;
        th_count(s->set->options.metrics, TH_C_INBOX_REJECTED, 1);
        th_log(TH_LOG_WARN, "an event of an inbox was moved aside", TH_KI("no", (int64_t)s->rows[i].no),
               TH_KC("database", th_inbox_db_name(s->db)), TH_KC("why", e->why));
    }
    return error;
}

/** One batch. *ms: how long to wait before the next one. */
static enum th_error drain(struct source *s, unsigned *ms)
{
    struct th_buf resting;
    enum th_error error;
    bool pause;

    *ms = POLL_MS;
    error = th_inbox_db_open(s->db);
    if (!error)
        error = look(s);
    if (error)
        return error;
    th_buf_init(&resting, 65536);
    write_resting(s, &resting);
    th_arena_init(&s->mem, MEM_MAX);
    error = resting.failed ? TH_NOMEM
                           : th_inbox_db_fetch(s->db, s->set->options.max_bytes, th_buf_cstr(&resting),
                                               &s->mem, s->rows, &s->count);
    th_buf_fini(&resting);
    if (!error && s->count && post(s)) {
        error = settle(s, &pause);
        *ms = pause ? PAUSE_MS : 0;
    }
    th_arena_fini(&s->mem);
    return error;
}

/** After a failure: half a second to eight, drawn by lot. */
static unsigned later(struct source *s)
{
    unsigned most = 500u << (s->failures < 4 ? s->failures : 4);

    s->failures++;
    return most / 2 + (unsigned)random() % (most / 2 + 1);
}

static void *run(void *arg)
{
    struct source *s = arg;

    (void)prctl(PR_SET_NAME, "inbox");
    while (!stopping(s->set)) {
        unsigned ms;
        enum th_error error = drain(s, &ms);

        tell(s, error);
        if (!error)
            s->failures = 0;
        else
            ms = error == TH_NOT_FOUND ? ABSENT_MS : later(s);
        if (ms)
            th_inbox_db_wait(s->db, ms);
    }
    return NULL;
}

/* ---- what others ask ---- */

static struct set *set_of(struct th_inbox *inbox)
{
    return (struct set *)inbox;
}

static void states(struct th_inbox *inbox, void (*each)(void *ctx, const struct th_inbox_state *), void *ctx)
{
    struct set *t = set_of(inbox);

    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->count; i++) {
        struct source *s = t->sources[i];
        struct th_inbox_state state = s->state;

        state.source = s->no;
        state.name = th_inbox_db_name(s->db);
        state.error = s->error;
        if (s->is_there)
            each(ctx, &state);
    }
    pthread_mutex_unlock(&t->lock);
}

/** Opens a connection of its own to a source. */
static enum th_error visit(struct th_inbox *inbox, unsigned no, struct th_inbox_db **out)
{
    struct set *t = set_of(inbox);
    char why[300];
    enum th_error error = TH_NOT_FOUND;

    *out = NULL;
    for (unsigned i = 0; i < t->count && !*out; i++)
        if (t->sources[i]->no == no)
            error = th_inbox_db_new(t->sources[i]->url, t->sources[i]->password, out, why, sizeof why);
    if (!error)
        error = th_inbox_db_open(*out);
    if (error) {
        th_inbox_db_free(*out);
        *out = NULL;
    }
    return error;
}

struct numbered {
    unsigned source;
    void (*each)(void *ctx, const struct th_inbox_rejected *);
    void *ctx;
};

static void with_source(void *ctx, const struct th_inbox_rejected *row)
{
    struct numbered *n = ctx;
    struct th_inbox_rejected copy = *row;

    copy.source = n->source;
    n->each(n->ctx, &copy);
}

static enum th_error rejected(struct th_inbox *inbox, unsigned source, uint64_t after, unsigned limit,
                              void (*each)(void *ctx, const struct th_inbox_rejected *), void *ctx)
{
    struct numbered n = {source, each, ctx};
    struct th_inbox_db *db;
    enum th_error error = visit(inbox, source, &db);

    if (!error)
        error = th_inbox_db_rejected(db, after, limit, with_source, &n);
    th_inbox_db_free(db);
    return error;
}

static enum th_error retry(struct th_inbox *inbox, unsigned source, uint64_t no)
{
    struct th_inbox_db *db;
    enum th_error error = visit(inbox, source, &db);

    if (!error)
        error = th_inbox_db_retry(db, no);
    th_inbox_db_free(db);
    return error;
}

static enum th_error drop(struct th_inbox *inbox, unsigned source, uint64_t no)
{
    struct th_inbox_db *db;
    enum th_error error = visit(inbox, source, &db);

    if (!error)
        error = th_inbox_db_drop(db, no);
    th_inbox_db_free(db);
    return error;
}

static void add_up(void *ctx, const struct th_inbox_state *state)
{
    struct th_inbox_state *sum = ctx;

    sum->waiting += state->waiting;
    sum->rejected += state->rejected;
    sum->source += state->error[0] != '\0';
    if (state->oldest && (!sum->oldest || state->oldest < sum->oldest))
        sum->oldest = state->oldest;
}

void th_inbox_measure(struct th_inbox *inbox, struct th_metrics *m)
{
    struct th_inbox_state sum = {0};
    struct timespec now;
    int64_t age;

    clock_gettime(CLOCK_REALTIME, &now);
    states(inbox, add_up, &sum);
    age = sum.oldest ? now.tv_sec - sum.oldest / 1000 : 0;
    th_gauge_set(m, TH_G_INBOX_WAITING, (int64_t)sum.waiting);
    th_gauge_set(m, TH_G_INBOX_OLDEST, age > 0 ? age : 0);
    th_gauge_set(m, TH_G_INBOX_ASIDE, (int64_t)sum.rejected);
    th_gauge_set(m, TH_G_INBOX_AWAY, sum.source);
}

/* ---- life ---- */

static const struct th_inbox_vt inbox_vt = {states, rejected, retry, drop};

static enum th_error add(struct set *t, unsigned no, const char *url, const char *password, char *why,
                         size_t why_size)
{
    struct source *s = th_calloc(1, sizeof *s);
    enum th_error error;

    if (!s)
        return TH_NOMEM;
    t->sources[t->count++] = s;
    s->set = t;
    s->no = no;
    s->url = url;
    s->password = password;
    th_list_init(&s->errand.link);
    pthread_cond_init(&s->back, NULL);
    error = th_inbox_db_new(url, password, &s->db, why, why_size);
    return error;
}

enum th_error th_inbox_new(const struct th_inbox_options *options, struct th_inbox **out, char *why,
                           size_t why_size)
{
    struct set *t = th_calloc(1, sizeof *t);
    enum th_error error = TH_NOMEM;

    *out = NULL;
    if (!t)
        return TH_NOMEM;
    t->base.vt = &inbox_vt;
    t->options = *options;
    pthread_mutex_init(&t->lock, NULL);
    t->sources = th_calloc(options->source_count + 1, sizeof *t->sources);
    if (t->sources)
        error = options->store ? add(t, 0, options->store, options->password, why, why_size) : TH_OK;
    for (unsigned i = 0; !error && i < options->source_count; i++)
        error = add(t, i + 1, options->sources[i], NULL, why, why_size);
    if (error) {
        th_inbox_free(&t->base);
        return error;
    }
    *out = &t->base;
    return TH_OK;
}

void th_inbox_start(struct th_inbox *inbox)
{
    struct set *t = set_of(inbox);

    for (unsigned i = 0; i < t->count; i++) {
        t->sources[i]->runs = pthread_create(&t->sources[i]->thread, NULL, run, t->sources[i]) == 0;
        if (!t->sources[i]->runs)
            th_log(TH_LOG_ERROR, "the system gives no thread: an inbox is not drained until a restart",
                   TH_KC("database", th_inbox_db_name(t->sources[i]->db)));
    }
}

void th_inbox_stop(struct th_inbox *inbox)
{
    struct set *t = set_of(inbox);

    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_mutex_unlock(&t->lock);
    for (unsigned i = 0; i < t->count; i++)
        if (t->sources[i]->db)
            th_inbox_db_wake(t->sources[i]->db);
}

bool th_inbox_busy(struct th_inbox *inbox)
{
    struct set *t = set_of(inbox);
    bool busy = false;

    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < t->count; i++)
        busy = busy || t->sources[i]->posted;
    pthread_mutex_unlock(&t->lock);
    return busy;
}

void th_inbox_free(struct th_inbox *inbox)
{
    struct set *t = set_of(inbox);

    if (!t)
        return;
    th_inbox_stop(inbox);
    for (unsigned i = 0; i < t->count; i++) {
        struct source *s = t->sources[i];

        if (s->runs)
            pthread_join(s->thread, NULL);
        th_inbox_db_free(s->db);
        pthread_cond_destroy(&s->back);
        th_free(s);
    }
    pthread_mutex_destroy(&t->lock);
    th_free(t->sources);
    th_free(t);
}
