/* Lists of rows of the store, written in parts. Private to api/. */
#ifndef TH_API_ROWS_H
#define TH_API_ROWS_H
#include "api/request.h"

/** How one list looks. Static. */
struct th_api_rows {
    enum th_page_kind kind;
    /** A row of a page. */
    void (*row)(struct th_jw *w, struct th_api_req *r, const struct th_page *p, unsigned i);
    /** The members behind `data`; next and reached of `p` are those of the whole answer. */
    void (*end)(struct th_jw *w, struct th_api_req *r, const struct th_page *p);
    /** When the first part has been read: may take its rows away. NULL: nothing. */
    void (*first)(struct th_api_req *r, struct th_page *p);
};

/** Reads what `p` (r->page or r->page2, with filters, limit and cursor) asks for, and answers with it. */
void th_api_rows(struct th_api_req *r, struct th_page *p, const struct th_api_rows *form);
/** Answers without a row; reached of `p` is shown. */
void th_api_rows_none(struct th_api_req *r, struct th_page *p, const struct th_api_rows *form);
#endif
