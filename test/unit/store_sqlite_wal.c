/* The write-ahead log stays bounded under load, also beside a reader that never pauses. */
#include "store_fixture.h"
#include <sys/stat.h>

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
    struct fx *f = fx_new(true);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_log_starts_over_beside_a_reader)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
