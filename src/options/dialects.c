/* The loaded dialects: those built into the binary, then the files of a directory, which add or replace by
 * name.
 *
 * Refuses: a file that does not compile, with "FILE:LINE: KEY: what", or that is not named NAME.yaml; one bad file
 * refuses the whole load, so a server never runs with fewer dialects than it was given. */
#include "options/dialects.h"
#include "base/alloc.h"
#include "core/guard.h"
#include "lib/crypto.h"
#include "options/embedded.h"
#include "options/extends.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20)
#define TREE_MAX ((size_t)32 << 20)
#define DIALECTS_MAX 256u

static enum th_error load_text(const char *file, struct th_span name, const char *dir, struct th_span yaml,
                               struct th_dialect **out, char *why, size_t why_size)
{
    struct th_arena mem;
    struct th_node *root;
    struct th_compile_error what;
    enum th_error error;

    th_arena_init(&mem, TREE_MAX);
    error = th_extends_tree(file, name, dir, yaml, &mem, &root, why, why_size);
    if (!error) {
        error = th_dialect_compile(name, root, out, &what);
        if (error)
            snprintf(why, why_size, "%s:%u: %s%s%s", file, what.line, what.key, what.key[0] ? ": " : "",
                     what.what);
    }
    th_arena_fini(&mem);
    return error;
}

enum th_error th_dialect_load(const char *file, struct th_span name, struct th_span yaml,
                              struct th_dialect **out, char *why, size_t why_size)
{
    return load_text(file, name, NULL, yaml, out, why, why_size);
}

/* Adds the dialect, or puts it in the place of the one with the same name. The set owns d from here on. */
static enum th_error add(struct th_dialect_set *set, struct th_dialect *d)
{
    struct th_dialect **v;

    for (unsigned i = 0; i < set->count; i++)
        if (th_span_eq(th_dialect_values(set->v[i])->name, th_dialect_values(d)->name)) {
            th_dialect_free(set->v[i]);
            set->v[i] = d;
            return TH_OK;
        }
    v = set->count < DIALECTS_MAX ? th_realloc(set->v, (set->count + 1) * sizeof(struct th_dialect *)) : NULL;
    if (!v) {
        th_dialect_free(d);
        return set->count < DIALECTS_MAX ? TH_NOMEM : TH_TOO_LARGE;
    }
    set->v = v;
    set->v[set->count++] = d;
    return TH_OK;
}

static enum th_error add_loaded(struct th_dialect_set *set, const char *file, struct th_dialect *d, char *why,
                                size_t why_size)
{
    enum th_error error = add(set, d);

    if (error)
        snprintf(why, why_size, "%s: %s", file, th_error_name(error));
    return error;
}

static enum th_error load_embedded(struct th_dialect_set *set, char *why, size_t why_size)
{
    for (const struct th_embedded *e = th_embedded_dialects; e->name; e++) {
        char file[128];
        struct th_dialect *d;
        enum th_error error;
        snprintf(file, sizeof file, "dialects/%s.yaml", e->name);
        error = th_dialect_load(file, th_str(e->name), th_span(e->text, e->len), &d, why, why_size);
        if (!error)
            error = add_loaded(set, file, d, why, why_size);
        if (error)
            return error;
    }
    return TH_OK;
}

enum th_error th_dialect_read_file(const char *path, struct th_buf *text, char *why, size_t why_size)
{
    FILE *f = fopen(path, "re");
    enum th_error error = TH_OK;

    if (!f) {
        snprintf(why, why_size, "%s: %s", path, strerror(errno));
        return TH_IO;
    }
    for (;;) {
        char *room = th_buf_room(text, 4096);
        size_t n;
        if (!room) {
            error = text->failed;
            snprintf(why, why_size, "%s: %s", path,
                     error == TH_NOMEM ? "out of memory" : "larger than 1 MiB");
            break;
        }
        n = fread(room, 1, 4096, f);
        text->n += n;
        if (n == 0)
            break;
    }
    if (!error && ferror(f)) {
        snprintf(why, why_size, "%s: cannot be read", path);
        error = TH_IO;
    }
    fclose(f);
    return error;
}

static bool ends_in(struct th_span name, const char *with)
{
    size_t n = strlen(with);

    return name.n > n && memcmp(name.p + name.n - n, with, n) == 0;
}

/* The other spelling is looked for, too, because passing over a file in silence helps nobody. */
static int is_yaml(const struct dirent *e)
{
    struct th_span name = th_str(e->d_name);

    return e->d_name[0] != '.' && (ends_in(name, ".yaml") || ends_in(name, ".yml"));
}

/* The dialect's name from its file's. */
static enum th_error name_of(const char *path, struct th_span *name, char *why, size_t why_size)
{
    const char *slash = strrchr(path, '/');

    *name = th_str(slash ? slash + 1 : path);
    if (ends_in(*name, ".yaml"))
        name->n -= 5;
    if (th_id_ok(*name) && name->n <= 64)
        return TH_OK;
    snprintf(why, why_size,
             "%s: must be named NAME.yaml, where NAME has at most 64 characters of A-Z a-z 0-9 _ -", path);
    return TH_INVALID;
}

/* Adds a name and the text that was read under it as one more link to a chain of hashes. */
static bool add_print(uint8_t print[32], struct th_span name, struct th_span text)
{
    struct th_buf b;
    bool ok;

    th_buf_init(&b, FILE_MAX + 4096);
    th_buf_add(&b, (const char *)print, 32);
    th_buf_span(&b, name);
    th_buf_char(&b, 0);
    th_buf_span(&b, text);
    ok = !b.failed;
    if (ok)
        th_sha256(b.p, b.n, print);
    th_buf_fini(&b);
    return ok;
}

