/* Links to the portal, each of which is exchanged once for a token, and these tokens.
 *
 * A row is first a link and then what the link has opened; it keeps its id, its tenant, its scopes and the operator's key with
 * which it was made, so it can be ended by that id at any time, and a link that comes a second time is recognised.
 *
 * Only hashes of tokens are kept, in the memory of the process. So a restart ends links and tokens: the platform makes another
 * link, which costs one request, while a link that was used before a restart can never come back to life after it.
 *
 * Invariants: 1. a link is exchanged once, for the request that comes first; 2. rows of one tenant push out those of other tenants
 * only when no tenant has more than its share. A look-up walks the rows that have been used. LIMIT:
 * TH_API_PORTALS rows with at most TH_API_THEME_MAX bytes of text each. */
#include "api/portal.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "lib/crypto.h"
#include <stdio.h>
#include <string.h>

void th_api_portals_init(struct th_api_portals *p)
{
    (void)pthread_mutex_init(&p->lock, NULL); /* a mutex of the default kind: this cannot fail */
}

static void clear(struct th_api_portal *v)
{
    th_free(v->texts);
    th_wipe(v, sizeof *v);
}

void th_api_portals_fini(struct th_api_portals *p)
{
    for (unsigned i = 0; i < p->high; i++)
        clear(&p->v[i]);
    (void)pthread_mutex_destroy(&p->lock);
}

static bool has_ended(const struct th_api_portal *v, struct th_now now)
{
    return !v->kind || now.mono.us >= v->until_us || now.mono.us >= v->end_us;
}

/* A free row; else the least used one of the tenant that has its share, else of all. */
static struct th_api_portal *place(struct th_api_portals *p, uint64_t tenant, struct th_now now)
{
    struct th_api_portal *free = NULL, *own = NULL, *any = NULL;
    unsigned of_tenant = 0;

    for (unsigned i = 0; i < p->high; i++) {
        struct th_api_portal *v = &p->v[i];
        if (has_ended(v, now)) {
            free = free ? free : v;
            continue;
        }
        if (v->tenant == tenant) {
            of_tenant++;
            own = !own || v->used_ms < own->used_ms ? v : own;
        }
        any = !any || v->used_ms < any->used_ms ? v : any;
    }
    if (of_tenant >= TH_API_TENANT_PORTALS)
        return own;
    if (!free && p->high < TH_API_PORTALS)
        free = &p->v[p->high++];
    return free ? free : any;
}

static char *join(struct th_span a, struct th_span b)
{
    char *texts = th_calloc(1, a.n + b.n + 2);

    if (texts) {
        memcpy(texts, a.n ? a.p : "", a.n);
        memcpy(texts + a.n + 1, b.n ? b.p : "", b.n);
    }
    return texts;
}

bool th_api_portal_make(struct th_api_portals *p, const struct th_api_portal_spec *spec,
                        const struct th_entropy *entropy, struct th_now now, char token[TH_API_TOKEN],
                        struct th_api_portal *out)
{
    struct th_api_portal *v, new = {.kind = TH_PORTAL_LINK, .tenant = spec->tenant, .scopes = spec->scopes};
    uint8_t random[8];

    new.texts = join(spec->theme, spec->return_url);
    if (!new.texts)
        return false;
    th_api_token_make("th_plink_", entropy, token);
    th_sha256(token, strlen(token), new.link);
    memcpy(new.key, spec->key, sizeof new.key);
    entropy->fill(entropy->ctx, random, sizeof random);
    memcpy(new.id, "ptl_", 4);
    for (unsigned i = 0; i < sizeof random; i++)
        snprintf(new.id + 4 + 2 * i, 3, "%02x", random[i]);
    new.until_us = new.end_us = now.mono.us + spec->wait_s * 1000000;
    new.made_ms = new.used_ms = now.wall.ms;
    new.end_ms = now.wall.ms + spec->wait_s * 1000;
    (void)pthread_mutex_lock(&p->lock);
    new.number = UINT64_C(1) << 63 | ++p->count;
    v = place(p, spec->tenant, now);
    clear(v);
    *v = new;
    (void)pthread_mutex_unlock(&p->lock);
    *out = new;
    out->texts = NULL;
    return true;
}

/* Called with the lock. NULL: there is none, or it has ended. */
static struct th_api_portal *by_link(struct th_api_portals *p, const uint8_t hash[32], struct th_now now)
{
    for (unsigned i = 0; i < p->high; i++)
        if (p->v[i].kind && memcmp(p->v[i].link, hash, 32) == 0)
            return has_ended(&p->v[i], now) ? NULL : &p->v[i];
    return NULL;
}

