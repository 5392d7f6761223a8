/* Watching attempts: each as it ends, whatever made it (a first attempt, a retry, a replay, a test), from the
 * server's stream of them (server-sent events), or by asking for those after the last one.
 *
 * Invariants: (1) each attempt is printed once, in the order in which the server wrote them down: the server names where
 * to go on (`after`, the id of an event), and nothing is asked for by time; (2) `after` moves only when what came with it was
 * printed, so a lost answer or stream, or a server that is started again, leaves no gap; (3) memory does not grow with what is
 * shown. */
#include "cli/cli_tail.h"
#include "cli/cli.h"
#include "cli/cli_call.h"
#include "cli/cli_client.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_out.h"
#include "cli/cmd.h"
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#define PAGE 1000      /* rows of one answer */
#define FIRST_PAGES 20 /* read at most to find the rows that were before */

void th_tail_init(struct th_tail *t, struct th_cli *cli, const char *path)
{
    *t = (struct th_tail){.cli = cli, .path = path};
}

/* "2026-04-02 08:00:00Z": the part behind the date. */
static const char *clock_of(const char *time)
{
    return strlen(time) > 11 ? time + 11 : time;
}

static void print_row(struct th_tail *t, struct th_json row)
{
    struct th_cli *cli = t->cli;
    const char *outcome = th_cli_member(cli, row, "/outcome"), *answer = th_cli_member(cli, row, "/status"),
               *status = th_cli_member(cli, row, "/delivery_status"),
               *next = th_cli_time(cli, row, "/next_attempt_at");

    if (cli->json) {
        (void)th_cli_print_line(cli, row);
    } else {
        printf("%s%s%s  %s  %s%s%s", th_dim(cli), clock_of(th_cli_time(cli, row, "/time")), th_plain(cli),
               th_cli_member(cli, row, "/delivery"), th_status_colour(cli, outcome),
               strcmp(outcome, "failed_status") == 0 ? "failed" : outcome, th_plain(cli));
        if (answer[0] != '-')
            printf(" %s", answer);
        printf("  %s  attempt %s", th_cli_member(cli, row, "/event_type"),
               th_cli_member(cli, row, "/number"));
        if (th_cli_member(cli, row, "/duration_ms")[0] != '-')
            printf("  %s ms", th_cli_member(cli, row, "/duration_ms"));
        printf("  %s%s%s", th_status_colour(cli, status), status, th_plain(cli));
        if (next[0] != '-' && strcmp(status, "retrying") == 0)
            printf(", next %s", clock_of(next));
        putchar('\n');
    }
    snprintf(t->ids[t->next], sizeof t->ids[0], "%s", th_cli_member(cli, row, "/delivery"));
    t->selected = t->next;
    t->next = (t->next + 1) % TH_TAIL_MAX;
    t->count += t->count < TH_TAIL_MAX;
}

/* --status: the server's list of attempts knows only how each ended. */
static bool asked_for(const struct th_tail *t, struct th_json row)
{
    const char *one, *status = th_cli_member(t->cli, row, "/delivery_status");

    for (unsigned i = 0; (one = th_cli_option_at(t->cli, "--status", i)) != NULL; i++)
        if (strcmp(one, status) == 0)
            return true;
    return !th_cli_has(t->cli, "--status");
}

static int ask(struct th_tail *t, const char *name, const char *value, unsigned limit,
               struct th_answer *answer)
{
    const char *path =
        th_cli_printf(t->cli, "%s%climit=%u", t->path, strchr(t->path, '?') ? '&' : '?', limit);

    if (value)
        path = th_cli_printf(t->cli, "%s&%s=%s", path, name, value);
    return th_cli_call(t->cli, "GET", path, (struct th_span){0}, NULL, answer);
}

static void go_on_at(struct th_tail *t, const struct th_answer *answer)
{
    snprintf(t->after, sizeof t->after, "%s", th_cli_member(t->cli, answer->json, "/after"));
}

/* What was before: newest first from the server, oldest first here. */
static int look_back(struct th_tail *t, unsigned last)
{
    struct th_answer answers[FIRST_PAGES];
    struct th_json rows[TH_TAIL_LAST], list, row;
    const char *cursor = NULL;
    unsigned pages = 0, n = 0;
    int status = TH_EXIT_OK;

    do {
        struct th_json_iter it;
        status = ask(t, "cursor", cursor, last ? TH_TAIL_LAST : 1, &answers[pages]);
        if (status)
            break;
        if (pages++ == 0)
            go_on_at(t, &answers[0]);
        if (th_json_member(answers[pages - 1].json, TH_LIT("data"), &list)) {
            th_json_iter(&it, list);
            while (n < last && th_json_next(&it, NULL, &row))
                if (asked_for(t, row))
                    rows[n++] = row;
        }
        cursor = th_cli_member(t->cli, answers[pages - 1].json, "/next_cursor");
    } while (n < last && cursor[0] != '-' && pages < FIRST_PAGES);
    while (!status && n-- > 0)
        print_row(t, rows[n]);
    if (status)
        t->after[0] = 0;
    while (pages-- > 0)
        th_answer_free(&answers[pages]);
    return status;
}

