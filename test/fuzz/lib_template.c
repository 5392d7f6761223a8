/* Templates from anybody, and texts to match with them. A text that matches is what the template gives with
 * the values that were found; what compiles has no variable that was not allowed. */
#include "lib_fuzz.h"

/* Puts the values into the template, and compares with the text. */
static bool gives(const struct th_lib_template *t, struct th_span text,
                  const struct th_span value[TH_LIB_VARS])
{
    for (unsigned i = 0; i < t->count; i++) {
        struct th_span s = t->piece[i].var == TH_LIB_TEXT ? t->piece[i].text : value[t->piece[i].var];

        if (!th_span_starts(text, s))
            return false;
        text = th_span(text.p + s.n, text.n - s.n);
    }
    return text.n == 0;
}

/* More than there are bits: one is there twice, which no form accepts. */
static unsigned variables(const struct th_lib_template *t)
{
    unsigned count = 0;

    for (unsigned i = 0; i < t->count; i++)
        count += t->piece[i].var != TH_LIB_TEXT;
    return count;
}

/* A form whose templates are these. */
static void fuzz_form(struct th_span a, struct th_span b, struct th_span c)
{
    const struct tenterhook_signature s = {.header = TENTERHOOK_LIT("S"),
                                           .algorithm = TENTERHOOK_HMAC_SHA256,
                                           .key = TENTERHOOK_KEY_UTF8,
                                           .encoding = TENTERHOOK_HEX,
                                           .content = a,
                                           .item = b,
                                           .join = c,
                                           .wrap = c};
    struct th_lib_form form;

    if (th_lib_form(&s, &form) == NULL) {
        must(form.content.vars & TH_LIB_BIT(TH_LIB_BODY) && form.item.vars & TH_LIB_BIT(TH_LIB_SIG));
        must(!(form.content.vars & (TH_LIB_BIT(TH_LIB_SECRET) | TH_LIB_BIT(TH_LIB_SIG))));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz f = fuzz_begin(data, size);
    uint32_t allowed = (uint32_t)fuzz_byte(&f) << 8 | fuzz_byte(&f) | TH_LIB_BIT(TH_LIB_ITEMS);
    struct th_span text = span_of(fuzz_line(&f)), subject = span_of(fuzz_line(&f)),
                   rest = span_of(fuzz_rest(&f));
    struct th_span value[TH_LIB_VARS] = {{NULL, 0}};
    struct th_lib_template t;
    enum th_lib_var only = th_lib_variable(text);

    if (th_lib_template(text, allowed, &t)) {
        must(t.count <= TH_LIB_PIECES && !(t.vars & ~allowed));
        must(only == TH_LIB_TEXT || (t.count == 1 && t.piece[0].var == only));
        for (unsigned i = 0; i < t.count; i++)
            must(t.piece[i].var == TH_LIB_TEXT ? t.piece[i].text.n && lies_in(t.piece[i].text, text.p, text.n)
                                               : t.vars & TH_LIB_BIT(t.piece[i].var));
        if (th_lib_match(&t, subject, value)) {
            for (unsigned v = 0; v < TH_LIB_VARS; v++)
                must(lies_in(value[v], subject.p, subject.n));
            must(variables(&t) != (unsigned)__builtin_popcount(t.vars) || gives(&t, subject, value));
        }
    } else {
        must(only == TH_LIB_TEXT || !(allowed & TH_LIB_BIT(only)));
    }
    fuzz_form(text, subject, rest);
    fuzz_end(&f);
    return 0;
}
