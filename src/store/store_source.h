/* A page while a store reads it: store_source.c finds the candidates, store_page.c filters them and hands
 * them out. It belongs to one reader's thread. */
#ifndef TH_STORE_SOURCE_H
#define TH_STORE_SOURCE_H
#include "store/store_scan.h"

#define ST_EVENTS_AHEAD 128 /* events of a tenant that are asked for together */
#define ST_CHAIN_MAX 4096   /* attempts looked at for one delivery or event */

struct st_block {
    struct st_block *next;
    size_t used, size;
    char bytes[];
};

struct st_page_mem {
    struct st_block *blocks;
    size_t total, used; /* bytes of the blocks; of the spans in them */
    void *rows;
};

struct st_source {
    enum { SOURCE_LIST, SOURCE_SCAN, SOURCE_TENANT, SOURCE_UP } kind;
    uint64_t pos; /* cursor: everything from here up was handed out or left out */
    uint64_t *list;
    uint32_t list_n, list_i;
    uint64_t low, high; /* a range that is still to be handed out, from high - 1 down to low */
    enum st_run_kind run_kind;
    uint64_t key, floor;
    struct st_scan scan;
    bool scanning;
    uint64_t ahead[ST_EVENTS_AHEAD]; /* for SOURCE_TENANT: the events that come next */
    uint32_t ahead_i, ahead_n;
    enum st_next ahead_end; /* what follows them */
};

struct st_pager {
    struct st_reader *r;
    struct th_page *op;
    struct st_page_mem *mem;
    struct st_budget budget;
    struct st_source src;
    struct st_stmt *event_st;
    struct th_event_row event; /* borrowed from event_st; no == 0: none */
    uint64_t missing;          /* event that was looked for in vain */
    uint64_t past_no;          /* the endpoint to which `past` belongs; 0: none */
    struct th_past_endpoint past;
    uint64_t rev_endpoint, rev; /* to which `rev_settings` belong; 0: none */
    struct th_span rev_settings;
    uint64_t last; /* newest row that was handed out */
    int rc;
    enum th_error error;
};

/** Steps a point lookup. True: a row (the caller resets). */
bool st_source_look_up(struct st_pager *p, struct st_stmt *st, uint64_t no);
/** The event stays borrowed until the next call or the end of the transaction. False: it is gone. */
bool st_source_event(struct st_pager *p, uint64_t no);
/** Chooses the source that fits the page's filters, in the first transaction. */
void st_source_start(struct st_pager *p);
/** The next candidate, in falling order; with SOURCE_UP in growing order. */
enum st_next st_source_next(struct st_pager *p, uint64_t *no);
#endif
