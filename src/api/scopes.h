/* The names of scopes in requests and answers. Private to api/. */
#ifndef TH_API_SCOPES_H
#define TH_API_SCOPES_H
#include "api/decode.h"

struct th_api_scope {
    const char *name;
    unsigned bits; /* TH_SCOPE_*, all that the name means */
};

/** Reads the names in v into *out; faults are noted at /scopes. `must`: what is said of a name that is not in the table. */
void th_api_scopes_read(struct th_api_req *r, const struct th_api_value *v, const struct th_api_scope *table,
                        size_t count, const char *must, unsigned *out);
/** Writes the names whose bits are all there, as an array. */
void th_api_scopes_write(struct th_jw *w, unsigned bits, const struct th_api_scope *table, size_t count);
#endif
