/* import: creates and changes tenants and endpoints as a YAML file says.
 *
 * The file says what there should be: tenants by id, endpoints by URL within their tenant; what differs is
 * changed, what is missing is created, what the file does not name is left alone. So running it again changes
 * nothing, and a run that ended half way is finished by the next. Of several endpoints with one URL, each row
 * of the file takes the one that is nearest to it.
 *
 * Refuses, before anything is sent: text that is not YAML, unknown keys, a tenant without an id, an id that
 * is given twice. The server judges the rest, with --dry-run as well. Stops at the first refusal, and says
 * where in the file that is and what has been done. A dry run goes on, so that all faults are reported at
 * once. Memory: the file and its tree, one tenant's endpoints, one object; all bounded (cmd_transfer.h). */
#include "base/map.h"
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cli_progress.h"
#include "cli/cmd.h"
#include "cli/cmd_transfer.h"
#include "options/yaml.h"
#include <signal.h>
#include <stdlib.h>

struct import {
    struct th_cli *cli;
    const char *file;
    bool dry;
    unsigned made, changed, same, wrong, reached, total;
    int status; /* of the first that was wrong */
    /* of the tenant that is being worked on */
    const char *tenant;
    bool there;      /* not in a dry run, when it would be made */
    const char *add; /* where endpoints are made; in a dry run that of any tenant will do */
    const char *url; /* name of the URL's member */
    const char *any; /* a tenant that is there, to ask in the name of one that is not */
    struct th_progress progress;
    const char *fallback; /* dialect of a tenant that names none; NULL: not asked for yet */
};

/* An endpoint that is there; those with one URL hang together, oldest first. */
struct found {
    struct th_json row;
    struct found *next;
    bool taken;
};

static volatile sig_atomic_t stop_asked;

static void on_stop(int number)
{
    stop_asked = 1;
    signal(number, SIG_DFL); /* the second time it ends at once */
}

/* ---- the file ---- */

static const struct th_node *child(const struct th_node *map, const char *name)
{
    for (const struct th_node *c = map->kind == TH_NODE_MAP ? map->first : NULL; c; c = c->next)
        if (th_span_is(c->key, name))
            return c;
    return NULL;
}

static int wrong(struct import *m, unsigned line, const char *what)
{
    return th_cli_fail(m->cli, TH_EXIT_DATA, "%s:%u: %s", m->file, line, what);
}

static int check_endpoints(struct import *m, const struct th_node *list)
{
    if (list->kind != TH_NODE_LIST)
        return list->kind == TH_NODE_SCALAR && list->text.n == 0
                   ? TH_EXIT_OK
                   : wrong(m, list->line, "endpoints must be a list");
    for (const struct th_node *e = list->first; e; e = e->next) {
        if (e->kind != TH_NODE_MAP)
            return wrong(m, e->line, "an endpoint must be a map of its fields");
        m->total++;
    }
    return TH_EXIT_OK;
}

static int check_tenant(struct import *m, const struct th_node *t, struct th_smap *ids)
{
    static const char *const keys[] = {"id",     "name",        "dialect",           "attributes",
                                       "limits", "event_types", "retention_seconds", "endpoints"};
    const struct th_node *id = child(t, "id"), *endpoints = child(t, "endpoints"),
                         *types = child(t, "event_types");

    if (!id || id->kind != TH_NODE_SCALAR || !id->text.n)
        return wrong(m, t->line, "a tenant without id");
    for (const struct th_node *c = t->first; c; c = c->next) {
        bool known = false;
        for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++)
            known = known || th_span_is(c->key, keys[i]);
        if (!known)
            return th_cli_fail(
                m->cli, TH_EXIT_DATA,
                "%s:%u: unknown key \"%.*s\" of a tenant; there are id, name, dialect, attributes, "
                "limits, retention_seconds, event_types and endpoints",
                m->file, c->line, (int)c->key.n, c->key.p);
    }
    if (th_smap_get(ids, id->text))
        return th_cli_fail(m->cli, TH_EXIT_DATA, "%s:%u: the tenant \"%.*s\" is given twice", m->file,
                           t->line, (int)id->text.n, id->text.p);
    if (th_smap_put(ids, id->text, (void *)(uintptr_t)t))
        return th_cli_nomem(m->cli);
    m->total++;
    if (types && types->kind != TH_NODE_LIST)
        return wrong(m, types->line, "event_types must be a list");
    for (const struct th_node *e = types ? types->first : NULL; e; e = e->next)
        if (e->kind != TH_NODE_MAP || !child(e, "type"))
            return wrong(m, e->line, "an event type must be a map of its members, `type` among them");
    return endpoints ? check_endpoints(m, endpoints) : TH_EXIT_OK;
}

