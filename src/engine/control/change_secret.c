/* Secrets of endpoints: making, rotating, revoking.
 *
 * It refuses: a rotation that would leave more active secrets than the dialect allows, revoking when there is no previous
 * secret.
 *
 * Invariants: (1) the clear text is only in buffers that are wiped at their end; in memory and in the store it is encrypted
 * for its tenant, endpoint and number; (2) the first secret of an endpoint is the newest, those behind it end by their `until`;
 * (3) secrets that left are freed after the commit, never before. */
#include "base/alloc.h"
#include "engine/context.h"
#include "engine/control/change.h"
#include "engine/control/check.h"
#include "engine/control/replica.h"
#include "engine/settings/blob.h"
#include "engine/settings/masks.h"
#include "engine/settings/secrets.h"
#include "engine/settings/settings.h"
#include "engine/settings/texts.h"
#include "engine/state.h"

bool th_change_secret_take(struct change_impl *i, const struct th_endpoint *ep, struct th_span text,
                           uint64_t no, struct th_secret *out)
{
    struct th_engine *e = i->e;
    struct th_buf encrypted;
    char *copy;
    enum th_error error;
    bool ok = false;

    th_buf_init(&encrypted, 8192);
    out->no = no;
    out->created = e->now.wall;
    if (th_engine_encrypt(e, ep->tenant->no, ep->no, no, text, &encrypted)) {
        copy = th_malloc(encrypted.n);
        if (copy) {
            memcpy(copy, encrypted.p, encrypted.n);
            out->encrypted = th_span(copy, encrypted.n);
            out->key = th_key_make(ep->tenant->dialect, text, &error);
            ok = out->key && !th_mask_secret(e, ep->tenant->dialect, text, &out->mask);
        }
    }
    th_buf_fini(&encrypted);
    return ok;
}

/* Makes i->secret from the customer's text or anew; the clear text goes to c->secret_text for the answer. */
bool th_change_secret_make(struct change_impl *i, const struct th_endpoint *ep)
{
    struct th_engine *e = i->e;
    struct th_change *c = i->c;
    struct th_span given = th_change_secret_given(c);
    bool has_previous = c->kind == TH_CHANGE_ENDPOINT_ADD && c->endpoint_put.previous.n;
    uint8_t random[64];

    if (given.n) {
        th_buf_span(&c->secret_text, given);
    } else {
        th_engine_random(e, random, sizeof random);
        th_dialect_secret_make_for(ep->tenant->dialect, ep->run->variant, random, &c->secret_text);
        th_wipe(random, sizeof random);
    }
    return !c->secret_text.failed && th_change_secret_take(i, ep, th_buf_view(&c->secret_text),
                                                           e->last_secret + 1 + has_previous, &i->secret);
}

/* ---- secrets ---- */

static bool is_active(const struct th_secret *s, int64_t now_ms)
{
    return s->until == 0 || s->until > now_ms;
}

/* i->next signs in another variant from now on. False when the change has ended. */
static bool move_to_variant(struct change_impl *i, bool overlaps)
{
    const struct th_dialect *d = i->tenant->dialect;
    const struct th_dialect_values *v = th_dialect_values(d);
    struct th_endpoint_spec spec = i->next.spec;
    unsigned variant = th_check_variant(v, i->c->rotate.variant);

    if (!i->c->rotate.variant.n || variant == i->next.run->variant)
        return true;
    if (overlaps && !th_dialect_variants_mix(d, variant, i->next.run->variant)) {
        th_change_fail(i, TH_CH_CONFLICT,
                       "the two variants have different headers, so no request can carry both: rotate with "
                       "overlap_seconds 0");
        return false;
    }
    spec.variant = i->c->rotate.variant;
    i->next.rev++;
    i->next.updated = i->e->now.wall;
    if (th_run_new(i->e, &i->next, &spec, &i->run)) {
        th_change_no_memory(i);
        return false;
    }
    i->next.run = i->run;
    i->next.spec = i->run->spec;
    return true;
}

