/* The walker of dialect files on any bytes: scalars lie in the text, collections that are opened are closed,
 * a fault has a line, and reading the same text again gives the same. */
#include "lib_fuzz.h"

struct seen {
    struct th_span text;
    uint64_t hash, calls;
    unsigned stop_at;
};

static bool on(struct th_yaml *y, const struct th_span *scalar)
{
    struct seen *s = y->ctx;
    const struct th_yaml_frame *top = &y->frame[y->depth - 1];

    must(y->depth >= 1 && y->depth <= TH_YAML_DEPTH && y->at <= s->text.n);
    for (unsigned i = 0; i < y->depth; i++)
        must(lies_in(y->frame[i].key, s->text.p, s->text.n));
    if (scalar)
        must(lies_in(*scalar, s->text.p, s->text.n) &&
             (scalar->n == 0 || !memchr(scalar->p, '\n', scalar->n)));
    s->hash =
        (s->hash ^ y->depth ^ (top->list ? 64u : 0) ^ (scalar ? scalar->n << 8 : 128u)) * 1099511628211u;
    return ++s->calls != s->stop_at;
}

static bool walk(struct th_span text, unsigned stop_at, struct seen *s, struct th_yaml *y)
{
    bool ok;

    *s = (struct seen){.text = text, .stop_at = stop_at};
    ok = th_yaml_walk(y, text, on, NULL, s);
    must(ok == !y->fault && y->line >= 1 && y->line <= text.n + 1 && (!ok || y->depth == 0));
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    struct th_span text = span_of(fuzz_rest(&f));
    struct th_yaml y;
    struct seen once, twice;
    bool ok = walk(text, 0, &once, &y);

    must(walk(text, 0, &twice, &y) == ok && once.hash == twice.hash && once.calls == twice.calls);
    if (once.calls) /* a stop is a fault */
        must(!walk(text, (unsigned)(once.calls + 1) / 2, &twice, &y));
    fuzz_end(&f);
    return 0;
}
