/* Compiles the head of a request: header lines, authentication and signatures, into one flat program in the
 * order in which the file writes its groups.
 *
 * Refuses: names that are no tokens, literal bytes that a field value cannot carry (RFC 9110, 5.5), names
 * that the transport sets itself, and two headers that resolve to one name. */
#include "core/dialect_parts.h"

#define HEAD_OPS 256
struct head {
    struct dl_where *w;
    struct th_dialect *d;
    struct dl_op ops[HEAD_OPS];
    unsigned count;
    const char *name_key,
        *value_key; /* of a line, below the present path; NULL: the path is the key itself */
};

static bool is_token(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (th_lower(c) >= 'a' && th_lower(c) <= 'z') ||
              (c && strchr("!#$%&'*+-.^_`|~", c))))
            return false;
    }
    return s.n > 0;
}

static bool is_method(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 'A' || s.p[i] > 'Z')
            return false;
    return s.n > 0;
}

static bool is_value(struct th_span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\t' && (s.p[i] < ' ' || s.p[i] > '~'))
            return false;
    return s.n == 0 || (s.p[0] != ' ' && s.p[0] != '\t' && s.p[s.n - 1] != ' ' && s.p[s.n - 1] != '\t');
}

/* Keys of a value or a name below the present path: none where the path is the key itself. */
static size_t enter(struct head *h, const char *key)
{
    return key ? dl_enter(h->w, th_str(key)) : h->w->n;
}

/* Adds a name to the list of owned ones; with `fresh` it must not be there yet. */
static bool own(struct head *h, struct dl_text name, bool fresh)
{
    static const char *const transport[] = {
        "host",    "content-length", "connection", "transfer-encoding",  "te", "trailer",
        "upgrade", "keep-alive",     "expect",     "proxy-authorization"};
    struct th_dialect *d = h->d;
    struct th_span lower;
    size_t old = enter(h, h->name_key);
    bool known = false;

    if (!is_token(name.s))
        return dl_fail(h->w, name.line, "\"%s\" is no header name", name.s.p);
    for (size_t i = 0; i < sizeof transport / sizeof *transport; i++)
        if (th_span_ieq(name.s, th_str(transport[i])))
            return dl_fail(h->w, name.line, "%s is set by the transport", name.s.p);
    for (unsigned i = 0; i < d->owned_count && !known; i++)
        known = th_span_ieq(name.s, d->owned[i]);
    if (known && fresh)
        return dl_fail(h->w, name.line, "the header %s is set twice", name.s.p);
    dl_leave(h->w, old);
    if (known)
        return true;
    lower = dl_copy(&d->arena, name.s);
    if (!lower.p)
        return dl_fail_nomem(h->w);
    for (size_t i = 0; i < lower.n; i++)
        ((char *)(uintptr_t)lower.p)[i] = th_lower(lower.p[i]);
    d->owned[d->owned_count++] = lower;
    return true;
}

static bool push(struct head *h, struct dl_op op, unsigned line)
{
    if (h->count == HEAD_OPS)
        return dl_fail(h->w, line, "the request has too many parts");
    h->ops[h->count++] = op;
    return true;
}

static bool push_text(struct head *h, struct th_span text, unsigned line)
{
    struct th_span copy = dl_copy(&h->d->arena, text);

    if (!copy.p)
        return dl_fail_nomem(h->w);
    return push(h, (struct dl_op){.kind = DL_LITERAL, .text = copy}, line);
}

static bool push_name(struct head *h, struct dl_text name)
{
    return push_text(h, name.s, name.line) && push_text(h, TH_LIT(": "), name.line);
}

static bool value_template(struct head *h, const char *key, struct dl_text value, struct dl_program *out)
{
    size_t old = enter(h, key);

    if (!is_value(value.s))
        return dl_fail(h->w, value.line,
                       "holds bytes that a header value cannot carry, or white space at an end");
    if (!dl_template(h->w, value, DL_VARS_HEADER, h->d->spec.schema_version.s, out))
        return false;
    dl_leave(h->w, old);
    return true;
}

