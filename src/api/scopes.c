/* Reads and writes names of scopes by the table of whoever knows them. */
#include "api/scopes.h"
#include "api/fault.h"
#include <stdio.h>

void th_api_scopes_read(struct th_api_req *r, const struct th_api_value *v, const struct th_api_scope *table,
                        size_t count, const char *must, unsigned *out)
{
    *out = 0;
    if (v->strings && v->count == 0)
        th_api_fault(r, TH_LIT("/scopes"), "needs at least one scope");
    for (unsigned i = 0; v->strings && i < v->count; i++) {
        char pointer[32];
        size_t k;
        for (k = 0; k < count && !th_span_is(v->strings[i], table[k].name); k++)
            ;
        if (k < count) {
            *out |= table[k].bits;
            continue;
        }
        snprintf(pointer, sizeof pointer, "/scopes/%u", i);
        th_api_fault(r, th_str(pointer), "%s", must);
    }
}

void th_api_scopes_write(struct th_jw *w, unsigned bits, const struct th_api_scope *table, size_t count)
{
    th_jw_array(w);
    for (size_t i = 0; i < count; i++)
        if ((bits & table[i].bits) == table[i].bits)
            th_jw_string(w, th_str(table[i].name));
    th_jw_end_array(w);
}
