/* What receivers ask of JSON: members by name, and strings as text. Text that they give is not known to be valid. */
#include "lib/internal.h"
#include "lib/json_scan.h"

bool th_lib_json(struct th_span text, struct th_json *value)
{
    return th_json_read(text, TH_LIB_JSON_DEPTH, value, NULL);
}

bool th_lib_member(struct th_json object, struct th_span name, struct th_json *out)
{
    struct th_json_iter it;
    struct th_json key, value;
    bool found = false;

    th_json_iter(&it, object.type == TH_JSON_OBJECT ? object : (struct th_json){.type = TH_JSON_NULL});
    while (th_json_next(&it, &key, &value))
        if (th_json_string_eq(key, name)) {
            *out = value;
            found = true;
        }
    return found;
}

bool tenterhook_member(struct th_span object, const char *wanted, struct th_span *out)
{
    struct th_json root, value;
    bool found = th_lib_json(object, &root) && th_lib_member(root, th_str(wanted), &value);

    *out = found ? value.raw : th_span(NULL, 0);
    return found;
}

/* Whether these bytes stand for half a surrogate pair, which is no text: an escape that became U+FFFD but is not its own. */
static bool is_half(const char *from, const char *to, const char bytes[4])
{
    return to - from == 6 && memcmp(bytes, "\xef\xbf\xbd", 3) == 0 && th_lower(from[2]) == 'd';
}

bool tenterhook_string(struct th_span json, char *out, size_t cap, size_t *n)
{
    struct th_json v;
    struct th_span text;
    const char *p, *end;
    size_t done = 0;

    if (cap == 0 || !th_lib_json(json, &v) || v.type != TH_JSON_STRING)
        return false;
    text = th_json_inside(v);
    for (p = text.p, end = text.p + text.n; p < end;) {
        const char *from = p;
        char bytes[4];
        size_t len = th_json_character(&p, end, bytes);

        if (len > cap - 1 - done || is_half(from, p, bytes))
            return false;
        memcpy(out + done, bytes, len);
        done += len;
    }
    out[done] = 0;
    *n = done;
    return true;
}
