/* One table of options; flags, environment and file are three ways to the same values. Every value is checked here, with
 * a message that names its origin; a value whose check needs other modules (addresses, dialect names) is
 * checked where it is used. */
#include "options/options.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/secret.h"
#include "options/yaml.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const struct th_option th_options[TH_O_COUNT] = {
#define X(id, kind, ...) {TH_OPT_##kind, __VA_ARGS__},
    TH_OPTIONS(X)
#undef X
};

struct reading {
    struct th_settings *c;
    char *why;
    size_t why_size;
};

static const char *keep(struct th_settings *c, struct th_span s)
{
    struct th_span out;

    return th_arena_copy(&c->mem, s, &out) ? out.p : NULL;
}

/* Secrets lie apart from all other text: see secret.h. */
static const char *keep_secret(struct th_value *v, struct th_span s)
{
    char *p = th_secret_alloc(s.n + 1);

    if (!p)
        return NULL;
    memcpy(p, s.p, s.n);
    if (v->text)
        th_secret_free((char *)v->text, strlen(v->text) + 1);
    return p;
}

static const char *origin_of(struct th_settings *c, const char *what, const char *name)
{
    char text[256];
    int n = snprintf(text, sizeof text, "%s %s", what, name);

    return keep(c, th_span(text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1));
}

static enum th_error refuse(struct reading *r, const char *origin, const char *value, const char *what)
{
    snprintf(r->why, r->why_size, "%s: \"%s\" %s", origin, value, what);
    return TH_INVALID;
}

/* ---- one value ---- */

static bool read_duration(struct th_span s, int64_t *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    int64_t scale = 1;
    uint64_t v;

    for (unsigned i = 0; s.n && i < sizeof units / sizeof units[0]; i++)
        if (s.p[s.n - 1] == units[i].unit) {
            scale = units[i].seconds;
            s.n--;
            break;
        }
    if (!th_span_u64(s, (uint64_t)(INT64_MAX / 100000), &v))
        return false;
    *out = (int64_t)v * scale;
    return true;
}

static bool in_choices(const char *choices, struct th_span s)
{
    for (const char *p = choices; *p;) {
        size_t n = strcspn(p, "|");
        if (th_span_eq(th_span(p, n), s))
            return true;
        p += n + (p[n] == '|');
    }
    return false;
}

static enum th_error add_to_list(struct th_settings *c, struct th_value *v, struct th_span item)
{
    const char **list = th_arena_get(&c->mem, (v->count + 1) * sizeof *list);

    if (!list)
        return TH_NOMEM;
    if (v->count)
        memcpy(list, v->list, v->count * sizeof *list);
    list[v->count] = keep(c, item);
    v->list = list;
    v->count++;
    return list[v->count - 1] ? TH_OK : TH_NOMEM;
}

static enum th_error check_number(struct reading *r, const struct th_option *o, struct th_value *v,
                                  const char *origin, const char *text)
{
    char what[120];
    uint64_t n;
    bool ok = o->kind == TH_OPT_DURATION ? read_duration(th_str(text), &v->number)
                                         : th_span_u64(th_str(text), INT64_MAX, &n);

    if (!ok)
        return refuse(r, origin, text,
                      o->kind == TH_OPT_DURATION ? "is not a time; write for example 30, 30s, 10m, 24h or 30d"
                                                 : "is not a whole number");
    if (o->kind == TH_OPT_NUMBER)
        v->number = (int64_t)n;
    if (v->number < o->lowest || v->number > o->highest) {
        snprintf(what, sizeof what, "is out of range; %lld to %lld%s are allowed", (long long)o->lowest,
                 (long long)o->highest, o->kind == TH_OPT_DURATION ? " seconds" : "");
        return refuse(r, origin, text, what);
    }
    return TH_OK;
}

static enum th_error set(struct reading *r, enum th_option_id id, struct th_span text, const char *origin)
{
    const struct th_option *o = &th_options[id];
    struct th_value *v = &r->c->v[id];
    char what[120];

