/* tenterhook dialect list | show | check | vectors | diff: commands for people who write dialect files; they
 * need no server.
 *
 * Why here and not in the server: a file is tried before it is given to one. Refuses nothing that the server
 * accepts and accepts nothing that it refuses, because both load files with the same function.
 *
 * Output goes to stdout, errors to stderr as "FILE:LINE: KEY: what". With --json stdout is one JSON value. */
#include "cli/cmd_dialect.h"
#include "base/arena.h"
#include "cli/cli.h"
#include "cli/cli_field.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"
#include <stdio.h>
#include <string.h>

#define OUT_MAX ((size_t)64 << 20)
#define VECTORS_MAX ((size_t)16 << 20)

struct run {
    struct th_cli *cli;
    struct th_buf out;
    char why[512];
};

/* In the form of a compiler's messages, so that editors find the line. */
static int refuse(struct run *run, int status)
{
    if (run->cli->json)
        return th_cli_fail(run->cli, status, "%s", run->why);
    th_print_safe(stderr, th_str(run->why));
    fputc('\n', stderr);
    return status;
}

static int no_memory(const struct run *run)
{
    return th_cli_nomem(run->cli);
}

/* ---- which dialect ---- */

static bool is_path(const char *name)
{
    size_t n = strlen(name);

    return strchr(name, '/') || (n > 5 && strcmp(name + n - 5, ".yaml") == 0);
}

/* A file that cannot be read is not judged by what might be in it. */
static int status_of(enum th_error error)
{
    return error == TH_IO ? TH_EXIT_INPUT : TH_EXIT_NO;
}

/* Finds a loaded dialect by its name, or a file by its path. *own: the caller frees it. NULL after a message. */
static struct th_dialect *pick(struct run *run, const struct th_dialect_set *set, const char *name, bool *own,
                               int *status)
{
    struct th_dialect *d;

    *own = is_path(name);
    *status = TH_EXIT_OK;
    if (*own) {
        enum th_error error = th_dialect_load_file(name, &d, run->why, sizeof run->why);
        if (error)
            *status = refuse(run, status_of(error));
        return error ? NULL : d;
    }
    for (unsigned i = 0; i < set->count; i++)
        if (th_span_is(th_dialect_values(set->v[i])->name, name))
            return set->v[i];
    snprintf(run->why, sizeof run->why,
             "no dialect \"%s\" is loaded (a file is given by a path with / or .yaml)", name);
    *status = refuse(run, TH_EXIT_NO);
    return NULL;
}

static enum th_error shown(const struct th_dialect *d, struct th_buf *out, struct th_json *root)
{
    struct th_jw w = th_jw(out);

    th_buf_init(out, OUT_MAX);
    th_dialect_show(d, &w);
    return out->failed ? out->failed : th_json_parse(th_buf_view(out), TH_JSON_DEPTH, root, NULL);
}

/* ---- values as lines: "retry.delays[0]: 5" ---- */

struct line {
    struct th_span path, value;
};
struct lines {
    struct th_arena mem;
    struct line *v;
    unsigned count, cap;
    enum th_error failed;
};

static void add_line(struct lines *l, struct th_span path, struct th_span value)
{
    if (l->count == l->cap) {
        unsigned cap = l->cap ? l->cap * 2 : 256;
        struct line *v = th_arena_get(&l->mem, cap * sizeof *v);
        if (!v) {
            l->failed = TH_NOMEM;
            return;
        }
        if (l->count)
            memcpy(v, l->v, l->count * sizeof *v);
        l->v = v;
        l->cap = cap;
    }
    if (th_arena_copy(&l->mem, path, &l->v[l->count].path))
        l->v[l->count++].value = value;
    else
        l->failed = TH_NOMEM;
}

/* Nested as deep as th_dialect_show writes: bounded by the schema. A shape's members are shown as one value.
 */
static void flatten(struct lines *l, struct th_json v, struct th_buf *path, unsigned depth)
{
    struct th_json_iter it;
    struct th_json key, value;
    size_t before = path->n;
    unsigned i = 0;

    if ((v.type != TH_JSON_OBJECT && v.type != TH_JSON_ARRAY) || v.raw.n <= 2 || depth == 8) {
        add_line(l, th_buf_view(path), v.raw);
        return;
    }
    th_json_iter(&it, v);
    while (th_json_next(&it, &key, &value)) {
        if (v.type == TH_JSON_OBJECT) {
            if (path->n)
                th_buf_char(path, '.');
            th_json_string(key, path);
        } else {
            th_buf_printf(path, "[%u]", i);
        }
        i++;
        if (path->failed)
            l->failed = path->failed;
        else
            flatten(l, value, path, depth + 1);
        if (!path->failed)
            path->n = before;
    }
}

static enum th_error lines_of(struct lines *l, struct th_json root)
{
    struct th_buf path;

    *l = (struct lines){.count = 0};
    th_arena_init(&l->mem, OUT_MAX);
    th_buf_init(&path, 4096);
    flatten(l, root, &path, 0);
    th_buf_fini(&path);
    return l->failed;
}

