/* A count of the holders of an object that several threads may hold.
 *
 * Who makes the object holds it once; everybody else who keeps a pointer takes it with th_ref_get and gives it back with
 * th_ref_put. Whoever gives it back as the last one frees it, on whatever thread that happens. The count says how long the
 * object lives and nothing else: what is in the object must not change any more once a second thread can see it, or needs a
 * lock of its own. */
#ifndef TH_BASE_REF_H
#define TH_BASE_REF_H
#include "base/check.h"
#include "base/error.h"
#include <limits.h>
#include <stdbool.h>

/** Embedded in the object. Only the functions below touch it. */
struct th_ref {
    unsigned holders;
};

/** One holder: the caller. Before another thread can see the object. */
static inline void th_ref_init(struct th_ref *r)
{
    __atomic_store_n(&r->holders, 1, __ATOMIC_RELAXED);
}

/** One holder more. The caller must be one already, or otherwise know that one stays meanwhile. Any thread. */
static inline void th_ref_get(struct th_ref *r)
{
    unsigned before = __atomic_fetch_add(&r->holders, 1, __ATOMIC_RELAXED);

    TH_CHECK(before > 0 && before < UINT_MAX);
}

/** One holder less. True: it was the last one, and the caller must free the object now; everything that other holders did
 * with the object before they gave it back is visible to the caller. Any thread. */
TH_MUST_USE static inline bool th_ref_put(struct th_ref *r)
{
    unsigned before = __atomic_fetch_sub(&r->holders, 1, __ATOMIC_ACQ_REL);

    TH_CHECK(before > 0);
    return before == 1;
}
#endif
