/* Judges a row of an inbox by the rules of POST /v1/events that need no tenant. The function that wrote it has refused most of what is
 * wrong at once; here everything is looked at, since the table's owner may write what he likes. */
#include "app/inbox_event.h"
#include "core/guard.h"
#include "core/trace.h"
#include <stdarg.h>
#include <stdio.h>

static enum th_error no(char why[TH_INBOX_REASON], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum th_error no(char why[TH_INBOX_REASON], const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(why, TH_INBOX_REASON, format, ap);
    va_end(ap);
    return TH_INVALID;
}

/** A text without escapes, in mem. */
static enum th_error copy_text(struct th_json v, struct th_arena *mem, struct th_span *out)
{
    enum th_error error = TH_OK;
    struct th_buf b;

    th_buf_init(&b, v.raw.n + 16);
    if (!th_json_string(v, &b) || b.failed || !th_arena_copy(mem, th_buf_view(&b), out))
        error = TH_NOMEM;
    th_buf_fini(&b);
    return error;
}

static enum th_error read_channels(struct th_json list, struct th_arena *mem, struct th_span *out,
                                   char why[TH_INBOX_REASON])
{
    enum th_error error = TH_OK;
    struct th_json_iter it;
    struct th_json v;
    struct th_span name, lines, before;
    struct th_buf b;
    unsigned count = 0;

    if (list.type != TH_JSON_ARRAY)
        return no(why, "the option channels must be an array of names");
    th_buf_init(&b, 65536);
    th_json_iter(&it, list);
    while (!error && th_json_next(&it, NULL, &v)) {
        if (v.type != TH_JSON_STRING)
            error = no(why, "the option channels must be an array of names");
        else
            error = copy_text(v, mem, &name);
        if (!error && !th_filters_channel_ok(name))
            error = no(why, "the channel \"%.*s\" must have 1 to 128 characters of A-Z a-z 0-9 _ - . / :",
                       (int)(name.n < 150 ? name.n : 150), name.p);
        lines = th_buf_view(&b);
        while (!error && th_filters_channel_next(&lines, &before))
            if (th_span_eq(before, name))
                error = no(why, "the channel \"%.*s\" is given twice", (int)name.n, name.p);
        if (!error && ++count > TH_MAX_CHANNELS)
            error = no(why, "the option channels may have at most %d names", TH_MAX_CHANNELS);
        if (!error) {
            if (count > 1)
                th_buf_char(&b, '\n');
            th_buf_span(&b, name);
        }
    }
    if (!error && (b.failed || !th_arena_copy(mem, th_buf_view(&b), out)))
        error = TH_NOMEM;
    th_buf_fini(&b);
    return error;
}

static enum th_error read_time(const char *name, struct th_span text, int64_t *out, char why[TH_INBOX_REASON])
{
    struct th_wall at;

    if (!th_wall_parse(text, &at))
        return no(why, "the option %s must be an RFC 3339 time, such as 2026-04-02T08:00:00Z", name);
    *out = at.ms;
    return TH_OK;
}

static enum th_error read_option(struct th_json key, struct th_json v, struct th_arena *mem,
                                 struct th_publish_event *out, char why[TH_INBOX_REASON])
{
    const struct {
        const char *name;
        struct th_span *to;
        int64_t *time_ms; /* instead */
        size_t max;
    } texts[] = {
        {"resource_type", &out->resource_type, NULL, 256}, {"resource_id", &out->resource_id, NULL, 512},
        {"traceparent", &out->traceparent, NULL, 55},      {"time", NULL, &out->time.ms, 64},
        {"deliver_at", NULL, &out->deliver_at, 64},        {"expires_at", NULL, &out->expires_at, 64}};
    struct th_trace_parent trace;
    struct th_span text;

    if (th_json_string_eq(key, TH_LIT("channels")))
        return v.type == TH_JSON_NULL ? TH_OK : read_channels(v, mem, &out->channels, why);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        enum th_error error;

        if (!th_json_string_eq(key, th_str(texts[i].name)))
            continue;
        if (v.type == TH_JSON_NULL)
            return TH_OK;
        if (v.type != TH_JSON_STRING)
            return no(why, "the option %s must be a text", texts[i].name);
        error = copy_text(v, mem, &text);
        if (error)
            return error;
        if (text.n > texts[i].max)
            return no(why, "the option %s has %zu bytes; at most %zu are allowed", texts[i].name, text.n,
                      texts[i].max);
        if (texts[i].to == &out->traceparent && !th_trace_parent_read(text, &trace))
            return no(why, "the option traceparent must have the form of W3C Trace Context");
        if (texts[i].time_ms)
            return read_time(texts[i].name, text, texts[i].time_ms, why);
        *texts[i].to = text;
        return TH_OK;
    }
    return no(why, "there is no option %.*s", (int)(key.raw.n < 150 ? key.raw.n : 150), key.raw.p);
}

static enum th_error read_options(struct th_span options, struct th_arena *mem, struct th_publish_event *out,
                                  char why[TH_INBOX_REASON])
{
    struct th_json root, key, v;
    struct th_json_iter it;
    enum th_error error = TH_OK;

    if (!options.n)
        return TH_OK;
    if (th_json_parse(options, TH_JSON_DEPTH, &root, NULL) != TH_OK || root.type != TH_JSON_OBJECT)
        return no(why, "the options are no JSON object");
    th_json_iter(&it, root);
    while (!error && th_json_next(&it, &key, &v))
        error = read_option(key, v, mem, out, why);
    return error;
}

enum th_error th_inbox_event(const struct th_inbox_row *row, uint64_t max_bytes, struct th_arena *mem,
                             struct th_publish_event *out, char why[TH_INBOX_REASON])
{
    struct th_json_error fault;
    struct th_json data;

    *out = (struct th_publish_event){.type = row->type, .external_id = row->id};
    if (row->too_large)
        return no(why, "its data has %llu bytes; at most %llu are allowed (limits.body_bytes)",
                  (unsigned long long)row->bytes, (unsigned long long)max_bytes);
    if (!th_id_ok(row->tenant))
        return no(why, "the tenant must have 1 to 128 characters of A-Z a-z 0-9 _ -");
    if (!th_id_ok(row->id))
        return no(why, "the id must have 1 to 128 characters of A-Z a-z 0-9 _ -");
    if (!th_event_type_form(row->type, TH_LIT("/:+=@~")))
        return no(why, "the type must be names of A-Z a-z 0-9 _ - joined by full stops, at most 128 bytes");
    if (th_json_parse(row->data, TH_JSON_DEPTH, &data, &fault) != TH_OK)
        return no(why, "its data is no JSON: line %u, column %u: %s", fault.line, fault.column, fault.what);
    out->data = data.raw;
    out->has_time = true;
    out->time.ms = row->at_ms;
    return read_options(row->options, mem, out, why);
}