static bool push_ops(struct head *h, const struct dl_program *p, unsigned line)
{
    for (unsigned i = 0; i < p->count; i++)
        if (!push(h, p->ops[i], line))
            return false;
    return true;
}

/* A line that may come out empty, has something in its place, or is escaped: one op that knows its parts. */
static bool push_careful(struct head *h, const struct dl_header *header, const struct dl_program *value)
{
    struct dl_program other = {.count = 0};
    struct dl_op op = {.kind = header->escape == DL_ESCAPE_PERCENT ? DL_LINE_PERCENT : DL_LINE,
                       .arg = (uint8_t)value->count};
    char *text;

    if (header->otherwise.s.p && !value_template(h, "otherwise", header->otherwise, &other))
        return false;
    if ((value->vars | other.vars) & DL_BIT(DL_V_SECRET))
        return dl_fail(h->w, header->value.line,
                       "{secret} cannot stand in a value that may be empty or escaped");
    text = dl_alloc(&h->d->arena, header->name.s.n + 3);
    if (!text)
        return dl_fail_nomem(h->w);
    memcpy(text, header->name.s.p, header->name.s.n);
    memcpy(text + header->name.s.n, ": ", 2);
    op.text = th_span(text, header->name.s.n + 2);
    op.skip = (uint16_t)(value->count + other.count);
    return own(h, header->name, true) && push(h, op, header->name.line) &&
           push_ops(h, value, header->value.line) && push_ops(h, &other, header->value.line);
}

/* One field line from a template. A value with the secret in it can be hidden as a whole. */
static bool push_line(struct head *h, const struct dl_header *header)
{
    struct dl_text name = header->name;
    struct dl_program p;

    if (!value_template(h, h->value_key, header->value, &p))
        return false;
    if (header->otherwise.s.p || header->escape == DL_ESCAPE_PERCENT || (p.vars & DL_VARS_OPTIONAL))
        return push_careful(h, header, &p);
    if (!own(h, name, true) || !push_name(h, name))
        return false;
    if (p.vars & DL_BIT(DL_V_SECRET)) {
        h->d->needs_plain = true;
        if (!push(h, (struct dl_op){.kind = DL_HIDDEN, .skip = (uint16_t)p.count}, name.line))
            return false;
    }
    return push_ops(h, &p, name.line) && push_text(h, TH_LIT("\r\n"), name.line);
}

static bool option_bit(struct head *h, struct dl_text when, uint8_t *bit)
{
    const struct dl_spec *s = &h->d->spec;

    for (unsigned i = 0; i < s->endpoint.option_count; i++)
        if (th_span_eq(when.s, s->endpoint.options[i].name.s)) {
            *bit = (uint8_t)i;
            return true;
        }
    return dl_fail(h->w, when.line, "\"%s\" is not among endpoint.options", when.s.p);
}

/* The name with its colon, to be found among the endpoint's own lines. */
static bool unset_name(struct head *h, struct dl_text name, struct dl_op *op)
{
    char *text = dl_alloc(&h->d->arena, name.s.n + 2);

    if (!text)
        return dl_fail_nomem(h->w);
    memcpy(text, name.s.p, name.s.n);
    text[name.s.n] = ':';
    *op = (struct dl_op){.kind = DL_IF_UNSET, .text = th_span(text, name.s.n + 1)};
    return true;
}

/* What follows, up to end_when, is there only if an option is on, with the word "retry" from the second attempt on, with
 * "unset" if the endpoint has no header of that name of its own. */
static bool begin_when(struct head *h, struct dl_text name, struct dl_text when, unsigned *at)
{
    struct dl_op op = {.kind = DL_IF_RETRY};
    size_t old;

    *at = h->count;
    if (!when.s.p)
        return true;
    old = dl_enter(h->w, TH_LIT("when"));
    if (name.s.p && th_span_is(when.s, "unset")) {
        if (!unset_name(h, name, &op))
            return false;
    } else if (!th_span_is(when.s, "retry")) {
        op.kind = DL_IF_OPTION;
        if (!option_bit(h, when, &op.arg))
            return false;
    }
    dl_leave(h->w, old);
    return push(h, op, when.line);
}

