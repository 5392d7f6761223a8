/* Places of several threads: never more than the limit, all of them when there is work, in turn, and none is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka after the C library */
#include <cmocka.h>

#include "base/alloc.h"
#include "base/places.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

enum { SHARERS = 4, MAX = 3, ROUNDS = 20000 };

static void one_alone_and_two(void **state)
{
    struct th_places *all = th_places_new(2, 1);
    struct th_seat a = {0}, b = {0};

    (void)state;
    assert_int_equal(th_places_sit(all, 0, 0, 7, 1, &a), TH_OK);
    assert_true(th_places_take_or_wait(&a, 2));
    assert_true(th_places_take(&a, 2));
    assert_false(th_places_take(&a, 2));
    assert_int_equal(th_places_sit(all, 1, 0, 7, 1, &b), TH_OK);
    assert_false(th_places_take_or_wait(&b, 2));
    assert_true(b.waits);
    assert_int_equal(th_places_most(all, 0, 1), 2);
    assert_int_equal(th_places_most(all, 0, 2), 0);
    assert_int_equal(th_places_most(all, 1, 1), 0);

    th_places_give(&a, 1);
    assert_false(th_places_take(&a, 2)); /* the other one waits: it is not passed */
    assert_ptr_equal(th_places_next(&a, 2), &b);
    assert_null(th_places_next(&a, 2));
    assert_true(b.waits); /* until it is told */
    th_places_arrived(&b);

    assert_false(th_places_take_or_wait(&a, 2)); /* alone with its wait, it takes what it gives back */
    th_places_give(&a, 1);
    assert_null(th_places_next(&a, 2));
    assert_true(th_places_take_or_wait(&a, 2));
    th_places_wait_no_more(&a);
    assert_false(a.waits);

    assert_false(th_places_take_or_wait(&b, 2)); /* a limit that is raised lets those in that wait */
    assert_false(th_places_take(&a, 3));
    assert_ptr_equal(th_places_next(&a, 3), &b);
    th_places_wait_no_more(&b);
    assert_true(b.waits); /* one is on its way */
    th_places_arrived(&b);
    th_places_give(&b, 2);
    th_places_force(&a, 9);
    assert_int_equal(th_places_most(all, 0, 1), 10);
    th_places_give(&a, 10);
    th_places_leave(all, &a);
    th_places_leave(all, &b);
    th_places_free(all);
}

static void without_memory_nothing_has_happened(void **state)
{
    struct th_places *all = th_places_new(2, 1);
    struct th_seat seat = {0};

    (void)state;
    for (unsigned n = 1;; n++) {
        enum th_error error;
        th_alloc_fail_after(n);
        error = th_places_sit(all, 1, 2, 5, 1, &seat);
        th_alloc_fail_after(0);
        if (!error)
            break;
        assert_int_equal(error, TH_NOMEM);
        assert_null(seat.place);
    }
    th_places_leave(all, &seat);
    th_places_free(all);
}

/* ---- threads that begin and end work, at a limit that is never enough ---- */

static struct th_places *table;
static unsigned at_work, most;

struct worker {
    unsigned no;
    sem_t told;
    struct th_seat seat;
    unsigned waited;
};
static struct worker workers[SHARERS];

static void hand_on(struct worker *w)
{
    struct th_seat *seat;

    while ((seat = th_places_next(&w->seat, MAX)))
        sem_post(&workers[seat->sharer].told);
}

static void until_told(struct worker *w)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    while (sem_timedwait(&w->told, &until) != 0)
        if (errno != EINTR)
            abort(); /* a place is lost */
    th_places_arrived(&w->seat);
}

static void wait_for_a_place(struct worker *w)
{
    if (th_places_take_or_wait(&w->seat, MAX))
        return;
    hand_on(w);
    until_told(w);
    w->waited++;
}

static void *work(void *arg)
{
    struct worker *w = arg;

    assert_int_equal(th_places_sit(table, w->no, 0, 1, 1, &w->seat), TH_OK);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned now, seen;
        wait_for_a_place(w);
        now = __atomic_add_fetch(&at_work, 1, __ATOMIC_SEQ_CST);
        seen = __atomic_load_n(&most, __ATOMIC_SEQ_CST);
        while (now > seen &&
               !__atomic_compare_exchange_n(&most, &seen, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            ;
        (void)__atomic_sub_fetch(&at_work, 1, __ATOMIC_SEQ_CST);
        /* what it has taken although it had said that it waits may still be on its way */
        th_places_wait_no_more(&w->seat);
        if (w->seat.waits) {
            until_told(w);
            th_places_give(&w->seat, 1);
        }
        th_places_give(&w->seat, 1);
        hand_on(w);
    }
    return NULL;
}

static void threads_keep_the_limit_and_none_starves(void **state)
{
    pthread_t thread[SHARERS];

    (void)state;
    table = th_places_new(SHARERS, 1);
    for (unsigned i = 0; i < SHARERS; i++) {
        workers[i].no = i;
        sem_init(&workers[i].told, 0, 0);
    }
    for (unsigned i = 0; i < SHARERS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, work, &workers[i]), 0);
    for (unsigned i = 0; i < SHARERS; i++)
        pthread_join(thread[i], NULL);
    assert_in_range(most, 1, MAX);
    assert_int_equal(th_places_most(table, 0, 1), 0);
    for (unsigned i = 0; i < SHARERS; i++) {
        th_places_leave(table, &workers[i].seat);
        sem_destroy(&workers[i].told);
    }
    th_places_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_alone_and_two),
        cmocka_unit_test(without_memory_nothing_has_happened),
        cmocka_unit_test(threads_keep_the_limit_and_none_starves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