    v->origin = origin;
    if (memchr(text.p ? text.p : "", 0, text.n))
        return refuse(r, origin, "…", "holds a NUL byte");
    if (o->kind == TH_OPT_LIST)
        return add_to_list(r->c, v, text);
    if (o->kind == TH_OPT_SECRET && text.n + 1 > TH_SECRET_MAX)
        return refuse(r, origin, "(not shown)", "is too long for a secret");
    v->text = o->kind == TH_OPT_SECRET ? keep_secret(v, text) : keep(r->c, text);
    if (!v->text)
        return TH_NOMEM;
    if (o->kind == TH_OPT_NUMBER || o->kind == TH_OPT_DURATION)
        return check_number(r, o, v, origin, v->text);
    if (o->kind == TH_OPT_CHOICE && !in_choices(o->choices, text)) {
        snprintf(what, sizeof what, "is unknown; one of %s", o->choices);
        return refuse(r, origin, v->text, what);
    }
    return TH_OK;
}

/* Judged when everything is read, because in development a key may be as short as one likes. */
static enum th_error check_secrets(struct reading *r)
{
    bool development = strcmp(r->c->v[TH_O_ENVIRONMENT].text, "development") == 0;

    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const struct th_option *o = &th_options[id];
        const struct th_value *v = &r->c->v[id];
        int64_t lowest = development ? 1 : o->lowest, n;
        char what[120];
        if (o->kind != TH_OPT_SECRET || !v->text)
            continue;
        n = (int64_t)strlen(v->text);
        if (n >= lowest && n <= o->highest)
            continue;
        snprintf(what, sizeof what, "must have %lld to %lld characters", (long long)lowest,
                 (long long)o->highest);
        return refuse(r, v->origin, "(not shown)", what);
    }
    return TH_OK;
}

/* ---- sources ---- */

static enum th_error read_file(const char *path, size_t max, struct th_buf *out, char *why, size_t why_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0;

    if (fd < 0) {
        snprintf(why, why_size, "%s: cannot be read: %s", path, strerror(errno));
        return TH_IO;
    }
    th_buf_init(out, max);
    while (!out->failed) {
        char *to = th_buf_room(out, 4096 < max - out->n ? 4096 : max - out->n);
        if (!to || (n = read(fd, to, 4096 < max - out->n ? 4096 : max - out->n)) <= 0)
            break;
        out->n += (size_t)n;
    }
    if (n < 0)
        snprintf(why, why_size, "%s: cannot be read: %s", path, strerror(errno));
    else if (out->failed || out->n == max)
        snprintf(why, why_size, "%s: is too large", path);
    close(fd);
    if (n < 0 || out->failed || out->n == max) {
        th_buf_fini(out);
        return TH_IO;
    }
    return TH_OK;
}

static enum th_error set_from_file(struct reading *r, enum th_option_id id, const char *path,
                                   const char *origin)
{
    struct th_buf text;
    struct th_span s;
    char what[400];
    enum th_error error = read_file(path, 65536, &text, what, sizeof what);

    if (error) {
        snprintf(r->why, r->why_size, "%s: %s", origin, what);
        return error;
    }
    s = th_buf_view(&text);
    while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
        s.n--;
    error = set(r, id, s, origin);
    th_buf_wipe(&text);
    r->c->v[id].file = keep(r->c, th_str(path));
    return error || r->c->v[id].file ? error : TH_NOMEM;
}

static enum th_error from_flags(struct reading *r, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) {
        const char *eq = strchr(argv[i], '='), *value;
        size_t n = eq ? (size_t)(eq - argv[i]) : strlen(argv[i]);
        unsigned id = 0;
        enum th_error error;

