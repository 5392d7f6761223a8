/* The count of holders: the last one frees, whichever thread that is, and sees what the others did before. */
#include "base/ref.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>

#define THREADS 4
#define ROUNDS 2000

struct thing {
    struct th_ref ref;
    unsigned seen[THREADS]; /* each written by one thread, without atomics: the count alone orders them */
};

struct holder {
    struct thing *things[ROUNDS];
    unsigned me, freed, wrong;
};

static void one_holder(void **state)
{
    struct th_ref ref;

    (void)state;
    th_ref_init(&ref);
    th_ref_get(&ref);
    th_ref_get(&ref);
    assert_false(th_ref_put(&ref));
    assert_false(th_ref_put(&ref));
    assert_true(th_ref_put(&ref));
}

static void *hold(void *arg)
{
    struct holder *h = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct thing *t = h->things[i];

        th_ref_get(&t->ref);
        t->seen[h->me] = i + 1;
        if (th_ref_put(&t->ref)) /* never: this thread still holds it once */
            h->wrong++;
        if (!th_ref_put(&t->ref))
            continue;
        for (unsigned k = 0; k < THREADS; k++)
            h->wrong += t->seen[k] != i + 1;
        free(t);
        h->freed++;
    }
    return NULL;
}

static void many_threads(void **state)
{
    static struct holder holders[THREADS];
    pthread_t threads[THREADS];
    unsigned freed = 0;

    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct thing *t = calloc(1, sizeof *t);

        assert_non_null(t);
        th_ref_init(&t->ref);
        for (unsigned k = 0; k < THREADS; k++) {
            if (k)
                th_ref_get(&t->ref);
            holders[k].things[i] = t;
            holders[k].me = k;
        }
    }
    for (unsigned k = 0; k < THREADS; k++)
        assert_int_equal(pthread_create(&threads[k], NULL, hold, &holders[k]), 0);
    for (unsigned k = 0; k < THREADS; k++) {
        assert_int_equal(pthread_join(threads[k], NULL), 0);
        assert_int_equal(holders[k].wrong, 0);
        freed += holders[k].freed;
    }
    assert_int_equal(freed, ROUNDS); /* each once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_holder), cmocka_unit_test(many_threads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
