/* Times as people write them on a command line: RFC 3339, how long ago, an hour of the clock, a day, and what our own
 * tables print.
 *
 * All without a zone are UTC, as the tables are: what was copied from one finds the row again. An hour alone
 * means the last time that it was that hour, so that --since 23:50 works after midnight. */
#include "cli/cli.h"
#include <time.h>

#define DAY_MS ((int64_t)86400000)

static const char what[] =
    "is not a time; write how long ago (15m, 24h, 7d), 14:00, yesterday, 2026-04-02, or "
    "2026-04-02T08:00:00Z; without a zone it is UTC";

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "14:00" or "14:00:30", with or without a zone of UTC: milliseconds of the day. */
static bool read_clock(struct th_cli *cli, struct th_span s, int64_t *ms)
{
    struct th_wall at;
    const char *text;

    if (s.n && s.p[s.n - 1] == 'Z')
        s.n--;
    if (s.n > 1 && s.p[1] == ':') /* 9:00 */
        s = th_str(th_cli_printf(cli, "0%.*s", (int)s.n, s.p));
    if (s.n != 5 && s.n < 8)
        return false;
    text = th_cli_printf(cli, "1970-01-01T%.*s%sZ", (int)s.n, s.p, s.n == 5 ? ":00" : "");
    if (!th_wall_parse(th_str(text), &at))
        return false;
    *ms = at.ms;
    return true;
}

/* "today", "yesterday" or "2026-04-02", alone or with a clock behind it. */
static bool read_day(struct th_cli *cli, struct th_span s, int64_t now, int64_t *ms)
{
    static const struct {
        const char *word;
        int64_t back;
    } words[] = {{"today", 0}, {"yesterday", DAY_MS}};
    int64_t clock = 0, day = -1;
    struct th_wall at;
    size_t n = 0;

    for (unsigned i = 0; i < 2 && day < 0; i++)
        if (th_span_starts(s, th_str(words[i].word))) {
            day = now - now % DAY_MS - words[i].back;
            n = strlen(words[i].word);
        }
    if (day < 0 && s.n >= 10 &&
        th_wall_parse(th_str(th_cli_printf(cli, "%.10sT00:00:00Z", th_cli_text(cli, th_span(s.p, 10)))),
                      &at)) {
        day = at.ms;
        n = 10;
    }
    if (day < 0)
        return false;
    if (s.n > n &&
        (((s.p[n] != ' ' && s.p[n] != 'T') || !read_clock(cli, th_span(s.p + n + 1, s.n - n - 1), &clock))))
        return false;
    *ms = day + clock;
    return true;
}

static bool read_moment(struct th_cli *cli, struct th_span s, int64_t *ms)
{
    int64_t now = now_ms(), part;
    struct th_wall at;

    if (s.n > 4 && memcmp(s.p + s.n - 4, " UTC", 4) == 0)
        s.n -= 4;
    if (th_wall_parse(s, &at)) {
        *ms = at.ms;
    } else if (th_span_is(s, "now")) {
        *ms = now;
    } else if (th_duration_ms(s, &part)) {
        *ms = now - part;
    } else if (read_clock(cli, s, &part)) {
        *ms = now - now % DAY_MS + part;
        *ms -= *ms > now ? DAY_MS : 0;
    } else {
        return read_day(cli, s, now, ms);
    }
    return true;
}

const char *th_cli_moment(struct th_cli *cli, const char *text)
{
    struct th_wall at;
    struct th_buf out;
    const char *kept;

    if (!read_moment(cli, th_str(text), &at.ms)) {
        th_cli_fail(cli, TH_EXIT_USAGE, "\"%s\": %s", text, what);
        return NULL;
    }
    th_buf_init(&out, 64);
    th_wall_format(&out, at.ms > 0 ? at : (struct th_wall){0}, TH_RFC3339_MILLIS);
    kept = th_cli_text(cli, th_buf_view(&out));
    th_buf_fini(&out);
    return kept;
}
