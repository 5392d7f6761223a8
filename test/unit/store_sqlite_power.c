/* Power cuts: whatever was acknowledged is found afterwards, whatever becomes of the writes that were not synced, also in
 * the middle of a checkpoint. */
#include "store_fixture.h"

#include "power_vfs.h"

#define ROUNDS 26
#define BODY 400000 /* so that checkpoints and restarts of the log are among the rounds */

struct told {
    uint64_t event, delivery;
    bool settled;
};

static int set_up(void **state)
{
    struct fx *f;

    power_install();
    power_off();
    f = fx_new(FX_SQLITE);
    *state = f;
    fx_open(f);
    fx_tenant(f, 1, "t");
    return 0;
}

static int tear_down(void **state)
{
    fx_free(*state);
    power_forget();
    power_on();
    return 0;
}

/* What is found after a cut at this moment: everything that was told. */
static void cut(struct fx *f, const struct told *told, uint32_t n, uint64_t random)
{
    struct fx *after = fx_new(FX_SQLITE);

    power_cut(after->dir, random);
    power_on();
    fx_open(after);
    for (uint32_t i = 0; i < n; i++) {
        struct th_event_row row;
        struct th_load l = {.op = {.kind = TH_OP_LOAD}, .count = 1, .events = &told[i].event, .rows = &row};

        th_buf_init(&l.mem, 64 << 20);
        assert_int_equal(fx_run(after, &l.op), TH_OK);
        assert_int_equal(row.no, told[i].event);
        assert_int_equal(row.data.n, BODY);
        th_buf_fini(&l.mem);
        assert_int_equal(fx_state(after, 1, told[i].delivery, NULL),
                         told[i].settled ? TH_DS_DELIVERED : TH_DS_QUEUED);
    }
    fx_free(after);
    fx_current = f;
    power_off();
}

static void a_power_cut_takes_nothing_acknowledged(void **state)
{
    struct fx *f = *state;
    static char body[BODY];
    struct told told[ROUNDS];
    uint64_t ep = 5;

    memset(body, '1', sizeof body);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct th_new_event e = fx_event(&ep, 1, "");
        struct th_accept a = fx_accept(1, T0, &e, 1);

        e.data = th_span(body, sizeof body);
        assert_int_equal(fx_run(f, &a.op), TH_OK);
        told[i] = (struct told){.event = e.no, .delivery = e.first_delivery};
        cut(f, told, i + 1, i * 31); /* a checkpoint may be under way: it comes after the answer */
        if (i % 2)
            continue;
        told[i].settled = fx_settle_run(f, e.first_delivery, 0, TH_DS_DELIVERED);
        assert_true(told[i].settled);
        cut(f, told, i + 1, i * 77);
    }
    pthread_mutex_lock(&power_lock); /* a checkpoint may be under way on the writer's thread */
    for (struct power_file *file = power_files; file->name[0]; file++)
        assert_true(file->deleted || file->syncs > 2); /* checkpoints were among them */
    pthread_mutex_unlock(&power_lock);
    fx_close(f); /* copies the log and cuts it off */
    cut(f, told, ROUNDS, 5);
}

/* A new data directory whose first commits are cut off is a new one, or has them; never a damaged one. */
static void a_power_cut_while_the_file_is_made(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 12; k++) {
        struct fx *f, *after = fx_new(FX_SQLITE);
        char why[512];

        power_forget();
        power_off();
        f = fx_new(FX_SQLITE);
        fx_open(f);
        power_cut(after->dir, k);
        power_on();
        fx_current = after;
        assert_int_equal(fx_try_open(after, why, sizeof why), TH_OK);
        fx_attach(after);
        fx_tenant(after, 1, "t");
        fx_free(after);
        power_off();
        fx_current = f;
        fx_free(f);
    }
}

/* A file of the form before, with one delivery that has ended and one that waits: after a cut at any write of the start that brings
 * it up, the next start has both. */
static bool cut_while_brought_up(unsigned writes)
{
    struct fx *f, *after = fx_new(FX_SQLITE);
    uint64_t ep = 5, done, waits;
    char why[512], path[128];
    sqlite3 *db;
    bool reached;

    power_forget();
    power_off();
    f = fx_new(FX_SQLITE);
    fx_open(f);
    fx_tenant(f, 1, "t");
    fx_publish(f, 1, T0, &ep, 1, &done);
    fx_publish(f, 1, T0, &ep, 1, &waits);
    assert_true(fx_settle_run(f, done, 0, TH_DS_DELIVERED));
    fx_close(f);
    snprintf(path, sizeof path, "%s/tenterhook.db", f->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, FX_BEFORE_ROOM, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    power_next_cut.folder = after->dir;
    power_next_cut.random = writes * 97;
    power_next_cut.writes = writes;
    assert_int_equal(fx_try_open(f, why, sizeof why), TH_OK);
    fx_close(f);
    reached = power_next_cut.writes == 0;
    power_next_cut.writes = 0;
    power_on();
    fx_current = after;
    if (reached) {
        fx_open(after);
        assert_int_equal(fx_state(after, 1, done, NULL), TH_DS_DELIVERED);
        assert_int_equal(fx_state(after, 1, waits, NULL), TH_DS_QUEUED);
    }
    fx_free(after);
    fx_current = f;
    fx_free(f);
    return reached;
}

static void a_power_cut_while_a_file_is_brought_up(void **state)
{
    unsigned writes = 1;
    (void)state;

    while (cut_while_brought_up(writes))
        writes++;
    assert_true(writes > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_power_cut_takes_nothing_acknowledged, set_up, tear_down),
        cmocka_unit_test(a_power_cut_while_the_file_is_made),
        cmocka_unit_test(a_power_cut_while_a_file_is_brought_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