        while (id < TH_O_COUNT &&
               !(th_options[id].flag && th_span_eq(th_str(th_options[id].flag), th_span(argv[i], n))))
            id++;
        if (id == TH_O_COUNT) {
            snprintf(r->why, r->why_size,
                     "unknown argument \"%s\"; `tenterhook help serve` lists what there is", argv[i]);
            return TH_INVALID;
        }
        value = eq ? eq + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value) {
            snprintf(r->why, r->why_size, "%s needs a value: %s", th_options[id].flag,
                     th_options[id].argument);
            return TH_INVALID;
        }
        error = set(r, (enum th_option_id)id, th_str(value), origin_of(r->c, "flag", th_options[id].flag));
        if (error)
            return error;
    }
    return TH_OK;
}

static enum th_error list_from_env(struct reading *r, enum th_option_id id, const char *text,
                                   const char *origin)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        enum th_error error = n ? set(r, id, th_span(text, n), origin) : TH_OK;
        if (error)
            return error;
        text += n + (text[n] == ',');
    }
    return TH_OK;
}

static enum th_error secret_from_env(struct reading *r, enum th_option_id id)
{
    const struct th_option *o = &th_options[id];
    const char *dir = getenv("CREDENTIALS_DIRECTORY"), *path;
    char name[128], file[4096];

    snprintf(name, sizeof name, "%s_FILE", o->env);
    path = getenv(name);
    if (path && *path)
        return set_from_file(r, id, path, origin_of(r->c, "environment", name));
    if (!dir)
        return TH_OK;
    snprintf(file, sizeof file, "%s/%s", dir, o->key);
    if (access(file, F_OK) != 0 && errno == ENOENT)
        return TH_OK; /* one that cannot be read is refused: another key would be used without notice */
    return set_from_file(r, id, file, origin_of(r->c, "credential", o->key));
}

static enum th_error from_environment(struct reading *r)
{
    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const struct th_option *o = &th_options[id];
        const char *text = o->env ? getenv(o->env) : NULL;
        enum th_error error = TH_OK;

        if (r->c->v[id].origin)
            continue;
        if (text && *text)
            error = o->kind == TH_OPT_LIST
                        ? list_from_env(r, id, text, origin_of(r->c, "environment", o->env))
                        : set(r, id, th_str(text), origin_of(r->c, "environment", o->env));
        else if (o->kind == TH_OPT_SECRET)
            error = secret_from_env(r, id);
        if (error)
            return error;
    }
    return TH_OK;
}

static enum th_error value_from_node(struct reading *r, enum th_option_id id, const char *file,
                                     const struct th_node *node)
{
    const struct th_option *o = &th_options[id];
    struct th_value *v = &r->c->v[id];
    char place[700];
    const char *origin;
    enum th_error error = TH_OK;

    snprintf(place, sizeof place, "%s:%u: %s", file, node->line, o->key);
    origin = origin_of(r->c, "file", place);
    if (v->origin && memcmp(v->origin, "file", 4) != 0)
        return TH_OK; /* a flag or the environment has set it */
    if (o->kind == TH_OPT_LIST && node->kind == TH_NODE_LIST) {
        for (const struct th_node *n = node->first; n && !error; n = n->next)
            error = n->kind == TH_NODE_SCALAR ? set(r, id, n->text, origin)
                                              : refuse(r, origin, o->key, "must be a list of texts");
        return error;
    }
    if (o->kind == TH_OPT_MAP && node->kind == TH_NODE_MAP) {
        for (const struct th_node *n = node->first; n; n = n->next)
            v->count++;
        v->map = th_arena_get(&r->c->mem, (v->count + 1) * sizeof *v->map);
        v->origin = origin;
        if (!v->map)
            return TH_NOMEM;
        v->count = 0;
        for (const struct th_node *n = node->first; n; n = n->next) {
            if (n->kind != TH_NODE_SCALAR)
                return refuse(r, origin, o->key, "must map names to texts");
            v->map[v->count++] = (struct th_pair){keep(r->c, n->key), keep(r->c, n->text)};
        }
        return TH_OK;
    }
    if (node->kind != TH_NODE_SCALAR || o->kind == TH_OPT_LIST || o->kind == TH_OPT_MAP)
        return refuse(r, origin, o->key,
                      o->kind == TH_OPT_LIST  ? "must be a list"
                      : o->kind == TH_OPT_MAP ? "must be a map"
                                              : "must be one value");
    return set(r, id, node->text, origin);
}

