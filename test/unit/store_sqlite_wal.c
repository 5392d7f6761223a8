/* The write-ahead log stays bounded under load, also beside a reader that never pauses. */
#include "store_fixture.h"
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>

#define BODY (256u << 10)
#define EVENTS 600       /* 150 MiB */
#define BOUND (96 << 20) /* a log that never starts over holds all of it */

static struct th_page list;
static bool listing;
static unsigned lists;

static void list_begin(struct fx *f);

static void list_done(struct th_op *op)
{
    assert_int_equal(op->error, TH_OK);
    fx_current->store->vt->page_free(fx_current->store, &list);
    lists++;
    if (listing)
        list_begin(fx_current);
    else
        fx_done(op);
}

/* Looks at every delivery and finds none: transactions as long as they may be, one right after the other. */
static void list_begin(struct fx *f)
{
    list = (struct th_page){.op = {.kind = TH_OP_PAGE, .done = list_done},
                            .kind = TH_PAGE_DELIVERIES,
                            .tenant = 1,
                            .type = TH_LIT("no.such"),
                            .limit = 100,
                            .with_total = true};
    f->store->vt->submit(f->session, &list.op);
}

static void accept_many(struct fx *f, struct th_span data, uint32_t count)
{
    static struct th_new_event events[1000];
    static const uint64_t endpoint = 1;
    struct th_accept a;

    for (uint32_t i = 0; i < count; i++) {
        events[i] = fx_event(&endpoint, 1, "{}");
        events[i].data = data;
    }
    a = fx_accept(1, T0, events, count);
    assert_int_equal(fx_run(f, &a.op), TH_OK);
    assert_int_equal(a.result, TH_ACCEPT_NEW);
}

static off_t log_size(const struct fx *f)
{
    char path[128];
    struct stat st;

    snprintf(path, sizeof path, "%s/tenterhook.db-wal", f->dir);
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void the_log_starts_over_beside_a_reader(void **state)
{
    struct fx *f = fx_new(FX_SQLITE);
    char *body = calloc(1, BODY);
    off_t most = 0;

    (void)state;
    assert_non_null(body);
    memset(body, 'x', BODY);
    fx_open(f);
    fx_tenant(f, 1, "t");
    for (unsigned i = 0; i < 20; i++)
        accept_many(f, TH_LIT("{}"), 1000);
    listing = true;
    list_begin(f);
    for (unsigned i = 0; i < EVENTS; i += 4) {
        accept_many(f, th_span(body, BODY), 4);
        if (log_size(f) > most)
            most = log_size(f);
    }
    listing = false;
    fx_wait(f, f->done + 1);
    assert_true(lists > 0);
    if (most > BOUND)
        fail_msg("the log grew to %lld MiB", (long long)most >> 20);
    free(body);
    fx_free(f);
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A reader that does not end, as another process may be one, keeps the log from starting over. Publishers wait for the disk then, and not
 * for that reader: where they did, each of the tries to start over took 250 ms. */
static void nobody_waits_for_a_reader_that_does_not_end(void **state)
{
    struct fx *f = fx_new(FX_SQLITE);
    char *body = calloc(1, BODY), path[128];
    sqlite3 *reader;
    unsigned slow = 0;

    (void)state;
    assert_non_null(body);
    memset(body, 'x', BODY);
    fx_open(f);
    fx_tenant(f, 1, "t");
    snprintf(path, sizeof path, "%s/tenterhook.db", f->dir);
    assert_int_equal(sqlite3_open_v2(path, &reader, SQLITE_OPEN_READONLY, "unix"), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM event", NULL, NULL, NULL), SQLITE_OK);
    for (unsigned i = 0; i < EVENTS; i += 4) {
        int64_t began = now_ms();

        accept_many(f, th_span(body, BODY), 4);
        slow += now_ms() - began >= 240;
    }
    if (slow > 4) /* a slow disk may be the reason of some */
        fail_msg("%u of %u publishes took 240 ms and more", slow, EVENTS / 4);
    sqlite3_close(reader);
    free(body);
    fx_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_starts_over_beside_a_reader),
        cmocka_unit_test(nobody_waits_for_a_reader_that_does_not_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
