/* What the server needs of JSON beside lib/json.h: the place of a fault as line and column, and texts in
 * growing buffers. */
#include "base/json.h"
#include "lib/json_scan.h"

static void locate(struct th_json_error *error, struct th_span text, const struct th_json_fault *fault)
{
    *error = (struct th_json_error){.line = 1, .column = 1, .what = fault->what};
    error->offset = text.p ? (size_t)(fault->at - text.p) : 0;
    for (size_t i = 0; i < error->offset; i++) {
        if (text.p[i] == '\n') {
            error->line++;
            error->column = 1;
        } else if (((unsigned char)text.p[i] & 0xc0) != 0x80) { /* not the rest of a character */
            error->column++;
        }
    }
}

enum th_error th_json_parse(struct th_span text, unsigned max_depth, struct th_json *root,
                            struct th_json_error *error)
{
    struct th_json_fault fault;

    if (th_json_read(text, max_depth, root, &fault))
        return TH_OK;
    if (th_span_starts(text, TH_LIT("\xef\xbb\xbf")))
        fault.what = "byte order mark";
    if (error)
        locate(error, text, &fault);
    return TH_MALFORMED;
}

static const char *find_backslash(const char *p, const char *end)
{
    const char *q = p < end ? memchr(p, '\\', (size_t)(end - p)) : NULL;

    return q ? q : end;
}

bool th_json_string(struct th_json v, struct th_buf *out)
{
    struct th_span s;
    const char *p, *end;
    char bytes[4];

    if (v.type != TH_JSON_STRING)
        return false;
    s = th_json_inside(v);
    for (p = s.p, end = s.p + s.n; p < end;) {
        const char *q = find_backslash(p, end);
        th_buf_add(out, p, (size_t)(q - p));
        p = q;
        if (p < end)
            th_buf_add(out, bytes, th_json_resolve(&p, end, bytes));
    }
    return true;
}

void th_json_pointer_words(struct th_buf *out, struct th_span pointer)
{
    size_t begin = out->n;

    if (!th_span_starts(pointer, TH_LIT("/"))) {
        th_buf_span(out, pointer);
        return;
    }
    pointer = th_span(pointer.p + 1, pointer.n - 1);
    for (bool more = true; more;) {
        const char *slash = pointer.n ? memchr(pointer.p, '/', pointer.n) : NULL;
        struct th_span name = {pointer.p, slash ? (size_t)(slash - pointer.p) : pointer.n};
        uint64_t index;

        more = slash != NULL;
        pointer = more ? th_span(slash + 1, pointer.n - name.n - 1) : TH_LIT("");
        if (th_span_u64(name, UINT32_MAX, &index)) {
            th_buf_printf(out, "[%llu]", (unsigned long long)index);
            continue;
        }
        if (out->n > begin)
            th_buf_char(out, '.');
        for (size_t i = 0; i < name.n; i++) {
            bool escape =
                name.p[i] == '~' && i + 1 < name.n && (name.p[i + 1] == '0' || name.p[i + 1] == '1');
            th_buf_char(out, !escape ? name.p[i] : name.p[i + 1] == '0' ? '~' : '/');
            i += escape;
        }
    }
}