void th_change_begin_rotate(struct change_impl *i)
{
    struct th_change *c = i->c;
    const struct th_dialect_values *v = th_dialect_values(i->tenant->dialect);
    int64_t now_ms = i->e->now.wall.ms, overlap_s = c->rotate.overlap_given
                                                        ? (c->rotate.overlap_null ? -1 : c->rotate.overlap_s)
                                                        : v->overlap_s;
    unsigned active = 0, max = v->secrets_max_active ? v->secrets_max_active : 2;
    bool ok = true;

    if (!th_check_spec(i->e, i->tenant, c, &i->url)) {
        th_change_finish(i, TH_CH_INVALID);
        return;
    }
    i->next = i->ep->pub;
    for (unsigned n = 0; n < i->next.secret_count; n++)
        active += is_active(&i->next.secrets[n], now_ms);
    if (active >= max && overlap_s != 0) {
        th_change_fail(
            i, TH_CH_CONFLICT,
            "two secrets are active already; revoke the previous one first (DELETE …/secret/previous)");
        return;
    }
    if (!move_to_variant(i, overlap_s != 0))
        return;
    if (!th_change_secret_make(i, &i->next)) {
        th_change_no_memory(i);
        return;
    }
    /* the active ones move on behind the new one, with their end; the expired ones leave */
    i->next.secrets[0] = i->secret;
    i->next.secret_count = 1;
    ok = th_change_secret_row(i, &i->next, &i->secret, false) &&
         (!i->run || th_change_endpoint_row(i, &i->next));
    for (unsigned n = 0; ok && n < i->ep->pub.secret_count; n++) {
        struct th_secret s = i->ep->pub.secrets[n];
        bool keep = is_active(&s, now_ms) && overlap_s != 0 && i->next.secret_count < TH_MAX_SECRETS;
        if (keep && overlap_s > 0 && (s.until == 0 || s.until > now_ms + overlap_s * 1000))
            s.until = now_ms + overlap_s * 1000;
        if (keep)
            i->next.secrets[i->next.secret_count++] = s;
        ok = th_change_secret_row(i, &i->next, &s, !keep);
    }
    if (!ok) {
        th_change_no_memory(i);
        return;
    }
    c->ep = &i->next;
    c->tenant = i->tenant;
    th_change_submit(i, false);
}

void th_change_begin_revoke(struct change_impl *i)
{
    unsigned active = 0;

    i->next = i->ep->pub;
    for (unsigned n = 0; n < i->next.secret_count; n++)
        active += is_active(&i->next.secrets[n], i->e->now.wall.ms);
    if (active < 2) {
        th_change_fail(i, TH_CH_NOT_FOUND, "there is no previous secret");
        return;
    }
    for (unsigned n = 1; n < i->next.secret_count; n++)
        if (!th_change_secret_row(i, &i->next, &i->next.secrets[n], true)) {
            th_change_no_memory(i);
            return;
        }
    i->next.secret_count = 1;
    th_change_submit(i, false);
}

/* Frees what is in memory and not in `next`, takes over `next`. */
void th_change_end_secrets(struct change_impl *i)
{
    struct th_endpoint *pub = &i->ep->pub;

    i->tenant->version = i->op.new_version;
    for (unsigned n = 0; n < pub->secret_count; n++) {
        bool kept = false;
        for (unsigned k = 0; k < i->next.secret_count; k++)
            kept = kept || i->next.secrets[k].no == pub->secrets[n].no;
        if (kept)
            continue;
        th_mask_keep(i->ep, &pub->secrets[n], i->e->now.wall.ms);
        th_secrets_drop(&pub->secrets[n]);
    }
    if (i->run) {
        th_settings_take(i->e, i->ep, i->run, &i->next);
        i->run = NULL;
        th_texts_part(pub);
    }
    memcpy(pub->secrets, i->next.secrets, sizeof pub->secrets);
    pub->secret_count = i->next.secret_count;
    if (i->secret.no) {
        i->e->last_secret = i->secret.no;
        i->secret = (struct th_secret){0}; /* now the endpoint's */
    }
    th_replica_endpoint(i->e, i->ep, false, false);
    i->c->ep = pub;
}
