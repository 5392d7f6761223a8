/* A private PostgreSQL for the tests of the stores: started when the first test wants it, ended with the program. Each test has a
 * database of its own. */
#ifndef TH_TEST_STORE_POSTGRES_FIXTURE_H
#define TH_TEST_STORE_POSTGRES_FIXTURE_H
#include "store/postgres/postgres_store.h"
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static char fx_postgres_url[200];
static int fx_postgres_stdin = -1;
static pid_t fx_postgres_pid;

static inline void fx_postgres_end(void)
{
    if (fx_postgres_pid <= 0)
        return;
    close(fx_postgres_stdin); /* whoever started it ends it */
    (void)waitpid(fx_postgres_pid, NULL, 0);
    fx_postgres_pid = 0;
}

/** Starts test/py/harness/postgres.py, which keeps a server up as long as its standard input is open. */
static inline void fx_postgres_start(void)
{
    int in[2], out[2];
    ssize_t n;

    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    fx_postgres_pid = fork();
    assert_true(fx_postgres_pid >= 0);
    if (fx_postgres_pid == 0) {
        const char *root = getenv("TENTERHOOK_SOURCE") ? getenv("TENTERHOOK_SOURCE") : TH_TEST_ROOT;

        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]);
        close(in[1]);
        close(out[0]);
        close(out[1]);
        if (chdir(root) != 0 || chdir("test/py") != 0)
            _exit(1);
        execl("/usr/bin/python3", "python3", "-m", "harness.postgres",
              getenv("TH_TEST_POOLER") ? "--pooler" : (char *)NULL, (char *)NULL);
        _exit(1);
    }
    close(in[0]);
    close(out[1]);
    fx_postgres_stdin = in[1];
    (void)fcntl(in[1], F_SETFD, FD_CLOEXEC);
    n = read(out[0], fx_postgres_url, sizeof fx_postgres_url - 1);
    close(out[0]);
    if (n <= 0) {
        print_error("no PostgreSQL: see what python3 -m harness.postgres in test/py says\n");
        abort();
    }
    fx_postgres_url[strcspn(fx_postgres_url, "\n")] = '\0';
    atexit(fx_postgres_end);
}

/** Makes an empty database; its address. */
static inline void fx_postgres_database(char *url, size_t size)
{
    static unsigned count;
    char sql[64], *at;
    PGconn *c;
    PGresult *r;

    if (!fx_postgres_pid)
        fx_postgres_start();
    c = PQconnectdb(fx_postgres_url);
    snprintf(sql, sizeof sql, "CREATE DATABASE t%u", ++count);
    if (PQstatus(c) != CONNECTION_OK)
        fail_msg("%s: %s", fx_postgres_url, PQerrorMessage(c));
    r = PQexec(c, sql);
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        fail_msg("%s", PQerrorMessage(c));
    PQclear(r);
    if (count > 1) { /* the one before is not needed any more */
        snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS t%u WITH (FORCE)", count - 1);
        PQclear(PQexec(c, sql));
    }
    PQfinish(c);
    at = strrchr(fx_postgres_url, '/');
    snprintf(url, size, "%.*s/t%u", (int)(at - fx_postgres_url), fx_postgres_url, count);
}

static inline enum th_error fx_postgres_open(const char *url, const char *dir, bool share,
                                             struct th_metrics *metrics, struct th_store **out, char *why,
                                             size_t why_size)
{
    struct th_store_postgres_options options = {.url = url,
                                                .dir = dir,
                                                .address = "127.0.0.1:1",
                                                .share = share,
                                                .unnamed = getenv("TH_TEST_POOLER") != NULL,
                                                .metrics = metrics};
    struct th_store_waiting *w;
    enum th_error error = th_store_postgres_wait(&options, &w, why, why_size);

    if (!error) {
        error = th_store_postgres_take(w, why, why_size);
        if (error)
            th_store_postgres_leave(w);
    }
    return error ? error : th_store_postgres_open(w, out, why, why_size);
}
#endif
