/* Signs whole requests (RFC 9421) for `tenterhook sign`.
 *
 * A signature covers header lines, the method and the URL, so there is none of a body alone. The head is made by the functions that
 * make it in the server, from the dialect's file: what is printed here is what an endpoint gets. */
#include "cli/cli_message.h"
#include "core/guard.h"
#include "options/dialects.h"
#include <stdio.h>
#include <string.h>

/* A dialect by its name or its file. *own: the caller frees it; else it is one of the set. NULL: *why. */
static struct th_dialect *find(const char *name, struct th_dialect_set *set, bool *own, char *why,
                               size_t size)
{
    struct th_dialect *d = NULL;

    *own = false;
    if (th_dialects_load(NULL, set, why, size))
        return NULL;
    for (unsigned i = 0; i < set->count; i++)
        if (th_span_is(th_dialect_values(set->v[i])->name, name))
            return set->v[i];
    *own = th_dialect_load_file(name, &d, why, size) == TH_OK;
    return *own ? d : NULL;
}

static int make(struct th_cli *cli, const struct th_dialect *d, const struct th_receiver *r,
                const struct tenterhook_message *m, struct th_span method, unsigned variant,
                struct th_buf *head)
{
    struct th_sign_key key[TH_SECRETS];
    const struct th_sign_key *keys[TH_SECRETS];
    struct th_render render = {.event_id = m->event_id,
                               .event_type = m->event_type,
                               .delivery_id = m->delivery_id,
                               .endpoint_id = m->endpoint_id,
                               .endpoint_url = m->endpoint_url,
                               .event_time = {m->ts * 1000},
                               .attempt = 1,
                               .at_unix = m->ts,
                               .variant = variant,
                               .method = method,
                               .options = th_dialect_values(d)->options_default,
                               .data = TH_LIT("{}"),
                               .keys = keys};
    int status = TH_EXIT_OK;

    for (unsigned i = 0; i < r->secret_count && !status; i++) {
        if (th_dialect_key_init(d, th_buf_view(&r->secret[i]), &key[i])) {
            status = th_cli_fail(cli, TH_EXIT_DATA,
                                 "a secret does not have the form that dialect %s signs with", r->dialect);
            break;
        }
        keys[render.key_count++] = &key[i];
    }
    if (!status && (th_dialect_head(d, &render, m->body, head, NULL, false) || head->failed))
        status = th_cli_fail(cli, TH_EXIT_DATA,
                             "cannot be signed in dialect %s: no secret signs with variant %u, or a header "
                             "cannot carry a value",
                             r->dialect, variant);
    for (unsigned i = 0; i < render.key_count; i++)
        th_dialect_key_fini(&key[i]);
    return status;
}

int th_message_head(struct th_cli *cli, const struct th_receiver *r, const struct tenterhook_message *m,
                    struct th_span method, unsigned variant, struct th_buf *head)
{
    struct th_dialect_set set = {0};
    struct th_dialect *d;
    struct th_url url;
    char why[512] = "";
    const char *reason;
    bool own;
    int status;

    if (!m->endpoint_url.n)
        return th_cli_fail(cli, TH_EXIT_USAGE,
                           "dialect %s signs whole requests (RFC 9421), not a body alone: give "
                           "--endpoint-url URL, the one that is asked",
                           r->dialect);
    if (th_url_parse(m->endpoint_url, &url, &reason))
        return th_cli_fail(cli, TH_EXIT_USAGE, "--endpoint-url: %s", reason);
    d = find(r->dialect, &set, &own, why, sizeof why);
    status = d ? make(cli, d, r, m, method, variant, head) : th_cli_fail(cli, TH_EXIT_DATA, "%s", why);
    if (own)
        th_dialect_free(d);
    th_dialects_free(&set);
    return status;
}
