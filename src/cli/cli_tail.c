/* Watching deliveries by asking for the newest ones again and again: works with every server, through every
 * proxy, and with a key that may only read.
 *
 * Invariants: memory is bounded by TH_TAIL_MAX rows; a delivery that is older than those is shown again if it
 * changes. LIMIT: one look reads the newest 200; what is older and unfinished is asked for by id, 20 a look.
 */
#include "cli/cli_tail.h"
#include "cli/cmd.h"
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define LOOK 200
#define BY_ID 20

void th_tail_init(struct th_tail *t, struct th_cli *cli, const char *path)
{
    *t = (struct th_tail){.cli = cli, .path = path};
}

static struct th_tail_row *find(struct th_tail *t, const char *id)
{
    for (unsigned i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].id, id) == 0)
            return &t->rows[i];
    return NULL;
}

static void print_row(struct th_tail *t, struct th_json row)
{
    struct th_cli *cli = t->cli;
    const char *status = th_cli_member(cli, row, "/status"),
               *answer = th_cli_member(cli, row, "/last_attempt/status");
    const char *time = th_cli_time(cli, row, "/last_attempt/time"),
               *next = th_cli_time(cli, row, "/next_attempt_at");

    if (cli->json) {
        printf("%.*s\n", (int)row.raw.n, row.raw.p);
    } else {
        if (time[0] == '-')
            time = th_cli_time(cli, row, "/created_at");
        if (answer[0] == '-')
            answer = th_cli_member(cli, row, "/last_attempt/outcome");
        printf("%s%s%s  %s  %s%-9s%s  %s  %s  attempt %s", th_dim(cli), strlen(time) > 11 ? time + 11 : time,
               th_plain(cli), th_cli_member(cli, row, "/id"), th_status_colour(cli, status), status,
               th_plain(cli), answer, th_cli_member(cli, row, "/event_type"),
               th_cli_member(cli, row, "/attempt_count"));
        if (th_cli_member(cli, row, "/last_attempt/duration_ms")[0] != '-')
            printf("  %s ms", th_cli_member(cli, row, "/last_attempt/duration_ms"));
        if (next[0] != '-' && strcmp(status, "retrying") == 0)
            printf("  next %s", strlen(next) > 11 ? next + 11 : next);
        putchar('\n');
    }
    snprintf(t->selected, sizeof t->selected, "%s", th_cli_member(cli, row, "/id"));
}

/* True when it is new or has changed. */
static bool note(struct th_tail *t, struct th_json row)
{
    const char *id = th_cli_member(t->cli, row, "/id"), *status = th_cli_member(t->cli, row, "/status");
    int64_t attempts = strtoll(th_cli_member(t->cli, row, "/attempt_count"), NULL, 10);
    struct th_tail_row *r = find(t, id);
    bool changed = !r || strcmp(r->status, status) != 0 || r->attempts != attempts;

    if (!r) {
        r = &t->rows[t->next];
        t->next = (t->next + 1) % TH_TAIL_MAX;
        t->count += t->count < TH_TAIL_MAX;
        snprintf(r->id, sizeof r->id, "%s", id);
    }
    snprintf(r->status, sizeof r->status, "%s", status);
    r->attempts = attempts;
    r->fresh = true;
    return changed;
}

static bool ended(const struct th_tail_row *r)
{
    return strcmp(r->status, "delivered") == 0 || strcmp(r->status, "failed") == 0 ||
           strcmp(r->status, "cancelled") == 0;
}

static int look_by_id(struct th_tail *t)
{
    unsigned asked = 0;

    for (unsigned i = 0; i < t->count && asked < BY_ID; i++) {
        struct th_answer answer;
        int status;
        if (t->rows[i].fresh || ended(&t->rows[i]))
            continue;
        asked++;
        status = th_cli_try(t->cli, "GET", th_cli_path(t->cli, "/v1/deliveries/%s", t->rows[i].id),
                            (struct th_span){0}, NULL, &answer);
        if (status)
            return status;
        if (answer.status == 200 && note(t, answer.json))
            print_row(t, answer.json);
        th_answer_free(&answer);
    }
    return TH_EXIT_OK;
}

int th_tail_look(struct th_tail *t, unsigned last)
{
    struct th_arena saved = t->cli->mem;
    struct th_answer answer;
    struct th_json rows[LOOK], list;
    struct th_json_iter it;
    unsigned n = 0;
    int status;

    th_arena_init(&t->cli->mem, (size_t)64 << 20); /* a look's texts go with it */
    for (unsigned i = 0; i < t->count; i++)
        t->rows[i].fresh = false;
    status = th_cli_call(
        t->cli, "GET", th_cli_printf(t->cli, "%s%climit=%d", t->path, strchr(t->path, '?') ? '&' : '?', LOOK),
        (struct th_span){0}, NULL, &answer);
    if (!status && th_json_member(answer.json, TH_LIT("data"), &list)) {
        th_json_iter(&it, list);
        while (n < LOOK && th_json_next(&it, NULL, &rows[n]))
            n++;
        while (n-- > 0)
            if (note(t, rows[n]) && (t->primed || n < last))
                print_row(t, rows[n]);
    }
    if (!status) {
        th_answer_free(&answer);
        status = t->primed ? look_by_id(t) : TH_EXIT_OK;
    }
    t->primed = t->primed || !status;
    th_arena_fini(&t->cli->mem);
    t->cli->mem = saved;
    fflush(stdout);
    return status;
}

void th_tail_move(struct th_tail *t, int step)
{
    struct th_tail_row *r = find(t, t->selected);
    unsigned at;

    if (!r)
        return;
    at = (unsigned)(r - t->rows);
    at = (at + t->count + (step < 0 ? t->count - 1 : 1)) % t->count;
    snprintf(t->selected, sizeof t->selected, "%s", t->rows[at].id);
    printf("%sselected %s%s\n", th_bold(t->cli), t->selected, th_plain(t->cli));
}

int th_tail_show(struct th_tail *t)
{
    struct th_answer answer;
    int status;

    if (!t->selected[0])
        return printf("no delivery yet\n"), TH_EXIT_OK;
    status = th_cli_call(t->cli, "GET", th_cli_path(t->cli, "/v1/deliveries/%s", t->selected),
                         (struct th_span){0}, NULL, &answer);
    if (status)
        return status;
    th_cmd_print_delivery(t->cli, answer.json, true);
    th_answer_free(&answer);
    fflush(stdout);
    return TH_EXIT_OK;
}

int th_tail_retry(struct th_tail *t)
{
    struct th_answer answer;
    int status;

    if (!t->selected[0])
        return printf("no delivery yet\n"), TH_EXIT_OK;
    status = th_cli_call(t->cli, "POST", th_cli_path(t->cli, "/v1/deliveries/%s/retry", t->selected),
                         (struct th_span){0}, NULL, &answer);
    if (status)
        return status;
    th_answer_free(&answer);
    printf("sent again: %s\n", t->selected);
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
