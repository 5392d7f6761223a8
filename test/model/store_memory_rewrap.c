/* Encrypted values of the reference store: the plain meaning of TH_OP_REWRAP, without any thought of speed. */
#include "model/store_memory_int.h"

static int order(const struct th_encrypted *a, const struct th_encrypted *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    for (int i = 0; i < 2; i++)
        if (a->key[i] != b->key[i])
            return a->key[i] < b->key[i] ? -1 : 1;
    return memcmp(a->key3, b->key3, sizeof a->key3);
}

/* Keeps the least one behind `after`. */
static void consider(const struct th_encrypted *after, const struct th_encrypted *s,
                     struct th_encrypted *least, bool *found)
{
    if (order(s, after) > 0 && (!*found || order(s, least) < 0)) {
        *least = *s;
        *found = true;
    }
}

static struct th_encrypted of_row(const struct mem_row *r)
{
    bool secret = r->row.kind == TH_ROW_SECRET;

    return (struct th_encrypted){.kind = secret ? TH_ENCRYPTED_SECRET : TH_ENCRYPTED_ENDPOINT,
                                 .key = {r->row.no, 0},
                                 .tenant = r->row.tenant,
                                 .endpoint = secret ? r->row.endpoint : r->row.no,
                                 .no = secret ? r->row.no : 0,
                                 .bytes = r->row.settings};
}

static struct th_encrypted of_rev(const struct mem_store *s, const struct mem_rev *v)
{
    struct th_encrypted out = {.kind = TH_ENCRYPTED_REVISION,
                               .key = {v->endpoint, v->rev},
                               .endpoint = v->endpoint,
                               .bytes = v->settings};

    for (size_t i = 0; i < s->rows.n; i++) {
        const struct mem_row *r = (const struct mem_row *)s->rows.v[i];

        if (r->row.kind == TH_ROW_ENDPOINT && r->row.no == v->endpoint)
            out.tenant = r->row.tenant;
    }
    return out;
}

static struct th_encrypted of_answer(const struct mem_idem *i)
{
    struct th_encrypted out = {
        .kind = TH_ENCRYPTED_ANSWER, .key = {i->day, i->tenant}, .tenant = i->tenant, .bytes = i->answer};

    memcpy(out.key3, i->idem.key, sizeof out.key3);
    return out;
}

static bool next_encrypted(const struct mem_store *s, const struct th_encrypted *after,
                           struct th_encrypted *least)
{
    struct th_encrypted one;
    bool found = false;

    for (size_t i = 0; i < s->rows.n; i++) {
        const struct mem_row *r = (const struct mem_row *)s->rows.v[i];

        if (r->row.kind == TH_ROW_SECRET || r->row.kind == TH_ROW_ENDPOINT) {
            one = of_row(r);
            consider(after, &one, least, &found);
        }
    }
    for (size_t i = 0; i < s->rev_n; i++) {
        one = of_rev(s, s->revs[i]);
        consider(after, &one, least, &found);
    }
    for (const struct mem_idem *i = s->config_idem; i; i = i->next) {
        one = of_answer(i);
        consider(after, &one, least, &found);
    }
    return found;
}

static void list(const struct mem_store *s, struct th_rewrap *r)
{
    struct th_encrypted after = r->after, one;

    for (r->count = 0; r->count < r->max && next_encrypted(s, &after, &one); r->count++) {
        after = one;
        if (!th_arena_copy(&r->mem, one.bytes, &one.bytes)) {
            r->op.error = TH_NOMEM;
            return;
        }
        r->rows[r->count] = one;
    }
}

/* ---- replacing: an object with other bytes takes the place of the old one ---- */

static bool put_row(struct mem_store *s, size_t i, struct th_span fresh)
{
    struct mem_row *old = (struct mem_row *)s->rows.v[i];
    struct mem_row *r = th_malloc(sizeof *r + old->row.id.n + fresh.n + 1);
    char *at;

    if (!r)
        return false;
    *r = *old;
    at = r->bytes;
    r->row.id = mem_put(&at, old->row.id);
    r->row.settings = mem_put(&at, fresh);
    s->rows.v[i] = &r->no;
    th_free(old);
    return true;
}

static bool put_rev(struct mem_store *s, size_t i, struct th_span fresh)
{
    struct mem_rev *old = s->revs[i], *r = th_malloc(sizeof *r + fresh.n + 1);
    char *at;

    if (!r)
        return false;
    *r = *old;
    at = r->bytes;
    r->settings = mem_put(&at, fresh);
    s->revs[i] = r;
    th_free(old);
    return true;
}

static bool put_answer(struct mem_idem **at_list, struct th_span fresh)
{
    struct mem_idem *old = *at_list, *i = th_malloc(sizeof *i + fresh.n + 1);
    char *at;

    if (!i)
        return false;
    *i = *old;
    at = i->bytes;
    i->answer = mem_put(&at, fresh);
    *at_list = i;
    th_free(old);
    return true;
}

static bool is_it(struct th_encrypted here, const struct th_encrypted *s)
{
    return order(&here, s) == 0 && th_span_eq(here.bytes, s->bytes);
}

static bool replace(struct mem_store *s, const struct th_encrypted *p)
{
    for (size_t i = 0; i < s->rows.n; i++) {
        const struct mem_row *r = (const struct mem_row *)s->rows.v[i];

        if ((r->row.kind == TH_ROW_SECRET || r->row.kind == TH_ROW_ENDPOINT) && is_it(of_row(r), p))
            return put_row(s, i, p->fresh);
    }
    for (size_t i = 0; i < s->rev_n; i++)
        if (is_it(of_rev(s, s->revs[i]), p))
            return put_rev(s, i, p->fresh);
    for (struct mem_idem **i = &s->config_idem; *i; i = &(*i)->next)
        if (is_it(of_answer(*i), p))
            return put_answer(i, p->fresh);
    return true;
}

void mem_rewrap(struct mem_store *s, struct th_rewrap *r)
{
    r->op.error = TH_OK;
    if (!r->put)
        list(s, r);
    /* LIMIT: without memory some may have been replaced; putting again finds the rest, as each is by itself
     * right */
    for (uint32_t i = 0; r->put && r->op.error == TH_OK && i < r->count; i++)
        if (!replace(s, &r->rows[i]))
            r->op.error = TH_NOMEM;
}
