/* Where a compiler stands in the file that it reads, for faults: "FILE:LINE: request.headers[0].value: what". And the memory of
 * what it makes: one arena, which goes with the whole. */
#ifndef TH_CORE_PROGRAM_WHERE_H
#define TH_CORE_PROGRAM_WHERE_H
#include "base/arena.h"
#include "core/program/node.h"

struct th_compile_error {
    unsigned line;
    char key[96], what[200]; /* "signatures[0].algorithm", "unknown value \"sha\"; one of: ..." */
};

struct th_where {
    struct th_arena *arena;
    struct th_compile_error *error;
    const struct th_node *root; /* the file */
    enum th_error code;         /* set with the first error; later ones do not replace it */
    char path[96];
    size_t n;
};

/** Appends ".key" or "[i]" to the path; returns the length to give to th_where_leave. */
size_t th_where_enter(struct th_where *w, struct th_span key);
size_t th_where_enter_index(struct th_where *w, unsigned i);
void th_where_leave(struct th_where *w, size_t n);
/** Records an error (TH_INVALID) at the path. Always false. */
bool th_where_fail(struct th_where *w, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool th_where_fail_nomem(struct th_where *w);
/** A fault of one key of the map that the path names. Always false. */
#define TH_WHERE_FAIL_KEY(w, node, ...)                                                                      \
    (th_where_enter((w), (node)->key), th_where_fail((w), (node)->line, __VA_ARGS__))

/** Zeroed bytes of the arena; NULL when there is no memory, which is recorded. */
void *th_where_alloc(struct th_where *w, size_t n);
/** A copy with a NUL behind it, its address never NULL; {NULL, 0} when there is no memory, which is recorded. */
struct th_span th_where_copy(struct th_where *w, struct th_span s);
#endif
