/* Compiles the head of a request: header lines, authentication and signatures, into one program in the
 * order in which the file writes its groups.
 *
 * Refuses: names that are no tokens, literal bytes that a field value cannot carry (RFC 9110, 5.5), names
 * that the transport sets itself, and two headers that resolve to one name. */
#include "core/dialect_message.h"

#define HEAD_OPS 256
struct head {
    struct th_where *w;
    struct th_dialect *d;
    struct th_program_op ops[HEAD_OPS];
    unsigned count;
    const char *name_key,
        *value_key; /* of a line, below the present path; NULL: the path is the key itself */
};

static enum th_form form_of(enum dl_stamp stamp)
{
    return stamp == DL_RFC3339       ? TH_FORM_RFC3339
           : stamp == DL_UNIX_MILLIS ? TH_FORM_UNIX_MILLIS
                                     : TH_FORM_UNIX;
}

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
    return key ? th_where_enter(h->w, th_str(key)) : h->w->n;
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
        return th_where_fail(h->w, name.line, "\"%s\" is no header name", name.s.p);
    for (size_t i = 0; i < sizeof transport / sizeof *transport; i++)
        if (th_span_ieq(name.s, th_str(transport[i])))
            return th_where_fail(h->w, name.line, "%s is set by the transport", name.s.p);
    for (unsigned i = 0; i < d->owned_count && !known; i++)
        known = th_span_ieq(name.s, d->owned[i]);
    if (known && fresh)
        return th_where_fail(h->w, name.line, "the header %s is set twice", name.s.p);
    th_where_leave(h->w, old);
    if (known)
        return true;
    lower = th_where_copy(h->w, name.s);
    if (!lower.p)
        return false;
    for (size_t i = 0; i < lower.n; i++)
        ((char *)(uintptr_t)lower.p)[i] = th_lower(lower.p[i]);
    d->owned[d->owned_count++] = lower;
    return true;
}

static bool push(struct head *h, struct th_program_op op, unsigned line)
{
    if (h->count == HEAD_OPS)
        return th_where_fail(h->w, line, "the request has too many parts");
    h->ops[h->count++] = op;
    return true;
}

static bool push_text(struct head *h, struct th_span text, unsigned line)
{
    struct th_span copy = th_where_copy(h->w, text);

    return copy.p && push(h, (struct th_program_op){.kind = TH_DO_TEXT, .text = copy}, line);
}

static bool push_name(struct head *h, struct dl_text name)
{
    return push_text(h, name.s, name.line) && push_text(h, TH_LIT(": "), name.line);
}

static bool value_template(struct head *h, const char *key, struct dl_text value, struct th_program *out)
{
    size_t old = enter(h, key);

    if (!is_value(value.s))
        return th_where_fail(h->w, value.line,
                             "holds bytes that a header value cannot carry, or white space at an end");
    if (!th_template_compile(h->w, value.s, value.line, TH_IN_HEADER, h->d->stamp,
                             h->d->spec.schema_version.s, out))
        return false;
    th_where_leave(h->w, old);
    return true;
}

static bool push_ops(struct head *h, const struct th_program *p, bool percent, unsigned line)
{
    for (unsigned i = 0; i < p->count; i++) {
        struct th_program_op op = p->ops[i];

        op.percent = percent;
        if (!push(h, op, line))
            return false;
    }
    return true;
}

/* The name with ": " or another text behind it. */
static bool name_with(struct head *h, struct th_span name, struct th_span behind, struct th_span *out)
{
    char *text = th_where_alloc(h->w, name.n + behind.n + 1);

    if (!text)
        return false;
    memcpy(text, name.p, name.n);
    memcpy(text + name.n, behind.p, behind.n);
    *out = th_span(text, name.n + behind.n);
    return true;
}

/* A line that may come out empty, has something in its place, or is escaped. */
static bool push_careful(struct head *h, const struct dl_header *header, const struct th_program *value)
{
    bool percent = header->escape == DL_ESCAPE_PERCENT;
    struct th_program other = {.count = 0};
    struct th_program_op line = {.kind = TH_DO_LINE};
    unsigned at = header->value.line;

    if (header->otherwise.s.p && !value_template(h, "otherwise", header->otherwise, &other))
        return false;
    if ((value->fields | other.fields) & TH_FIELD_BIT(TH_F_SECRET))
        return th_where_fail(h->w, at, "{secret} cannot stand in a value that may be empty or escaped");
    return name_with(h, header->name.s, TH_LIT(": "), &line.text) && own(h, header->name, true) &&
           push(h, line, header->name.line) && push_ops(h, value, percent, at) &&
           push(h, (struct th_program_op){.kind = TH_DO_ELSE, .jump = (uint16_t)other.count}, at) &&
           push_ops(h, &other, percent, at) &&
           push(h, (struct th_program_op){.kind = TH_DO_LINE_END, .text = TH_LIT("\r\n")}, at);
}

