/* Writes forms: one pass over the tape, with the name of the place that is written now in a buffer. */
#include "core/jsonpath/form.h"
#include "core/jsonpath/value.h"
#include "lib/text.h"

/* As the URL standard writes forms: letters, digits and "*-._" as they are, a space as "+", all else as %XX. */
static void add(struct th_buf *out, const char *p, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];
        char hex[3] = {'%', digits[c >> 4], digits[c & 15]};
        bool plain = th_is_digit((char)c) || (c < 128 && ((c | 32) >= 'a' && (c | 32) <= 'z'));

        if (plain || (c && strchr("*-._", c)))
            th_buf_char(out, (char)c);
        else if (c == ' ')
            th_buf_char(out, '+');
        else
            th_buf_add(out, hex, sizeof hex);
    }
}

/* A text with its escapes resolved. */
static void add_text(struct th_buf *out, struct th_json string)
{
    struct th_buf text;

    th_buf_init(&text, string.raw.n + 1);
    (void)th_json_string(string, &text);
    if (text.failed)
        out->failed = text.failed;
    add(out, text.p ? text.p : "", text.n);
    th_buf_fini(&text);
}

static void add_value(struct th_buf *out, struct th_json v)
{
    if (v.type == TH_JSON_STRING)
        add_text(out, v);
    else if (v.type != TH_JSON_NULL)
        add(out, v.raw.p, v.raw.n);
}

struct open {
    uint32_t end, index;
    size_t name; /* bytes of its own name */
    bool list;
};

/* The part of the name that a child adds. */
static void add_name(const struct th_tape *t, uint32_t i, struct open *in, bool top, struct th_buf *name)
{
    name->n = in->name;
    if (!top)
        th_buf_str(name, "%5B");
    if (in->list)
        th_buf_u64(name, in->index++);
    else
        add_text(name, th_tape_name(t, i));
    if (!top)
        th_buf_str(name, "%5D");
}

enum th_error th_form_write(const struct th_tape *t, uint32_t root, size_t max, struct th_buf *out)
{
    struct open open[TH_JSON_DEPTH + 8];
    uint32_t end = th_tape_node(t, root)->next;
    unsigned depth = 0;
    struct th_buf name;
    size_t before = out->n;
    enum th_error error = TH_OK;

    th_buf_init(&name, 1u << 20);
    if (th_tape_value(t, root).type != TH_JSON_OBJECT)
        th_buf_str(&name, "data");
    for (uint32_t i = root; !error && i < end; i++) {
        struct th_json v = th_tape_value(t, i);

        while (depth && i >= open[depth - 1].end)
            depth--;
        if (depth)
            add_name(t, i, &open[depth - 1], open[depth - 1].name == 0, &name);
        if (v.type == TH_JSON_OBJECT || v.type == TH_JSON_ARRAY) {
            if (depth == sizeof open / sizeof *open)
                error = TH_TOO_LARGE;
            else if (th_tape_node(t, i)->children)
                open[depth++] = (struct open){th_tape_node(t, i)->next, 0, name.n, v.type == TH_JSON_ARRAY};
        } else {
            if (out->n > before)
                th_buf_char(out, '&');
            th_buf_span(out, th_buf_view(&name));
            th_buf_char(out, '=');
            add_value(out, v);
            if (out->n - before > max)
                error = TH_TOO_LARGE;
        }
        if (!error && (out->failed || name.failed))
            error = out->failed ? out->failed : name.failed;
    }
    th_buf_fini(&name);
    return error;
}
