/* Sessions, which a browser has instead of an operator's key, and links, each of which opens one session.
 *
 * Why sessions: a page that is loaded again has forgotten everything, and a key that a page keeps can be read
 * by all code that runs in it. The cookie cannot be read by scripts, ends by itself, and can be ended without
 * ending the key.
 *
 * A session stands for a key and has no rights of its own: the key is looked up anew at each request, so a
 * key that has ended ends its sessions, and its present role counts. Only hashes of tokens are kept, in the
 * memory of the process: after a restart operators sign in again. LIMIT: TH_API_SESSIONS; a link is a row
 * like a session.
 *
 * Invariants: 1. a link opens one session, for the request that ends the link; 2. sessions of one key push
 * out those of other keys only when no key has more than its share. A look-up walks the table: it is short,
 * and only browsers ask for it. */
#include "api/session.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "lib/crypto.h"
#include <stdio.h>
#include <string.h>

void th_api_sessions_init(struct th_api_sessions *s)
{
    (void)pthread_mutex_init(&s->lock, NULL); /* a mutex of the default kind: this cannot fail */
}

void th_api_sessions_fini(struct th_api_sessions *s)
{
    (void)pthread_mutex_destroy(&s->lock);
    th_wipe(s->v, sizeof s->v);
}

static bool has_ended(const struct th_api_session *v, struct th_now now)
{
    return v->kind == TH_SESSION_FREE || now.mono.us >= v->until_us || now.mono.us >= v->end_us;
}

/* A free row; else the least used one of the key that has its share, else of all. */
static struct th_api_session *place(struct th_api_sessions *s, const uint8_t key[32], struct th_now now)
{
    struct th_api_session *free = NULL, *own = NULL, *any = NULL;
    unsigned of_key = 0;

    for (unsigned i = 0; i < TH_API_SESSIONS; i++) {
        struct th_api_session *v = &s->v[i];
        if (has_ended(v, now)) {
            free = free ? free : v;
            continue;
        }
        if (memcmp(v->key, key, 32) == 0) {
            of_key++;
            own = !own || v->used_ms < own->used_ms ? v : own;
        }
        any = !any || v->used_ms < any->used_ms ? v : any;
    }
    if (of_key >= TH_API_KEY_SESSIONS)
        return own;
    return free ? free : any;
}

static void write_hex(char *out, const uint8_t *p, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        snprintf(out + 2 * i, 3, "%02x", p[i]);
}

void th_api_session_make(struct th_api_sessions *s, enum th_api_session_kind kind, const uint8_t key[32],
                         const struct th_entropy *entropy, struct th_now now,
                         struct th_api_session_times times, const struct th_addr *from,
                         char token[TH_API_TOKEN], struct th_api_session *out)
{
    struct th_api_session *v, new = {.kind = kind, .from = *from};
    uint8_t random[16];

    th_api_token_make(kind == TH_SESSION_LINK ? "th_link_" : "th_ses_", entropy, token);
    th_sha256(token, strlen(token), new.hash);
    memcpy(new.key, key, sizeof new.key);
    entropy->fill(entropy->ctx, random, sizeof random);
    write_hex(new.csrf, random, sizeof random);
    entropy->fill(entropy->ctx, random, sizeof random);
    memcpy(new.id, "ses_", 4);
    write_hex(new.id + 4, random, 8);
    new.until_us = now.mono.us + times.idle_s * 1000000;
    new.end_us = now.mono.us + times.life_s * 1000000;
    new.made_ms = new.used_ms = now.wall.ms;
    new.end_ms = now.wall.ms + times.life_s * 1000;
    (void)pthread_mutex_lock(&s->lock);
    v = place(s, key, now);
    *v = new;
    (void)pthread_mutex_unlock(&s->lock);
    *out = new;
}

/* Called with the lock. NULL: there is none, or it has ended. */
static struct th_api_session *by_hash(struct th_api_sessions *s, const uint8_t hash[32], struct th_now now)
{
    for (unsigned i = 0; i < TH_API_SESSIONS; i++)
        if (s->v[i].kind && memcmp(s->v[i].hash, hash, 32) == 0)
            return has_ended(&s->v[i], now) ? NULL : &s->v[i];
    return NULL;
}

bool th_api_session_find(struct th_api_sessions *s, enum th_api_session_kind kind, struct th_span token,
                         struct th_now now, int64_t idle_s, struct th_api_session *out)
{
    struct th_api_session *v;
    uint8_t hash[32];
    bool found;

    th_sha256(token.p, token.n, hash);
    (void)pthread_mutex_lock(&s->lock);
    v = by_hash(s, hash, now);
    found = v && v->kind == kind;
    if (found && idle_s) {
        v->until_us = now.mono.us + idle_s * 1000000;
        v->used_ms = now.wall.ms;
    }
    if (found)
        *out = *v;
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

bool th_api_session_is_open(struct th_api_sessions *s, const uint8_t hash[32], struct th_now now)
{
    bool open;

    (void)pthread_mutex_lock(&s->lock);
    open = by_hash(s, hash, now) != NULL;
    (void)pthread_mutex_unlock(&s->lock);
    return open;
}

bool th_api_session_end(struct th_api_sessions *s, const uint8_t hash[32])
{
    bool found = false;

    (void)pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < TH_API_SESSIONS && !found; i++)
        if (s->v[i].kind && memcmp(s->v[i].hash, hash, 32) == 0) {
            th_wipe(&s->v[i], sizeof s->v[i]);
            found = true;
        }
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

unsigned th_api_session_list(struct th_api_sessions *s, struct th_now now, struct th_api_session *out)
{
    unsigned n = 0;

    (void)pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < TH_API_SESSIONS; i++) {
        unsigned at = n;
        if (s->v[i].kind != TH_SESSION_OPEN || has_ended(&s->v[i], now))
            continue;
        for (; at > 0 && out[at - 1].made_ms < s->v[i].made_ms; at--)
            out[at] = out[at - 1];
        out[at] = s->v[i];
        n++;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return n;
}