/* Finds the option behind a key of the file; "admin_key_file" names the file of a secret. */
static enum th_error key_from_file(struct reading *r, const char *file, const char *key,
                                   const struct th_node *node)
{
    size_t n = strlen(key);

    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const struct th_option *o = &th_options[id];
        size_t len = o->key ? strlen(o->key) : 0;
        if (!len)
            continue;
        if (o->kind == TH_OPT_SECRET) {
            if (n == len + 5 && strncmp(key, o->key, len) == 0 && strcmp(key + len, "_file") == 0 &&
                node->kind == TH_NODE_SCALAR)
                return r->c->v[id].origin
                           ? TH_OK
                           : set_from_file(r, id, keep(r->c, node->text), origin_of(r->c, "file", key));
        } else if (strcmp(o->key, key) == 0) {
            return value_from_node(r, (enum th_option_id)id, file, node);
        }
    }
    snprintf(r->why, r->why_size, "%s:%u: unknown key \"%s\"; `tenterhook help serve` lists the keys", file,
             node->line, key);
    return TH_INVALID;
}

/* The part of an option's key in front of its full stop. */
static bool is_group(struct th_span key)
{
    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const char *name = th_options[id].key;

        if (name && key.n && strncmp(name, key.p, key.n) == 0 && name[key.n] == '.')
            return true;
    }
    return false;
}

static enum th_error from_tree(struct reading *r, const char *file, const struct th_node *root)
{
    char key[256];

    if (root->kind != TH_NODE_MAP) {
        snprintf(r->why, r->why_size, "%s:%u: the file must be a map of keys", file, root->line);
        return TH_INVALID;
    }
    for (const struct th_node *n = root->first; n; n = n->next) {
        bool group = n->kind == TH_NODE_MAP && is_group(n->key);
        enum th_error error = TH_OK;
        if (!group) {
            snprintf(key, sizeof key, "%.*s", (int)n->key.n, n->key.p);
            error = key_from_file(r, file, key, n);
        }
        for (const struct th_node *k = group ? n->first : NULL; k && !error; k = k->next) {
            snprintf(key, sizeof key, "%.*s.%.*s", (int)n->key.n, n->key.p, (int)k->key.n, k->key.p);
            error = key_from_file(r, file, key, k);
        }
        if (error)
            return error;
    }
    return TH_OK;
}

static enum th_error from_file(struct reading *r)
{
    const char *path = r->c->v[TH_O_CONFIG].text;
    struct th_arena mem;
    struct th_node *root;
    struct th_buf text;
    enum th_error error;

    if (!path)
        return TH_OK;
    error = read_file(path, 1u << 20, &text, r->why, r->why_size);
    if (error)
        return error;
    th_arena_init(&mem, 16u << 20);
    error = th_yaml_parse(path, th_buf_view(&text), TH_YAML_MAX, &mem, &root, r->why, r->why_size);
    if (!error)
        error = from_tree(r, path, root);
    th_arena_fini(&mem);
    th_buf_fini(&text);
    return error;
}

static enum th_error defaults(struct reading *r)
{
    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        enum th_error error;
        if (r->c->v[id].origin || !th_options[id].fallback)
            continue;
        error = set(r, (enum th_option_id)id, th_str(th_options[id].fallback), "default");
        if (error)
            return error;
    }
    return TH_OK;
}

enum th_error th_options_read(int argc, char **argv, struct th_settings *out, char *why, size_t why_size)
{
    struct reading r = {.c = out, .why = why, .why_size = why_size};
    enum th_error error;

