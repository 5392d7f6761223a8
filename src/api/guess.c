/* Makes guessing of keys slow and visible.
 *
 * Each request with a wrong key takes a token of the address of its client (limit.c). An address without tokens has its
 * requests held for a moment before their key is looked at, and what is wrong then is 429 until there are tokens again. A
 * right key is served all the same, after that moment at the latest: a client that guesses from an address
 * which others use, too, must not lock them out. And it is served at once if it has been right before, on
 * this connection or from this address. So a client that guesses learns nothing from a missing answer, and
 * one that works does not notice the other.
 *
 * On the way of a right key this costs one comparison while nobody guesses, and a note in a table for each connection.
 * Addresses of trusted proxies are not limited: they speak for many.
 *
 * The log has one line about wrong keys in each LOG_EVERY, the first one at once. LIMIT: notes are a table
 * without chains; a right key whose note was overwritten is held once more while its address guesses. */
#include "api/guess.h"
#include "api/audit.h"
#include "api/meter.h"
#include "api/rate.h"
#include "api/request.h"
#include "api/state.h"
#include "base/log.h"
#include "core/guard.h"
#include "engine/engine.h"
#include "net/client_address.h"
#include "net/http_server.h"
#include <stdatomic.h>

enum { LOG_EVERY_US = 10000000 };

static struct th_mono now(const struct th_api_req *r)
{
    return (struct th_mono){r->x->received_us};
}

/* The owner of a key, in the form for th_http_known. */
static uint64_t tag_of(const struct th_key *key)
{
    return key->no ? key->no : UINT64_MAX; /* the root has no number */
}

static uint64_t note_of(struct th_api_req *r, uint64_t tag)
{
    uint64_t pair[2] = {th_http_address_name(th_api_request_client(r)), tag};

    return th_hash(th_span((const char *)pair, sizeof pair), r->api->shared->addresses.seed) | 1;
}

bool th_api_guess_hold(struct th_api_req *r)
{
    struct th_api_shared *shared = r->api->shared;
    const struct th_key *key;
    struct th_span text;
    uint64_t note;

    if (now(r).us >= atomic_load_explicit(&shared->guessed_until_us, memory_order_relaxed) || r->x->held ||
        !th_api_request_bearer(r, &text))
        return false;
    (void)th_api_request_client(r);
    if (r->client_trusted || !th_api_meter_wait(&shared->addresses, th_http_address_name(&r->client), now(r)))
        return false;
    key = th_api_request_key(r, text);
    if (key && r->x->known == tag_of(key))
        return false;
    if (key) {
        note = note_of(r, tag_of(key));
        if (atomic_load_explicit(&shared->notes[note % TH_API_NOTES], memory_order_relaxed) == note)
            return false;
    }
    return true;
}

void th_api_guess_right(struct th_api_req *r, const struct th_key *key)
{
    uint64_t tag = tag_of(key), note;

    if (r->x->known == tag)
        return;
    th_http_known(r->x, tag);
    note = note_of(r, tag);
    atomic_store_explicit(&r->api->shared->notes[note % TH_API_NOTES], note, memory_order_relaxed);
}

/* Counts a wrong key. Returns how many came since the last line of the log if it is time for another one;
 * else 0. */
static uint64_t count(struct th_api_shared *shared, struct th_mono at)
{
    uint64_t guesses = 0;

    (void)pthread_mutex_lock(&shared->lock);
    shared->guesses++;
    if (!shared->guess_told || at.us - shared->guess_told_us >= LOG_EVERY_US) {
        guesses = shared->guesses;
        shared->guess_told = true;
        shared->guess_told_us = at.us;
        shared->guesses = 0;
    }
    (void)pthread_mutex_unlock(&shared->lock);
    return guesses;
}

static void tell(struct th_api_req *r)
{
    uint64_t guesses = count(r->api->shared, now(r));
    struct th_buf from;

    if (!guesses)
        return;
    th_buf_init(&from, 128);
    th_addr_format(&from, th_api_request_client(r));
    th_log(TH_LOG_WARN, "requests with a wrong key", TH_KI("count", guesses),
           TH_KS("from", th_buf_view(&from)), TH_KS("path", th_api_audit_loggable(r->x->path)),
           TH_KC("request_id", r->x->request_id));
    th_buf_fini(&from);
}

/* Of two threads, the one with the later time is right. */
static void hold_until(struct th_api_shared *shared, int64_t us)
{
    int64_t now_us = atomic_load_explicit(&shared->guessed_until_us, memory_order_relaxed);

    while (us > now_us && !atomic_compare_exchange_weak_explicit(&shared->guessed_until_us, &now_us, us,
                                                                 memory_order_relaxed, memory_order_relaxed))
        ;
}

bool th_api_guess_wrong(struct th_api_req *r)
{
    struct th_api_shared *shared = r->api->shared;
    int64_t wait_us, next_us;
    uint64_t name;

    th_count(r->api->metrics, TH_C_HTTP_WRONG_KEYS, 1);
    tell(r);
    name = th_http_address_name(th_api_request_client(r));
    if (r->client_trusted)
        return true;
    wait_us = th_api_meter_take(&shared->addresses, name, now(r));
    next_us = wait_us ? wait_us : th_api_meter_wait(&shared->addresses, name, now(r));
    if (next_us)
        hold_until(shared, now(r).us + next_us);
    return th_api_rate_passes(r, wait_us);
}
