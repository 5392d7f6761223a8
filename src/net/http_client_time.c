/* Time of the HTTP client: its one timer, and turns without waiting.
 *
 * Invariant: the timer is never armed later than the first of what is due: a deadline, the end of an idle connection, the
 * place of a silent handshake. */
#include "base/check.h"
#include "net/http_client_private.h"

static int64_t next_due(struct hc *c)
{
    const struct th_heap_node *top = th_heap_top(&c->timers);
    const struct th_pool_node *oldest = th_pool_oldest(&c->pool);
    int64_t due = top ? top->key : INT64_MAX, other;

    if (oldest && (other = oldest->since_us + c->idle_timeout_us) < due)
        due = other;
    if (!th_list_empty(&c->queued) && !th_list_empty(&c->shaking)) {
        other = TH_CONTAINER(c->shaking.next, struct hc_conn, link)->shaking_since_us +
                (int64_t)TH_HC_HANDSHAKE_IDLE * 1000;
        if (other < due)
            due = other;
    }
    return due;
}

void hc_arm(struct hc *c)
{
    int64_t due = next_due(c), now, wait_ms;

    if (due >= c->armed_us)
        return;
    now = hc_now_us();
    wait_ms = due <= now ? 0 : (due - now) / 1000 + 1;
    if (wait_ms > 3600 * 1000)
        wait_ms = 3600 * 1000;
    c->armed_us = due;
    /* libuv counts from its own, older idea of now. */
    uv_timer_start(&c->timer, c->on_timer, (uint64_t)wait_ms + (uint64_t)now / 1000 - uv_now(c->loop), 0);
}

void hc_wake(struct hc *c)
{
    uv_idle_start(&c->wake, c->on_wake);
}
