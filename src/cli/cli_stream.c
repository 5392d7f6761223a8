/* Everything that a command prints passes through here, so that text from others is made harmless.
 *
 * Why at this one place: a value of a tenant (an event type, a header, the detail of an error) is printed at a hundred
 * places, and each new one would have to think of it. Only here can a test promise it for all.
 *
 * How: stdout and stderr become streams of our own. All characters that th_unseen names are escaped, except
 * newline and tab; our own colours come as a mark and a letter (TH_STREAM_MARK) and become escape sequences
 * here, so that an escape sequence in a text is never one of ours.
 *
 * Invariants: bytes that are no UTF-8 are escaped too; a sequence that is cut by the end of a write waits for the rest
 * of it. JSON stays JSON. Failure: a failed write sets errno and ferror, as with any stream. Main thread
 * only. */
#include "cli/cli_stream.h"
#include "base/unseen.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OUT 16384

struct filter {
    int fd;
    char kept[8]; /* beginning of a sequence with which the next write goes on */
    size_t kept_n;
    char out[OUT];
    size_t n;
};

static struct filter standard_output = {.fd = STDOUT_FILENO}, standard_error = {.fd = STDERR_FILENO};
static bool as_json;

static bool write_out(struct filter *f)
{
    size_t done = 0;

    while (done < f->n) {
        ssize_t n = write(f->fd, f->out + done, f->n - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        done += (size_t)n;
    }
    done = done == f->n;
    f->n = 0;
    return done;
}

/* At most 16 bytes: the caller leaves room. */
static void put(struct filter *f, const char *p, size_t n)
{
    memcpy(f->out + f->n, p, n);
    f->n += n;
}

/* c: a code point, or a byte that is not UTF-8 (n is 1). */
int th_escaped(char text[16], uint32_t c, size_t n)
{
    if (c < 0x100 && n == 2) /* as its bytes: most programs show C1 so */
        return snprintf(text, 16, "\\x%02x\\x%02x", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
    return snprintf(text, 16, c > 0xffff ? "\\U%08x" : c > 0xff ? "\\u%04x" : "\\x%02x", c);
}

static void put_escaped(struct filter *f, uint32_t c, size_t bytes)
{
    char text[16];
    int n = !as_json ? th_escaped(text, c, bytes)
            : c > 0xffff
                ? snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff))
                : snprintf(text, sizeof text, "\\u%04x", c);

    put(f, text, (size_t)n);
}

/* Writes one of our own sequences; false: the byte is not ours. */
static bool put_marked(struct filter *f, char letter)
{
    static const struct {
        char letter;
        const char *sequence;
    } rows[] = {{'r', "\033[31m"}, {'g', "\033[32m"}, {'y', "\033[33m"}, {'d', "\033[2m"},
                {'b', "\033[1m"},  {'p', "\033[0m"},  {'K', "\r\033[K"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].letter == letter) {
            put(f, rows[i].sequence, strlen(rows[i].sequence));
            return true;
        }
    return false;
}

/* How many bytes a sequence has that begins with c; 0: none begins with it. */
static size_t wanted(unsigned char c)
{
    return c == 0xff  ? 2 /* a mark */
           : c < 0x80 ? 1
           : c < 0xc2 ? 0
           : c < 0xe0 ? 2
           : c < 0xf0 ? 3
           : c < 0xf5 ? 4
                      : 0;
}

/* Writes the character at p; returns how many bytes that was. 0: the rest of it has not come yet. */
static size_t step(struct filter *f, const char *p, const char *end)
{
    unsigned char first = (unsigned char)p[0];
    size_t n = wanted(first), used;
    uint32_t c;

    if (n > (size_t)(end - p))
        return 0;
    if (first == 0xff && put_marked(f, p[1]))
        return 2;
    c = th_utf8_code(p, end, &used);
    if (used == 0) {
        if (as_json)
            put(f, "\\ufffd", 6);
        else
            put_escaped(f, first, 1);
        return 1;
    }
    if (th_unseen(c) && c != '\n' && c != '\t' &&
        !(as_json && c < 0x20)) /* JSON has no others in its strings */
        put_escaped(f, c, used);
    else
        put(f, p, used);
    return used;
}

static ssize_t filter(void *cookie, const char *bytes, size_t count)
{
    struct filter *f = cookie;
    const char *p = bytes, *end = bytes + count;
    bool ok = true;

    while (f->kept_n && p < end) { /* byte by byte, until the cut sequence has an end */
        size_t used;
        f->kept[f->kept_n++] = *p++;
        while (f->kept_n && (used = step(f, f->kept, f->kept + f->kept_n)) != 0) {
            f->kept_n -= used;
            memmove(f->kept, f->kept + used, f->kept_n);
        }
    }
    while (p < end) {
        size_t used = step(f, p, end);
        if (used == 0) {
            f->kept_n = (size_t)(end - p);
            memcpy(f->kept, p, f->kept_n);
            break;
        }
        p += used;
        if (f->n > OUT - 32)
            ok = write_out(f) && ok;
    }
    return write_out(f) && ok ? (ssize_t)count : 0;
}

static FILE *opened(struct filter *f, FILE *before, int mode)
{
    FILE *to = fopencookie(f, "w", (cookie_io_functions_t){.write = filter});

    if (!to)
        return before;
    fflush(before);
    setvbuf(to, NULL, mode, BUFSIZ);
    return to;
}

void th_stream_open(bool json)
{
    as_json = json;
    stdout = opened(&standard_output, stdout, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF);
    stderr = opened(&standard_error, stderr, _IOLBF);
}
