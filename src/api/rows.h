/* Lists of rows of the store, written in parts. Private to api/. */
#ifndef TH_API_ROWS_H
#define TH_API_ROWS_H
#include "api/request.h"

/** The form of one list. Static. */
struct th_api_rows {
    enum th_page_kind kind;
    /** Writes a row of a page. */
    void (*row)(struct th_jw *w, struct th_api_req *r, const struct th_page *p, unsigned i);
    /** Writes the members after `data`; next and reached of `p` are those of the whole answer. */
    void (*end)(struct th_jw *w, struct th_api_req *r, const struct th_page *p);
    /** Called when the first part has been read; may take its rows away. May be NULL. */
    void (*first)(struct th_api_req *r, struct th_page *p);
};

/** Reads the rows for which `p` asks (r->page or r->page2, with filters, limit and cursor), and answers with
 * them. */
void th_api_rows(struct th_api_req *r, struct th_page *p, const struct th_api_rows *form);
/** Answers without rows; reached of `p` is shown. */
void th_api_rows_none(struct th_api_req *r, struct th_page *p, const struct th_api_rows *form);
/** Whose row of a page it is. */
uint64_t th_api_rows_tenant(const struct th_page *p, unsigned i);
#endif
