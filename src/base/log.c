/* One line per record on standard error, in logfmt or JSON.
 *
 * A line is built in a buffer on the stack and written with one write(2) under a lock, so lines of threads
 * never mix, and logging needs no heap. Nothing that a stranger sends can start a second line, close a quote
 * or control a terminal: control characters and invisible ones (th_unseen) are escaped, and ill-formed UTF-8 becomes U+FFFD.
 *
 * A line is at most LINE_MAX_BYTES; what does not fit is left out between two characters and the line ends
 * with cut=true, still well formed. When standard error cannot be written, the line is lost: there is nowhere
 * to say so. */
#include "base/log.h"
#include "base/buf.h"
#include "base/time.h"
#include "base/unseen.h"
#include "lib/json_scan.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 8192
#define TAIL_BYTES 32 /* kept free for the closing quote and the mark */

struct line {
    char b[LINE_MAX_BYTES];
    size_t n;
    bool json, cut;
};

static _Atomic int least_level = TH_LOG_INFO;
static _Atomic int chosen_form = TH_LOG_AUTO;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void th_log_setup(enum th_log_level least, enum th_log_form form)
{
    if (form == TH_LOG_AUTO)
        form = isatty(STDERR_FILENO) ? TH_LOG_LOGFMT : TH_LOG_JSON;
    atomic_store(&least_level, (int)least);
    atomic_store(&chosen_form, (int)form);
}

bool th_log_wants(enum th_log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

/* All of the bytes or none; after the first refusal nothing more. */
static void put(struct line *l, const char *p, size_t n)
{
    if (l->cut || n > sizeof l->b - TAIL_BYTES - l->n) {
        l->cut = true;
        return;
    }
    memcpy(l->b + l->n, p, n);
    l->n += n;
}

/* Past the limit, into the tail. */
static void put_tail(struct line *l, const char *s)
{
    size_t n = strlen(s);

    if (n <= sizeof l->b - l->n) {
        memcpy(l->b + l->n, s, n);
        l->n += n;
    }
}

static void put_escaped(struct line *l, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[128] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

    if (c < 0x80 && shorts[c]) {
        text[1] = shorts[c];
        put(l, text, 2);
    } else {
        put(l, text, 6);
    }
}

/* As JSON has it: above U+FFFF as a pair. */
static void put_unseen(struct line *l, uint32_t c)
{
    char text[13];
    int n = c > 0xffff
                ? snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 + (c & 0x3ff))
                : snprintf(text, sizeof text, "\\u%04x", c);

    put(l, text, (size_t)n);
}

static void put_quoted(struct line *l, struct th_span s)
{
    const char *p = s.n ? s.p : "", *end = p + s.n; /* an empty span may have no address */
    size_t n, bad;

    put(l, "\"", 1);
    if (l->cut)
        return;
    for (; p < end && !l->cut; p += n) {
        unsigned char c = (unsigned char)*p;
        n = 1;
        if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
            put_escaped(l, c);
        } else if (c < 0x80) {
            put(l, p, 1);
        } else if ((n = th_utf8_step(p, end, &bad)) == 0) {
            put(l, "\xef\xbf\xbd", 3);
            n = bad;
        } else if (th_unseen(th_utf8_code(p, end, &n))) {
            put_unseen(l, th_utf8_code(p, end, &n)); /* whoever reads the log on a terminal */
        } else {
            put(l, p, n);
        }
    }
    put_tail(l, "\"");
}

static bool is_plain(struct th_span s)
{
    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return true;
}

static void put_key(struct line *l, const char *key)
{
    size_t n = strlen(key);

    if (n > sizeof l->b - TAIL_BYTES - l->n || sizeof l->b - TAIL_BYTES - l->n - n < 8) {
        l->cut = true; /* name and opening quote together or not at all */
        return;
    }
    if (l->json) {
        put(l, l->n > 1 ? ",\"" : "\"", l->n > 1 ? 2 : 1);
        put(l, key, n);
        put(l, "\":", 2);
    } else {
        put(l, " ", l->n > 0);
        put(l, key, n);
        put(l, "=", 1);
    }
}

static void put_text(struct line *l, const char *key, struct th_span s)
{
    if (l->cut)
        return;
    put_key(l, key);
    if (l->cut)
        return;
    if (!l->json && is_plain(s) && s.n <= sizeof l->b - TAIL_BYTES - l->n)
        put(l, s.p, s.n);
    else
        put_quoted(l, s);
}

static void put_number(struct line *l, const char *key, int64_t v)
{
    char digits[20];
    size_t i = sizeof digits;
    uint64_t rest = v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v;

    do {
        digits[--i] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (v < 0)
        digits[--i] = '-';
    if (l->cut || strlen(key) + 8 + sizeof digits > sizeof l->b - TAIL_BYTES - l->n) {
        l->cut = true;
        return;
    }
    put_key(l, key);
    put(l, digits + i, sizeof digits - i);
}

static void put_time(struct line *l)
{
    struct timespec now;
    char text[40];
    struct th_buf b = {
        .p = text, .cap = sizeof text, .max = sizeof text}; /* never grows: 24 bytes are used */

    clock_gettime(CLOCK_REALTIME, &now);
    th_wall_format(&b, (struct th_wall){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000},
                   TH_RFC3339_MILLIS);
    put_text(l, "time", th_buf_view(&b));
}

static void write_all(const char *p, size_t n)
{
    while (n) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

void th_log_write(enum th_log_level level, const char *message, const struct th_log_kv *kv)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    int form = atomic_load_explicit(&chosen_form, memory_order_relaxed), saved = errno;
    struct line l;

    if (!th_log_wants(level))
        return;
    if (form == TH_LOG_AUTO)
        form = isatty(STDERR_FILENO) ? TH_LOG_LOGFMT : TH_LOG_JSON;
    l.n = 0;
    l.cut = false;
    l.json = form == TH_LOG_JSON;
    if (l.json)
        put(&l, "{", 1);
    put_time(&l);
    put_text(&l, "level", th_str(names[level]));
    put_text(&l, "msg", th_str(message));
    for (; kv && kv->key; kv++) {
        if (kv->kind == TH_KV_I64)
            put_number(&l, kv->key, kv->i);
        else
            put_text(&l, kv->key, kv->s);
    }
    if (l.cut)
        put_tail(&l, l.json ? ",\"cut\":true" : " cut=true");
    put_tail(&l, l.json ? "}\n" : "\n");
    pthread_mutex_lock(&lock);
    write_all(l.b, l.n);
    pthread_mutex_unlock(&lock);
    errno = saved;
}