static void end_when(struct head *h, struct dl_text when, unsigned at)
{
    if (when.s.p)
        h->ops[at].skip = (uint16_t)(h->count - at - 1);
}

static bool push_header(struct head *h, const struct dl_header *header)
{
    unsigned at;

    if (!begin_when(h, header->name, header->when, &at) || !push_line(h, header))
        return false;
    end_when(h, header->when, at);
    if (th_span_is(header->when.s, "unset"))
        h->d->owned_count--; /* an endpoint may have one of its own */
    return true;
}

static bool do_headers(struct head *h)
{
    const struct dl_spec *s = &h->d->spec;

    for (unsigned i = 0; i < s->request.header_count; i++) {
        size_t old = dl_enter_index(h->w, i);
        h->name_key = "name";
        h->value_key = "value";
        if (!push_header(h, &s->request.headers[i]))
            return false;
        dl_leave(h->w, old);
    }
    return true;
}

/* An empty value leaves the line out. */
static bool push_named(struct head *h, const char *name, struct dl_text value)
{
    struct dl_header header = {.name = {th_str(name), value.line}, .value = value};

    h->name_key = h->value_key = NULL;
    return value.s.n == 0 || push_line(h, &header);
}

/* The keys of `request` in their order; what the file leaves to the default comes first. */
static bool do_request(struct head *h, const struct th_node *request)
{
    const struct dl_spec *s = &h->d->spec;
    bool agent = false, type = false;

    for (const struct th_node *e = request ? request->first : NULL; e; e = e->next) {
        agent |= th_span_is(e->key, "user_agent");
        type |= th_span_is(e->key, "content_type");
    }
    if ((!agent && !push_named(h, "User-Agent", s->request.user_agent)) ||
        (!type && !push_named(h, "Content-Type", s->request.content_type)))
        return false;
    for (const struct th_node *e = request ? request->first : NULL; e; e = e->next) {
        size_t old = dl_enter(h->w, e->key);
        if ((th_span_is(e->key, "user_agent") && !push_named(h, "User-Agent", s->request.user_agent)) ||
            (th_span_is(e->key, "content_type") && !push_named(h, "Content-Type", s->request.content_type)) ||
            (th_span_is(e->key, "headers") && !do_headers(h)))
            return false;
        dl_leave(h->w, old);
    }
    return true;
}

/* ---- signatures ---- */

static bool find_slot(struct head *h, enum dl_algorithm algorithm, enum dl_key key, unsigned line,
                      uint8_t *slot)
{
    struct th_dialect *d = h->d;

    for (unsigned i = 0; i < d->slot_count; i++)
        if (d->slots[i].algorithm == algorithm && d->slots[i].key == key) {
            *slot = (uint8_t)i;
            return true;
        }
    if (d->slot_count == DL_SLOTS)
        return dl_fail(h->w, line, "more than %d ways to decode a secret", DL_SLOTS);
    *slot = (uint8_t)d->slot_count;
    d->slots[d->slot_count++] = (struct dl_slot){algorithm, key};
    return true;
}

static bool sig_template(struct head *h, const char *key, struct dl_text text, uint32_t allowed,
                         uint32_t needed, struct dl_program *out)
{
    size_t old = dl_enter(h->w, th_str(key));

    if (text.s.n == 0)
        return dl_fail(h->w, text.line, "must not be empty");
    if (!dl_template(h->w, text, allowed, h->d->spec.schema_version.s, out))
        return false;
    if ((out->vars & needed) != needed)
        return dl_fail(h->w, text.line, "must use {%s}", needed == DL_BIT(DL_V_SIG) ? "sig" : "items");
    dl_leave(h->w, old);
    return true;
}

/* Literal text around the signatures. A join may be or end in white space: it stands between two items. */
static bool sig_text(struct head *h, const char *key, struct dl_text text, bool whole)
{
    if (whole ? is_value(text.s) : !memchr(text.s.p, '\r', text.s.n) && !memchr(text.s.p, '\n', text.s.n))
        return true;
    dl_enter(h->w, th_str(key));
    return dl_fail(h->w, text.line, "holds bytes that a header value cannot carry, or white space at an end");
}

