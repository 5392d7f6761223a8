/* Lists and replaces all encrypted values of the stores, for a new key.
 *
 * Each kind has one statement that lists in the order of its primary key and one that replaces by primary key
 * and old bytes, so that a value that was changed or deleted in between is left alone. Runs on the writer
 * thread only: a list is consistent with all writes before it.
 *
 * Invariant: between two neighbours of a list there is no value that was there before the first list. On an
 * SQLite error the caller rolls back: a put has happened as a whole or not at all. */
#include "store/store_rewrap.h"
#include "base/check.h"

static void bind_key(struct st_stmt *st, const struct th_encrypted *s)
{
    st_u64(st, 1, s->key[0]);
    st_u64(st, 2, s->key[1]);
    st_blob(st, 3, th_span(s->key3, sizeof s->key3));
}

static int list_kind(struct st_writer *w, struct th_rewrap *r, const struct th_encrypted *after)
{
    struct st_stmt *st = w->st[ST_W_ENCRYPTED + (int)after->kind];
    int rc;

    bind_key(st, after);
    st_u64(st, 4, r->max - r->count);
    while ((rc = st_step(st)) == ST_ROW) {
        struct th_encrypted *s = &r->rows[r->count];
        struct th_span key3 = st_col(st, 2);

        *s = (struct th_encrypted){.kind = after->kind,
                                   .key = {st_col_u64(st, 0), st_col_u64(st, 1)},
                                   .tenant = st_col_u64(st, 3),
                                   .endpoint = st_col_u64(st, 4),
                                   .no = st_col_u64(st, 5)};
        memcpy(s->key3, key3.p, key3.n < sizeof s->key3 ? key3.n : sizeof s->key3);
        if (!th_arena_copy(&r->mem, st_col(st, 6), &s->bytes)) {
            r->op.error = TH_NOMEM;
            break;
        }
        r->count++;
    }
    st_reset(st);
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

static int replace(struct st_writer *w, const struct th_encrypted *s)
{
    struct st_stmt *st = w->st[ST_W_ENCRYPTED_PUT + (int)s->kind];
    bool is_text = s->kind == TH_ENCRYPTED_ENDPOINT || s->kind == TH_ENCRYPTED_REVISION;

    bind_key(st, s);
    (is_text ? st_text : st_blob)(st, 4, s->fresh);
    (is_text ? st_text : st_blob)(st, 5, s->bytes);
    return st_run(st);
}

int st_rewrap(struct st_writer *w, struct th_rewrap *r)
{
    struct th_encrypted after = r->after;
    int rc = ST_OK;

    r->op.error = TH_OK;
    if (r->put) {
        for (uint32_t i = 0; rc == ST_OK && i < r->count; i++)
            rc = replace(w, &r->rows[i]);
        return rc;
    }
    r->count = 0;
    while (rc == ST_OK && r->op.error == TH_OK && r->count < r->max && after.kind < TH_ENCRYPTED_KINDS) {
        rc = list_kind(w, r, &after);
        TH_CHECK(r->count <= r->max);
        after = (struct th_encrypted){.kind = after.kind + 1};
    }
    return rc;
}
