/* Intrusive list, and the table of error values. */
#include "base/error.h"
#include "base/list.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct item {
    int id;
    struct th_list link;
};

static int id_of(struct th_list *l)
{
    return TH_CONTAINER(l, struct item, link)->id;
}

static void order(void **state)
{
    struct item a = {1, {0}}, b = {2, {0}}, c = {3, {0}};
    struct th_list head;
    (void)state;

    th_list_init(&head);
    th_list_init(&b.link);
    assert_true(th_list_empty(&head));
    assert_null(th_list_pop(&head));
    th_list_append(&head, &a.link);
    th_list_append(&head, &c.link);
    th_list_append(&c.link, &b.link); /* before c */
    assert_int_equal(id_of(head.next), 1);
    assert_int_equal(id_of(head.next->next), 2);
    assert_int_equal(id_of(head.prev), 3);
    th_list_remove(&b.link);
    assert_true(th_list_empty(&b.link));
    th_list_remove(&b.link); /* on no list: stays so */
    assert_true(th_list_empty(&b.link));
    th_list_prepend(&head, &b.link);
    assert_int_equal(id_of(th_list_pop(&head)), 2);
    assert_int_equal(id_of(th_list_pop(&head)), 1);
    assert_int_equal(id_of(th_list_pop(&head)), 3);
    assert_true(th_list_empty(&head));
}

static void errors_have_names_and_classes(void **state)
{
    (void)state;
    for (int e = TH_OK; e <= TH_BUG; e++) {
        assert_non_null(th_error_name((enum th_error)e));
        for (int f = TH_OK; f < e; f++)
            assert_string_not_equal(th_error_name((enum th_error)e), th_error_name((enum th_error)f));
        assert_true((th_error_class((enum th_error)e) == TH_CLASS_OK) == (e == TH_OK));
    }
    assert_int_equal(th_error_class((enum th_error)(TH_BUG + 1)), TH_CLASS_BUG);
    assert_string_equal(th_error_name((enum th_error)(TH_BUG + 1)), "unknown error value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test(errors_have_names_and_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
