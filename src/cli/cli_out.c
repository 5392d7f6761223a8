/* Output: colours, tables, JSON with indentation, and text of others made harmless. Colour only on a
 * terminal, and not when NO_COLOR is set (no-color.org). */
#include "cli/cli_out.h"
#include "base/unseen.h"
#include "cli/cli.h"
#include "cli/cli_stream.h"
#include <errno.h>

static const char *when(const struct th_cli *cli, const char *code)
{
    return cli->colour ? code : "";
}

const char *th_red(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "r");
}
const char *th_green(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "g");
}
const char *th_yellow(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "y");
}
const char *th_dim(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "d");
}
const char *th_bold(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "b");
}
const char *th_plain(const struct th_cli *cli)
{
    return when(cli, TH_STREAM_MARK "p");
}

const char *th_status_colour(const struct th_cli *cli, const char *s)
{
    static const char *const good[] = {"delivered", "success", "yes", "ok", "done", "finished", "active"};
    static const char *const waits[] = {"scheduled", "pending", "retrying", "held",
                                        "paused",    "running", "note"};

    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++)
        if (strcmp(s, good[i]) == 0)
            return th_green(cli);
    for (unsigned i = 0; i < sizeof waits / sizeof waits[0]; i++)
        if (strcmp(s, waits[i]) == 0)
            return th_yellow(cli);
    return strcmp(s, "-") == 0 || strcmp(s, "cancelled") == 0 ? th_dim(cli) : th_red(cli);
}

/* True when a terminal must not get the character at p, because it is invisible or not valid UTF-8; *n: its
 * number of bytes. */
bool th_print_is_harmful(const char *p, const char *end, uint32_t *c, size_t *n)
{
    *c = th_utf8_code(p, end, n);
    if (*n && !th_unseen(*c))
        return false;
    *n = *n ? *n : 1;
    return true;
}

static void print_harmless(FILE *to, struct th_span s, bool lines)
{
    const char *end = s.p + s.n;
    char text[16];
    uint32_t c;

    for (size_t used; s.n; s = th_span(s.p + used, (size_t)(end - s.p) - used)) {
        bool bad = th_print_is_harmful(s.p, end, &c, &used);
        if (lines && c == '\r' && s.n > 1 && s.p[1] == '\n')
            continue;
        if (!bad || (lines && (c == '\n' || c == '\t')))
            fwrite(s.p, 1, used, to);
        else
            fwrite(text, 1, (size_t)th_escaped(text, c, used), to);
    }
}

void th_print_safe(FILE *to, struct th_span s)
{
    print_harmless(to, s, true);
}

void th_print_line(FILE *to, struct th_span s)
{
    print_harmless(to, s, false);
}

/* No message when the reader has gone (`| head`): it knows. Anything else is a fault of the output, reported
 * once. */
bool th_cli_flush(void)
{
    static bool said;
    bool ok = fflush(stdout) == 0 && !ferror(stdout);

    if (!ok && !said && errno != EPIPE)
        fprintf(stderr, "tenterhook: standard output cannot be written: %s\n", strerror(errno));
    said = said || !ok;
    return ok;
}

/* ---- JSON ---- */

static void indent(FILE *to, unsigned depth)
{
    fputc('\n', to);
    for (unsigned i = 0; i < depth; i++)
        fputs("  ", to);
}

/* A character of a string, and the one behind a backslash: as they are, or escaped where a terminal must not get them.
 * Returns how many bytes that was. */
static size_t print_in_string(FILE *to, const char *p, const char *end)
{
    size_t n;
    uint32_t c;

    if (th_print_is_harmful(p, end, &c, &n) && c > 0xffff)
        fprintf(to, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff));
    else if (th_print_is_harmful(p, end, &c, &n))
        fprintf(to, "\\u%04x", c);
    else
        fwrite(p, 1, n = c == '\\' ? 2 : n, to);
    return n;
}

/* Over the bytes, which are valid: no recursion, nothing re-written but white space, and what JSON allows in a string
 * and a terminal must not get. */
void th_print_json(FILE *to, struct th_json v)
{
    const char *end = v.raw.p + v.raw.n;
    unsigned depth = 0;
    bool string = false, empty = false;

    for (const char *p = v.raw.p; p < end;) {
        char c = *p;
        if (string) {
            string = c != '"';
            p += print_in_string(to, p, end);
            continue;
        }
        p++;
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
            continue;
        if (c == '}' || c == ']') {
            depth--;
            if (!empty)
                indent(to, depth);
        } else if (empty) {
            indent(to, depth);
        }
        empty = c == '{' || c == '[';
        if (empty)
            depth++;
        string = c == '"';
        fputc(c, to);
        if (c == ':')
            fputc(' ', to);
        if (c == ',')
            indent(to, depth);
    }
    fputc('\n', to);
}
