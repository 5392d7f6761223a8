/* Channels as lists of names in JSON; inside they are one text with a name per line, which costs a comparison and no pointers. */
#include "api/channels.h"
#include "api/fault.h"
#include "api/request.h"
#include "engine/engine.h"
#include <stdio.h>

static bool is_good(struct th_api_req *r, struct th_span pointer, const struct th_api_value *v, unsigned i)
{
    char index[16];
    bool twice = false;

    for (unsigned k = 0; k < i; k++)
        twice = twice || th_span_eq(v->strings[i], v->strings[k]);
    if (th_filters_channel_ok(v->strings[i]) && !twice)
        return true;
    snprintf(index, sizeof index, "%u", i);
    th_api_fault(r, th_api_fault_pointer(r, pointer, th_str(index)),
                 twice ? "is given twice" : "must have 1 to 128 characters of A-Z a-z 0-9 _ - . / :");
    return false;
}

bool th_api_channels_read(struct th_api_req *r, struct th_span pointer, const struct th_api_value *v,
                          struct th_span *out)
{
    size_t n = 0;
    char *at;

    *out = TH_LIT("");
    if (v->null || v->bad)
        return true;
    for (unsigned i = 0; i < v->count; i++) {
        if (!is_good(r, pointer, v, i))
            return true;
        n += v->strings[i].n + 1;
    }
    at = n ? th_arena_get(&r->mem, n) : NULL;
    if (n && !at)
        return false;
    *out = th_span(at, n ? n - 1 : 0);
    for (unsigned i = 0; i < v->count; i++) {
        memcpy(at, v->strings[i].p, v->strings[i].n);
        at += v->strings[i].n;
        *at++ = '\n';
    }
    return true;
}

void th_api_channels_write(struct th_jw *w, struct th_span lines)
{
    struct th_span name;

    th_jw_array(w);
    while (th_filters_channel_next(&lines, &name))
        th_jw_string(w, name);
    th_jw_end_array(w);
}
