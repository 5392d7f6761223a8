/* Guard without test data: address text, networks, operator's choice, parts of a URL, names, headers, ids. */
#include "core/guard.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct th_addr addr(const char *text)
{
    struct th_addr a = {0};

    if (!th_addr_parse(th_str(text), &a))
        fail_msg("no address: %s", text);
    return a;
}

static struct th_cidr cidr(const char *text)
{
    struct th_cidr c = {0};

    if (!th_cidr_parse(th_str(text), &c))
        fail_msg("no network: %s", text);
    return c;
}

static bool passes(const struct th_guard *g, const char *text)
{
    struct th_addr a = addr(text);
    const char *why = NULL;
    bool ok = th_guard_addr(g, &a, &why);

    assert_true(ok || why);
    assert_true(th_guard_addr(g, &a, NULL) == ok);
    return ok;
}

static void address_text(void **state)
{
    static const char *const canonical[][2] = {
        {"0.0.0.0", "0.0.0.0"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"1::", "1::"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"2001:DB8::0001", "2001:db8::1"},
        {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"}, /* the first of two equal runs */
        {"2001:db8:0:0:0:1:0:0", "2001:db8::1:0:0"},   /* the longer run */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
        {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* one zero group is written out */
        {"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
        {"::1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
        {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
        {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
        {"::ffff:102:304", "::ffff:1.2.3.4"},
        {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
        {"1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    };
    static const char *const bad[] = {
        "",
        ".",
        ":",
        ":::",
        "1.2.3",
        "1.2.3.",
        "1.2.3.4.",
        "1.2.3.4.5",
        ".1.2.3",
        "1..2.3",
        "256.1.1.1",
        "01.2.3.4",
        "1.2.3.04",
        "00.0.0.0",
        "0x1.2.3.4",
        "1.2.3.4 ",
        " 1.2.3.4",
        "1.2.3.-4",
        "1.2.3.4/8",
        "1000.1.1.1",
        "1:2:3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8",
        "1::2::3",
        "12345::",
        "g::",
        "1:",
        ":1",
        "1::2:",
        ":1::2",
        "::1%lo",
        "fe80::1%25eth0",
        "[::1]",
        "::1.2.3",
        "::1.2.3.4.5",
        "1.2.3.4::",
        "::1.2.3.4:5",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::01.2.3.4",
        "::ffff:256.1.1.1",
        "1:2:3:4:5:6:7:8:",
        ":2:3:4:5:6:7:8",
        "::-1",
        "1:2:3:4:5:6:7:+8",
        "::0x1",
    };
    (void)state;

    for (size_t i = 0; i < sizeof canonical / sizeof canonical[0]; i++) {
        struct th_addr a = addr(canonical[i][0]);
        struct th_buf b;

        th_buf_init(&b, 64);
        th_addr_format(&b, &a);
        assert_string_equal(th_buf_cstr(&b), canonical[i][1]);
        th_buf_fini(&b);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct th_addr a;
        size_t n = strlen(bad[i]);
        char *exact = malloc(n ? n : 1);

        memcpy(exact, bad[i], n);
        if (th_addr_parse(th_span(exact, n), &a))
            fail_msg("accepted %s", bad[i]);
        free(exact);
    }
}

static void networks(void **state)
{
    static const char *const bad[] = {
        "",           "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",  "10.0.0.0/08",
        "fd00::/129", "fd00::1/64", "10/8",        "/8",        "10.0.0.0/8/8", "10.0.0.0/ 8"};
    struct th_cidr c;
    struct th_addr a;
    (void)state;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (th_cidr_parse(th_str(bad[i]), &c))
            fail_msg("accepted %s", bad[i]);
    c = cidr("10.128.0.0/9");
    a = addr("10.255.255.255");
    assert_true(th_cidr_has(&c, &a));
    a = addr("10.127.255.255");
    assert_false(th_cidr_has(&c, &a));
    a = addr("a80::");
    assert_false(th_cidr_has(&c, &a)); /* the same first bytes, another family */
    c = cidr("0.0.0.0/0");
    assert_true(th_cidr_has(&c, &(struct th_addr){.family = 4, .ip = {9}}));
    assert_false(th_cidr_has(&c, &(struct th_addr){0}));
    c = cidr("fd00:1::/33");
    a = addr("fd00:1:7fff::1");
    assert_true(th_cidr_has(&c, &a));
    a = addr("fd00:1:8000::");
    assert_false(th_cidr_has(&c, &a));
    c = cidr("8.8.8.8");
    assert_int_equal(c.bits, 32);
}

/* Every block that the registries of IANA reserve: its first and its last address, and the public ones beside it. */
static void every_reserved_block(void **state)
{
    static const struct {
        const char *first, *last, *below,
            *above; /* "": what lies beside it is reserved as well, or nothing */
    } blocks[] = {
        {"0.0.0.0", "0.255.255.255", "", "1.0.0.0"},
        {"10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
        {"100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
        {"127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
        {"168.63.129.16", "168.63.129.16", "168.63.129.15", "168.63.129.17"},
        {"169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
        {"172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
        {"192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"},
        {"192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
        {"192.31.196.0", "192.31.196.255", "192.31.195.255", "192.31.197.0"},
        {"192.52.193.0", "192.52.193.255", "192.52.192.255", "192.52.194.0"},
        {"192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
        {"192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
        {"192.175.48.0", "192.175.48.255", "192.175.47.255", "192.175.49.0"},
        {"198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
        {"198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
        {"203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
        {"224.0.0.0", "239.255.255.255", "223.255.255.255", ""},
        {"240.0.0.0", "255.255.255.255", "", ""},
        {"::", "::", "", ""},
        {"::1", "::1", "", ""},
        {"::2", "::ffff:ffff", "", ""},
        {"::ffff:10.0.0.0", "::ffff:10.255.255.255", "::ffff:9.255.255.255", "::ffff:11.0.0.0"},
        {"::ffff:0:0:0", "::ffff:0:ffff:ffff", "", ""},
        {"64:ff9b::127.0.0.0", "64:ff9b::127.255.255.255", "64:ff9b::126.255.255.255", "64:ff9b::128.0.0.0"},
        {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "", ""},
        {"100::", "100::ffff:ffff:ffff:ffff", "", ""},
        {"100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", "", ""},
        {"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "2001:200::"},
        {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
         "2001:db9::"},
        {"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "2003::"},
        {"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff",
         "2620:4f:8001::"},
        {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "3fff:1000::"},
        {"4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
        {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""},
        {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""},
        {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""},
        {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", ""},
        {"ff00::", "ff02::1", "", ""},
    };
    static const struct {
        const char *address, *what; /* what the operator's log calls it */
    } named[] = {{"100.100.1.1", "carrier NAT"},
                 {"198.18.3.4", "benchmarking"},
                 {"168.63.129.16", "cloud platform"},
                 {"fd00::1", "unique local"},
                 {"2002:a00::1", "6to4"},
                 {"2001:0:1::", "Teredo"},
                 {"fe80::1", "link-local"},
                 {"3fff::1", "documentation"},
                 {"5f00::1", "segment routing"},
                 {"2001:2::1", "benchmarking"},
                 {"2001:3::1", "AMT"},
                 {"2001:4:112::1", "AS112"},
                 {"2001:10::1", "ORCHID"},
                 {"2001:20::1", "ORCHID"},
                 {"2001:30::1", "drone"},
                 {"64:ff9b:1::1", "local NAT64"},
                 {"100::1", "discard-only"},
                 {"fec0::1", "site-local"},
                 {"ff02::1", "multicast"},
                 {"::ffff:0:1.2.3.4", "IPv4-translated"}};
    const struct th_guard g = {0};

    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        const char *const outside[] = {blocks[i].below, blocks[i].above};

        if (passes(&g, blocks[i].first) || passes(&g, blocks[i].last))
            fail_msg("reserved, and let through: %s to %s", blocks[i].first, blocks[i].last);
        for (int k = 0; k < 2; k++)
            if (*outside[k] && !passes(&g, outside[k]))
                fail_msg("public, and refused: %s", outside[k]);
    }
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        struct th_addr a = addr(named[i].address);
        const char *why = "";

        assert_false(th_guard_addr(&g, &a, &why));
        if (!strstr(why, named[i].what))
            fail_msg("%s is called %s", named[i].address, why);
    }
}

static void operator_choice(void **state)
{
    struct th_cidr allow[] = {cidr("10.1.0.0/16"), cidr("fd00::/8")},
                   deny[] = {cidr("93.184.216.7"), cidr("10.1.9.0/24")};
    struct th_guard strict = {0}, open = {.allow = allow, .allow_count = 2, .deny = deny, .deny_count = 2},
                    dev = {.allow_loopback = true};
    (void)state;

    assert_false(passes(&strict, "10.1.2.3"));
    assert_true(passes(&open, "10.1.2.3"));
    assert_false(passes(&open, "10.2.2.3"));
    assert_true(passes(&open, "::ffff:10.1.2.3"));  /* mapped: the same host */
    assert_true(passes(&open, "64:ff9b::a01:203")); /* NAT64 */
    assert_true(passes(&open, "fd12::1"));
    assert_false(passes(&open, "10.1.9.1")); /* deny beats allow */
    assert_false(passes(&open, "93.184.216.7"));
    assert_false(passes(&open, "::ffff:93.184.216.7"));
    assert_true(passes(&open, "93.184.216.8"));
    assert_false(passes(&open, "127.0.0.1"));
    assert_true(passes(&dev, "127.0.0.1"));
    assert_true(passes(&dev, "127.9.9.9"));
    assert_true(passes(&dev, "::1"));
    assert_false(passes(&dev, "0.0.0.0")); /* reaches this host too, but is no loopback address */
    assert_false(passes(&dev, "::"));
    assert_false(passes(&dev, "10.1.2.3"));
    assert_false(passes(&strict, "::1"));
    assert_false(th_guard_addr(&strict, &(struct th_addr){0}, NULL)); /* no family */
    assert_false(th_guard_addr(&strict, &(struct th_addr){.family = 5}, NULL));
}

static void answers(void **state)
{
    struct th_addr a[3] = {addr("8.8.8.8"), addr("10.0.0.1"), addr("2606:4700::1")};
    struct th_guard g = {0};
    const char *why = NULL;
    unsigned bad = 99;
    (void)state;

    assert_int_equal(th_guard_answers(&g, a, 3, &why, &bad), TH_DENIED);
    assert_int_equal(bad, 1);
    assert_string_equal(why, "a private address");
    assert_int_equal(th_guard_answers(&g, a, 1, &why, &bad), TH_OK);
    assert_int_equal(th_guard_answers(&g, a, 0, &why, &bad), TH_NOT_FOUND);
    assert_int_equal(th_guard_answers(&g, a, 2, NULL, NULL), TH_DENIED);
}

static void url_is(const char *url, bool tls, const char *host, unsigned port, const char *authority,
                   const char *target)
{
    struct th_url u;
    const char *why = "";

    if (th_url_parse(th_str(url), &u, &why))
        fail_msg("%s: %s", url, why);
    assert_true(u.tls == tls);
    assert_true(th_span_is(u.host, host));
    assert_int_equal(u.port, port);
    assert_true(th_span_is(u.authority, authority));
    assert_true(th_span_is(u.target, target));
    assert_true(!u.literal || u.addr.port == port);
}

static void parts_of_a_url(void **state)
{
    char url[2200] = "https://example.com?";
    struct th_url u;
    const char *why;
    (void)state;

    url_is("https://Example.COM", true, "example.com", 443, "example.com", "/");
    url_is("HTTP://example.com:80/a", false, "example.com", 80, "example.com", "/a");
    url_is("http://example.com:443/a", false, "example.com", 443, "example.com:443", "/a");
    url_is("https://example.com:8443?x=1#frag", true, "example.com", 8443, "example.com:8443", "/?x=1");
    url_is("https://example.com./x?y?z#", true, "example.com", 443, "example.com", "/x?y?z");
    url_is("https://example.com/a@b:c/%2f;p=1,[2]{3}|^~", true, "example.com", 443, "example.com",
           "/a@b:c/%2f;p=1,[2]{3}|^~");
    url_is("http://8.8.8.8:8080", false, "8.8.8.8", 8080, "8.8.8.8:8080", "/");
    url_is("https://[2606:4700:0::0:1111]:8443/?", true, "2606:4700::1111", 8443, "[2606:4700::1111]:8443",
           "/?");
    memset(url + 20, 'q', 2028);
    assert_int_equal(th_url_parse(th_span(url, 2049), &u, &why), TH_INVALID);
    assert_int_equal(th_url_parse(th_span(url, 2048), &u, &why), TH_INVALID); /* no room to put '/' before */
    url[19] = '/';
    assert_int_equal(th_url_parse(th_span(url, 2048), &u, &why), TH_OK);
    url[19] = '?';
    assert_int_equal(th_url_parse(th_span(url, 300), &u, &why), TH_OK);
    assert_int_equal(u.target.n, 300 - 19 + 1);
    assert_memory_equal(u.target.p, "/?qqq", 5);
}

static void reasons(void **state)
{
    static const char *const rows[][2] = {
        {"", "the URL is empty"},
        {"ftp://example.com", "the URL does not begin with https:// or http://"},
        {"https:/example.com", "the URL does not begin with https:// or http://"},
        {"https://", "the URL has no host"},
        {"https://:443/", "the URL has no host"},
        {"https://[]/", "the URL has no host"},
        {"https://u@example.com", "the URL contains user information; leave it out, and send it as a header: "
                                  "headers: {\"Authorization\": \"Basic …\"}"},
        {"https://[::1", "the host has no closing bracket"},
        {"https://[::1]x", "there is text after the closing bracket of the host"},
        {"https://[1.2.3.4]", "the host in brackets is not an IPv6 address"},
        {"https://example.com:", "the port is empty"},
        {"https://[2606:4700::1]:", "the port is empty"},
        {"https://example.com:0", "the port is not a number from 1 to 65535"},
        {"https://example.com:65536", "the port is not a number from 1 to 65535"},
        {"https://example.com:080", "the port is not a number from 1 to 65535"},
        {"https://example.com:+80", "the port is not a number from 1 to 65535"},
        {"https://example.com:22", "the port belongs to another service than HTTP"},
        {"https://-a.com", "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://.", "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://xn--a-.com",
         "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://xn--.com",
         "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://xn--a.com", /* a control, U+0080 */
         "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://xn--8g7c.com", /* a full-width 1 */
         "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://xn--ab-r13a.com", /* an ideographic full stop */
         "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://xn--localhost-7ma.com", /* a soft hyphen */
         "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://xn--dca.com", /* a capital letter */
         "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://xn---a.com",
         "the host is not a valid name (letters, digits, hyphens; at most 63 in a label)"},
        {"https://127.1", "the host is a number but not an IPv4 address in dotted decimal form"},
        {"https://a.0x1f", "the host is a number but not an IPv4 address in dotted decimal form"},
        {"https://1.2.3.4.", "the host is an IPv4 address with a dot at its end"},
        {"https://example.com/\x7f", "the URL contains a control character"},
        {"https://example.com/ ", "the URL contains a space"},
        {"https://example.com\\x", "the URL contains a backslash"},
        {"https://example.com/\xc3\xa9",
         "the URL contains a character outside ASCII (write it as %XX in the path or query)"},
        {"https://example.com/%2", "the path or query contains '%' without two hexadecimal digits"},
        {"https://example.com/<", "the path or query contains a character that must be written as %XX"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct th_url u;
        const char *why = "accepted";
        size_t n = strlen(rows[i][0]);
        char *exact = malloc(n ? n : 1);

        memcpy(exact, rows[i][0], n);
        assert_int_equal(th_url_parse(th_span(exact, n), &u, NULL), TH_INVALID);
        assert_int_equal(th_url_parse(th_span(exact, n), &u, &why), TH_INVALID);
        if (strcmp(why, rows[i][1]) != 0)
            fail_msg("%s: %s", rows[i][0], why);
        free(exact);
    }
}

static void length_of_names(void **state)
{
    char url[400], label[65];
    struct th_url u;
    const char *why;
    (void)state;

    memset(label, 'a', 64);
    label[64] = 0;
    for (int n = 62; n <= 64; n++) {
        snprintf(url, sizeof url, "https://%.*s.com", n, label);
        assert_int_equal(th_url_parse(th_str(url), &u, &why), n <= 63 ? TH_OK : TH_INVALID);
    }
    for (int n = 58; n <= 63; n++) { /* 3 * 64 + n = 250 to 255 */
        snprintf(url, sizeof url, "https://%.63s.%.63s.%.63s.%.*s:65535", label, label, label, n, label);
        assert_int_equal(th_url_parse(th_str(url), &u, &why), 192 + n <= 253 ? TH_OK : TH_INVALID);
        snprintf(url, sizeof url, "https://%.63s.%.63s.%.63s.%.*s./", label, label, label, n, label);
        assert_int_equal(th_url_parse(th_str(url), &u, &why), 192 + n <= 253 ? TH_OK : TH_INVALID);
    }
}

static enum th_error judged(const struct th_guard *g, const char *url)
{
    struct th_url u;
    const char *why = NULL;
    enum th_error e = th_guard_url(g, th_str(url), &u, &why);

    assert_true(!e || why);
    return e;
}

static void names_that_are_never_public(void **state)
{
    struct th_cidr net = cidr("10.0.0.0/8");
    struct th_guard strict = {0}, dev = {.allow_loopback = true}, open = {.allow = &net, .allow_count = 1};
    static const char *const ours[] = {
        "localhost", "localhost4", "localhost6", "localdomain", "localdomain4", "localdomain6",
        "local",     "internal",   "intranet",   "private",     "lan",          "home",
        "corp",      "mail",       "workgroup",  "domain",      "test",         "svc",
        "default",   "cluster",    "consul",     "docker",      "home.arpa"};
    static const char *const nobodys[] = {"invalid",
                                          "onion",
                                          "alt",
                                          "arpa",
                                          "metadata.google.internal",
                                          "metadata.goog",
                                          "metadata.tencentyun.com",
                                          "metadata.packet.net",
                                          "metadata.platformequinix.com"};
    char url[128];
    (void)state;

    for (size_t i = 0; i < sizeof ours / sizeof *ours + sizeof nobodys / sizeof *nobodys; i++) {
        bool never = i >= sizeof ours / sizeof *ours;
        const char *suffix = never ? nobodys[i - sizeof ours / sizeof *ours] : ours[i];

        for (int below = 0; below < 2; below++) {
            snprintf(url, sizeof url, "https://%s%s/", below ? "a.b." : "", suffix);
            if (judged(&strict, url) != TH_DENIED || (never && judged(&dev, url) != TH_DENIED))
                fail_msg("counts as public: %s", url);
        }
        snprintf(url, sizeof url, "https://x%s.example/", suffix);
        assert_int_equal(judged(&strict, url), TH_OK);
    }
    assert_int_equal(judged(&strict, "https://localhost"), TH_DENIED);
    assert_int_equal(judged(&strict, "https://a.LOCALHOST."), TH_DENIED);
    assert_int_equal(judged(&strict, "https://notlocalhost.example"), TH_OK);
    assert_int_equal(judged(&strict, "https://mylocal.example"), TH_OK);
    assert_int_equal(judged(&strict, "https://internal.example.com"), TH_OK);
    assert_int_equal(judged(&strict, "https://x.internal"), TH_DENIED);
    assert_int_equal(judged(&strict, "https://metadata.goog/computeMetadata/v1/"), TH_DENIED);
    assert_int_equal(judged(&strict, "https://xmetadata.goog/"), TH_OK);
    assert_int_equal(judged(&strict, "https://localhost4.localdomain4/"), TH_DENIED);
    assert_int_equal(judged(&strict, "https://web.service.consul/"), TH_DENIED);
    assert_int_equal(judged(&strict, "https://xn--bcher-kva.example/"), TH_OK);
    assert_int_equal(judged(&strict, "https://xn--e1afmkfd.example/"), TH_OK);
    assert_int_equal(judged(&strict, "https://intranet"), TH_DENIED);
    assert_int_equal(judged(&strict, "https://10.0.0.1"), TH_DENIED);
    assert_int_equal(judged(&strict, "https://10.0.0"), TH_INVALID);
    assert_int_equal(judged(&dev, "http://localhost:9000/x"), TH_OK);
    assert_int_equal(judged(&dev, "http://hooks.localhost:9000/x"), TH_OK);
    assert_int_equal(judged(&dev, "http://127.0.0.1:9000/x"), TH_OK);
    assert_int_equal(judged(&dev, "http://[::1]:9000/x"), TH_OK);
    assert_int_equal(judged(&dev, "http://10.0.0.1/x"), TH_DENIED);
    /* what containers and hosts files have; their addresses are judged at connect */
    assert_int_equal(judged(&dev, "http://x.internal"), TH_OK);
    assert_int_equal(judged(&dev, "http://receiver/"), TH_OK);
    assert_int_equal(judged(&dev, "http://app.local:3000/"), TH_OK);
    assert_int_equal(judged(&dev, "http://my_app_1:3000/"), TH_OK);
    assert_int_equal(judged(&dev, "http://metadata.google.internal/"), TH_DENIED);
    assert_int_equal(judged(&dev, "http://a.onion/"), TH_DENIED);
    assert_int_equal(judged(&open, "http://my_app.example/"), TH_OK);
    assert_int_equal(judged(&strict, "http://my_app.example/"), TH_DENIED);
    assert_int_equal(judged(&dev, "http://-my_app/"), TH_INVALID);
    assert_int_equal(judged(&open, "http://x.internal"), TH_OK); /* its addresses are judged at connect */
    assert_int_equal(judged(&open, "http://10.0.0.1"), TH_OK);
    assert_int_equal(judged(&open, "http://192.168.0.1"), TH_DENIED);
}

static void headers(void **state)
{
    static const struct th_span owned[] = {TH_LIT("X-Webhook-Signature")};
    static const char *const taken[] = {
        "Host",
        "Content-Length",
        "Content-Type",
        "Connection",
        "Transfer-Encoding",
        "TE",
        "Trailer",
        "Upgrade",
        "HTTP2-Settings",
        "Keep-Alive",
        "Expect",
        "Date",
        "Proxy",
        "Proxy-Authorization",
        "Via",
        "Max-Forwards",
        "Forwarded",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Real-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Host",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "Metadata",
        "Metadata-Flavor",
        "X-Google-Metadata-Request",
        "X-aws-ec2-metadata-token",
        "X-aws-ec2-metadata-token-ttl-seconds",
        "X-Metadata-Token",
        "X-Vault-Request",
        "Cookie",
        "Cookie2",
        "Set-Cookie",
        "Set-Cookie2",
    };
    static char big[4100], name[200];
    const char *why;
    (void)state;

    memset(big, 'v', sizeof big);
    memset(name, 'N', sizeof name);
#define HEADER(n, v) th_guard_header(TH_LIT(n), TH_LIT(v), owned, 1, &why)
    assert_int_equal(HEADER("Authorization", "Bearer x"), TH_OK);
    assert_int_equal(HEADER("X-Empty", ""), TH_OK);
    assert_int_equal(HEADER("x-webhook-signature", "v"), TH_DENIED);
    assert_int_equal(HEADER("x-webhook-signature-2", "v"), TH_OK);
    assert_int_equal(HEADER("CONTENT-ENCODING", "gzip"), TH_DENIED);
    assert_int_equal(HEADER("Contents", "v"), TH_OK);
    assert_int_equal(HEADER("TE", "trailers"), TH_DENIED);
    assert_int_equal(HEADER("Tea", "green"), TH_OK);
    assert_int_equal(HEADER("", "v"), TH_INVALID);
    assert_int_equal(HEADER("X\0", "v"), TH_INVALID);
    assert_int_equal(HEADER("X", " v"), TH_INVALID);
    assert_int_equal(HEADER("X", "v\t"), TH_INVALID);
    assert_int_equal(HEADER("X", "a\rb"), TH_INVALID);
    assert_int_equal(HEADER("X", "a\nb"), TH_INVALID);
    assert_int_equal(HEADER("X", "a\r\nb: c"), TH_INVALID);
    for (int byte = 0; byte < 256; byte++) {
        const char value[] = {'a', (char)byte, 'b'}, in_name[] = {'x', (char)byte, 'y'};
        bool seen = (byte >= 0x21 && byte <= 0x7e) || byte == ' ' || byte == '\t';
        bool token = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                     (byte >= 'A' && byte <= 'Z') || (byte && strchr("!#$%&'*+-.^_`|~", byte));

        assert_int_equal(th_guard_header(TH_LIT("X"), th_span(value, 3), NULL, 0, NULL),
                         seen ? TH_OK : TH_INVALID);
        assert_int_equal(th_guard_header(th_span(in_name, 3), TH_LIT(""), NULL, 0, NULL),
                         token ? TH_OK : TH_INVALID);
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        char low_line[64];
        size_t n = strlen(taken[i]);

        for (size_t k = 0; k <= n; k++)
            low_line[k] = taken[i][k] == '-' ? '_' : taken[i][k];
        if (th_guard_header(th_str(taken[i]), TH_LIT("v"), NULL, 0, NULL) != TH_DENIED ||
            th_guard_header(th_str(low_line), TH_LIT("v"), NULL, 0, NULL) != TH_DENIED)
            fail_msg("may be set: %s", taken[i]);
    }
    assert_int_equal(HEADER("X", "a\0b"), TH_INVALID);
    assert_int_equal(HEADER("X", "caf\xc3\xa9"), TH_INVALID);
    assert_int_equal(HEADER("Proxy", "x"), TH_DENIED);
    assert_int_equal(HEADER("Content_Length", "1"), TH_DENIED);
    assert_int_equal(HEADER("X_Forwarded_Host", "x"), TH_DENIED);
    assert_int_equal(HEADER("x_webhook-signature", "x"), TH_DENIED);
    assert_int_equal(HEADER("X-Hostess", "x"), TH_OK);
    assert_int_equal(HEADER("Hos", "x"), TH_OK);
    assert_int_equal(th_guard_header(TH_LIT("X"), th_span(big, 4096), owned, 1, NULL), TH_OK);
    assert_int_equal(th_guard_header(TH_LIT("X"), th_span(big, 4097), owned, 1, NULL), TH_INVALID);
    assert_int_equal(th_guard_header(th_span(name, 128), TH_LIT(""), NULL, 0, NULL), TH_OK);
    assert_int_equal(th_guard_header(th_span(name, 129), TH_LIT(""), NULL, 0, NULL), TH_INVALID);
}

static void ids_and_types(void **state)
{
    char text[130];
    (void)state;

    memset(text, 'a', sizeof text);
    assert_true(th_id_ok(th_span(text, 128)) && th_event_type_ok(th_span(text, 128)));
    assert_false(th_id_ok(th_span(text, 129)) || th_event_type_ok(th_span(text, 129)));
    assert_true(th_id_ok(TH_LIT("A_b-9")));
    assert_false(th_id_ok(TH_LIT("a.b"))); /* ids are part of signed text that is joined by dots */
    assert_false(th_id_ok(TH_LIT("")));
    assert_true(th_event_type_ok(TH_LIT("a.b-c.D_1")));
    assert_false(th_event_type_ok(TH_LIT("")));
    assert_false(th_event_type_ok(TH_LIT(".a")));
    assert_false(th_event_type_ok(TH_LIT("a.")));
    assert_false(th_event_type_ok(TH_LIT("*")));
    assert_false(th_event_type_ok(TH_LIT("caf\xc3\xa9")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_text),
        cmocka_unit_test(networks),
        cmocka_unit_test(every_reserved_block),
        cmocka_unit_test(operator_choice),
        cmocka_unit_test(answers),
        cmocka_unit_test(parts_of_a_url),
        cmocka_unit_test(reasons),
        cmocka_unit_test(length_of_names),
        cmocka_unit_test(names_that_are_never_public),
        cmocka_unit_test(headers),
        cmocka_unit_test(ids_and_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
