/* A growing byte buffer with a maximum given when it is made. Failure is sticky: append as often as you like, look
 * once at `failed` (TH_OK, TH_NOMEM or TH_TOO_LARGE) before using the bytes. */
#ifndef TH_BASE_BUF_H
#define TH_BASE_BUF_H
#include "base/error.h"
#include "base/span.h"

struct th_buf {
    char *p; /* not NUL-terminated; th_buf_cstr makes it so */
    size_t n, cap, max;
    enum th_error failed;
};

/** Starts empty, without memory; at most `max` bytes ever. */
void th_buf_init(struct th_buf *b, size_t max);
/** Frees the memory; the buffer is empty and usable again. */
void th_buf_fini(struct th_buf *b);
/** As th_buf_fini, but overwrites the bytes first (secrets). */
void th_buf_wipe(struct th_buf *b);
/** Empties without freeing; clears `failed`. */
void th_buf_reset(struct th_buf *b);
/** Makes room for `more` bytes; NULL on failure (sticky). The caller writes there and adds to n. */
char *th_buf_room(struct th_buf *b, size_t more);
/** The part of th_buf_add for bytes that do not fit into the present memory. */
void th_buf_grow_add(struct th_buf *b, const void *p, size_t n);
/* Inline: heads, bodies and answers are made of many short pieces. */
static inline void th_buf_add(struct th_buf *b, const void *p, size_t n)
{
    if (b->failed || n > b->cap - b->n || n > b->max - b->n || n == 0) {
        th_buf_grow_add(b, p, n);
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
}
void th_buf_str(struct th_buf *b, const char *s);
static inline void th_buf_span(struct th_buf *b, struct th_span s)
{
    th_buf_add(b, s.p, s.n);
}
static inline void th_buf_char(struct th_buf *b, char c)
{
    th_buf_add(b, &c, 1);
}
void th_buf_u64(struct th_buf *b, uint64_t v);
void th_buf_i64(struct th_buf *b, int64_t v);
void th_buf_printf(struct th_buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Drops the first n bytes (n <= b->n). */
void th_buf_shift(struct th_buf *b, size_t n);
/** NUL-terminates (the NUL is not counted) and returns the bytes, or "" after a failure. */
const char *th_buf_cstr(struct th_buf *b);
static inline struct th_span th_buf_view(const struct th_buf *b)
{
    return (struct th_span){b->p ? b->p : "", b->n};
}
#endif
