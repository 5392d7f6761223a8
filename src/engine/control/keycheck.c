/* Checks whether a secret key fits settings that no engine has loaded: those of a copy that is about to be
 * put in place.
 *
 * It checks what a start needs: the proofs, every endpoint's secrets, the values of custom headers. Earlier
 * revisions and kept answers that no key opens do not keep a server from starting, so they do not count here.
 *    Failure: without memory there is no verdict on a key. */
#include "engine/control/keys.h"
#include "engine/control/rewrap.h"
#include "engine/settings/blob.h"

static bool proves(struct th_key_check *c, struct th_span encrypted)
{
    return th_keys_prove(&c->ring, encrypted, &c->error) >= 0;
}

static void check_encrypted(struct th_key_check *c, uint64_t tenant, uint64_t endpoint, uint64_t no,
                            struct th_span encrypted)
{
    struct th_buf plain;
    bool open = false;

    th_buf_init(&plain, encrypted.n + 16);
    for (unsigned i = 0; !open && i < c->ring.count; i++)
        open = th_engine_decrypt_with(c->ring.v[i], tenant, endpoint, no, encrypted, &plain);
    if (plain.failed)
        c->error = plain.failed;
    c->opened += open;
    c->closed += !open;
    th_buf_wipe(&plain);
}

static void check_endpoint(struct th_key_check *c, const struct th_row *row)
{
    struct th_json root, member;

    if (th_json_parse(row->settings, 16, &root, NULL)) {
        c->closed++;
        return;
    }
    for (unsigned i = 0; i < TH_ENCRYPTED_MEMBERS; i++) {
        struct th_buf encrypted;
        enum th_error error =
            th_blob_member_is_encrypted(root, th_blob_encrypted_members[i].name, &member, &encrypted);

        if (!error)
            check_encrypted(c, row->tenant, row->no, th_blob_encrypted_members[i].no,
                            th_buf_view(&encrypted));
        else if (error == TH_NOMEM)
            c->error = error;
        else if (error != TH_NOT_FOUND)
            c->closed++;
        th_buf_fini(&encrypted);
    }
}

void th_keycheck_form(struct th_key_check *c, const struct th_row *row)
{
    if (row->kind != TH_ROW_META || !th_span_is(row->id, TH_META_KEY_FORM))
        return;
    if (row->settings.n == sizeof c->form) {
        memcpy(c->form, row->settings.p, sizeof c->form);
        c->form_len = sizeof c->form;
    } else {
        c->error = TH_CORRUPT;
    }
}

void th_keycheck_row(struct th_key_check *c, const struct th_row *row)
{
    if (!c->ring.count && !c->error)
        c->error = th_keys_make(&c->ring, c->key, c->old_key, th_span(c->form, c->form_len));
    if (c->error)
        return;
    if (row->kind == TH_ROW_SECRET)
        check_encrypted(c, row->tenant, row->endpoint, row->no, row->settings);
    else if (row->kind == TH_ROW_ENDPOINT)
        check_endpoint(c, row);
    else if (row->kind == TH_ROW_META && th_span_is(row->id, TH_META_PROOF))
        c->wrong = !proves(c, row->settings);
    else if (row->kind == TH_ROW_META && th_span_is(row->id, TH_META_OLD_PROOF))
        c->missing_old = !proves(c, row->settings);
}