static bool sig_compile(struct head *h, const struct dl_sig_parts *p, struct dl_sig *out)
{
    unsigned line = p->header.line;

    if ((p->algorithm == DL_ED25519) != (p->key == DL_KEY_WHSK) && p->key != DL_KEY_HEX &&
        p->key != DL_KEY_BASE64) {
        dl_enter(h->w, TH_LIT("key"));
        return dl_fail(h->w, line, "this algorithm cannot use a key of this kind");
    }
    *out = (struct dl_sig){.header = p->header.s,
                           .algorithm = (enum dl_algorithm)p->algorithm,
                           .encoding = (enum dl_encoding)p->encoding,
                           .stamp = p->timestamp ? (enum dl_stamp)p->timestamp : h->d->stamp,
                           .join = p->join.s};
    if (!sig_text(h, "item", p->item, true) || !sig_text(h, "join", p->join, false) ||
        !sig_text(h, "wrap", p->wrap, true))
        return false;
    if (!sig_template(h, "content", p->content,
                      (DL_VARS_HEADER & ~DL_BIT(DL_V_ATTRIBUTE)) | DL_BIT(DL_V_BODY), 0, &out->content) ||
        !sig_template(h, "item", p->item, DL_BIT(DL_V_SIG) | DL_BIT(DL_V_TS), DL_BIT(DL_V_SIG), &out->item) ||
        !sig_template(h, "wrap", p->wrap, DL_BIT(DL_V_ITEMS) | DL_BIT(DL_V_TS), DL_BIT(DL_V_ITEMS),
                      &out->wrap))
        return false;
    if (out->content.vars & DL_BIT(DL_V_SECRET))
        h->d->needs_plain = true;
    return find_slot(h, out->algorithm, (enum dl_key)p->key, line, &out->slot);
}

static void inherit(struct dl_sig_parts *v, const struct dl_sig_parts *base)
{
#define TAKE_TEXT(f)                                                                                         \
    if (!v->f.s.p)                                                                                           \
    v->f = base->f
#define TAKE(f)                                                                                              \
    if (!v->f)                                                                                               \
    v->f = base->f
    TAKE_TEXT(header);
    TAKE_TEXT(content);
    TAKE_TEXT(item);
    TAKE_TEXT(join);
    TAKE_TEXT(wrap);
    TAKE(algorithm);
    TAKE(key);
    TAKE(timestamp);
    TAKE(encoding);
#undef TAKE_TEXT
#undef TAKE
}

/* Number of a variant by name, adding it; the dialect's variants are those of all its signatures together. */
static bool variant_index(struct head *h, struct dl_text name, unsigned *index)
{
    struct th_dialect_values *v = &h->d->values;

    for (*index = 0; *index < v->variant_count; ++*index)
        if (th_span_eq(v->variants[*index], name.s))
            return true;
    if (v->variant_count == DL_VARIANTS)
        return dl_fail(h->w, name.line, "more than %d variants", DL_VARIANTS);
    v->variants[v->variant_count++] = name.s;
    return true;
}

static bool do_signature(struct head *h, unsigned i)
{
    struct dl_sig_spec *spec = &h->d->spec.signatures[i];
    struct dl_sig *row = h->d->sigs[i];
    unsigned line = spec->parts.header.line, at;

    if (!own(h, spec->parts.header, true) || !sig_compile(h, &spec->parts, &row[0]))
        return false;
    for (unsigned v = 1; v < DL_VARIANTS; v++)
        row[v] = row[0];
    for (unsigned k = 0; k < spec->variant_count; k++) {
        struct dl_variant *variant = &spec->variants[k];
        size_t old = dl_enter(h->w, TH_LIT("variants"));
        unsigned index;

        dl_enter(h->w, variant->name.s);
        inherit(&variant->parts, &spec->parts);
        if (!variant_index(h, variant->name, &index))
            return false;
        if (index == 0)
            return dl_fail(h->w, variant->name.line, "has the name of the default variant");
        if (!own(h, variant->parts.header, !th_span_ieq(variant->parts.header.s, spec->parts.header.s)) ||
            !sig_compile(h, &variant->parts, &row[index]))
            return false;
        h->d->variant_secret_form[index] = variant->secret_form;
        dl_leave(h->w, old);
    }
    if (!begin_when(h, (struct dl_text){0}, spec->when, &at) ||
        !push(h, (struct dl_op){.kind = DL_SIGNATURE, .arg = (uint8_t)i}, line))
        return false;
    end_when(h, spec->when, at);
    return true;
}

