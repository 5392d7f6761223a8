/* Why by hand: it is five small messages whose field numbers never change, written once for each span on the way of an event; a library
 * would build each of them as a tree first. Reading is not needed: an answer's status says all. */
#include "app/otlp.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2 }; /* wire types (protobuf.dev/programming-guides/encoding) */

static void varint(struct th_buf *b, uint64_t v)
{
    char text[10];
    size_t n = 0;

    do {
        text[n++] = (char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v);
    th_buf_add(b, text, n);
}

static size_t varint_size(uint64_t v)
{
    size_t n = 1;

    while (v >>= 7)
        n++;
    return n;
}

static void tag(struct th_buf *b, unsigned field, unsigned type)
{
    varint(b, (uint64_t)field << 3 | type);
}

static void bytes(struct th_buf *b, unsigned field, const void *p, size_t n)
{
    tag(b, field, BYTES);
    varint(b, n);
    th_buf_add(b, p, n);
}

static void text(struct th_buf *b, unsigned field, struct th_span s)
{
    if (s.n)
        bytes(b, field, s.p, s.n);
}

static void number(struct th_buf *b, unsigned field, uint64_t v)
{
    tag(b, field, VARINT);
    varint(b, v);
}

static void fixed64(struct th_buf *b, unsigned field, uint64_t v)
{
    char little[8];

    for (size_t i = 0; i < sizeof little; i++, v >>= 8)
        little[i] = (char)(v & 0xff);
    tag(b, field, FIXED64);
    th_buf_add(b, little, sizeof little);
}

/* KeyValue {1: key, 2: AnyValue {1: text or 3: number}} */
static void attribute(struct th_buf *b, unsigned field, const struct th_trace_attribute *a)
{
    size_t key_n = strlen(a->key);
    size_t value_n =
        a->text.p ? 1 + varint_size(a->text.n) + a->text.n : 1 + varint_size((uint64_t)a->number);

    tag(b, field, BYTES);
    varint(b, 1 + varint_size(key_n) + key_n + 1 + varint_size(value_n) + value_n);
    bytes(b, 1, a->key, key_n);
    tag(b, 2, BYTES);
    varint(b, value_n);
    if (a->text.p)
        bytes(b, 1, a->text.p, a->text.n);
    else
        number(b, 3, (uint64_t)a->number);
}

static void name(struct th_buf *b, const struct th_trace_span *s)
{
    size_t verb_n = strlen(s->verb);

    tag(b, 5, BYTES);
    varint(b, verb_n + (s->object.n ? 1 + s->object.n : 0));
    th_buf_add(b, s->verb, verb_n);
    if (s->object.n) {
        th_buf_char(b, ' ');
        th_buf_span(b, s->object);
    }
}

void th_otlp_span(const struct th_trace_span *s, struct th_buf *b, struct th_buf *out)
{
    static const uint8_t none[8];

    th_buf_reset(b);
    bytes(b, 1, s->trace, sizeof s->trace);
    bytes(b, 2, s->id, sizeof s->id);
    text(b, 3, s->state);
    if (memcmp(s->parent, none, sizeof none) != 0)
        bytes(b, 4, s->parent, sizeof s->parent);
    name(b, s);
    number(b, 6, s->kind);
    fixed64(b, 7, (uint64_t)s->begin_ns);
    fixed64(b, 8, (uint64_t)s->end_ns);
    for (unsigned i = 0; i < s->attribute_count; i++)
        attribute(b, 9, &s->attributes[i]);
    if (s->linked) {
        tag(b, 13, BYTES);
        varint(b, 2 + sizeof s->link_trace + 2 + sizeof s->link_id);
        bytes(b, 1, s->link_trace, sizeof s->link_trace);
        bytes(b, 2, s->link_id, sizeof s->link_id);
    }
    if (s->failed) { /* Status {2: message, 3: code ERROR} */
        tag(b, 15, BYTES);
        varint(b, (s->why.n ? 1 + varint_size(s->why.n) + s->why.n : 0) + 2);
        text(b, 2, s->why);
        number(b, 3, 2);
    }
    if (b->failed)
        out->failed = b->failed;
    else
        bytes(out, 2, b->p, b->n);
}

void th_otlp_head(const char *instance, size_t spans_n, struct th_buf *out)
{
    const struct th_trace_attribute of[] = {{"service.name", TH_LIT("tenterhook"), 0},
                                            {"service.version", TH_LIT(TH_VERSION), 0},
                                            {"service.instance.id", th_str(instance), 0}};
    struct th_buf resource, scope;
    size_t scopes_n;

    th_buf_init(&resource, 1024);
    th_buf_init(&scope, 1024);
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++)
        attribute(&resource, 1, &of[i]);
    text(&scope, 1, TH_LIT("tenterhook"));
    text(&scope, 2, TH_LIT(TH_VERSION));
    scopes_n = 1 + varint_size(scope.n) + scope.n + spans_n;
    tag(out, 1, BYTES); /* ResourceSpans */
    varint(out, 1 + varint_size(resource.n) + resource.n + 1 + varint_size(scopes_n) + scopes_n);
    bytes(out, 1, th_buf_view(&resource).p, resource.n);
    tag(out, 2, BYTES); /* ScopeSpans; its member `spans` follows */
    varint(out, scopes_n);
    bytes(out, 1, th_buf_view(&scope).p, scope.n);
    if (resource.failed || scope.failed)
        out->failed = TH_NOMEM;
    th_buf_fini(&resource);
    th_buf_fini(&scope);
}
