/* The seen-set against a model, and routing by patterns from anybody: the set remembers exactly the last
 * `capacity` events that it took, an event in work is never dropped, and the first row that fits is called.
 * Input: capacity; the patterns of two rows, a line each; the type, a line; then operations, a byte each. */
#include "lib_fuzz.h"

#define KEYS 16
enum { ABSENT, WORK, SEEN };
struct model {
    uint8_t state[KEYS];
};

static struct tenterhook_key_id key_of(unsigned i, bool collide)
{
    struct tenterhook_key_id key = {{0}};

    /* The first four bytes choose the slot: all in one, or apart. */
    key.b[0] = collide ? 7 : (uint8_t)(i * 37);
    key.b[15] = (uint8_t)(i + 1);
    return key;
}

static void step(struct tenterhook_seen *set, struct model *m, uint8_t op, bool collide)
{
    unsigned i = op % KEYS;
    struct tenterhook_key_id key = key_of(i, collide);
    enum tenterhook_mark mark;

    switch (op / KEYS % 4) {
    case 0:
    case 1:
        mark = tenterhook_seen_begin(set, &key);
        if (m->state[i] == WORK)
            must(mark == TENTERHOOK_BUSY);
        if (mark == TENTERHOOK_BUSY)
            must(m->state[i] == WORK);
        if (mark == TENTERHOOK_SEEN)
            must(m->state[i] == SEEN);
        if (mark == TENTERHOOK_FULL) {
            unsigned busy = 0;

            for (unsigned k = 0; k < KEYS; k++)
                busy += m->state[k] == WORK;
            must(busy == set->capacity);
        }
        if (mark == TENTERHOOK_NEW)
            m->state[i] = WORK;
        break;
    case 2:
        tenterhook_seen_done(set, &key);
        if (m->state[i] == WORK)
            m->state[i] = SEEN;
        break;
    default:
        tenterhook_seen_forget(set, &key);
        m->state[i] = ABSENT;
    }
}

/* What was done and not pushed out is known; what was pushed out is new again. */
static void fuzz_set(struct fuzz *f, uint32_t capacity, bool collide, struct fuzz_bytes ops)
{
    size_t size = tenterhook_seen_size(capacity);
    struct tenterhook_seen set;
    struct model m = {{ABSENT}};

    must(tenterhook_seen_init(&set, capacity, fuzz_block(f, size), size) == TENTERHOOK_OK);
    for (size_t i = 0; i < ops.n; i++)
        step(&set, &m, (uint8_t)ops.p[i], collide);
    for (unsigned i = 0; i < KEYS && capacity >= KEYS; i++) { /* there was room for all */
        struct tenterhook_key_id key = key_of(i, collide);
        enum tenterhook_mark mark = tenterhook_seen_begin(&set, &key);

        must(mark == (m.state[i] == WORK   ? TENTERHOOK_BUSY
                      : m.state[i] == SEEN ? TENTERHOOK_SEEN
                                           : TENTERHOOK_NEW));
    }
}

static enum tenterhook_handled first(void *ctx, const struct tenterhook_event *e)
{
    (void)e;
    *(unsigned *)ctx |= 1;
    return TENTERHOOK_DONE;
}
static enum tenterhook_handled second(void *ctx, const struct tenterhook_event *e)
{
    (void)e;
    *(unsigned *)ctx |= 2;
    return TENTERHOOK_RETRY;
}
static void unknown(void *ctx, const struct tenterhook_event *e)
{
    (void)e;
    *(unsigned *)ctx |= 4;
}

static bool fits(const char *pattern, struct th_span type)
{
    size_t n = strlen(pattern);

    if (n && pattern[n - 1] == '*')
        return type.n >= n - 1 && memcmp(pattern, type.p, n - 1) == 0;
    return tenterhook_is(type, pattern);
}

static const char *text_of(struct fuzz *f, struct fuzz_bytes line)
{
    char *text = fuzz_block(f, line.n + 1);

    if (line.n)
        memcpy(text, line.p, line.n);
    text[line.n] = 0;
    return text;
}

static void fuzz_route(const char *one, const char *two, struct th_span type, struct th_span id)
{
    unsigned called = 0;
    uint64_t room[16];
    struct tenterhook_seen set;
    struct tenterhook_store store;
    const struct tenterhook_route rows[] = {{one, NULL, first}, {two, "Note", second}};
    struct tenterhook_router router = {.routes = rows, .count = 2, .unknown = unknown, .ctx = &called};
    struct tenterhook_event e = {.type = type, .id = id, .resource_type = TENTERHOOK_LIT("Note")};
    unsigned expected = fits(one, type) ? 1 : fits(two, type) ? 2 : 4;
    enum tenterhook_outcome outcome, again;

    must(tenterhook_seen_init(&set, 1, room, sizeof room) == TENTERHOOK_OK);
    store = tenterhook_seen_store(&set);
    router.store = &store;
    outcome = tenterhook_dispatch(&router, &e);
    must(called == expected && outcome == (expected == 1   ? TENTERHOOK_HANDLED
                                           : expected == 2 ? TENTERHOOK_DEFERRED
                                                           : TENTERHOOK_UNROUTED));
    again = tenterhook_dispatch(&router, &e);
    must(again == (id.n && expected != 2 ? TENTERHOOK_DUPLICATE : outcome));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    uint8_t how = fuzz_byte(&f);
    const char *one = text_of(&f, fuzz_line(&f)), *two = text_of(&f, fuzz_line(&f));
    struct fuzz_bytes type = fuzz_line(&f), ops = fuzz_rest(&f);

    fuzz_route(one, two, span_of(type), th_span(ops.p, ops.n < 8 ? ops.n : 8));
    fuzz_set(&f, how % 24 + 1, how >= 128, ops);
    fuzz_end(&f);
    return 0;
}