/* Checks all of the file first, so that a fault at its end is not found when half of the work is done. */
static int check_tree(struct import *m, const struct th_node *root)
{
    const struct th_node *tenants = child(root, "tenants");
    struct th_smap ids;
    int status = TH_EXIT_OK;

    for (const struct th_node *c = root->kind == TH_NODE_MAP ? root->first : NULL; c; c = c->next)
        if (!th_span_is(c->key, "tenants"))
            return th_cli_fail(m->cli, TH_EXIT_DATA, "%s:%u: unknown key \"%.*s\"; there is only tenants",
                               m->file, c->line, (int)c->key.n, c->key.p);
    if (!tenants || tenants->kind != TH_NODE_LIST)
        return th_cli_fail(m->cli, TH_EXIT_DATA, "%s: has no list `tenants`", m->file);
    th_smap_init(&ids, 1u << 24, 0x7e47e8u);
    for (const struct th_node *t = tenants->first; t && !status; t = t->next)
        status = check_tenant(m, t, &ids);
    th_smap_fini(&ids);
    return status;
}

static struct th_json json_of(struct th_cli *cli, const struct th_node *n)
{
    struct th_json v = {0};
    struct th_span text;
    struct th_jw w;
    struct th_buf b;

    th_buf_init(&b, TH_TRANSFER_WORK);
    w = th_jw(&b);
    (void)th_node_write(n, false, &w); /* th_yaml_parse refuses deeper nesting */
    if (b.failed)
        exit(th_cli_nomem(cli));
    text = th_span(th_cli_text(cli, th_buf_view(&b)), b.n);
    th_buf_wipe(&b);
    if (th_json_parse(text, TH_JSON_DEPTH, &v, NULL))
        v = (struct th_json){0};
    return v;
}

/* ---- one object ---- */

/* Prints one line. sign: '+', '~' or '='. Printed when something has been done, or would be. */
static void say(struct import *m, char sign, const char *what, const char *name, const char *fields)
{
    struct th_cli *c = m->cli;

    m->made += sign == '+';
    m->changed += sign == '~';
    m->same += sign == '=';
    if (c->json) {
        th_cli_print_format(c, "{\"action\": \"%s\", \"%s\": %s, \"fields\": %s}\n",
                            sign == '+'   ? "create"
                            : sign == '~' ? "change"
                                          : "keep",
                            what, th_cli_quoted(c, name), th_cli_quoted(c, fields));
    } else if (sign != '=') {
        th_progress_end(&m->progress, NULL);
        printf("%s%c%s %s ", sign == '+' ? th_green(c) : th_yellow(c), sign, th_plain(c), what);
        th_print_safe(stdout, th_str(name));
        printf("%s%s\n", *fields ? ": " : "", fields);
    }
    fflush(stdout); /* whoever reads it may wait for each line */
}

static void say_progress(struct import *m)
{
    char text[96];

    m->reached++;
    snprintf(text, sizeof text, "%u of %u", m->reached, m->total);
    th_progress_say(&m->progress, (double)m->reached / m->total, m->dry ? "comparing" : "importing", text);
}

/* As `actor`; in a dry run the server only checks. *now: the object as it is then, in cli->mem; NULL: never mind. */
static int put(struct import *m, const char *actor, const char *method, const char *path, struct th_span body,
               struct th_json *now)
{
    struct th_answer answer;
    int status;

    m->cli->acting_tenant = actor;
    status = th_cli_call(
        m->cli, method,
        m->dry ? th_cli_printf(m->cli, "%s%cdry_run=true", path, strchr(path, '?') ? '&' : '?') : path, body,
        NULL, &answer);
    if (status)
        return status;
    if (now && answer.json.raw.n)
        *now = (struct th_json){answer.json.type, {th_cli_text(m->cli, answer.json.raw), answer.json.raw.n}};
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

/* Text of a JSON string, as a key. In cli->mem. */
static struct th_span key_of(struct th_cli *cli, struct th_json v)
{
    return th_str(th_cli_member(cli, v, ""));
}

/* Among the endpoints with this URL that no row of the file has taken yet, the one that differs least; the
 * oldest of equal ones. */
static struct found *nearest(struct import *m, struct th_json want, struct found *first)
{
    struct found *best = NULL;
    unsigned least = UINT32_MAX, n;

