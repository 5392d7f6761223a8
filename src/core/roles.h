/* The roles of operators' keys, one row each, the lowest first: each role may do what the ones before it may. Names in the API, in
 * the store and in messages come from here. */
#ifndef TH_CORE_ROLES_H
#define TH_CORE_ROLES_H
#include "base/span.h"

/* X(id, name). The root is the key of the configuration, or the one that the first start has made; no other has this role. */
#define TH_ROLES(X)                                                                                          \
    X(READ_ONLY, "read-only")                                                                                \
    X(SUPPORT, "support")                                                                                    \
    X(ADMIN, "admin")                                                                                        \
    X(ROOT, "root")

enum th_role {
    TH_ROLE_NONE, /* the role of a tenant's key; of a route: no operator's key may use it */
#define X(id, name) TH_ROLE_##id,
    TH_ROLES(X)
#undef X
};

static inline const char *th_role_name(enum th_role role)
{
    static const char *const names[] = {"none",
#define X(id, name) name,
                                        TH_ROLES(X)
#undef X
    };
    return names[role];
}

/** The role of this name that a new key can have; TH_ROLE_NONE for any other name. */
static inline enum th_role th_role_of(struct th_span name)
{
    for (int role = TH_ROLE_READ_ONLY; role <= TH_ROLE_ADMIN; role++)
        if (th_span_is(name, th_role_name((enum th_role)role)))
            return (enum th_role)role;
    return TH_ROLE_NONE;
}
#endif
