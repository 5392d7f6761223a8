/* Progress of long work on standard error: a line that is written anew on a terminal, else a line a second; with
 * the time that is left, once that can be told. Silent with --json: programs wait for the result. */
#include "cli/cli_progress.h"
#include "cli/cli.h"
#include "cli/cli_clock.h"
#include "cli/cli_stream.h"
#include <sys/ioctl.h>
#include <unistd.h>

#define ON_TERMINAL_MS 100
#define ELSE_MS 1000
#define COLUMNS 200

void th_progress_start(struct th_progress *p, const struct th_cli *cli)
{
    *p = (struct th_progress){.silent = cli->json, .terminal = isatty(STDERR_FILENO) == 1};
    p->began_ms = p->said_ms = th_cli_clock_ms();
}

unsigned th_terminal_columns(int fd)
{
    struct winsize size;

    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

static void write_line(struct th_progress *p, const char *line)
{
    /* one column is left free: a full line would wrap, and could not be written over */
    unsigned columns = p->terminal ? th_terminal_columns(STDERR_FILENO) : COLUMNS;

    fprintf(stderr, "%s%.*s%s", p->terminal ? TH_STREAM_CLEAR : "", (int)(columns > 1 ? columns - 1 : 1),
            line, p->terminal ? "" : "\n");
    fflush(stderr);
    p->shown = true;
}

void th_progress_say(struct th_progress *p, double part, const char *what, const char *text)
{
    int64_t now = th_cli_clock_ms(), spent = now - p->began_ms;
    char line[COLUMNS + 1], left[64] = "";

    if (p->silent || now - p->said_ms < (p->terminal ? ON_TERMINAL_MS : ELSE_MS))
        return;
    p->said_ms = now;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    if (part > 0.01 && part < 1 && spent > 500)
        snprintf(left, sizeof left, ", about %lld s left",
                 (long long)((double)spent * (1 - part) / part / 1000) + 1);
    snprintf(line, sizeof line, "%s  %3.0f %%  %s%s", what, part * 100, text, left);
    write_line(p, line);
}

void th_progress_end(struct th_progress *p, const char *line)
{
    if (!p->silent && line)
        write_line(p, line);
    else if (p->shown && p->terminal)
        fputs(TH_STREAM_CLEAR, stderr); /* what comes next takes its place */
    if (!p->silent && line && p->terminal)
        fputc('\n', stderr);
    p->shown = false;
}