static void folder_of(const char *path, char *dir, size_t size)
{
    const char *slash = strrchr(path, '/');

    snprintf(dir, size, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    if (slash == path)
        snprintf(dir, size, "/");
}

enum th_error th_dialect_whole_file(const char *path, struct th_span yaml, struct th_buf *out, char *why,
                                    size_t why_size)
{
    char dir[4096];
    struct th_arena mem;
    struct th_node *root;
    struct th_span name;
    enum th_error error = name_of(path, &name, why, why_size);

    if (error)
        return error;
    folder_of(path, dir, sizeof dir);
    th_arena_init(&mem, TREE_MAX);
    error = th_extends_tree(path, name, dir, yaml, &mem, &root, why, why_size);
    if (!error)
        th_extends_write(root, out);
    th_arena_fini(&mem);
    return error;
}

/* What receivers need of it: the text that extends nothing. */
static enum th_error keep_text(const char *path, struct th_span yaml, struct th_dialect *d, char *why,
                               size_t why_size)
{
    struct th_buf all;
    enum th_error error;

    th_buf_init(&all, 2u << 20);
    error = th_dialect_whole_file(path, yaml, &all, why, why_size);
    if (!error && (all.failed || th_dialect_receiver_set(d, th_buf_view(&all)) != TH_OK)) {
        snprintf(why, why_size, "%s: out of memory", path);
        error = TH_NOMEM;
    }
    th_buf_fini(&all);
    return error;
}

static enum th_error load_one(const char *path, struct th_dialect **out, uint8_t print[32], char *why,
                              size_t why_size)
{
    char dir[4096];
    struct th_buf text;
    struct th_span name;
    enum th_error error;

    th_buf_init(&text, FILE_MAX);
    error = th_dialect_read_file(path, &text, why, why_size);
    if (!error)
        error = name_of(path, &name, why, why_size);
    if (!error && !add_print(print, name, th_buf_view(&text))) {
        snprintf(why, why_size, "%s: out of memory", path);
        error = TH_NOMEM;
    }
    if (!error) {
        folder_of(path, dir, sizeof dir);
        error = load_text(path, name, dir, th_buf_view(&text), out, why, why_size);
    }
    if (!error) {
        error = keep_text(path, th_buf_view(&text), *out, why, why_size);
        if (error)
            th_dialect_free(*out);
    }
    th_buf_fini(&text);
    return error;
}

enum th_error th_dialect_load_file(const char *path, struct th_dialect **out, char *why, size_t why_size)
{
    uint8_t print[32] = {0};

    return load_one(path, out, print, why, why_size);
}

enum th_error th_dialect_whole(const char *dir, const char *name, struct th_buf *out, char *why,
                               size_t why_size)
{
    char path[4200];
    struct th_buf text;
    struct th_arena mem;
    struct th_node *root;
    enum th_error error = TH_NOT_FOUND;

    snprintf(path, sizeof path, "%s/%s.yaml", dir ? dir : "", name);
    if (dir && access(path, F_OK) == 0) {
        th_buf_init(&text, FILE_MAX);
        error = th_dialect_read_file(path, &text, why, why_size);
        if (!error)
            error = th_dialect_whole_file(path, th_buf_view(&text), out, why, why_size);
        th_buf_fini(&text);
        return error;
    }
    for (const struct th_embedded *e = th_embedded_dialects; e->name; e++) {
        if (strcmp(e->name, name) != 0)
            continue;
        th_arena_init(&mem, TREE_MAX);
        error =
            th_extends_tree(name, th_str(name), NULL, th_span(e->text, e->len), &mem, &root, why, why_size);
        if (!error)
            th_extends_write(root, out);
        th_arena_fini(&mem);
    }
    return error;
}

static enum th_error load_file(struct th_dialect_set *set, const char *dir, const char *name, char *why,
                               size_t why_size)
{
    struct th_dialect *d;
    char path[4096];
    enum th_error error;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path) {
        snprintf(why, why_size, "%s: the path is too long", dir);
        return TH_TOO_LARGE;
    }
    error = load_one(path, &d, set->print, why, why_size);
    return error ? error : add_loaded(set, path, d, why, why_size);
}

static enum th_error load_dir(struct th_dialect_set *set, const char *dir, char *why, size_t why_size)
{
    struct dirent **entries;
    int n = scandir(dir, &entries, is_yaml, alphasort);
    enum th_error error = TH_OK;

    if (n < 0) {
        snprintf(why, why_size, "%s: %s", dir, strerror(errno));
        return errno == ENOMEM ? TH_NOMEM : TH_IO;
    }
    for (int i = 0; i < n; i++) {
        if (!error)
            error = load_file(set, dir, entries[i]->d_name, why, why_size);
        free(entries[i]);
    }
    free(entries);
    return error;
}

enum th_error th_dialects_load(const char *dir, struct th_dialect_set *out, char *why, size_t why_size)
{
    struct th_dialect_set set = {0};
    enum th_error error = load_embedded(&set, why, why_size);

    if (!error && dir)
        error = load_dir(&set, dir, why, why_size);
    if (error) {
        th_dialects_free(&set);
        return error;
    }
    *out = set;
    return TH_OK;
}

void th_dialects_free(struct th_dialect_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        th_dialect_free(set->v[i]);
    th_free(set->v);
    *set = (struct th_dialect_set){0};
}
