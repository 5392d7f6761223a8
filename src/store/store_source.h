/* One page being read by the SQLite store: store_page.c filters and gives out, store_source.c finds the candidates. A
 * reader thread's own. */
#ifndef TH_STORE_SOURCE_H
#define TH_STORE_SOURCE_H
#include "store/store_scan.h"

#define SQ_CHAIN_MAX 4096 /* attempts looked at for one delivery or event */

struct sq_block {
    struct sq_block *next;
    size_t used, size;
    char bytes[];
};

struct sq_page_mem {
    struct sq_block *blocks;
    size_t total, used; /* bytes of the blocks; of the spans in them */
    void *rows;
};

struct sq_source {
    enum { SOURCE_LIST, SOURCE_SCAN, SOURCE_TENANT, SOURCE_UP } kind;
    uint64_t pos; /* cursor: everything from here up was given or left out */
    uint64_t *list;
    uint32_t list_n, list_i;
    uint64_t low, high; /* a range still to be given, from high - 1 down to low */
    enum sq_run_kind run_kind;
    uint64_t key, floor;
    struct sq_scan scan;
    bool scanning;
};

struct sq_pager {
    struct sq_reader *r;
    struct th_page *op;
    struct sq_page_mem *mem;
    struct sq_budget budget;
    struct sq_source src;
    sqlite3_stmt *event_st;
    struct th_event_row event; /* borrowed from event_st; no == 0: none */
    uint64_t missing;          /* event that was looked for in vain */
    uint64_t past_no;          /* endpoint that `past` is of; 0: none */
    struct th_past_endpoint past;
    uint64_t last; /* newest row given out */
    int rc;
    enum th_error error;
};

/** Steps a point lookup. True: a row (the caller resets). */
bool sq_source_look_up(struct sq_pager *p, sqlite3_stmt *st, uint64_t no);
/** The event stays borrowed until the next call or the end of the transaction. False: it is gone. */
bool sq_source_event(struct sq_pager *p, uint64_t no);
/** Chooses the source that fits the page's filters, in the first transaction. */
void sq_source_start(struct sq_pager *p);
/** The next candidate, in falling order; of SOURCE_UP in growing order. */
enum sq_next sq_source_next(struct sq_pager *p, uint64_t *no);
#endif