/* Where secrets are hidden: "***" instead of the `count` ops that follow. */
static bool push_hidden(struct head *h, unsigned count, unsigned line)
{
    return push(h, (struct th_program_op){.kind = TH_DO_WHEN, .arg = DL_HIDE, .jump = 2}, line) &&
           push(h, (struct th_program_op){.kind = TH_DO_TEXT, .text = TH_LIT("***")}, line) &&
           push(h, (struct th_program_op){.kind = TH_DO_JUMP, .jump = (uint16_t)count}, line);
}

/* One field line from a template. A value with the secret in it can be hidden as a whole. */
static bool push_line(struct head *h, const struct dl_header *header)
{
    struct dl_text name = header->name;
    struct th_program p;

    if (!value_template(h, h->value_key, header->value, &p))
        return false;
    if (header->otherwise.s.p || header->escape == DL_ESCAPE_PERCENT || (p.flags & TH_FIELD_IS_OPTIONAL))
        return push_careful(h, header, &p);
    if (!own(h, name, true) || !push_name(h, name))
        return false;
    if (p.fields & TH_FIELD_BIT(TH_F_SECRET)) {
        h->d->needs_plain = true;
        if (!push_hidden(h, p.count, name.line))
            return false;
    }
    return push_ops(h, &p, false, name.line) && push_text(h, TH_LIT("\r\n"), name.line);
}

static bool option_bit(struct head *h, struct dl_text when, uint8_t *bit)
{
    const struct dl_spec *s = &h->d->spec;

    for (unsigned i = 0; i < s->endpoint.option_count; i++)
        if (th_span_eq(when.s, s->endpoint.options[i].name.s)) {
            *bit = (uint8_t)i;
            return true;
        }
    return th_where_fail(h->w, when.line, "\"%s\" is not among endpoint.options", when.s.p);
}

/* What follows, up to end_when, is there only if an option is on, with the word "retry" from the second attempt on, with
 * "unset" if the endpoint has no header of that name of its own. */
static bool begin_when(struct head *h, struct dl_text name, struct dl_text when, unsigned *at)
{
    struct th_program_op op = {.kind = TH_DO_WHEN, .arg = DL_RETRY};
    size_t old;

    *at = h->count;
    if (!when.s.p)
        return true;
    old = th_where_enter(h->w, TH_LIT("when"));
    if (name.s.p && th_span_is(when.s, "unset")) {
        op.arg = DL_UNSET;
        if (!name_with(h, name.s, TH_LIT(":"), &op.text))
            return false;
    } else if (!th_span_is(when.s, "retry") && !option_bit(h, when, &op.arg)) {
        return false;
    }
    th_where_leave(h->w, old);
    return push(h, op, when.line);
}

static void end_when(struct head *h, struct dl_text when, unsigned at)
{
    if (when.s.p)
        h->ops[at].jump = (uint16_t)(h->count - at - 1);
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
        size_t old = th_where_enter_index(h->w, i);
        h->name_key = "name";
        h->value_key = "value";
        if (!push_header(h, &s->request.headers[i]))
            return false;
        th_where_leave(h->w, old);
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
        size_t old = th_where_enter(h->w, e->key);
        if ((th_span_is(e->key, "user_agent") && !push_named(h, "User-Agent", s->request.user_agent)) ||
            (th_span_is(e->key, "content_type") && !push_named(h, "Content-Type", s->request.content_type)) ||
            (th_span_is(e->key, "headers") && !do_headers(h)))
            return false;
        th_where_leave(h->w, old);
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
        return th_where_fail(h->w, line, "more than %d ways to decode a secret", DL_SLOTS);
    *slot = (uint8_t)d->slot_count;
    d->slots[d->slot_count++] = (struct dl_slot){algorithm, key};
    return true;
}

static bool sig_template(struct head *h, const char *key, struct dl_text text, enum th_field_place place,
                         enum th_form ts, struct th_program *out)
{
    size_t old = th_where_enter(h->w, th_str(key));

    if (text.s.n == 0)
        return th_where_fail(h->w, text.line, "must not be empty");
    if (!th_template_compile(h->w, text.s, text.line, place, ts, h->d->spec.schema_version.s, out))
        return false;
    if (place == TH_IN_ITEM && !(out->fields & TH_FIELD_BIT(TH_F_SIG)))
        return th_where_fail(h->w, text.line, "must use {sig}");
    if (place == TH_IN_WRAP && !(out->fields & TH_FIELD_BIT(TH_F_ITEMS)))
        return th_where_fail(h->w, text.line, "must use {items}");
    th_where_leave(h->w, old);
    return true;
}