static struct th_api_portal *by_number(struct th_api_portals *p, uint64_t number, struct th_now now)
{
    for (unsigned i = 0; i < p->high; i++)
        if (p->v[i].kind && p->v[i].number == number)
            return has_ended(&p->v[i], now) ? NULL : &p->v[i];
    return NULL;
}

enum th_api_portal_found th_api_portal_link(struct th_api_portals *p, struct th_span token, struct th_now now,
                                            struct th_api_portal *out)
{
    enum th_api_portal_found found = TH_PORTAL_UNKNOWN;
    const struct th_api_portal *v;
    uint8_t hash[32];

    th_sha256(token.p, token.n, hash);
    (void)pthread_mutex_lock(&p->lock);
    v = by_link(p, hash, now);
    if (v) {
        found = v->kind == TH_PORTAL_LINK ? TH_PORTAL_READY : TH_PORTAL_USED;
        *out = *v;
        out->texts = NULL;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return found;
}

enum th_api_portal_found th_api_portal_open(struct th_api_portals *p, const uint8_t link[32],
                                            const struct th_entropy *entropy, struct th_now now,
                                            struct th_api_session_times times, const struct th_addr *from,
                                            char token[TH_API_TOKEN], struct th_api_portal *out)
{
    enum th_api_portal_found found = TH_PORTAL_UNKNOWN;
    struct th_api_portal *v;
    uint8_t hash[32];

    th_api_token_make("th_ptl_", entropy, token);
    th_sha256(token, strlen(token), hash);
    (void)pthread_mutex_lock(&p->lock);
    v = by_link(p, link, now);
    if (v && v->kind == TH_PORTAL_LINK) {
        found = TH_PORTAL_READY;
        v->kind = TH_PORTAL_OPEN;
        memcpy(v->token, hash, sizeof v->token);
        v->from = *from;
        v->until_us = now.mono.us + times.idle_s * 1000000;
        v->end_us = now.mono.us + times.life_s * 1000000;
        v->used_ms = now.wall.ms;
        v->end_ms = now.wall.ms + times.life_s * 1000;
        *out = *v;
        out->texts = NULL;
    } else if (v) {
        found = TH_PORTAL_USED;
        clear(v);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return found;
}

bool th_api_portal_find(struct th_api_portals *p, struct th_span token, struct th_now now, int64_t idle_s,
                        struct th_api_portal *out)
{
    struct th_api_portal *v = NULL;
    uint8_t hash[32];

    th_sha256(token.p, token.n, hash);
    (void)pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->high && !v; i++)
        if (p->v[i].kind == TH_PORTAL_OPEN && memcmp(p->v[i].token, hash, 32) == 0)
            v = &p->v[i];
    if (v && has_ended(v, now))
        v = NULL;
    if (v) {
        v->until_us = now.mono.us + idle_s * 1000000;
        v->used_ms = now.wall.ms;
        *out = *v;
        out->texts = NULL;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return v != NULL;
}

bool th_api_portal_is_open(struct th_api_portals *p, uint64_t number, struct th_now now)
{
    const struct th_api_portal *v;
    bool open;

    (void)pthread_mutex_lock(&p->lock);
    v = by_number(p, number, now);
    open = v && v->kind == TH_PORTAL_OPEN;
    (void)pthread_mutex_unlock(&p->lock);
    return open;
}

bool th_api_portal_texts(struct th_api_portals *p, uint64_t number, struct th_arena *mem,
                         struct th_span *theme, struct th_span *return_url)
{
    const struct th_api_portal *v;
    bool ok = false;

    (void)pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->high && !ok; i++) {
        v = &p->v[i];
        if (!v->kind || v->number != number)
            continue;
        ok = th_arena_copy(mem, th_str(v->texts), theme) &&
             th_arena_copy(mem, th_str(v->texts + strlen(v->texts) + 1), return_url);
        break;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return ok;
}

bool th_api_portal_end(struct th_api_portals *p, uint64_t tenant, struct th_span id, struct th_now now)
{
    bool found = false;

    (void)pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->high && !found; i++)
        if (p->v[i].tenant == tenant && !has_ended(&p->v[i], now) && th_span_is(id, p->v[i].id)) {
            clear(&p->v[i]);
            found = true;
        }
    (void)pthread_mutex_unlock(&p->lock);
    return found;
}

unsigned th_api_portal_list(struct th_api_portals *p, uint64_t tenant, struct th_now now,
                            struct th_api_portal *out, unsigned most)
{
    unsigned n = 0;

    (void)pthread_mutex_lock(&p->lock);
    for (unsigned i = 0; i < p->high && n < most; i++) {
        unsigned at = n;
        if (p->v[i].tenant != tenant || has_ended(&p->v[i], now))
            continue;
        for (; at > 0 && out[at - 1].number < p->v[i].number; at--)
            out[at] = out[at - 1];
        out[at] = p->v[i];
        out[at].texts = NULL;
        n++;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return n;
}
