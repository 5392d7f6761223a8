#include "store/store_sqlite_int.h"
void sq_page(struct sq_reader *r, struct th_page *op)
{
    (void)r;
    op->op.error = TH_BUG;
}
void sq_page_free(struct th_page *op)
{
    (void)op;
}
