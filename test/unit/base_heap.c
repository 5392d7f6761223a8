/* Indexed heap against a plain array: random inserts, removals and new keys, order by key and tie. */
#include "base/alloc.h"
#include "base/heap.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NODES 300

static uint32_t next_random(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    return *s ^= *s << 5;
}

static bool before(const struct th_heap_node *a, const struct th_heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->tie < b->tie;
}

static void check(const struct th_heap *h, const struct th_heap_node *v, unsigned n)
{
    const struct th_heap_node *least = NULL;
    unsigned inside = 0;

    for (unsigned i = 0; i < n; i++) {
        if (!v[i].pos)
            continue;
        inside++;
        assert_ptr_equal(h->v[v[i].pos - 1], &v[i]);
        if (!least || before(&v[i], least))
            least = &v[i];
    }
    assert_int_equal(inside, h->n);
    assert_ptr_equal(th_heap_top(h), least);
}

static void random_work(void **state)
{
    static struct th_heap_node v[NODES];
    struct th_heap h;
    (void)state;

    for (uint32_t seed = 1; seed <= 5; seed++) {
        uint32_t s = seed;

        memset(v, 0, sizeof v);
        th_heap_init(&h, NODES);
        for (unsigned step = 0; step < 3000; step++) {
            struct th_heap_node *node = &v[next_random(&s) % NODES];
            int64_t key = next_random(&s) % 50;

            if (!node->pos)
                assert_int_equal(th_heap_insert(&h, node, key, (uint64_t)(node - v)), TH_OK);
            else if (next_random(&s) % 2)
                th_heap_rekey(&h, node, key);
            else
                th_heap_remove(&h, node);
            if (step % 7 == 0)
                check(&h, v, NODES);
        }
        for (const struct th_heap_node *last = NULL; h.n;) {
            struct th_heap_node *top = th_heap_top(&h);
            assert_true(!last || before(last, top));
            last = top;
            th_heap_remove(&h, top);
            assert_int_equal(top->pos, 0);
        }
        th_heap_fini(&h);
    }
}

static void limits(void **state)
{
    struct th_heap_node v[20] = {0};
    struct th_heap h;
    (void)state;

    th_heap_init(&h, 11);
    assert_null(th_heap_top(&h));
    th_heap_remove(&h, &v[0]); /* in no heap: ignored */
    for (unsigned i = 0; i < 11; i++)
        assert_int_equal(th_heap_insert(&h, &v[i], INT64_MIN + (int64_t)i, 0), TH_OK);
    assert_true(h.cap <= 11);
    assert_int_equal(th_heap_insert(&h, &v[11], 0, 0), TH_TOO_LARGE);
    assert_int_equal(v[11].pos, 0);
    assert_int_equal(th_heap_insert(&h, &v[0], 0, 0), TH_BUG); /* twice */
    th_heap_fini(&h);
    th_heap_init(&h, 0);
    assert_int_equal(th_heap_insert(&h, &v[12], 0, 0), TH_TOO_LARGE);
}

static void no_memory_changes_nothing(void **state)
{
    struct th_heap_node v[9] = {0};
    struct th_heap h;
    (void)state;

    th_heap_init(&h, 100);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(th_heap_insert(&h, &v[i], i, 0), TH_OK);
    th_alloc_fail_after(1);
    assert_int_equal(th_heap_insert(&h, &v[8], -1, 0), TH_NOMEM);
    th_alloc_fail_after(0);
    assert_int_equal(v[8].pos, 0);
    check(&h, v, 9);
    assert_int_equal(th_heap_insert(&h, &v[8], -1, 0), TH_OK);
    assert_ptr_equal(th_heap_top(&h), &v[8]);
    th_heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_work),
        cmocka_unit_test(limits),
        cmocka_unit_test(no_memory_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
