/* What the answers of an endpoint may not show: its secrets in every form, the values of its custom headers and of its
 * authentication, and its URL's path and query where that is a credential. They are masked before an answer is stored.
 *
 * Why a secret that has been ended still counts: whoever ended it did so because it was known to too many, and the
 * receiver's debug page goes on showing it.
 *
 * LIMIT: ended secrets are remembered in memory only, TH_PAST_SECRETS of an endpoint. */
#include "engine/settings/masks.h"
#include "engine/settings/settings.h"
#include "engine/settings/texts.h"
#include "engine/state.h"

#define DAY_MS 86400000
#define MASK_KEPT                                                                                            \
    8 /* texts of a mask that stays in memory; one of 256 has 13 KiB, and few endpoints have many */

bool th_mask_url_is_secret(const struct th_endpoint_spec *spec)
{
    return spec->url_secret == TH_URL_SECRET ||
           (spec->url_secret == TH_URL_BY_NAME && th_url_has_credential(spec->url));
}

enum th_error th_mask_secret(struct th_engine *e, const struct th_dialect *d, struct th_span secret,
                             struct th_mask **out)
{
    struct th_needles needles;
    enum th_error error;

    th_needles_init(&needles);
    th_dialect_secret_needles(d, secret, &needles);
    error = th_mask_new(&needles, e->hash_seed, out);
    th_needles_fini(&needles);
    return error;
}

static void needles_of(const struct th_endpoint_run *run, struct th_needles *needles)
{
    struct th_span lines = run->lines;
    struct th_header h;

    th_needles_init(needles);
    while (th_texts_line_next(&lines, &h))
        th_needles_header(needles, h.value);
    if (run->spec.reach && run->spec.reach->auth.kind == TH_AUTH_OAUTH2)
        th_needles_add(needles, run->spec.reach->auth.secret, TH_NEEDLE_VALUE);
    if (th_mask_url_is_secret(&run->spec))
        th_needles_target(needles, run->url.target);
}

enum th_error th_mask_run(struct th_engine *e, struct th_endpoint_run *run)
{
    struct th_needles needles;
    enum th_error error = TH_OK;

    if (!run->spec.header_count && !run->spec.reach && !th_mask_url_is_secret(&run->spec))
        return TH_OK;
    needles_of(run, &needles);
    run->many_masked = needles.count > MASK_KEPT;
    if (!run->many_masked || needles.text.failed)
        error = th_mask_new(&needles, e->hash_seed, &run->mask);
    th_needles_fini(&needles);
    return error;
}

enum th_error th_mask_many(struct th_engine *e, const struct th_endpoint_run *run, struct th_mask **out)
{
    struct th_needles needles;
    enum th_error error;

    needles_of(run, &needles);
    error = th_mask_new(&needles, e->hash_seed, out);
    th_needles_fini(&needles);
    return error;
}

unsigned th_masks_of(const struct th_ep *ep, const struct th_endpoint_run *run, int64_t now_ms,
                     struct th_mask *out[TH_MASKS_MAX])
{
    unsigned n = 0;

    for (unsigned i = 0; i < ep->pub.secret_count; i++)
        if (ep->pub.secrets[i].mask)
            out[n++] = ep->pub.secrets[i].mask;
    for (unsigned i = 0; i < TH_PAST_SECRETS; i++)
        if (ep->past[i].mask && ep->past[i].until > now_ms)
            out[n++] = ep->past[i].mask;
    if (run->mask)
        out[n++] = run->mask;
    return n;
}

void th_mask_keep(struct th_ep *ep, struct th_secret *s, int64_t now_ms)
{
    struct th_past *oldest = &ep->past[TH_PAST_SECRETS - 1];

    th_mask_free(oldest->mask);
    memmove(ep->past + 1, ep->past, (TH_PAST_SECRETS - 1) * sizeof *ep->past);
    ep->past[0] = (struct th_past){s->mask, s->until > now_ms + DAY_MS ? s->until : now_ms + DAY_MS};
    s->mask = NULL;
}

void th_masks_free(struct th_ep *ep)
{
    for (unsigned i = 0; i < ep->pub.secret_count; i++)
        th_mask_free(ep->pub.secrets[i].mask);
    for (unsigned i = 0; i < TH_PAST_SECRETS; i++)
        th_mask_free(ep->past[i].mask);
}
