/* Loading libpq.
 *
 * Linked with the program it cost each server nearly 3 MiB of memory and a part of its start, whether its store was PostgreSQL or not, since
 * the loader maps and relocates libpq, and behind it Kerberos, LDAP, SASL and GnuTLS, before main begins. It is never
 * unloaded: threads that it or a library of its own have begun could still be running. */
#include "store/postgres/postgres_libpq.h"
#include "base/check.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libpq.so.5" /* the name that a program linked with it asks for */

static void release_none(PGconn *c)
{
    TH_CHECK(!c);
}

static void clear_none(PGresult *r)
{
    TH_CHECK(!r);
}

/* What ends after it could not begin may release the connection that it does not have. */
struct pg_libpq pg_libpq = {.at_PQfinish = release_none, .at_PQclear = clear_none};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char failed[200]; /* why it could not be loaded; empty: it is */

static void load(void)
{
    static const char *const names[] = {
#define X(name) #name,
        PG_LIBPQ_FUNCTIONS(X)
#undef X
    };
    void **const places = (void **)&pg_libpq; /* a member each, in the same order */
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    size_t i;

    _Static_assert(sizeof pg_libpq == sizeof names, "a place for each name");
    if (!library) {
        snprintf(
            failed, sizeof failed,
            "a store in PostgreSQL needs libpq, which cannot be loaded (%s); install it, on Debian: libpq5",
            dlerror());
        return;
    }
    for (i = 0; i < sizeof names / sizeof *names; i++)
        if (!(places[i] = dlsym(library, names[i]))) {
            snprintf(failed, sizeof failed,
                     "%s has no function %s: install libpq 14 or newer, on Debian: libpq5", LIBRARY,
                     names[i]);
            return;
        }
}

enum th_error pg_libpq_load(char *why, size_t why_size)
{
    pthread_once(&once, load);
    if (!*failed)
        return TH_OK;
    snprintf(why, why_size, "%s", failed);
    return TH_INVALID;
}