/* Literal text around the signatures. A join may be or end in white space: it stands between two items. */
static bool sig_text(struct head *h, const char *key, struct dl_text text, bool whole)
{
    if (whole ? is_value(text.s) : !memchr(text.s.p, '\r', text.s.n) && !memchr(text.s.p, '\n', text.s.n))
        return true;
    th_where_enter(h->w, th_str(key));
    return th_where_fail(h->w, text.line,
                         "holds bytes that a header value cannot carry, or white space at an end");
}

/* The two headers beside the signature's own; a variant has the same. */
static bool own_message(struct head *h, unsigned line)
{
    bool fresh = !h->d->names_keys;

    h->d->names_keys = true;
    return own(h, (struct dl_text){TH_LIT("Content-Digest"), line}, fresh) &&
           own(h, (struct dl_text){TH_LIT("Signature-Input"), line}, fresh);
}

static bool sig_compile(struct head *h, const struct dl_sig_spec *spec, const struct dl_sig_parts *p,
                        struct dl_sig *out)
{
    enum th_form ts = p->timestamp ? form_of((enum dl_stamp)p->timestamp) : h->d->stamp;
    unsigned line = p->header.line;

    if ((p->algorithm == DL_ED25519) != (p->key == DL_KEY_WHSK) && p->key != DL_KEY_HEX &&
        p->key != DL_KEY_BASE64) {
        th_where_enter(h->w, TH_LIT("key"));
        return th_where_fail(h->w, line, "this algorithm cannot use a key of this kind");
    }
    *out = (struct dl_sig){.header = p->header.s,
                           .algorithm = (enum dl_algorithm)p->algorithm,
                           .encoding = (enum dl_encoding)p->encoding,
                           .join = p->join.s};
    if (out->encoding == DL_HTTP_MESSAGE)
        return th_message_compile(h->w, h->d, spec, p, out) && own_message(h, line) &&
               find_slot(h, out->algorithm, (enum dl_key)p->key, line, &out->slot);
    if (p->tag.s.n || spec->nonce.s.n || spec->expires_seconds) {
        th_where_enter(h->w, TH_LIT("tag"));
        return th_where_fail(
            h->w, line, "has a meaning with the encoding http-message only, as nonce and expires_seconds");
    }
    if (!sig_text(h, "item", p->item, true) || !sig_text(h, "join", p->join, false) ||
        !sig_text(h, "wrap", p->wrap, true))
        return false;
    if (!sig_template(h, "content", p->content, TH_IN_CONTENT, ts, &out->content) ||
        !sig_template(h, "item", p->item, TH_IN_ITEM, ts, &out->item) ||
        !sig_template(h, "wrap", p->wrap, TH_IN_WRAP, ts, &out->wrap))
        return false;
    if (out->content.fields & TH_FIELD_BIT(TH_F_SECRET))
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
    TAKE_TEXT(tag);
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
        return th_where_fail(h->w, name.line, "more than %d variants", DL_VARIANTS);
    v->variants[v->variant_count++] = name.s;
    return true;
}

static bool do_signature(struct head *h, unsigned i)
{
    struct dl_sig_spec *spec = &h->d->spec.signatures[i];
    struct dl_sig *row = h->d->sigs[i];
    unsigned line = spec->parts.header.line, at;

    if (!own(h, spec->parts.header, true) || !sig_compile(h, spec, &spec->parts, &row[0]))
        return false;
    for (unsigned v = 1; v < DL_VARIANTS; v++)
        row[v] = row[0];
    for (unsigned k = 0; k < spec->variant_count; k++) {
        struct dl_variant *variant = &spec->variants[k];
        size_t old = th_where_enter(h->w, TH_LIT("variants"));
        unsigned index;

        th_where_enter(h->w, variant->name.s);
        inherit(&variant->parts, &spec->parts);
        if (!variant_index(h, variant->name, &index))
            return false;
        if (index == 0)
            return th_where_fail(h->w, variant->name.line, "has the name of the default variant");
        if (!own(h, variant->parts.header, !th_span_ieq(variant->parts.header.s, spec->parts.header.s)) ||
            !sig_compile(h, spec, &variant->parts, &row[index]))
            return false;
        h->d->variant_secret_form[index] = variant->secret_form;
        th_where_leave(h->w, old);
    }
    if (!begin_when(h, (struct dl_text){0}, spec->when, &at) ||
        !push(h, (struct th_program_op){.kind = TH_DO_CALL, .arg = (uint8_t)i}, line))
        return false;
    end_when(h, spec->when, at);
    return true;
}

