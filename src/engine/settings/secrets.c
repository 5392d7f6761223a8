/* Secrets of endpoints: those that sign now, and in clear, for those who may read them. The clear text is only in a buffer that is
 * wiped at the end. */
#include "engine/settings/secrets.h"
#include "base/alloc.h"
#include "engine/settings/blob.h"
#include "engine/settings/settings.h"
#include "engine/state.h"

bool th_engine_secrets(struct th_engine *e, const struct th_endpoint *ep,
                       void (*each)(void *ctx, struct th_span secret, struct th_wall created, int64_t until),
                       void *ctx)
{
    struct th_buf plain;
    bool ok = true;

    th_buf_init(&plain, 4096);
    for (unsigned n = 0; ok && n < ep->secret_count; n++) {
        const struct th_secret *s = &ep->secrets[n];
        if (s->until && s->until <= e->now.wall.ms)
            continue;
        th_buf_reset(&plain);
        ok = th_engine_decrypt(e, ep->tenant->no, ep->no, s->no, s->encrypted, &plain);
        if (ok)
            each(ctx, th_buf_view(&plain), s->created, s->until);
    }
    th_buf_wipe(&plain);
    return ok;
}

void th_engine_public_keys(struct th_engine *e, const struct th_endpoint *ep, struct th_jw *w)
{
    const struct th_sign_key *keys[TH_MAX_SECRETS];
    unsigned n = th_secrets_active(ep, e->now.wall.ms, keys);

    for (unsigned i = 0; i < n; i++)
        (void)th_dialect_key_jwk(keys[i], w);
}

void th_secrets_drop(struct th_secret *s)
{
    th_key_drop(s->key);
    th_mask_free(s->mask);
    th_free((char *)s->encrypted.p);
    *s = (struct th_secret){0};
}

unsigned th_secrets_active(const struct th_endpoint *ep, int64_t now_ms,
                           const struct th_sign_key *out[TH_MAX_SECRETS])
{
    unsigned n = 0;

    for (unsigned i = 0; i < ep->secret_count; i++)
        if (ep->secrets[i].until == 0 || ep->secrets[i].until > now_ms)
            out[n++] = ep->secrets[i].key;
    return n;
}
