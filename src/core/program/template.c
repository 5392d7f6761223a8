/* Templates: text with variables in braces, compiled once into literals and fields.
 *
 * The variables are a closed list, not a language: an unknown one, or one that means nothing at this place
 * (the signature inside the signed content), is an error with line and key. "{{" and "}}" stand for one
 * brace. */
#include "core/program/program.h"

struct builder {
    struct th_where *w;
    unsigned line;
    enum th_field_place place;
    enum th_form ts;
    struct th_span schema_version;
    struct th_program_op ops[TH_TEMPLATE_OPS];
    unsigned count, flags;
    uint32_t fields;
    char *literal; /* room for all literal text of this template */
    size_t used, start;
};

static bool push(struct builder *b, struct th_program_op op)
{
    if (b->count == TH_TEMPLATE_OPS)
        return th_where_fail(b->w, b->line, "has more than %d parts", TH_TEMPLATE_OPS);
    b->ops[b->count++] = op;
    return true;
}

static bool flush(struct builder *b)
{
    struct th_span text = {b->literal + b->start, b->used - b->start};

    b->start = b->used;
    return text.n == 0 || push(b, (struct th_program_op){.kind = TH_DO_TEXT, .text = text});
}

static bool add_schema_version(struct builder *b)
{
    if (b->schema_version.n == 0)
        return th_where_fail(b->w, b->line, "{schema.version} needs the key schema_version");
    memcpy(b->literal + b->used, b->schema_version.p, b->schema_version.n);
    b->used += b->schema_version.n;
    return true;
}

static bool add_field(struct builder *b, struct th_span name)
{
    bool here;
    struct th_field_ref from = th_field_find(name, b->place, &here);
    struct th_program_op op = {.kind = TH_DO_FIELD};
    int shown = (int)(name.n < 60 ? name.n : 60);

    /* a member of data is no variable in any template */
    if (from.field == TH_F_NONE || from.field == TH_F_MEMBER)
        return th_where_fail(b->w, b->line, "unknown variable {%.*s}", shown, name.p);
    if (!here)
        return th_where_fail(b->w, b->line, "{%.*s} has no meaning here", shown, name.p);
    if (from.field == TH_F_SCHEMA_VERSION)
        return add_schema_version(b);
    if (from.arg.n) {
        from.arg = th_where_copy(b->w, from.arg);
        if (!from.arg.p)
            return false;
    }
    from.form = from.field == TH_F_TS ? b->ts : TH_FORM_RFC3339;
    op.from = from;
    b->flags |= th_field_flags(from.field);
    b->fields |= TH_FIELD_BIT(from.field);
    return flush(b) && push(b, op);
}

static bool walk(struct builder *b, struct th_span text)
{
    const char *p = text.p, *end = p + text.n;

    while (p < end) {
        if ((*p == '{' || *p == '}') && p + 1 < end && p[1] == *p) {
            b->literal[b->used++] = *p;
            p += 2;
        } else if (*p == '{') {
            const char *close = memchr(p, '}', (size_t)(end - p));
            if (!close)
                return th_where_fail(
                    b->w, b->line,
                    "has an opening brace without a closing one (a literal brace is written twice)");
            if (!add_field(b, th_span(p + 1, (size_t)(close - p - 1))))
                return false;
            p = close + 1;
        } else if (*p == '}') {
            return th_where_fail(
                b->w, b->line,
                "has a closing brace without an opening one (a literal brace is written twice)");
        } else {
            b->literal[b->used++] = *p++;
        }
    }
    return flush(b);
}

bool th_template_compile(struct th_where *w, struct th_span text, unsigned line, enum th_field_place place,
                         enum th_form ts, struct th_span schema_version, struct th_program *out)
{
    struct builder b = {.w = w, .line = line, .place = place, .ts = ts, .schema_version = schema_version};
    struct th_program_op *ops;

    b.literal = th_where_alloc(w, text.n + 1 + (text.n / 4 + 1) * schema_version.n);
    if (!b.literal || !walk(&b, text))
        return false;
    ops = th_where_alloc(w, sizeof *ops * b.count);
    if (!ops)
        return false;
    memcpy(ops, b.ops, sizeof *ops * b.count);
    *out = (struct th_program){ops, b.count, b.flags, b.fields};
    return true;
}
