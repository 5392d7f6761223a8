/* HTTP/1.1 heads and chunked bodies on any bytes: no crash, no read past the end, spans inside the input, and
 * the same result however the input is cut. The first byte chooses the reader and the size of the pieces. */
#include "fuzz.h"
#include "net/http1.h"

struct outcome {
    enum th_http1_result result;
    size_t used, payload;
    uint64_t hash;
    struct th_http1_head head;
};

static bool is_inside(struct th_span s, const char *p, size_t n)
{
    return s.n == 0 || (s.p >= p && s.p + s.n <= p + n);
}

static struct th_buf mended = {.max = 1 << 20};

static void check_head(const struct th_http1_head *head, const char *p, size_t used, bool is_request)
{
    if (!is_request && mended.n) {
        must(!head->keep_alive);
        p = mended.p;
        used = mended.n;
    }
    must(is_inside(head->field_lines, p, used) && head->field_count <= TH_HTTP1_MAX_FIELDS &&
         head->minor <= 1);
    for (unsigned i = 0; i < head->field_count; i++) {
        must(is_inside(head->fields[i].name, p, used) && is_inside(head->fields[i].value, p, used));
        must(th_http1_is_token(head->fields[i].name) && th_http1_is_value(head->fields[i].value));
    }
    if (is_request) {
        must(is_inside(head->method, p, used) && is_inside(head->target, p, used) && head->target.n > 0);
        must(head->body != TH_HTTP1_UNTIL_CLOSE);
        must(head->minor == 0 || th_http1_field(head, "host"));
    } else {
        must(head->status >= 100 && head->status <= 599);
    }
    must(head->length <= INT64_MAX);
    must(head->body != TH_HTTP1_CHUNKED || !th_http1_field(head, "content-length") ||
         (!is_request && !head->keep_alive));
}

/* Grows the input by `step` bytes until the reader has an opinion; each time in memory of the exact size. */
static void read_head(const char *p, size_t n, size_t step, bool is_request, struct outcome *o)
{
    size_t scanned = 0, have = 0;
    unsigned status = 0;
    const char *why;

    o->result = TH_HTTP1_MORE;
    while (o->result == TH_HTTP1_MORE && have < n) {
        char *copy;

        have = n - have < step ? n : have + step;
        copy = malloc(have);
        must(copy != NULL);
        memcpy(copy, p, have);
        o->result = is_request ? th_http1_request(copy, have, &scanned, &o->head, &o->used, &status, &why)
                               : th_http1_answer(copy, have, &scanned, &mended, &o->head, &o->used, &why);
        must(scanned <= have);
        if (o->result == TH_HTTP1_DONE) {
            must(o->used <= have && o->used >= 4 && copy[o->used - 1] == '\n');
            must((!is_request && mended.n) || memcmp(copy + o->used - 4, "\r\n\r\n", 4) == 0);
            check_head(&o->head, copy, o->used, is_request);
        }
        free(copy);
    }
}

static void read_chunks(const char *p, size_t n, size_t step, bool answer, struct outcome *o)
{
    struct th_http1_chunked c;
    const char *why;

    th_http1_chunked_init(&c, answer);
    *o = (struct outcome){.result = TH_HTTP1_MORE, .hash = 14695981039346656037u};
    while (o->result == TH_HTTP1_MORE && o->used < n) {
        size_t piece = n - o->used < step ? n - o->used : step, used = 0;
        struct th_span data;

        o->result = th_http1_chunked(&c, p + o->used, piece, &used, &data, &why);
        if (o->result == TH_HTTP1_BAD)
            break;
        must(used > 0 && used <= piece && is_inside(data, p + o->used, piece));
        for (size_t i = 0; i < data.n; i++)
            o->hash = (o->hash ^ (unsigned char)data.p[i]) * 1099511628211u;
        o->payload += data.n;
        o->used += used;
    }
}

static void fuzz_head(const char *p, size_t n, size_t step, bool is_request)
{
    static struct outcome whole, cut; /* large */

    read_head(p, n, n, is_request, &whole);
    read_head(p, n, step, is_request, &cut);
    must(whole.result == cut.result);
    if (whole.result != TH_HTTP1_DONE)
        return;
    must(whole.used == cut.used && whole.head.body == cut.head.body && whole.head.length == cut.head.length &&
         whole.head.keep_alive == cut.head.keep_alive && whole.head.field_count == cut.head.field_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;
    const char *p = (const char *)data + 1;
    size_t n, step;

    if (size < 2)
        return 0;
    n = size - 1;
    step = (size_t)(data[0] / 3) + 1;
    if (data[0] % 3 < 2) {
        fuzz_head(p, n, step, data[0] % 3 == 0);
        return 0;
    }
    read_chunks(p, n, n, step % 2, &whole);
    read_chunks(p, n, step, step % 2, &cut);
    must(whole.result == cut.result);
    must(whole.result == TH_HTTP1_BAD ||
         (whole.used == cut.used && whole.payload == cut.payload && whole.hash == cut.hash));
    return 0;
}
