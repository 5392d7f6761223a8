/* Functions that export and import share: lists that are kept in memory, and the differences between two
 * objects. Memory: rows are copied into cli->mem, which both commands exchange for one tenant or one object
 * at a time, so that it does not grow with the installation. */
#include "cli/cmd_transfer.h"
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_member.h"
#include <stdlib.h>

bool th_transfer_member(struct th_json v, const char *name, struct th_json *out)
{
    return v.raw.n && th_json_member(v, th_str(name), out);
}

bool th_transfer_own(struct th_json key)
{
    static const char *const names[] = {
        "id",       "created_at", "updated_at",      "createdAt",           "updatedAt",
        "disabled", "secret",     "previous_secret", "previous_expires_at", "client_certificate"};

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (th_json_string_eq(key, th_str(names[i])))
            return true;
    return false;
}

static void keep(void *ctx, struct th_json row)
{
    struct th_rows *k = ctx;

    if (k->count == k->cap) {
        unsigned cap = k->cap ? k->cap * 2 : 64;
        struct th_json *more = th_arena_get(&k->cli->mem, cap * sizeof *more);
        k->failed = k->failed || !more;
        if (!more)
            return;
        if (k->count)
            memcpy(more, k->v, k->count * sizeof *more);
        k->v = more;
        k->cap = cap;
    }
    k->v[k->count++] = (struct th_json){row.type, {th_cli_text(k->cli, row.raw), row.raw.n}};
}

int th_rows_read(struct th_cli *cli, const char *path, struct th_rows *out)
{
    int status;

    *out = (struct th_rows){.cli = cli};
    status = th_cli_list(cli, path, 1000000, keep, out, NULL);
    return status ? status : out->failed ? th_cli_nomem(cli) : TH_EXIT_OK;
}

int th_rows_endpoints(struct th_cli *cli, const char *tenant, struct th_rows *out)
{
    int status;

    cli->acting_tenant = tenant;
    status = th_rows_read(cli, "/v1/webhooks", out);
    for (unsigned i = 0; i < out->count / 2; i++) {
        struct th_json newest = out->v[i];
        out->v[i] = out->v[out->count - 1 - i];
        out->v[out->count - 1 - i] = newest;
    }
    return status;
}

struct th_arena th_transfer_begin(struct th_cli *cli, size_t max)
{
    struct th_arena saved = cli->mem;

    th_arena_init(&cli->mem, max);
    return saved;
}

void th_transfer_end(struct th_cli *cli, struct th_arena saved)
{
    th_arena_fini(&cli->mem);
    cli->mem = saved;
}

/* ---- what differs ---- */

static bool same_string(struct th_json a, struct th_json b)
{
    struct th_buf text;
    bool same;

    th_buf_init(&text, a.raw.n + 16);
    same = th_json_string(a, &text) && !text.failed && th_json_string_eq(b, th_buf_view(&text));
    th_buf_wipe(&text);
    return same;
}

static double number_of(struct th_json v)
{
    char text[64];

    snprintf(text, sizeof text, "%.*s", (int)v.raw.n, v.raw.p);
    return strtod(text, NULL);
}

static bool same_value(struct th_json a, struct th_json b);

static bool same_members(struct th_json a, struct th_json b)
{
    struct th_json key, value, other;
    struct th_json_iter it;
    unsigned n = 0, m = 0;

    th_json_iter(&it, b);
    while (th_json_next(&it, &key, &value))
        m++;
    th_json_iter(&it, a);
    while (th_json_next(&it, &key, &value)) {
        struct th_buf name;
        bool found;
        th_buf_init(&name, key.raw.n + 16);
        found = th_json_string(key, &name) && th_json_member(b, th_buf_view(&name), &other);
        th_buf_fini(&name);
        if (!found || !same_value(value, other))
            return false;
        n++;
    }
    return n == m;
}

/* Whether two values mean the same: numbers by value, texts by characters, members in any order. Recursion is
 * bounded by the depth that the reader of the file allows. */
static bool same_value(struct th_json a, struct th_json b)
{
    struct th_json x, y;
    struct th_json_iter i, j;

    if (a.type != b.type)
        return false;
    if (a.type == TH_JSON_STRING)
        return same_string(a, b);
    if (a.type == TH_JSON_NUMBER)
        return th_span_eq(a.raw, b.raw) || number_of(a) == number_of(b);
    if (a.type == TH_JSON_OBJECT)
        return same_members(a, b);
    th_json_iter(&i, a);
    th_json_iter(&j, b);
    while (th_json_next(&i, NULL, &x))
        if (!th_json_next(&j, NULL, &y) || !same_value(x, y))
            return false;
    return !th_json_next(&j, NULL, &y);
}

struct th_span th_transfer_differing(struct th_cli *cli, struct th_json want, struct th_json have,
                                     const char **names, unsigned *count)
{
    struct th_json key, value, old;
    struct th_json_iter it;
    struct th_span text;
    struct th_jw w;
    struct th_buf b;

    th_buf_init(&b, TH_TRANSFER_WORK);
    w = th_jw(&b);
    *names = "";
    *count = 0;
    th_jw_object(&w);
    th_json_iter(&it, want);
    while (th_json_next(&it, &key, &value)) {
        const char *name = th_cli_member(cli, key, "");
        bool there = th_transfer_member(have, name, &old);
        if (strcmp(name, "endpoints") == 0 || th_transfer_own(key) || (there && same_value(old, value)) ||
            (!there && have.raw.n && value.type == TH_JSON_NULL))
            continue;
        *names = th_cli_printf(cli, "%s%s%s", *names, **names ? ", " : "", name);
        ++*count;
        th_jw_key(&w, th_str(name));
        th_jw_raw(&w, value.raw);
    }
    th_jw_end_object(&w);
    text = th_span(th_cli_text(cli, th_buf_view(&b)), b.n);
    th_buf_fini(&b);
    return text;
}