/* What has ended since. *more: not all of it was read. */
static int look_on(struct th_tail *t, bool *more)
{
    struct th_json list, row;
    struct th_json_iter it;
    struct th_answer answer;
    int status = ask(t, "after", t->after, PAGE, &answer);

    *more = false;
    if (status)
        return status;
    if (th_json_member(answer.json, TH_LIT("data"), &list)) {
        th_json_iter(&it, list);
        while (th_json_next(&it, NULL, &row))
            if (asked_for(t, row))
                print_row(t, row);
    }
    *more = strcmp(th_cli_member(t->cli, answer.json, "/more"), "true") == 0;
    go_on_at(t, &answer);
    th_answer_free(&answer);
    return TH_EXIT_OK;
}

int th_tail_look(struct th_tail *t, unsigned last)
{
    struct th_arena saved = t->cli->mem;
    bool more = true;
    int status = TH_EXIT_OK;

    while (!status && more && !ferror(stdout)) {
        th_arena_init(&t->cli->mem, (size_t)64 << 20); /* a look's texts go with it */
        if (t->after[0]) {
            status = look_on(t, &more);
        } else {
            status = look_back(t, last);
            more = false;
        }
        th_arena_fini(&t->cli->mem);
        t->cli->mem = saved;
        fflush(stdout);
    }
    return status;
}

/* ---- the stream ---- */

#define EVENT_MAX ((size_t)4 << 20)
#define SILENT_MS 45000 /* the server sends a comment every 15 s, so it must be gone */

/* "/v1/attempts?x" as "/v1/attempts/stream?x". */
static const char *stream_path(struct th_tail *t)
{
    size_t n = strcspn(t->path, "?");

    return th_cli_printf(t->cli, "%.*s/stream%s", (int)n, t->path, t->path + n);
}

/* The value of a line "name: value"; n == 0: it is another one. */
static struct th_span value_of(struct th_span line, const char *name)
{
    size_t n = strlen(name);

    if (line.n < n + 2 || memcmp(line.p, name, n) != 0 || line.p[n] != ':' || line.p[n + 1] != ' ')
        return (struct th_span){"", 0};
    return th_span(line.p + n + 2, line.n - n - 2);
}

static void print_event(struct th_tail *t, struct th_span name, struct th_span id, struct th_span data)
{
    struct th_json json;

    if (name.n && !th_json_parse(data, TH_JSON_DEPTH, &json, NULL)) {
        if (th_span_is(name, "attempt") && asked_for(t, json))
            print_row(t, json);
        if (th_span_is(name, "gap")) { /* then the attempts after `after` are read at our own pace */
            t->behind = true;
            return;
        }
    }
    if (id.n && id.n < sizeof t->after) {
        memcpy(t->after, id.p, id.n);
        t->after[id.n] = 0;
    }
}

/* One event with its lines, without the empty one. */
static void take_event(struct th_tail *t, struct th_span lines)
{
    struct th_span name = {"", 0}, id = {"", 0}, data = {"", 0};

    while (lines.n) {
        struct th_span line = th_span_cut(&lines, '\n'), value;
        if ((value = value_of(line, "event")).n)
            name = value;
        else if ((value = value_of(line, "id")).n)
            id = value;
        else if ((value = value_of(line, "data")).n)
            data = value;
    }
    print_event(t, name, id, data);
}

static void on_part(void *ctx, struct th_span bytes)
{
    struct th_tail *t = ctx;
    const char *end;
    size_t used = 0;

    t->heard = true;
    th_buf_span(&t->text, bytes);
    while (!t->behind && (end = memmem(t->text.p + used, t->text.n - used, "\n\n", 2))) {
        take_event(t, th_span(t->text.p + used, (size_t)(end - t->text.p) - used));
        used = (size_t)(end - t->text.p) + 2;
    }
    th_buf_shift(&t->text, used);
    t->behind = t->behind || t->text.failed;
}

void th_tail_close(struct th_tail *t)
{
    struct th_answer answer;
    char why[600];

    if (t->stream && !th_client_stream_close(t->stream, &answer, why, sizeof why))
        th_answer_free(&answer);
    t->stream = NULL;
    th_buf_fini(&t->text);
}

