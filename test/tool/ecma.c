/* The ECMAScript writer as a program, so that a test can compare it with another implementation.
 *
 * usage: ecma
 * Standard input and output: frames of a 4-byte big-endian length and that many bytes. Each document gives
 * three frames: "ok" or the name of the error, what th_ecma_write made of it, and the JSON pointers that it
 * warned of, each ended by a line feed (a line feed within a name is written as NUL, which no pointer of the
 * tests holds).
 *
 * Refuses documents above 64 MiB. Exit status 0 at the end of input; 1 when memory or the output fails; 2 for
 * broken framing. */
#include "core/ecma.h"
#include "base/alloc.h"
#include <stdio.h>

#define DOCUMENT_MAX ((size_t)64 * 1024 * 1024)

static void add_pointer(void *ctx, struct th_span pointer)
{
    struct th_buf *out = ctx;

    for (size_t i = 0; i < pointer.n; i++)
        th_buf_char(out, pointer.p[i] == '\n' ? '\0' : pointer.p[i]);
    th_buf_char(out, '\n');
}

static bool put_frame(struct th_span s)
{
    unsigned char length[4] = {(unsigned char)(s.n >> 24), (unsigned char)(s.n >> 16),
                               (unsigned char)(s.n >> 8), (unsigned char)s.n};

    return fwrite(length, 1, sizeof length, stdout) == sizeof length && fwrite(s.p, 1, s.n, stdout) == s.n;
}

/* Reads one frame into *in. 1: read; 0: end of input; -1: broken. */
static int get_frame(struct th_buf *in)
{
    unsigned char length[4];
    size_t got = fread(length, 1, sizeof length, stdin), n;
    char *p;

    if (got == 0)
        return 0;
    n = (size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3];
    th_buf_reset(in);
    if (got != sizeof length || n > DOCUMENT_MAX)
        return -1;
    if (n == 0)
        return 1;
    p = th_buf_room(in, n);
    if (!p || fread(p, 1, n, stdin) != n)
        return -1;
    in->n += n;
    return 1;
}

static bool write_document(struct th_span text)
{
    struct th_buf out, warnings;
    struct th_json v;
    enum th_error error = th_json_parse(text, TH_JSON_DEPTH_MAX, &v, NULL);
    bool ok, inexact = false;

    th_buf_init(&out, DOCUMENT_MAX * 2);
    th_buf_init(&warnings, DOCUMENT_MAX);
    if (!error)
        error = th_ecma_write(v, &out, &inexact);
    if (!error && inexact)
        error = th_ecma_inexact(th_buf_view(&out), add_pointer, &warnings);
    if (error)
        th_buf_reset(&out);
    ok = !warnings.failed && put_frame(error ? th_str(th_error_name(error)) : th_str("ok")) &&
         put_frame(th_buf_view(&out)) && put_frame(th_buf_view(&warnings));
    th_buf_fini(&out);
    th_buf_fini(&warnings);
    return ok;
}

int main(void)
{
    struct th_buf in;
    int got = 0;
    bool ok = true;

    th_buf_init(&in, DOCUMENT_MAX);
    while (ok && (got = get_frame(&in)) == 1)
        ok = write_document(th_buf_view(&in));
    th_buf_fini(&in);
    if (got < 0)
        return 2;
    return ok && fflush(stdout) == 0 ? 0 : 1;
}
