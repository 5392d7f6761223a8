/* The reader threads of the stores.
 *
 * Reads go to one of them by how long they may take. A read that fails ends with its error in the op; it does not stop the store.
 *
 * Invariants: (1) readers are read-only and their transactions are short; (2) a list is handed over behind the writes that it shows:
 * the writer hands them over right after the commit that makes them visible. */
#include "store/store_reader.h"
#include "base/log.h"
#include "store/store_build.h"
#include "store/store_exchange.h"
#include "store/store_page.h"
#include "store/store_read.h"
#include "store/store_roll.h"
#include <sys/prctl.h>

/** True for a page that may take long. Dispatch itself asks for the attempts of one delivery, without
 * answers: these must not queue up behind the lists of customers. */
bool st_reader_is_list(const struct th_op *op)
{
    const struct th_page *page = (const struct th_page *)op;

    return op->kind == TH_OP_STATS ||
           (op->kind == TH_OP_PAGE &&
            !(page->kind == TH_PAGE_ATTEMPTS && page->delivery && !page->with_data && !page->with_answers &&
              !page->with_total && !page->skip));
}

static void report(const struct st_reader *r, const struct th_op *op)
{
    if (op->error == TH_CORRUPT || op->error == TH_IO || op->error == TH_BUG)
        th_log(TH_LOG_ERROR, "a read from the store failed; check the disk and the database",
               TH_KC("store", r->store->name), TH_KC("error", th_error_name(op->error)),
               TH_KC("database", st_message(r->db)));
    else if (op->error == TH_RETRY)
        th_log(TH_LOG_WARN, "a read from the store failed and may be tried again",
               TH_KC("store", r->store->name), TH_KC("database", st_message(r->db)));
}

/** A store that nobody shares: all slots are this process's. */
static void follow(struct st_reader *r, struct th_follow *op)
{
    op->op.error = TH_OK;
    op->upto = op->seen;
    op->told = UINT64_MAX;
    memset(op->slots, 255, sizeof op->slots);
    if (r->store->follow)
        r->store->follow(r, op);
}

void *st_reader_main(void *arg)
{
    static const char *const names[ST_READERS] = {"store-dispatch", "store-lists", "store-runs"};
    struct st_reader *r = arg;

    (void)prctl(PR_SET_NAME, names[r - r->store->readers]);
    for (;;) {
        struct th_op *op;

        pthread_mutex_lock(&r->lock);
        while (!r->head && !r->stop)
            pthread_cond_wait(&r->wake, &r->lock);
        op = r->head;
        if (!op) {
            pthread_mutex_unlock(&r->lock);
            return NULL;
        }
        r->head = op->next;
        if (!r->head)
            r->tail = &r->head;
        pthread_mutex_unlock(&r->lock);

        if ((int)op->kind == ST_OP_RUN_BUILD) {
            struct st_build *b = (struct st_build *)op;

            st_exchange_enter(r->store);
            st_build_collect(r, b);
            st_exchange_leave(r->store);
            report(r, op);
            if (b->count)
                st_exchange_write(r->store, op);
            else
                st_build_idle(r->store, b);
            continue;
        }
        st_exchange_enter(r->store);
        if (op->kind == TH_OP_LOAD)
            st_read_load(r, (struct th_load *)op);
        else if (op->kind == TH_OP_WALK)
            st_read_walk(r, (struct th_walk *)op);
        else if (op->kind == TH_OP_FOLLOW)
            follow(r, (struct th_follow *)op);
        else if (op->kind == TH_OP_STATS)
            st_roll_stats(r, (struct th_stats *)op);
        else
            st_page(r, (struct th_page *)op);
        st_exchange_leave(r->store);
        report(r, op);
        if (st_reader_is_list(op)) /* and not before the writes that it shows */
            st_exchange_wait(r->store, r->mark);
        st_exchange_done(op->session, op, &op->next);
    }
}