static int open_stream(struct th_tail *t)
{
    struct th_cli *cli = t->cli;
    int status = th_cli_connect(cli);

    if (status)
        return status;
    th_buf_init(&t->text, EVENT_MAX);
    t->heard = t->behind = false;
    if (th_client_stream_open(cli->client, stream_path(t),
                              th_cli_printf(cli, "Last-Event-ID: %s\r\n", t->after), on_part, t, &t->stream))
        return th_cli_nomem(cli);
    return TH_EXIT_OK;
}

/* The stream has ended by itself. One that had begun is opened again without a message. */
static int ended(struct th_tail *t)
{
    struct th_client_stream *stream = t->stream;
    struct th_cli *cli = t->cli;
    struct th_answer answer;
    char why[600];
    enum th_error error = th_client_stream_close(stream, &answer, why, sizeof why);
    int status = TH_EXIT_OK;

    t->stream = NULL;
    if (error && !t->heard)
        status = th_cli_fail(cli, TH_EXIT_UNREACHABLE, "%s; %s", why, th_client_advice(cli->client));
    else if (!error && answer.status != 200)
        status = th_cli_refused(cli, &answer);
    if (!error)
        th_answer_free(&answer);
    th_tail_close(t);
    return status;
}

int th_tail_wait(struct th_tail *t, int64_t ms, bool *open)
{
    struct th_arena saved = t->cli->mem;
    int status = TH_EXIT_OK;

    th_arena_init(&t->cli->mem, (size_t)64 << 20); /* a wait's texts go with it */
    if (!t->stream)
        status = open_stream(t);
    if (!status && !th_client_stream_wait(t->stream, ms))
        status = ended(t);
    else if (!status && (t->behind || th_client_stream_silent(t->stream) > SILENT_MS))
        th_tail_close(t);
    *open = t->stream != NULL;
    th_arena_fini(&t->cli->mem);
    t->cli->mem = saved;
    fflush(stdout);
    return status;
}

/* ---- one of them ---- */

/* Id of the delivery whose attempt is selected; NULL, said: there is none yet. */
static const char *selected(const struct th_tail *t)
{
    if (t->count)
        return t->ids[t->selected];
    printf("no attempt yet\n");
    return NULL;
}

void th_tail_move(struct th_tail *t, int step)
{
    unsigned oldest = (t->next + TH_TAIL_MAX - t->count) % TH_TAIL_MAX, at;

    if (!t->count)
        return;
    at = (t->selected + TH_TAIL_MAX - oldest) % TH_TAIL_MAX;
    at = (at + t->count + (step < 0 ? t->count - 1 : 1)) % t->count;
    t->selected = (oldest + at) % TH_TAIL_MAX;
    printf("%sselected %s%s\n", th_bold(t->cli), t->ids[t->selected], th_plain(t->cli));
}

int th_tail_show(struct th_tail *t)
{
    const char *id = selected(t);
    struct th_answer answer;
    int status;

    if (!id)
        return TH_EXIT_OK;
    status = th_cli_call(t->cli, "GET", th_cli_path(t->cli, "/v1/deliveries/%s", id), (struct th_span){0},
                         NULL, &answer);
    if (status)
        return status;
    th_cmd_print_delivery(t->cli, answer.json, true);
    th_answer_free(&answer);
    fflush(stdout);
    return TH_EXIT_OK;
}

int th_tail_retry(struct th_tail *t)
{
    const char *id = selected(t);
    struct th_answer answer;
    int status;

    if (!id)
        return TH_EXIT_OK;
    status = th_cli_call(t->cli, "POST", th_cli_path(t->cli, "/v1/deliveries/%s/retry", id),
                         (struct th_span){0}, NULL, &answer);
    if (status)
        return status;
    th_answer_free(&answer);
    printf("sent again: %s\n", id);
    fflush(stdout);
    return TH_EXIT_OK;
}

/* ---- keys ---- */

static struct termios before;
static bool changed;

void th_keys_close(void)
{
    if (changed)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
    changed = false;
}

bool th_keys_open(void)
{
    struct termios now;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    now = before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 0;
    now.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &now) != 0)
        return false;
    changed = true;
    (void)atexit(th_keys_close);
    return true;
}

int th_keys_read(bool *arrow)
{
    char c, sequence[2];

    *arrow = false;
    if (read(STDIN_FILENO, &c, 1) != 1)
        return 0;
    if (c != 27 || read(STDIN_FILENO, sequence, 2) != 2 || sequence[0] != '[')
        return c;
    *arrow = true;
    return sequence[1];
}