/* ---- the commands ---- */

static int list(struct run *run, const struct th_dialect_set *set)
{
    struct th_jw w = th_jw(&run->out);

    if (run->cli->json)
        th_jw_array(&w);
    for (unsigned i = 0; i < set->count; i++) {
        const struct th_dialect_values *v = th_dialect_values(set->v[i]);
        struct th_span about = th_dialect_about(set->v[i]);
        if (run->cli->json) {
            th_jw_object(&w);
            th_jw_key(&w, TH_LIT("name"));
            th_jw_string(&w, v->name);
            th_jw_key(&w, TH_LIT("about"));
            th_jw_string(&w, about);
            th_jw_key(&w, TH_LIT("attempts"));
            th_jw_u64(&w, v->rules.delays + 1u);
            th_jw_end_object(&w);
        } else {
            th_buf_printf(&run->out, "%-24.*s%.*s\n", (int)v->name.n, v->name.p, (int)about.n, about.p);
        }
    }
    if (run->cli->json)
        th_jw_end_array(&w);
    return 0;
}

/* Prints the dialect as a file that extends nothing. The set is loaded already, so the dialect is valid. */
static int show_yaml(struct run *run, const char *name)
{
    struct th_buf text;
    enum th_error error;

    if (run->cli->json)
        return th_cli_fail(run->cli, TH_EXIT_USAGE, "--yaml and --json exclude each other");
    if (!is_path(name)) {
        error = th_dialect_whole(th_cli_option(run->cli, "--dialects"), name, &run->out, run->why,
                                 sizeof run->why);
    } else {
        th_buf_init(&text, VECTORS_MAX);
        error = th_dialect_read_file(name, &text, run->why, sizeof run->why);
        if (!error)
            error = th_dialect_whole_file(name, th_buf_view(&text), &run->out, run->why, sizeof run->why);
        th_buf_fini(&text);
    }
    return error ? refuse(run, status_of(error)) : TH_EXIT_OK;
}

static int show(struct run *run, const struct th_dialect_set *set)
{
    struct th_buf text;
    struct th_json root;
    struct lines lines = {.count = 0};
    bool own;
    int status;
    struct th_dialect *d = pick(run, set, run->cli->args[0], &own, &status);

    if (!d)
        return status;
    if (th_cli_has(run->cli, "--yaml")) {
        if (own)
            th_dialect_free(d);
        return show_yaml(run, run->cli->args[0]);
    }
    if (shown(d, &text, &root) || (!run->cli->json && lines_of(&lines, root)))
        status = no_memory(run);
    else if (run->cli->json)
        th_buf_span(&run->out, th_buf_view(&text));
    else
        for (unsigned i = 0; i < lines.count; i++)
            th_buf_printf(&run->out, "%.*s: %.*s\n", (int)lines.v[i].path.n, lines.v[i].path.p,
                          (int)lines.v[i].value.n, lines.v[i].value.p);
    if (lines.mem.max)
        th_arena_fini(&lines.mem);
    th_buf_fini(&text);
    if (own)
        th_dialect_free(d);
    return status;
}

static void check_json(struct th_jw *w, const char *file, const struct th_dialect *d, const char *why)
{
    th_jw_object(w);
    th_jw_key(w, TH_LIT("file"));
    th_jw_string(w, th_str(file));
    th_jw_key(w, TH_LIT("valid"));
    th_jw_bool(w, d != NULL);
    th_jw_key(w, d ? TH_LIT("name") : TH_LIT("error"));
    th_jw_string(w, d ? th_dialect_values(d)->name : th_str(why));
    th_jw_end_object(w);
}

static int check(struct run *run, const struct th_dialect_set *set)
{
    struct th_jw w = th_jw(&run->out);
    int status = 0;
    (void)set;

    if (run->cli->json)
        th_jw_array(&w);
    for (unsigned i = 0; i < run->cli->arg_count; i++) {
        struct th_dialect *d = NULL;
        enum th_error error = th_dialect_load_file(run->cli->args[i], &d, run->why, sizeof run->why);
        if (error && status != TH_EXIT_INPUT)
            status = status_of(error);
        if (run->cli->json)
            check_json(&w, run->cli->args[i], d, run->why);
        else if (d)
            th_buf_printf(&run->out, "%s: valid: %s\n", run->cli->args[i], th_dialect_values(d)->name.p);
        else
            fprintf(stderr, "%s\n", run->why);
        th_dialect_free(d);
    }
    if (run->cli->json)
        th_jw_end_array(&w);
    return status;
}

