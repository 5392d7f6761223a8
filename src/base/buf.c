/* A bounded growing buffer, like curl's dynbuf: it doubles up to its maximum, and a failure stays until it is
 * reset. */
#include "base/buf.h"
#include "base/alloc.h"
#include <stdarg.h>
#include <stdio.h>

void th_buf_init(struct th_buf *b, size_t max)
{
    *b = (struct th_buf){.max = max};
}

void th_buf_fini(struct th_buf *b)
{
    th_free(b->p);
    th_buf_init(b, b->max);
}

void th_buf_wipe(struct th_buf *b)
{
    if (b->p)
        th_wipe(b->p, b->cap);
    th_buf_fini(b);
}

void th_buf_reset(struct th_buf *b)
{
    b->n = 0;
    b->failed = TH_OK;
}

char *th_buf_room(struct th_buf *b, size_t more)
{
    size_t want, cap;
    char *p;

    if (b->failed)
        return NULL;
    if (more > b->max || b->n > b->max - more) {
        b->failed = TH_TOO_LARGE;
        return NULL;
    }
    want = b->n + more;
    if (want <= b->cap && b->p)
        return b->p + b->n;
    cap = b->cap ? b->cap : 64;
    while (cap < want && cap <= SIZE_MAX / 2)
        cap *= 2;
    if (cap < want)
        cap = want;
    if (cap > b->max && b->max < SIZE_MAX)
        cap = b->max + 1; /* one byte more for th_buf_cstr */
    p = th_realloc(b->p, cap);
    if (!p) {
        b->failed = TH_NOMEM;
        return NULL;
    }
    b->p = p;
    b->cap = cap;
    return b->p + b->n;
}

void th_buf_grow_add(struct th_buf *b, const void *p, size_t n)
{
    char *to = th_buf_room(b, n);

    if (!to)
        return;
    if (n)
        memcpy(to, p, n);
    b->n += n;
}

void th_buf_str(struct th_buf *b, const char *s)
{
    th_buf_add(b, s, strlen(s));
}

void th_buf_u64(struct th_buf *b, uint64_t v)
{
    char digits[20], *end = digits + sizeof digits, *first = th_decimal_before(end, v);

    th_buf_add(b, first, (size_t)(end - first));
}

void th_buf_i64(struct th_buf *b, int64_t v)
{
    if (v < 0)
        th_buf_char(b, '-');
    th_buf_u64(b, v < 0 ? (uint64_t)0 - (uint64_t)v : (uint64_t)v);
}

/* Room for a NUL behind `more` bytes to come; it does not count against the maximum. False on failure
 * (sticky). */
static bool terminator_fits(struct th_buf *b, size_t more)
{
    size_t want = b->n + more + 1;
    char *p;

    if (b->p && want <= b->cap)
        return true;
    p = th_realloc(b->p, want);
    if (!p) {
        b->failed = TH_NOMEM;
        return false;
    }
    b->p = p;
    b->cap = want;
    return true;
}

void th_buf_printf(struct th_buf *b, const char *format, ...)
{
    char small[512];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(small, sizeof small, format, ap);
    va_end(ap);
    if (n < 0) {
        b->failed = TH_BUG;
        return;
    }
    if ((size_t)n < sizeof small) {
        th_buf_add(b, small, (size_t)n);
        return;
    }
    if (!th_buf_room(b, (size_t)n) || !terminator_fits(b, (size_t)n))
        return;
    va_start(ap, format);
    vsnprintf(b->p + b->n, (size_t)n + 1, format, ap);
    va_end(ap);
    b->n += (size_t)n;
}

void th_buf_shift(struct th_buf *b, size_t n)
{
    if (n >= b->n) {
        b->n = 0;
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

const char *th_buf_cstr(struct th_buf *b)
{
    if (b->failed)
        return "";
    if (!terminator_fits(b, 0))
        return "";
    b->p[b->n] = 0;
    return b->p;
}