static bool do_signatures(struct head *h)
{
    h->name_key = "header";
    for (unsigned i = 0; i < h->d->spec.signature_count; i++) {
        size_t old = th_where_enter_index(h->w, i);
        if (!do_signature(h, i))
            return false;
        th_where_leave(h->w, old);
    }
    h->d->sig_count = h->d->spec.signature_count;
    return true;
}

static bool push_auth(struct head *h)
{
    const struct dl_spec *s = &h->d->spec;
    const struct dl_header auth = {.name = s->auth.header, .value = s->auth.value};
    struct th_program p;

    h->name_key = "header";
    h->value_key = "value";
    if (!value_template(h, "value", auth.value, &p))
        return false;
    if (!(p.fields & TH_FIELD_BIT(TH_F_SECRET))) {
        th_where_enter(h->w, TH_LIT("value"));
        return th_where_fail(h->w, auth.value.line, "must use {secret}");
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
        old = th_where_enter(h->w, e->key);
        if ((th_span_is(e->key, "request") && !do_request(h, e)) ||
            (th_span_is(e->key, "auth") && !push_auth(h)) ||
            (th_span_is(e->key, "signatures") && !do_signatures(h)))
            return false;
        th_where_leave(h->w, old);
    }
    return true;
}

/* The first op behind what this one may leave out; a line counts up to its end. 0: it leaves out nothing. */
static unsigned reach_of(const struct head *h, unsigned i)
{
    unsigned end = i;

    switch (h->ops[i].kind) {
    case TH_DO_WHEN:
    case TH_DO_JUMP:
    case TH_DO_ELSE:
        return i + h->ops[i].jump + 1;
    case TH_DO_LINE:
        while (h->ops[end].kind != TH_DO_LINE_END)
            end++;
        return end + 1;
    default:
        return 0;
    }
}

static bool join(struct head *h, struct th_program_op *op, struct th_span more)
{
    char *p = th_where_alloc(h->w, op->text.n + more.n + 1);

    if (!p)
        return false;
    memcpy(p, op->text.p, op->text.n);
    memcpy(p + op->text.n, more.p, more.n);
    op->text = th_span(p, op->text.n + more.n);
    return true;
}

/* Joins neighbouring literals: most of a head becomes a few copies. */
static bool finish(struct head *h)
{
    struct th_program_op *ops = th_where_alloc(h->w, sizeof *ops * h->count);
    unsigned n = 0, flags = 0,
             barrier =
                 0; /* ops before it are inside a part that may be left out: their number must not change */

    if (!ops)
        return false;
    for (unsigned i = 0; i < h->count; i++) {
        struct th_program_op op = h->ops[i];
        unsigned reach = reach_of(h, i);

        barrier = reach > barrier ? reach : barrier;
        flags |= op.kind == TH_DO_FIELD ? th_field_flags(op.from.field) : 0;
        if (n && i > barrier && op.kind == TH_DO_TEXT && ops[n - 1].kind == TH_DO_TEXT) {
            if (!join(h, &ops[n - 1], op.text))
                return false;
        } else {
            ops[n++] = op;
        }
    }
    h->d->head = (struct th_program){ops, n, flags, 0};
    return true;
}

/* Headers of ordered requests, which stand behind those of the endpoint. */
static bool own_order(struct head *h)
{
    size_t old = th_where_enter(h->w, TH_LIT("ordering"));

    h->name_key = "sequence_header";
    if (!own(h, h->d->spec.ordering.sequence, true))
        return false;
    h->name_key = "skipped_header";
    if (!own(h, h->d->spec.ordering.skipped, true))
        return false;
    h->name_key = "batch_header";
    if (!own(h, h->d->spec.ordering.batch, true))
        return false;
    th_where_leave(h->w, old);
    return true;
}

bool th_dialect_head_compile(struct th_where *w, struct th_dialect *d, const struct th_node *root)
{
    struct head h = {.w = w, .d = d};
    const struct dl_spec *s = &d->spec;

    d->stamp = form_of((enum dl_stamp)s->request.timestamp);
    if (!is_method(s->request.method.s)) {
        th_where_enter(w, TH_LIT("request.method"));
        return th_where_fail(w, s->request.method.line, "is no method: capital letters, as in POST");
    }
    if (s->signature_count) {
        unsigned index;
        if (!variant_index(&h, s->signatures[0].variant, &index))
            return false;
    }
    return do_groups(&h, root) && own_order(&h) && finish(&h);
}
