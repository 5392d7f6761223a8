/* The members of an event, each from where the stream's file says. `data` is passed on byte for byte. What the engine will judge anyway
 * (the form of types, sizes) is left to it; here is refused what is not there or is no text.
 *
 * The id is what makes a message that comes twice one event. An id that events cannot have (other characters, too long) is replaced by its
 * hash, always the same. */
#include "event.h"
#include "base/json.h"
#include "base/time.h"
#include "core/guard.h"
#include "core/trace.h"
#include "lib/crypto.h"
#include <stdio.h>

static const char *const names[BR_MEMBERS] = {"type", "data", "tenant", "id", "time", "traceparent"};

struct made {
    struct th_json root;
    bool parsed, is_json;
};

static bool body_of(struct br_message *m, struct made *made)
{
    struct th_json_error error;

    if (made->parsed)
        return made->is_json;
    made->parsed = true;
    made->is_json = th_json_parse(m->body, TH_JSON_DEPTH, &made->root, &error) == TH_OK;
    if (!made->is_json)
        snprintf(m->reason, sizeof m->reason, "the body is not JSON: %s at byte %zu", error.what,
                 error.offset);
    return made->is_json;
}

/* BR_OK: *out is the text, in mem. NONE: there is none. LOST: it cannot be one; the reason is set. */
static enum br_result text_from(const struct br_config *c, enum br_member which,
                                const struct br_source *source, void *s, struct br_message *m,
                                struct made *made, struct th_arena *mem, struct th_span *out)
{
    const struct br_field *f = &c->fields[which];
    struct th_json v;
    struct th_buf text;
    bool ok;

    switch (f->from) {
    case BR_TEXT:
        *out = f->text;
        return BR_OK;
    case BR_KEY:
        *out = m->key;
        return m->key.n ? BR_OK : BR_NONE;
    case BR_ID:
        *out = th_str(m->id);
        return m->id[0] ? BR_OK : BR_NONE;
    case BR_HEADER:
        return source->header(s, m, f->text.p, out) && out->n ? BR_OK : BR_NONE;
    case BR_BODY:
        if (!body_of(m, made))
            return BR_LOST;
        if (!th_json_pointer(made->root, f->text, &v) || v.type == TH_JSON_NULL)
            return BR_NONE;
        if (v.type == TH_JSON_NUMBER) {
            *out = v.raw;
            return BR_OK;
        }
        th_buf_init(&text, 65536);
        ok = th_json_string(v, &text) && !text.failed && th_arena_copy(mem, th_buf_view(&text), out);
        th_buf_fini(&text);
        if (!ok)
            snprintf(m->reason, sizeof m->reason, "%s: %.*s is no text", names[which], (int)f->text.n,
                     f->text.p);
        return ok ? BR_OK : BR_LOST;
    default:
        return BR_NONE;
    }
}

static void write_id(struct th_jw *w, struct th_span id)
{
    char hex[65];
    uint8_t hash[32];

    th_jw_key(w, TH_LIT("id"));
    if (th_id_ok(id)) {
        th_jw_string(w, id);
        return;
    }
    th_sha256(id.p, id.n, hash);
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    th_jw_string(w, th_span(hex, 40));
}

/* RFC 3339, or a number of seconds or milliseconds since 1970. */
static bool write_time(struct th_jw *w, struct th_span text)
{
    struct th_wall t = {0};
    struct th_buf b;
    uint64_t n;

    if (th_span_u64(text, (uint64_t)INT64_MAX / 1000, &n))
        t.ms = (int64_t)(n > 100000000000u ? n : n * 1000); /* as seconds that would be the year 5138 */
    else if (!th_wall_parse(text, &t))
        return false;
    th_buf_init(&b, 64);
    th_wall_format(&b, t, TH_RFC3339_MILLIS);
    th_jw_key(w, TH_LIT("time"));
    th_jw_string(w, th_buf_view(&b));
    th_buf_fini(&b);
    return true;
}

static bool write_data(const struct br_config *c, struct br_message *m, struct made *made, struct th_jw *w)
{
    struct th_json v;

    if (!body_of(m, made))
        return false;
    if (!th_json_pointer(made->root, c->fields[BR_M_DATA].text, &v)) {
        snprintf(m->reason, sizeof m->reason, "data: the body has no %.*s", (int)c->fields[BR_M_DATA].text.n,
                 c->fields[BR_M_DATA].text.p);
        return false;
    }
    th_jw_key(w, TH_LIT("data"));
    th_jw_raw(w, v.raw);
    return true;
}

bool br_event_make(const struct br_config *c, const struct br_source *source, void *s, struct br_message *m,
                   struct th_arena *mem, struct th_buf *out)
{
    struct made made = {.parsed = false};
    struct th_jw w = th_jw(out);
    struct th_trace_parent trace;

    m->tenant = TH_LIT("");
    th_jw_object(&w);
    for (enum br_member i = 0; i < BR_MEMBERS; i++) {
        struct th_span text = TH_LIT("");
        enum br_result got;

        if (i == BR_M_DATA) {
            if (!write_data(c, m, &made, &w))
                return false;
            continue;
        }
        if (i == BR_M_TIME && c->fields[i].from == BR_TIME) {
            char number[24];

            snprintf(number, sizeof number, "%lld", (long long)m->time_ms);
            if (m->time_ms > 0)
                (void)write_time(&w, th_str(number));
            continue;
        }
        got = text_from(c, i, source, s, m, &made, mem, &text);
        if (got == BR_LOST)
            return false;
        if (got == BR_NONE && (i == BR_M_TYPE || (i == BR_M_TENANT && c->fields[i].from != BR_ABSENT) ||
                               (i == BR_M_ID && c->fields[i].from != BR_ID))) {
            snprintf(m->reason, sizeof m->reason, "%s: the message has none where the stream's file says",
                     names[i]);
            return false;
        }
        if (got == BR_NONE)
            continue;
        if (i == BR_M_ID) {
            write_id(&w, text);
        } else if (i == BR_M_TIME) {
            if (!write_time(&w, text)) {
                snprintf(m->reason, sizeof m->reason, "time: \"%.*s\" is neither RFC 3339 nor a number",
                         (int)(text.n < 60 ? text.n : 60), text.p);
                return false;
            }
        } else {
            if (i == BR_M_TENANT)
                m->tenant = text;
            if (i == BR_M_TRACEPARENT && !th_trace_parent_read(text, &trace))
                continue; /* ignored, as its specification asks */
            th_jw_key(&w, th_str(names[i]));
            th_jw_string(&w, text);
        }
    }
    th_jw_end_object(&w);
    return true;
}
