/* Connections, requests and TLS sessions change their state only along the edges that there are: any other change is a fault
 * of ours and ends the process (TH_CHECK). What follows what is written down here once more, so that an edge that is added or
 * lost in the tables is seen. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/http_client_private.h"
#include "net/http_server_impl.h"
#include "net/tls_common.h"

/* Whether the change ends a process that makes it. */
static bool is_refused(void (*change)(unsigned from, unsigned to), unsigned from, unsigned to)
{
    pid_t child = fork();
    int status = 0;

    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        (void)close(2); /* the message is tested elsewhere */
        change(from, to);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true((WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
                (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
    return WIFSIGNALED(status);
}

/* edges[from]: a bit for each state that may follow. */
static void compare(void (*change)(unsigned, unsigned), const unsigned *edges, unsigned count)
{
    for (unsigned from = 0; from < count; from++)
        for (unsigned to = 0; to < count; to++)
            if (is_refused(change, from, to) == (edges[from] >> to & 1))
                fail_msg("state %u to %u: %s", from, to, edges[from] >> to & 1 ? "refused" : "let");
}

#define B(state) (1u << (state))

static void change_client_conn(unsigned from, unsigned to)
{
    struct hc_conn conn = {.state = (enum hc_conn_state)from};

    hc_conn_enter(&conn, (enum hc_conn_state)to);
}

static void test_connections_of_the_client(void **state)
{
    static const unsigned edges[] = {
        [CONN_CONNECTING] = B(CONN_TUNNEL) | B(CONN_QUEUED) | B(CONN_BUSY) | B(CONN_CLOSING),
        [CONN_TUNNEL] = B(CONN_QUEUED) | B(CONN_BUSY) | B(CONN_CLOSING),
        [CONN_QUEUED] = B(CONN_HANDSHAKE) | B(CONN_CLOSING),
        [CONN_HANDSHAKE] = B(CONN_BUSY) | B(CONN_CLOSING),
        [CONN_BUSY] = B(CONN_DOUBT) | B(CONN_IDLE) | B(CONN_CLOSING),
        [CONN_DOUBT] = B(CONN_CLOSING),
        [CONN_IDLE] = B(CONN_RESERVED) | B(CONN_BUSY) | B(CONN_CLOSING),
        [CONN_RESERVED] = B(CONN_BUSY) | B(CONN_CLOSING),
        [CONN_CLOSING] = 0,
    };
    (void)state;

    compare(change_client_conn, edges, CONN_CLOSING + 1);
}

static void change_request(unsigned from, unsigned to)
{
    struct hc_tx tx = {.state = (enum hc_tx_state)from};

    hc_tx_enter(&tx, (enum hc_tx_state)to);
}

static void test_requests(void **state)
{
    static const unsigned edges[] = {
        [TX_CONNECT] = B(TX_CONNECT) | B(TX_EXCHANGE) | B(TX_ENDED),
        [TX_EXCHANGE] = B(TX_CONNECT) | B(TX_ENDED),
        [TX_ENDED] = 0,
    };
    (void)state;

    compare(change_request, edges, TX_ENDED + 1);
}

static void change_session(unsigned from, unsigned to)
{
    struct th_tls_session session = {.state = (enum th_tls_state)from};

    th_tls_session_enter(&session, (enum th_tls_state)to);
}

static void test_sessions(void **state)
{
    static const unsigned edges[] = {
        [TH_TLS_SHAKING] = B(TH_TLS_UP) | B(TH_TLS_BROKEN),
        [TH_TLS_UP] = B(TH_TLS_ENDED) | B(TH_TLS_BROKEN),
        [TH_TLS_ENDED] = B(TH_TLS_ENDED) | B(TH_TLS_BROKEN),
        [TH_TLS_BROKEN] = B(TH_TLS_BROKEN),
    };
    (void)state;

    compare(change_session, edges, TH_TLS_BROKEN + 1);
}

static struct th_http_server *server;

static void change_server_conn(unsigned from, unsigned to)
{
    struct th_conn conn = {.server = server, .state = (uint8_t)from};

    th_list_init(&conn.link);
    th_conn_enter(&conn, (enum th_conn_state)to);
}

/* What never happens there; the rest follows what clients do, and is in the table of http_server_life.c. */
static void test_connections_of_the_server(void **state)
{
    static const struct {
        enum th_conn_state from, to;
    } never[] = {
        {TH_CONN_IDLE, TH_CONN_HELD},    /* only the handler holds */
        {TH_CONN_BODY, TH_CONN_IDLE},    /* a request whose head is here is answered */
        {TH_CONN_BODY, TH_CONN_HEAD},    /* or its end is not known */
        {TH_CONN_BUSY, TH_CONN_HEAD},    /* one request at a time */
        {TH_CONN_HELD, TH_CONN_IDLE},    /* it waits for its answer */
        {TH_CONN_WRITING, TH_CONN_BUSY}, /* the answer is not out */
        {TH_CONN_LINGER, TH_CONN_IDLE},  /* the last answer was given */
        {TH_CONN_LINGER, TH_CONN_BUSY},  /* and nothing more is read as a request */
        {TH_CONN_CLOSING, TH_CONN_IDLE}, /* the socket is gone */
        {TH_CONN_CLOSING, TH_CONN_CLOSING},
    };
    uv_loop_t loop;
    (void)state;

    assert_int_equal(uv_loop_init(&loop), 0);
    server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->loop = &loop;
    for (int i = 0; i < TH_CONN_STATES; i++)
        th_list_init(&server->by_state[i]);
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
        if (!is_refused(change_server_conn, never[i].from, never[i].to))
            fail_msg("state %u to %u was let", (unsigned)never[i].from, (unsigned)never[i].to);
    for (unsigned from = 0; from < TH_CONN_CLOSING; from++)
        if (is_refused(change_server_conn, from, TH_CONN_CLOSING))
            fail_msg("state %u cannot be closed", from);
    assert_false(is_refused(change_server_conn, TH_CONN_IDLE, TH_CONN_BUSY));
    assert_false(is_refused(change_server_conn, TH_CONN_BUSY, TH_CONN_IDLE));
    free(server);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_of_the_client),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_connections_of_the_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
