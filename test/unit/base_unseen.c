/* What a terminal must not get, and what it may. */
#include "base/unseen.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void unseen(void **state)
{
    static const uint32_t hidden[] = {0,      0x1b,   0x1f,   0x7f,   0x80,    0x9b,    0x9f,   0xad,
                                      0x61c,  0x180e, 0x200b, 0x200c, 0x200d,  0x200e,  0x200f, 0x2028,
                                      0x2029, 0x202a, 0x202e, 0x2060, 0x2066,  0x2069,  0x206f, 0x3164,
                                      0xfe0f, 0xfeff, 0xfff9, 0xfffb, 0xe0001, 0xe0041, 0xe01ef};
    static const uint32_t shown[] = {' ',    '~',    0xa0,   0xe9,    0x301,   0x5d0,  0x627,
                                     0x2010, 0x2027, 0x202f, 0x205f,  0x2070,  0x3042, 0xfdff,
                                     0xfe10, 0xfffc, 0xfffd, 0x1f600, 0x10ffff};
    (void)state;

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (!th_unseen(hidden[i]))
            fail_msg("U+%04X would be shown", hidden[i]);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        if (th_unseen(shown[i]))
            fail_msg("U+%04X would be hidden", shown[i]);
}

static void code_points(void **state)
{
    static const struct {
        const char *text;
        uint32_t code;
        size_t n;
    } rows[] = {{"a", 'a', 1},
                {"\xc3\xa9", 0xe9, 2},
                {"\xe2\x80\xae", 0x202e, 3},
                {"\xf3\xa0\x81\x81", 0xe0041, 4},
                {"\xff", 0xff, 0},
                {"\xe2\x80", 0xe2, 0}};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n;
        assert_int_equal(th_utf8_code(rows[i].text, rows[i].text + strlen(rows[i].text), &n), rows[i].code);
        assert_int_equal(n, rows[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unseen), cmocka_unit_test(code_points)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