static bool do_signatures(struct head *h)
{
    h->name_key = "header";
    for (unsigned i = 0; i < h->d->spec.signature_count; i++) {
        size_t old = dl_enter_index(h->w, i);
        if (!do_signature(h, i))
            return false;
        dl_leave(h->w, old);
    }
    h->d->sig_count = h->d->spec.signature_count;
    return true;
}

static bool push_auth(struct head *h)
{
    const struct dl_spec *s = &h->d->spec;
    const struct dl_header auth = {.name = s->auth.header, .value = s->auth.value};
    struct dl_program p;

    h->name_key = "header";
    h->value_key = "value";
    if (!value_template(h, "value", auth.value, &p))
        return false;
    if (!(p.vars & DL_BIT(DL_V_SECRET))) {
        dl_enter(h->w, TH_LIT("value"));
        return dl_fail(h->w, auth.value.line, "must use {secret}");
    }
    return push_line(h, &auth);
}

static bool do_groups(struct head *h, const struct th_node *root)
{
    const struct th_node *e;
    size_t old;

    for (e = root->first; e && !th_span_is(e->key, "request"); e = e->next)
        ;
    if (!e && !do_request(h, NULL))
        return false;
    for (e = root->first; e; e = e->next) {
        old = dl_enter(h->w, e->key);
        if ((th_span_is(e->key, "request") && !do_request(h, e)) ||
            (th_span_is(e->key, "auth") && !push_auth(h)) ||
            (th_span_is(e->key, "signatures") && !do_signatures(h)))
            return false;
        dl_leave(h->w, old);
    }
    return true;
}

/* Joins neighbouring literals: most of a head becomes a few copies. */
static bool finish(struct head *h)
{
    struct dl_op *ops = dl_alloc(&h->d->arena, sizeof *ops * (h->count ? h->count : 1));
    unsigned n = 0,
             barrier =
                 0; /* ops up to `barrier` are inside a conditional part: their number must not change */

    if (!ops)
        return dl_fail_nomem(h->w);
    for (unsigned i = 0; i < h->count; i++) {
        struct dl_op op = h->ops[i];
        if (op.kind == DL_IF_OPTION || op.kind == DL_IF_RETRY || op.kind == DL_IF_UNSET ||
            op.kind == DL_HIDDEN || op.kind == DL_LINE || op.kind == DL_LINE_PERCENT)
            barrier = i + op.skip + 1 > barrier ? i + op.skip + 1 : barrier;
        if (n && i > barrier && op.kind == DL_LITERAL && ops[n - 1].kind == DL_LITERAL) {
            struct th_span a = ops[n - 1].text, both;
            char *p = dl_alloc(&h->d->arena, a.n + op.text.n + 1);
            if (!p)
                return dl_fail_nomem(h->w);
            memcpy(p, a.p, a.n);
            memcpy(p + a.n, op.text.p, op.text.n);
            both = th_span(p, a.n + op.text.n);
            ops[n - 1].text = both;
        } else {
            ops[n++] = op;
        }
    }
    h->d->head = (struct dl_program){ops, n, 0};
    return true;
}

bool dl_compile_head(struct dl_where *w, struct th_dialect *d, const struct th_node *root)
{
    struct head h = {.w = w, .d = d};
    const struct dl_spec *s = &d->spec;

    d->stamp = (enum dl_stamp)s->request.timestamp;
    if (!is_method(s->request.method.s)) {
        dl_enter(w, TH_LIT("request.method"));
        return dl_fail(w, s->request.method.line, "is no method: capital letters, as in POST");
    }
    if (s->signature_count) {
        unsigned index;
        if (!variant_index(&h, s->signatures[0].variant, &index))
            return false;
    }
    return do_groups(&h, root) && finish(&h);
}
