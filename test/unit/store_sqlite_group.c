/* What a turn submits shares one commit: the writer is woken once, for all of it. */
#include "store_fixture.h"

enum { EVENTS = 50 };

static uint64_t commits(struct fx *f)
{
    return atomic_load(&f->metrics.counter[TH_C_STORE_COMMITS]);
}

static void what_is_submitted_together_is_committed_together(void **state)
{
    struct fx *f = fx_new(FX_SQLITE);
    static struct th_new_event events[EVENTS];
    static struct th_accept accepts[EVENTS];
    static const uint64_t endpoint = 1;
    uint64_t before;
    unsigned done;

    (void)state;
    fx_open(f);
    fx_tenant(f, 1, "t");
    before = commits(f);
    done = f->done;
    for (unsigned i = 0; i < EVENTS; i++) {
        events[i] = fx_event(&endpoint, 1, "{}");
        accepts[i] = fx_accept(1, T0, &events[i], 1);
        fx_submit(f, &accepts[i].op);
        usleep(200); /* a writer that had been woken would begin */
    }
    assert_int_equal(commits(f), before);
    f->store->vt->flush(f->session);
    fx_wait(f, done + EVENTS);
    assert_int_equal(commits(f), before + 1);
    for (unsigned i = 0; i < EVENTS; i++)
        assert_int_equal(accepts[i].op.error, TH_OK);
    fx_free(f);
}

/* A store that is closed commits what it was given, handed over or not. */
static void what_was_not_handed_over_is_committed_by_the_end(void **state)
{
    struct fx *f = fx_new(FX_SQLITE);
    static const uint64_t endpoint = 1;
    struct th_new_event event = fx_event(&endpoint, 1, "{}");
    struct th_accept accept = fx_accept(1, T0, &event, 1);
    unsigned done;

    (void)state;
    fx_open(f);
    fx_tenant(f, 1, "t");
    done = f->done;
    fx_submit(f, &accept.op);
    fx_close(f);
    assert_int_equal(f->done, done + 1);
    assert_int_equal(accept.op.error, TH_OK);
    fx_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_submitted_together_is_committed_together),
        cmocka_unit_test(what_was_not_handed_over_is_committed_by_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
