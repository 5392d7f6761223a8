/* A count of the holders of an object that several threads may hold.
  * The code that makes the object holds it once; everybody else who keeps a pointer takes it with th_ref_get and gives it back with
 * th_ref_put. The last holder that gives it back frees it, on whatever thread that happens. The count protects only the
 * object's life: its content must not change any more once a second thread can see it, or needs a
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

/** Makes the caller the one holder. Call it before another thread can see the object. */
static inline void th_ref_init(struct th_ref *r)
{
    __atomic_store_n(&r->holders, 1, __ATOMIC_RELAXED);
}

/** Adds a holder. The caller must be a holder already, or know that another one stays meanwhile. Any thread. */
static inline void th_ref_get(struct th_ref *r)
{
    unsigned before = __atomic_fetch_add(&r->holders, 1, __ATOMIC_RELAXED);

    TH_CHECK(before > 0 && before < UINT_MAX);
}

/** Removes a holder. True: it was the last one, and the caller must free the object now; the caller then sees everything that
 * other holders did with the object before they gave it back. Any thread. */
TH_MUST_USE static inline bool th_ref_put(struct th_ref *r)
{
    unsigned before = __atomic_fetch_sub(&r->holders, 1, __ATOMIC_ACQ_REL);

    TH_CHECK(before > 0);
    return before == 1;
}
#endif