static int vectors(struct run *run, const struct th_dialect_set *set)
{
    unsigned passed = 0, failed = 0;
    int status = 0;

    if (run->cli->json)
        th_buf_char(&run->out, '[');
    for (unsigned i = 0; i < run->cli->arg_count; i++) {
        struct th_buf text;
        enum th_error error;
        bool ran;
        th_buf_init(&text, VECTORS_MAX);
        if (run->cli->json && i)
            th_buf_char(&run->out, ',');
        error = th_dialect_read_file(run->cli->args[i], &text, run->why, sizeof run->why);
        ran = !error && th_dialect_vectors(set, run->cli->args[i], th_buf_view(&text), run->cli->json,
                                           &run->out, &passed, &failed, run->why, sizeof run->why);
        th_buf_fini(&text);
        if (!ran) {
            th_buf_reset(&run->out);
            return refuse(run, status_of(error));
        }
    }
    if (run->cli->json)
        th_buf_char(&run->out, ']');
    else
        th_buf_printf(&run->out, "%u passed, %u failed\n", passed, failed);
    if (failed || passed == 0)
        status = TH_EXIT_NO;
    return status;
}

static const struct line *find_line(const struct lines *l, struct th_span path)
{
    for (unsigned i = 0; i < l->count; i++)
        if (th_span_eq(l->v[i].path, path))
            return &l->v[i];
    return NULL;
}

static void one_difference(struct run *run, struct th_jw *w, struct th_span path, const struct line *a,
                           const struct line *b)
{
    struct th_span none = run->cli->json ? TH_LIT("null") : TH_LIT("(none)"), x = a ? a->value : none,
                   y = b ? b->value : none;

    if (!run->cli->json) {
        th_buf_printf(&run->out, "%.*s: %.*s | %.*s\n", (int)path.n, path.p, (int)x.n, x.p, (int)y.n, y.p);
        return;
    }
    th_jw_object(w);
    th_jw_key(w, TH_LIT("key"));
    th_jw_string(w, path);
    th_jw_key(w, TH_LIT("a"));
    th_jw_raw(w, x);
    th_jw_key(w, TH_LIT("b"));
    th_jw_raw(w, y);
    th_jw_end_object(w);
}

/* Name and `about` are no values: two files may differ in them alone. */
static unsigned differences(struct run *run, const struct lines *a, const struct lines *b)
{
    struct th_jw w = th_jw(&run->out);
    unsigned n = 0;

    if (run->cli->json)
        th_jw_array(&w);
    for (unsigned i = 0; i < a->count; i++) {
        const struct line *x = &a->v[i], *y = find_line(b, x->path);
        if (th_span_is(x->path, "name") || th_span_is(x->path, "about") ||
            (y && th_span_eq(x->value, y->value)))
            continue;
        one_difference(run, &w, x->path, x, y);
        n++;
    }
    for (unsigned i = 0; i < b->count; i++)
        if (!find_line(a, b->v[i].path)) {
            one_difference(run, &w, b->v[i].path, NULL, &b->v[i]);
            n++;
        }
    if (run->cli->json)
        th_jw_end_array(&w);
    return n;
}

static int diff(struct run *run, const struct th_dialect_set *set)
{
    struct th_dialect *d[2] = {NULL, NULL};
    struct th_buf text[2];
    struct lines lines[2] = {{.count = 0}, {.count = 0}};
    bool own[2] = {false, false};
    int status = TH_EXIT_NO;
    unsigned ready = 0;

    for (unsigned i = 0; i < 2; i++) {
        struct th_json root;
        d[i] = pick(run, set, run->cli->args[i], &own[i], &status);
        if (!d[i])
            goto end;
        ready++;
        if (shown(d[i], &text[i], &root) || lines_of(&lines[i], root)) {
            status = no_memory(run);
            goto end;
        }
    }
    status = differences(run, &lines[0], &lines[1]) ? TH_EXIT_NO : 0;
end:
    for (unsigned i = 0; i < 2; i++) {
        if (i < ready)
            th_buf_fini(&text[i]);
        if (lines[i].mem.max)
            th_arena_fini(&lines[i].mem);
        if (own[i])
            th_dialect_free(d[i]);
    }
    return status;
}

static int run_verb(struct th_cli *cli, bool loads,
                    int (*verb)(struct run *run, const struct th_dialect_set *set))
{
    struct th_dialect_set set = {0};
    struct run run = {.cli = cli};
    enum th_error error = TH_OK;
    int status;

    if (loads)
        error = th_dialects_load(th_cli_option(cli, "--dialects"), &set, run.why, sizeof run.why);
    if (error)
        return refuse(&run, status_of(error));
    th_buf_init(&run.out, OUT_MAX);
    status = verb(&run, &set);
    if (cli->json && run.out.n)
        th_buf_char(&run.out, '\n');
    if (run.out.failed)
        status = no_memory(&run);
    else
        th_cli_print_text(cli, th_buf_view(&run.out));
    th_buf_fini(&run.out);
    th_dialects_free(&set);
    return status;
}

int th_cmd_dialect_list(struct th_cli *cli)
{
    return run_verb(cli, true, list);
}

int th_cmd_dialect_show(struct th_cli *cli)
{
    return run_verb(cli, true, show);
}

int th_cmd_dialect_check(struct th_cli *cli)
{
    return run_verb(cli, false, check);
}

int th_cmd_dialect_vectors(struct th_cli *cli)
{
    return run_verb(cli, true, vectors);
}

int th_cmd_dialect_diff(struct th_cli *cli)
{
    return run_verb(cli, true, diff);
}
