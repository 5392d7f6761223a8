/* The address of the database.
 *
 * Everything that libpq knows may stand in the address (several hosts, sslmode, sslrootcert, …) and comes before what is set here;
 * of the password only libpq's own ways and the one that the server's options have read. It is never written anywhere. */
#include "store/postgres/postgres_address.h"
#include <stdio.h>
#include <string.h>

static const char *value_of(const PQconninfoOption *o, const char *keyword)
{
    for (; o->keyword; o++)
        if (strcmp(o->keyword, keyword) == 0)
            return o->val && *o->val ? o->val : NULL;
    return NULL;
}

enum th_error pg_address_read(struct pg_address *out, const char *url, const char *password, bool unnamed,
                              char *why, size_t why_size)
{
    PQconninfoOption *options;
    const char *host, *port, *name;
    enum th_error error = pg_libpq_load(why, why_size);

    if (error)
        return error;
    *out = (struct pg_address){.url = url, .password = password, .unnamed = unnamed};
    options = PQconninfoParse(url, NULL); /* its message may hold the password */
    if (!options) {
        snprintf(why, why_size,
                 "the address of the database cannot be read; write it as "
                 "postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full");
        return TH_INVALID;
    }
    host = value_of(options, "host");
    port = value_of(options, "port");
    name = value_of(options, "dbname");
    snprintf(out->shown, sizeof out->shown, "%s%s%s/%s", host ? host : "localhost", port ? ":" : "",
             port ? port : "", name ? name : "");
    PQconninfoFree(options);
    return TH_OK;
}

PGconn *pg_address_connect(const struct pg_address *a)
{
    /* later values win: the address over these, the password over the address */
    const char *const keys[] = {"fallback_application_name",
                                "connect_timeout",
                                "target_session_attrs",
                                "keepalives_idle",
                                "keepalives_interval",
                                "keepalives_count",
                                "tcp_user_timeout",
                                "dbname",
                                a->password ? "password" : NULL,
                                NULL};
    const char *const values[] = {"tenterhook", "5",    "read-write", "5",         "2",
                                  "3",          "8000", a->url,       a->password, NULL};

    return PQconnectdbParams(keys, values, 1);
}