    *out = (struct th_settings){0};
    th_arena_init(&out->mem, 4u << 20);
    snprintf(why, why_size, "out of memory");
    error = from_flags(&r, argc, argv);
    if (!error)
        error = from_environment(&r);
    if (!error)
        error = from_file(&r);
    if (!error)
        error = defaults(&r);
    if (!error)
        error = check_secrets(&r);
    if (error)
        th_options_fini(out);
    return error;
}

/* A group may read it: operators often share keys with the service's group. */
void th_options_warn_open(const struct th_settings *c)
{
    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const char *file = id == TH_O_TLS_KEY ? c->v[id].text : c->v[id].file;
        struct stat st;

        if (file && stat(file, &st) == 0 && (st.st_mode & S_IRWXO))
            th_log(TH_LOG_WARN, "this file holds a secret and is open to every user; chmod o= it",
                   TH_KC("file", file));
    }
}

void th_options_fini(struct th_settings *c)
{
    for (unsigned id = 0; id < TH_O_COUNT; id++)
        if (th_options[id].kind == TH_OPT_SECRET && c->v[id].text)
            th_secret_free((char *)c->v[id].text, strlen(c->v[id].text) + 1);
    th_arena_fini(&c->mem);
    *c = (struct th_settings){0};
}

/* An address without the password that may stand in it. */
static void address_text(const char *text, struct th_buf *out)
{
    const char *user = strstr(text, "://"), *at = user ? strchr(user, '@') : NULL;
    const char *colon = at ? memchr(user + 3, ':', (size_t)(at - user - 3)) : NULL;

    if (strstr(text, "password="))
        th_buf_str(out, "(set, not shown: it has a password)");
    else if (colon)
        th_buf_printf(out, "%.*s:***%s", (int)(colon - text), text, at);
    else
        th_buf_str(out, text);
}

void th_options_value(const struct th_settings *c, enum th_option_id id, struct th_buf *out)
{
    const struct th_option *o = &th_options[id];
    const struct th_value *v = &c->v[id];

    if (o->kind == TH_OPT_SECRET)
        th_buf_str(out, v->text ? "(set, not shown)" : "");
    else if (o->kind == TH_OPT_LIST)
        for (unsigned i = 0; i < v->count; i++) {
            th_buf_str(out, i ? ", " : "");
            if (id == TH_O_INBOX_SOURCES)
                address_text(v->list[i], out);
            else
                th_buf_str(out, v->list[i]);
        }
    else if (o->kind == TH_OPT_MAP)
        for (unsigned i = 0; i < v->count; i++)
            th_buf_printf(out, "%s%s: %s", i ? ", " : "", v->map[i].name, v->map[i].value);
    else if (id == TH_O_STORE)
        address_text(v->text ? v->text : "", out);
    else
        th_buf_str(out, v->text ? v->text : "");
}

void th_options_help(struct th_buf *out)
{
    for (unsigned id = 0; id < TH_O_COUNT; id++) {
        const struct th_option *o = &th_options[id];
        if (o->flag)
            th_buf_printf(out, "  %s %s\n", o->flag, o->argument);
        else
            th_buf_printf(out, "  (no flag)\n");
        th_buf_printf(out, "        %s", o->help);
        if (o->choices)
            th_buf_printf(out, " [%s]", o->choices);
        if (o->fallback)
            th_buf_printf(out, " (default %s)", o->fallback);
        th_buf_str(out, "\n       ");
        if (o->env)
            th_buf_printf(out, " environment %s%s", o->env,
                          o->kind == TH_OPT_SECRET ? " or its _FILE form" : "");
        if (o->key)
            th_buf_printf(out, "%s file key %s%s", o->env ? "," : "", o->key,
                          o->kind == TH_OPT_SECRET ? "_file" : "");
        th_buf_str(out, "\n");
    }
}
