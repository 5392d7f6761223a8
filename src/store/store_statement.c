/* Functions that use a statement in several steps.
 *
 * Invariant: a statement is reset before its function returns, so that no read transaction stays open. Any thread: a connection
 * belongs to one. */
#include "store/store_statement.h"

int st_run(struct st_stmt *st)
{
    int rc = st_step(st), reset = st_reset(st);

    if (rc == ST_DONE || rc == ST_ROW)
        return reset;
    return rc;
}

int st_number(struct st_stmt *st, uint64_t *out)
{
    int rc = st_step(st);

    *out = rc == ST_ROW ? st_col_u64(st, 0) : 0;
    st_reset(st);
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

int st_finds(struct st_stmt *st, uint64_t no, bool *found)
{
    int rc;

    st_u64(st, 1, no);
    rc = st_step(st);
    *found = rc == ST_ROW;
    st_reset(st);
    return rc == ST_ROW || rc == ST_DONE ? ST_OK : rc;
}

int st_prepare_all(struct st_db *db, const char *const *sql, int count, struct st_stmt **out)
{
    for (int i = 0; i < count; i++)
        out[i] = NULL;
    for (int i = 0; i < count; i++) {
        int rc = sql[i] ? st_prepare(db, sql[i], &out[i]) : ST_OK;

        if (rc != ST_OK) {
            st_finalize_all(out, count);
            return rc;
        }
    }
    return ST_OK;
}

void st_finalize_all(struct st_stmt **st, int count)
{
    for (int i = 0; i < count; i++) {
        st_finalize(st[i]);
        st[i] = NULL;
    }
}
