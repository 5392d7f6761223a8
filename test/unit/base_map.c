/* Hash maps against a plain array: random puts, replacements and removals; limits; no memory. */
#include "base/alloc.h"
#include "base/map.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEYS 500

static uint32_t next_random(uint32_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    return *s ^= *s << 5;
}

static char values[2][KEYS];

static void numbers(void **state)
{
    struct th_map m;
    void *model[KEYS] = {0};
    uint32_t s = 9;
    size_t count = 0;
    (void)state;

    th_map_init(&m, KEYS, 12345);
    assert_null(th_map_get(&m, 3));
    assert_null(th_map_del(&m, 3));
    for (unsigned step = 0; step < 40000; step++) {
        unsigned k = next_random(&s) % KEYS;
        uint64_t key = (uint64_t)k << 32; /* low bits all equal */
        unsigned phase = step / 10000 % 2;

        if (next_random(&s) % 3 >= phase + 1) {
            void *value = &values[next_random(&s) % 2][k];
            assert_int_equal(th_map_put(&m, key, value), TH_OK);
            count += !model[k];
            model[k] = value;
        } else {
            assert_ptr_equal(th_map_del(&m, key), model[k]);
            count -= model[k] != NULL;
            model[k] = NULL;
        }
        assert_ptr_equal(th_map_get(&m, key), model[k]);
        assert_int_equal(m.n, count);
        assert_true(m.used < m.cap || m.cap == 0); /* look-ups end at a free slot */
    }
    for (size_t i = 0, seen = 0;;) {
        uint64_t key;
        void *value;
        if (!th_map_next(&m, &i, &key, &value)) {
            assert_int_equal(seen, count);
            break;
        }
        assert_ptr_equal(model[key >> 32], value);
        seen++;
    }
    for (unsigned k = 0; k < KEYS; k++)
        assert_ptr_equal(th_map_get(&m, (uint64_t)k << 32), model[k]);
    assert_true(m.cap <= 2048); /* tombstones do not make it grow */
    th_map_fini(&m);
}

static void strings(void **state)
{
    static char names[2][KEYS][24];
    struct th_smap m;
    void *model[KEYS] = {0};
    uint32_t s = 4;
    (void)state;

    for (unsigned k = 0; k < KEYS; k++)
        for (unsigned j = 0; j < 2; j++)
            snprintf(names[j][k], sizeof names[j][k], "%.*s%u", (int)(k % 12), "abcdefghijkl", k);
    th_smap_init(&m, KEYS, 1);
    for (unsigned step = 0; step < 30000; step++) {
        unsigned k = next_random(&s) % KEYS;
        struct th_span name = th_str(names[next_random(&s) % 2][k]); /* equal bytes, other place */

        if (next_random(&s) % 2) {
            assert_int_equal(th_smap_put(&m, name, &values[0][k]), TH_OK);
            model[k] = &values[0][k];
        } else {
            assert_ptr_equal(th_smap_del(&m, name), model[k]);
            model[k] = NULL;
        }
    }
    for (unsigned k = 0; k < KEYS; k++)
        assert_ptr_equal(th_smap_get(&m, th_str(names[1][k])), model[k]);
    for (size_t i = 0, seen = 0;;) {
        struct th_span key;
        void *value;
        if (!th_smap_next(&m, &i, &key, &value)) {
            assert_int_equal(seen, m.n);
            break;
        }
        assert_string_equal(key.p, names[0][(char *)value - values[0]]);
        seen++;
    }
    th_smap_fini(&m);
}

static void a_replaced_key_uses_the_new_bytes(void **state)
{
    char old[] = "name", fresh[] = "name", v1, v2;
    struct th_smap m;
    (void)state;

    th_smap_init(&m, 4, 7);
    assert_int_equal(th_smap_put(&m, th_str(old), &v1), TH_OK);
    assert_int_equal(th_smap_put(&m, th_str(fresh), &v2), TH_OK);
    memset(old, 'x', 4); /* the owner of the first bytes is gone */
    assert_ptr_equal(th_smap_get(&m, TH_LIT("name")), &v2);
    assert_int_equal(m.n, 1);
    th_smap_fini(&m);
}

/* Keys that come and go leave marks behind; there must always be a free slot where a look-up can end. */
static void endless_fresh_keys(void **state)
{
    struct th_map m;
    (void)state;

    th_map_init(&m, 10, 3);
    for (uint64_t k = 0; k < 20000; k++) {
        assert_int_equal(th_map_put(&m, k, &values[0][0]), TH_OK);
        assert_true(m.used < m.cap);
        assert_null(th_map_get(&m, k + 1));
        if (k >= 9)
            assert_non_null(th_map_del(&m, k - 9));
    }
    assert_int_equal(m.n, 9);
    assert_true(m.cap <= 64);
    th_map_fini(&m);
}

static void limits(void **state)
{
    struct th_map m;
    char v;
    (void)state;

    th_map_init(&m, 2, 0);
    assert_int_equal(th_map_put(&m, 0, &v), TH_OK);
    assert_int_equal(th_map_put(&m, UINT64_MAX, &v), TH_OK);
    assert_int_equal(th_map_put(&m, 2, &v), TH_TOO_LARGE);
    assert_int_equal(th_map_put(&m, 0, &v), TH_OK); /* replaces */
    assert_int_equal(th_map_put(&m, 0, NULL), TH_BUG);
    assert_ptr_equal(th_map_del(&m, UINT64_MAX), &v);
    assert_int_equal(th_map_put(&m, 2, &v), TH_OK);
    th_map_fini(&m);
}

static void no_memory_changes_nothing(void **state)
{
    struct th_map m;
    unsigned stored = 0;
    (void)state;

    th_map_init(&m, 1000, 5);
    for (unsigned k = 0; k < 100; k++) {
        th_alloc_fail_after(1);
        if (th_map_put(&m, k, &values[0][k]) == TH_NOMEM) {
            assert_null(th_map_get(&m, k));
            assert_int_equal(m.n, stored);
            th_alloc_fail_after(0);
            assert_int_equal(th_map_put(&m, k, &values[0][k]), TH_OK);
        }
        stored++;
        assert_ptr_equal(th_map_get(&m, k), &values[0][k]);
    }
    th_alloc_fail_after(0);
    th_map_fini(&m);
}

static void hash_depends_on_everything(void **state)
{
    char text[40] = {0};
    (void)state;

    assert_true(th_hash(TH_LIT("a"), 1) != th_hash(TH_LIT("a"), 2));
    assert_true(th_hash(th_span(text, 7), 1) != th_hash(th_span(text, 8), 1)); /* length of zeros */
    for (unsigned i = 0; i < sizeof text; i++) {
        uint64_t h = th_hash(th_span(text, sizeof text), 1);
        text[i] ^= 1;
        assert_true(th_hash(th_span(text, sizeof text), 1) != h);
        text[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(strings),
        cmocka_unit_test(a_replaced_key_uses_the_new_bytes),
        cmocka_unit_test(endless_fresh_keys),
        cmocka_unit_test(limits),
        cmocka_unit_test(no_memory_changes_nothing),
        cmocka_unit_test(hash_depends_on_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
