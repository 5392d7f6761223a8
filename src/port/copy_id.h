/* Under which id a store keeps a copy: an event that was made from an earlier one, for an endpoint that the earlier one had not been
 * made for. It takes the place of the publisher's id, which no copy may have a second time, and says whose copy it is: so one event has at
 * most one copy for an endpoint, whoever makes it and however often, and all copies of an event lie side by side.
 *
 * "~", the event's number and the endpoint's in 16 hexadecimal digits each, the time of the event's accept in 12, and the id that its
 * publisher had given it. A publisher's id never begins with "~". */
#ifndef TH_PORT_COPY_ID_H
#define TH_PORT_COPY_ID_H
#include "base/span.h"
#include <stdint.h>

#define TH_COPY_ID_HEAD 45
#define TH_COPY_ID_MAX (TH_COPY_ID_HEAD + 128)
#define TH_COPY_ID_EVENT 17 /* so many bytes all copies of an event have in common */

static inline bool th_is_copy_id(struct th_span id)
{
    return id.n >= TH_COPY_ID_HEAD && id.p[0] == '~';
}

static inline void th_copy_id_hex(char *to, unsigned digits, uint64_t v)
{
    for (; digits; v >>= 4)
        to[--digits] = "0123456789abcdef"[v & 15];
}

static inline uint64_t th_copy_id_value(const char *p, unsigned digits)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < digits; i++)
        v = v << 4 | (uint64_t)(p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
    return v;
}

/** Writes the bytes that all copies of an event have in common. */
static inline struct th_span th_copy_id_event(char to[TH_COPY_ID_EVENT], uint64_t event)
{
    to[0] = '~';
    th_copy_id_hex(to + 1, 16, event);
    return th_span(to, TH_COPY_ID_EVENT);
}

/** at_ms: wall ms, when the event was accepted; own: its publisher's id, at most 128 bytes. */
static inline struct th_span th_copy_id(char to[TH_COPY_ID_MAX], uint64_t event, uint64_t endpoint,
                                        int64_t at_ms, struct th_span own)
{
    (void)th_copy_id_event(to, event);
    th_copy_id_hex(to + TH_COPY_ID_EVENT, 16, endpoint);
    th_copy_id_hex(to + TH_COPY_ID_EVENT + 16, 12, (uint64_t)at_ms);
    if (own.n)
        memcpy(to + TH_COPY_ID_HEAD, own.p, own.n);
    return th_span(to, TH_COPY_ID_HEAD + own.n);
}

/** Takes such an id apart: *id is the publisher's afterwards. Of any other id nothing changes, and both numbers are 0. */
static inline void th_copy_id_read(struct th_span *id, uint64_t *event, int64_t *at_ms)
{
    *event = 0;
    *at_ms = 0;
    if (!th_is_copy_id(*id))
        return;
    *event = th_copy_id_value(id->p + 1, 16);
    *at_ms = (int64_t)th_copy_id_value(id->p + TH_COPY_ID_EVENT + 16, 12);
    *id = th_span(id->p + TH_COPY_ID_HEAD, id->n - TH_COPY_ID_HEAD);
}
#endif