    for (struct found *f = first; f && least; f = f->next) {
        const char *names;
        if (f->taken)
            continue;
        (void)th_transfer_differing(m->cli, want, f->row, &names, &n);
        if (n < least) {
            best = f;
            least = n;
        }
    }
    return best;
}

static int import_endpoint(struct import *m, struct th_json want, const struct th_smap *have)
{
    struct th_cli *cli = m->cli;
    struct th_json url;
    const char *shown, *names;
    struct found *match;
    struct th_span body;
    unsigned n;
    int status;

    if (!th_transfer_member(want, m->url, &url) || url.type != TH_JSON_STRING)
        return th_cli_fail(cli, TH_EXIT_DATA, "an endpoint without %s", m->url);
    shown = th_cli_member(cli, url, "");
    match = nearest(m, want, th_smap_get(have, key_of(cli, url)));
    if (!match) {
        status = put(m, m->there ? m->tenant : m->any, "POST", m->add, want.raw, NULL);
        if (!status)
            say(m, '+', "endpoint", shown, "");
        return status;
    }
    match->taken = true;
    body = th_transfer_differing(cli, want, match->row, &names, &n);
    status = n ? put(m, m->tenant, "PATCH",
                     th_cli_path(cli, "/v1/webhooks/%s", th_cli_member(cli, match->row, "/id")), body, NULL)
               : TH_EXIT_OK;
    if (!status)
        say(m, n ? '~' : '=', "endpoint", shown, names);
    return status;
}

/* ---- one tenant ---- */

/* By URL; those with one URL in the order of their age. */
static bool index_rows(struct import *m, const struct th_rows *rows, struct th_smap *out)
{
    th_smap_init(out, 1u << 24, 0x7e47e8u);
    for (unsigned i = rows->count; i-- > 0;) {
        struct found *f = th_arena_get(&m->cli->mem, sizeof *f);
        struct th_json url;
        struct th_span key;
        if (!f)
            return false;
        *f = (struct found){.row = rows->v[i]};
        if (!th_transfer_member(rows->v[i], m->url, &url))
            continue;
        key = key_of(m->cli, url);
        f->next = th_smap_get(out, key);
        if (th_smap_put(out, key, f))
            return false;
    }
    return true;
}

/* Whether to go on after one object. */
static bool next_one(struct import *m, int status)
{
    bool stops = status && (!m->dry || (status != TH_EXIT_NO && status != TH_EXIT_DATA));

    if (status) {
        m->wrong++;
        m->status = m->status ? m->status : status;
    }
    if (!status || !stops)
        say_progress(m);
    return !stops && !stop_asked && !ferror(stdout);
}

static bool import_endpoints(struct import *m, const struct th_node *list, const struct th_smap *have)
{
    bool on = true;

    for (const struct th_node *e = list && list->kind == TH_NODE_LIST ? list->first : NULL; e && on;
         e = e->next) {
        struct th_arena saved = th_transfer_begin(m->cli, TH_TRANSFER_WORK);
        m->cli->where = th_cli_printf(m->cli, "%s:%u: ", m->file, e->line);
        on = next_one(m, import_endpoint(m, json_of(m->cli, e), have));
        m->cli->where = NULL;
        th_transfer_end(m->cli, saved);
    }
    return on;
}

/* The dialect of a tenant that names none. */
static int default_dialect(struct import *m, const char **name)
{
    struct th_answer answer;
    int status = TH_EXIT_OK;

    if (!m->fallback) {
        status = th_cli_call(m->cli, "GET", "/v1/dialects", (struct th_span){0}, NULL, &answer);
        if (status)
            return status;
        m->fallback = th_cli_member(m->cli, answer.json, "/default");
        th_answer_free(&answer);
    }
    *name = m->fallback;
    return status;
}

/* The dialect that the tenant has or will have: what its URLs are called, and by which rules they are checked. */
static int learn_dialect(struct import *m, struct th_json want, struct th_json have, struct th_json now)
{
    const char *old = have.raw.n ? th_cli_member(m->cli, have, "/dialect") : "-",
               *dialect = th_cli_member(m->cli, want, "/dialect");
    struct th_answer answer;
    int status = TH_EXIT_OK;

    m->cli->acting_tenant = "default";
    if (now.raw.n)
        dialect = th_cli_member(m->cli, now, "/dialect");
    else if (dialect[0] == '-' && have.raw.n)
        dialect = old;
    else if (dialect[0] == '-')
        status = default_dialect(m, &dialect);
    if (status)
        return status;
    m->there = have.raw.n || !m->dry;
    m->add = m->dry && strcmp(old, dialect) != 0
                 ? th_cli_path(m->cli, "/v1/webhooks?moved=true&dialect=%s", dialect)
                 : "/v1/webhooks?moved=true";
    status = th_cli_call(m->cli, "GET", th_cli_path(m->cli, "/v1/dialects/%s", dialect), (struct th_span){0},
                         NULL, &answer);
    if (status)
        return status;
    m->url = th_cmd_wire(m->cli, answer.json, "url");
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

/* Reads an object as the operator. *have: raw.n == 0 if it does not exist. */
static int what_is_there(struct th_cli *cli, const char *path, struct th_json *have)
{
    struct th_answer answer;
    int status;

    *have = (struct th_json){0};
    cli->acting_tenant = "default";
    status = th_cli_try(cli, "GET", path, (struct th_span){0}, NULL, &answer);
    if (status)
        return status;
    if (answer.status == 200)
        *have = (struct th_json){answer.json.type, {th_cli_text(cli, answer.json.raw), answer.json.raw.n}};
    else if (answer.status != 404)
        status = th_cli_refused(cli, &answer);
    th_answer_free(&answer);
    return status;
}

/* Makes or changes the tenant itself. *have: the tenant as it was; raw.n == 0: it did not exist. */
static int import_object(struct import *m, struct th_json want, struct th_json *have)
{
    struct th_cli *cli = m->cli;
    const char *path = th_cli_path(cli, "/v1/tenants/%s", m->tenant), *names;
    struct th_json now = {0};
    struct th_span body;
    unsigned n;
    int status;

    status = what_is_there(cli, path, have);
    if (status)
        return status;
    body = th_transfer_differing(cli, want, *have, &names, &n);
    if (!have->raw.n || n)
        status = put(m, "default", "PUT", path, body, &now);
    if (!status)
        say(m, !have->raw.n ? '+' : n ? '~' : '=', "tenant", m->tenant, have->raw.n ? names : "");
    return status ? status : learn_dialect(m, want, *have, now);
}

/* A map without the members of these names. */
static struct th_json without(struct th_cli *cli, const struct th_node *map, const char *a, const char *b)
{
    struct th_node copy = *map, fields[16], **tail = &copy.first;
    unsigned n = 0;

    copy.first = NULL;
    for (const struct th_node *c = map->first; c && n < 16; c = c->next) {
        if (th_span_is(c->key, a) || th_span_is(c->key, b))
            continue;
        fields[n] = *c;
        fields[n].next = NULL;
        *tail = &fields[n];
        tail = &fields[n++].next;
    }
    return json_of(cli, &copy);
}

static unsigned children(const struct th_node *list)
{
    unsigned n = 0;

    for (const struct th_node *c = list && list->kind == TH_NODE_LIST ? list->first : NULL; c; c = c->next)
        n++;
    return n;
}

static int import_type(struct import *m, const struct th_node *node)
{
    struct th_cli *cli = m->cli;
    struct th_json named = json_of(cli, node), want = without(cli, node, "type", "type"), have = {0};
    const char *name = th_cli_member(cli, named, "/type"),
               *path = th_cli_path(cli, "/v1/tenants/%s/event-types/%s", m->tenant, name), *names;
    struct th_span body;
    unsigned n;
    int status;

    status = what_is_there(cli, path, &have);
    if (status)
        return status;
    body = th_transfer_differing(cli, want, have, &names, &n);
    if ((!have.raw.n || n) && (m->there || !m->dry))
        status = put(m, "default", "PUT", path, body, NULL);
    if (!status)
        say(m, !have.raw.n ? '+' : n ? '~' : '=', "event_type", name, have.raw.n ? names : "");
    return status;
}

static int import_types(struct import *m, const struct th_node *list)
{
    int status = TH_EXIT_OK;

    for (const struct th_node *e = list ? list->first : NULL; e && !status; e = e->next) {
        m->cli->where = th_cli_printf(m->cli, "%s:%u: ", m->file, e->line);
        status = import_type(m, e);
        m->cli->where = NULL;
    }
    return status;
}

/* False: the end of the run. */
static bool import_tenant(struct import *m, const struct th_node *node)
{
    const struct th_node *endpoints = child(node, "endpoints");
    struct th_cli *cli = m->cli;
    struct th_json want = without(cli, node, "endpoints", "event_types"), there;
    struct th_rows rows = {.cli = cli};
    struct th_smap have;
    int status;
    bool on;

    m->tenant = th_cli_member(cli, want, "/id");
    cli->where = th_cli_printf(cli, "%s:%u: ", m->file, node->line);
    status = import_object(m, want, &there);
    cli->where = NULL;
    if (!status) {
        m->there = there.raw.n || !m->dry;
        status = import_types(m, child(node, "event_types"));
    }
    on = next_one(m, status);
    if (status) /* its endpoints cannot be judged */
        m->reached += on ? children(endpoints) : 0;
    if (status || !on)
        return on;
    if (there.raw.n)
        status = th_rows_endpoints(cli, m->tenant, &rows);
    if (status)
        return next_one(m, status);
    on = index_rows(m, &rows, &have) ? import_endpoints(m, endpoints, &have) : next_one(m, th_cli_nomem(cli));
    th_smap_fini(&have);
    return on;
}

/* ---- the command ---- */

static void report(const struct import *m)
{
    static const char *const would[] = {"to create", "to change"}, *const did[] = {"created", "changed"};
    const char *const *words = m->dry ? would : did;
    unsigned left = m->total - m->reached;

    if (m->cli->json) {
        th_cli_print_format(
            m->cli,
            "{\"done\": %s, \"dry_run\": %s, \"created\": %u, \"changed\": %u, \"kept\": %u, \"refused\": "
            "%u, "
            "\"left\": %u}\n",
            m->status ? "false" : "true", m->dry ? "true" : "false", m->made, m->changed, m->same, m->wrong,
            left);
        return;
    }
    printf("%s%u %s, %u %s, %u as they should be", m->status && !m->dry ? "stopped: " : "", m->made, words[0],
           m->changed, words[1], m->same);
    if (m->wrong && m->dry)
        printf(", %u that would be refused", m->wrong);
    if (m->status && !m->dry)
        printf(", %u not reached; the same command again goes on from there", left);
    printf("%s\n", m->dry ? " (dry run: nothing was changed)" : "");
}

static int find_any(struct import *m)
{
    struct th_answer answer;
    int status = th_cli_call(m->cli, "GET", "/v1/tenants?limit=1", (struct th_span){0}, NULL, &answer);

    if (status)
        return status;
    m->any = th_cli_member(m->cli, answer.json, "/data/0/id");
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

static int import_tree(struct import *m, const struct th_node *root)
{
    int status = check_tree(m, root);
    bool on = true;

    if (!status && m->dry)
        status = find_any(m);
    if (status)
        return status;
    signal(SIGINT, on_stop);
    signal(SIGTERM, on_stop);
    th_progress_start(&m->progress, m->cli);
    for (const struct th_node *t = child(root, "tenants")->first; t && on; t = t->next) {
        struct th_arena saved = th_transfer_begin(m->cli, TH_TRANSFER_ROWS);
        on = import_tenant(m, t);
        m->cli->acting_tenant = "default"; /* the id goes with the rows */
        th_transfer_end(m->cli, saved);
    }
    th_progress_end(&m->progress, NULL);
    if (!m->status && m->reached < m->total)
        m->status = TH_EXIT_NO;
    report(m);
    return m->status;
}

int th_cmd_import(struct th_cli *cli)
{
    struct import m = {.cli = cli,
                       .file = strcmp(cli->args[0], "-") == 0 ? "standard input" : cli->args[0],
                       .dry = th_cli_has(cli, "--dry-run")};
    struct th_node *root;
    struct th_arena mem;
    struct th_buf text;
    char why[600];
    int status = th_cli_read_file(cli, cli->args[0], TH_TRANSFER_MAX, &text);

    if (status)
        return status;
    cli->acting_tenant = "default"; /* named in each request: not in the client */
    cli->patient = true;
    th_arena_init(&mem, TH_TRANSFER_TREE);
    if (th_yaml_parse(m.file, th_buf_view(&text), TH_TRANSFER_MAX, &mem, &root, why, sizeof why))
        status = th_cli_fail(cli, TH_EXIT_DATA, "%s", why);
    else
        status = import_tree(&m, root);
    th_arena_fini(&mem);
    th_buf_wipe(&text);
    return status;
}
