/* Templates of dialects: a closed list of variables between literals; compiled once, matched or filled often.
 * Refuses: unknown variables, single braces, more than TH_LIB_PIECES pieces, two variables side by side where
 * a text is to be matched (nothing would say where the first one ends). */
#include "lib/internal.h"

/* In the order of enum th_lib_var, without TH_LIB_TEXT. */
static const char names[] =
#define TH_FIELD_SHARED(id, name, ...) name "\0"
#define TH_FIELD_SERVER(...)
#define TH_FIELD_PREFIX(...)
#define TH_FIELD_API(...)
#include "lib/fields.def"
    ;

enum th_lib_var th_lib_var(struct th_span name)
{
    return (enum th_lib_var)th_lib_choose(name, names);
}

enum th_lib_var th_lib_variable(struct th_span text)
{
    if (text.n < 3 || text.p[0] != '{' || text.p[text.n - 1] != '}')
        return TH_LIB_TEXT;
    return th_lib_var(th_span(text.p + 1, text.n - 2));
}

/* The piece at the beginning of text: how long it is there, and what. 0: a mistake. */
static size_t next_piece(struct th_span text, uint32_t allowed, enum th_lib_var *var, struct th_span *literal)
{
    size_t n = 0;

    *var = TH_LIB_TEXT;
    if (text.n >= 2 && text.p[0] == text.p[1] && (text.p[0] == '{' || text.p[0] == '}')) {
        *literal = th_span(text.p, 1);
        return 2;
    }
    if (text.p[0] == '{') {
        const char *end = memchr(text.p, '}', text.n);

        if (!end)
            return 0;
        *var = th_lib_var(th_span(text.p + 1, (size_t)(end - text.p) - 1));
        return *var != TH_LIB_TEXT && (allowed & TH_LIB_BIT(*var)) ? (size_t)(end - text.p) + 1 : 0;
    }
    while (n < text.n && text.p[n] != '{' && text.p[n] != '}')
        n++;
    *literal = th_span(text.p, n);
    return n; /* 0 for a single closing brace */
}

bool th_lib_template(struct th_span text, uint32_t allowed, struct th_lib_template *out)
{
    memset(out, 0, sizeof *out);
    while (text.n) {
        enum th_lib_var var;
        struct th_span literal = {NULL, 0};
        size_t n = next_piece(text, allowed, &var, &literal);

        if (n == 0 || out->count == TH_LIB_PIECES)
            return false;
        out->piece[out->count].var = var;
        out->piece[out->count++].text = literal;
        out->vars |= var == TH_LIB_TEXT ? 0 : TH_LIB_BIT(var);
        text = th_span(text.p + n, text.n - n);
    }
    return true;
}

bool th_lib_match(const struct th_lib_template *t, struct th_span text, struct th_span value[TH_LIB_VARS])
{
    for (unsigned i = 0; i < t->count; i++) {
        enum th_lib_var var = t->piece[i].var;
        struct th_span lit = t->piece[i].text;
        size_t n = text.n;

        if (var == TH_LIB_TEXT) {
            if (!th_span_starts(text, lit))
                return false;
            n = lit.n;
        } else {
            if (i + 1 < t->count) {
                lit = t->piece[i + 1].text;
                if (t->piece[i + 1].var != TH_LIB_TEXT)
                    return false;
                n = var == TH_LIB_ITEMS ? th_lib_find_last(text, lit) : th_lib_find(text, lit);
                if (n == SIZE_MAX)
                    return false;
            }
            value[var] = th_span(text.p, n);
        }
        text = th_span(text.p + n, text.n - n);
    }
    return text.n == 0;
}
