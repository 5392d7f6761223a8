/* Fan-out of the memory store: the rows of an accept are kept until all are queued, a step at a time. How far
 * that is, the deliveries in its range say. A step that finds no memory leaves no trace. See store_memory.c. */
#include "model/store_memory_int.h"

struct mem_fan *mem_fan_new(uint32_t n)
{
    struct mem_fan *fan = th_malloc(sizeof *fan + n * sizeof fan->rows[0]);

    if (fan)
        *fan = (struct mem_fan){.n = n};
    return fan;
}

void mem_fan_add(struct mem_store *s, struct mem_fan *fan, const struct th_accept *a)
{
    struct mem_fan **at = &s->fans;
    uint32_t n = 0;

    while (*at)
        at = &(*at)->next;
    *at = fan;
    fan->event = a->first_event;
    fan->first = a->events[0].first_delivery;
    for (uint32_t i = 0; i < a->count; i++)
        for (uint32_t k = 0; k < a->events[i].endpoint_count; k++, n++)
            fan->rows[n] = mem_new_row(a, &a->events[i], k);
}

void mem_fan_drop(struct mem_store *s, uint64_t event)
{
    for (struct mem_fan **at = &s->fans; *at; at = &(*at)->next)
        if ((*at)->event == event) {
            struct mem_fan *fan = *at;

            *at = fan->next;
            th_free(fan);
            return;
        }
}

static struct mem_fan *choose(struct mem_store *s, const struct th_fanout *f)
{
    for (struct mem_fan *fan = s->fans; fan; fan = fan->next)
        if (f->event ? fan->event == f->event : fan->event > f->after)
            return fan;
    return f->event ? NULL : s->fans;
}

static uint32_t queued_of(const struct mem_store *s, const struct mem_fan *fan)
{
    return (uint32_t)(mem_lower(&s->deliveries, fan->first + fan->n) - mem_lower(&s->deliveries, fan->first));
}

/** The rows of a step; their deliveries, where there are none yet, in made. False: no memory. */
static bool make(const struct mem_store *s, const struct mem_fan *fan, struct th_fanout *f,
                 struct mem_delivery **made)
{
    uint32_t queued = queued_of(s, fan);

    for (uint32_t i = f->from; i < fan->n && f->count < s->fanout_step; i++) {
        const struct th_queue_row *row = &fan->rows[i];

        f->rows[f->count] = *row;
        if (i >= queued) {
            made[f->count] = th_calloc(1, sizeof(*made[0]));
            if (!made[f->count])
                return false;
            *made[f->count] = mem_delivery_of(row);
        }
        f->count++;
    }
    return true;
}

void mem_fanout(struct mem_store *s, struct th_fanout *f)
{
    struct mem_fan *fan = choose(s, f);
    struct mem_delivery **made;
    bool ok;

    f->op.error = TH_OK;
    f->count = 0;
    if (!fan)
        return;
    made = th_calloc(s->fanout_step, sizeof(*made));
    if (!f->event)
        f->from = queued_of(s, fan);
    ok = made && mem_room(&s->deliveries, s->fanout_step) && make(s, fan, f, made);
    for (uint32_t i = 0; made && i < s->fanout_step; i++) {
        if (made[i] && ok)
            mem_insert(&s->deliveries, &made[i]->no);
        else
            th_free(made[i]);
    }
    th_free(made);
    if (!ok) {
        f->op.error = TH_NOMEM;
        f->count = 0;
        return;
    }
    f->event = fan->event;
    if (f->count == 0)
        mem_fan_drop(s, fan->event);
}
