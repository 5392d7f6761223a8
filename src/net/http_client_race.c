/* Connecting: one address after the other, a quarter of a second apart, until one has answered (RFC 8305 section 5).
 *
 * An address that swallows packets would otherwise cost its share of the time at every new connection.
 * Connections that were begun go on beside the next one, and the one that is established first carries the
 * request; the others are closed. An address that refuses makes room for the next at once. For each origin
 * with several addresses, the address that answered is remembered, and tried first the next time. All
 * addresses were judged before they came here, so it does not matter which one wins. With one address there
 * is no race, and nothing to remember.
 *
 * Refuses: more than TH_HC_RACERS connections at once for one request; the oldest goes for the next.
 *
 * Invariants: 1. Connections of a tx in CONNECTING are on tx->racing, oldest first, and tx->conn is NULL until one has
 * won. 2. tx->addr is the number of addresses that were begun. 3. The timer of a tx that connects fires for
 * the next address or at the end of the time for connecting.
 *
 * Failure: the request ends when no address is left and no connection under way. */
#include "base/check.h"
#include "net/http_client_private.h"
#include <errno.h>

static const char NO_SOURCE[] = "the source address is not on this machine, or has no port left";

/* --- what worked --- */

static uint64_t hash_of(const struct hc_tx *tx)
{
    uint64_t h = th_hash(th_span(tx->origin->key, tx->origin->key_n), tx->client->pool.origins.seed);

    return h ? h : 1;
}

static struct hc_known *known_of(struct hc *c, uint64_t hash)
{
    return &c->known[hash % TH_HC_KNOWN];
}

static void remember(const struct hc_tx *tx, const struct th_addr *peer)
{
    uint64_t hash = hash_of(tx);

    *known_of(tx->client, hash) = (struct hc_known){hash, *peer};
}

/* The index of the address that worked last; -1: none of these. */
static int known_address(const struct hc_tx *tx)
{
    const struct th_http_req *req = tx->req;
    uint64_t hash = hash_of(tx);
    const struct hc_known *known = known_of(tx->client, hash);

    for (unsigned i = 0; known->hash == hash && i < req->addr_count; i++)
        if (th_addr_same(&known->addr, &req->addrs[i], req->origin.port))
            return (int)i;
    return -1;
}

/* First the address that worked, then the others in their order, but the families take turns: where one of
 * them leads nowhere, every second address is of the other. */
static void set_order(struct hc_tx *tx)
{
    const struct th_http_req *req = tx->req;
    int known = known_address(tx);
    uint32_t used = 0;
    unsigned family = 0;

    for (unsigned n = 0; n < req->addr_count; n++) {
        unsigned best = 0;
        if (n == 0 && known >= 0) {
            best = (unsigned)known;
        } else {
            while (best < req->addr_count && ((used >> best & 1) || req->addrs[best].family == family))
                best++;
            if (best == req->addr_count)
                for (best = 0; used >> best & 1;)
                    best++;
        }
        used |= 1u << best;
        family = req->addrs[best].family;
        tx->order[n] = (uint8_t)best;
    }
}

/* --- the race --- */

static int64_t connect_limit(const struct hc_tx *tx)
{
    const struct th_http_req *req = tx->req;

    /* After a repetition the time for connecting may have passed while the kept connection was silent. */
    return req->deadline.us < req->connect_deadline.us || req->res.fresh_retries ? req->deadline.us
                                                                                 : req->connect_deadline.us;
}

/* Waits for the connections under way, and for the moment of the next address. */
static void wait_for(struct hc_tx *tx, int64_t next_us)
{
    int64_t limit = connect_limit(tx);

    hc_tx_enter(tx, TX_CONNECT);
    th_heap_rekey(&tx->client->timers, &tx->timer, next_us < limit ? next_us : limit);
    hc_arm(tx->client);
}

static void make_room(struct hc_tx *tx)
{
    unsigned n = 0;

    for (struct th_list *l = tx->racing.next; l != &tx->racing; l = l->next)
        n++;
    if (n >= TH_HC_RACERS)
        hc_conn_close(TH_CONTAINER(tx->racing.next, struct hc_conn, link), false);
}

static bool open_next(struct hc_tx *tx)
{
    struct hc *c = tx->client;
    const struct th_http_req *req = tx->req;
    const struct th_addr *addr = &req->addrs[req->addr_count > 1 ? tx->order[tx->addr] : 0];
    struct th_pool_node *oldest;

    tx->addr++;
    make_room(tx);
    if (hc_conn_open(tx, addr))
        return true;
    if ((errno == EMFILE || errno == ENFILE) && (oldest = th_pool_oldest(&c->pool))) {
        /* Idle connections are worth less than this request. */
        hc_conn_close(TH_CONTAINER(oldest, struct hc_conn, node), true);
        return hc_conn_open(tx, addr);
    }
    tx->req->res.peer = *addr;
    return false;
}

void hc_race_next(struct hc_tx *tx)
{
    struct th_http_req *req = tx->req;
    const char *detail = req->res.detail ? req->res.detail : "no address to connect to";
    bool local = false;

    while (tx->addr < req->addr_count && !local) {
        if (open_next(tx)) {
            wait_for(tx,
                     tx->addr < req->addr_count ? hc_now_us() + TH_HC_RACE_STEP * (int64_t)1000 : INT64_MAX);
            return;
        }
        local = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
        detail = errno == EADDRNOTAVAIL ? NO_SOURCE
                 : errno == EAFNOSUPPORT && req->source
                     ? "the source address is of another family (IPv4, IPv6) than the receiver's"
                     : hc_os_text(&req->res, errno);
        local = local || detail == NO_SOURCE; /* it is of this machine */
        if (tx->client->proxy.ss_family) {    /* the socket goes there, whatever the address */
            tx->proxy_failed = true;
            detail = "the proxy cannot be reached";
        }
    }
    tx->addr = req->addr_count;
    if (!th_list_empty(&tx->racing))
        wait_for(tx, INT64_MAX);
    else
        hc_tx_end(tx, local || tx->proxy_failed || req->addr_count == 0 ? TH_HTTP_INTERNAL : TH_HTTP_CONNECT,
                  detail);
}

void hc_tx_connect(struct hc_tx *tx)
{
    tx->addr = 0;
    if (tx->req->addr_count > 1)
        set_order(tx);
    hc_race_next(tx);
}

void hc_race_lost(struct hc_conn *conn, int os_error)
{
    hc_race_lost_for(conn, hc_os_text(&conn->tx->req->res, os_error));
}

void hc_race_lost_for(struct hc_conn *conn, const char *detail)
{
    struct hc_tx *tx = conn->tx;

    tx->req->res.detail = detail;
    tx->req->res.peer = conn->node.peer;
    hc_conn_close(conn, false);
    if (tx->addr < tx->req->addr_count || th_list_empty(&tx->racing))
        hc_race_next(tx);
}

void hc_race_won(struct hc_conn *conn)
{
    struct hc_tx *tx = conn->tx;

    TH_CHECK(!tx->conn);
    th_list_remove(&conn->link);
    tx->conn = conn;
    tx->req->res.peer = conn->node.peer;
    tx->req->res.detail = NULL;
    hc_race_stop(tx);
    if (tx->req->addr_count > 1)
        remember(tx, &conn->node.peer);
}

bool hc_tx_may_repeat(const struct hc_tx *tx)
{
    const struct th_http_result *res = &tx->req->res;

    return res->reused && !res->fresh_retries && !tx->received && hc_now_us() < tx->req->deadline.us;
}

void hc_tx_repeat(struct hc_tx *tx)
{
    struct th_http_result *res = &tx->req->res;

    hc_conn_close(tx->conn, false);
    res->fresh_retries = 1;
    res->reused = false;
    res->times.sent = -1;
    tx->sent = 0;
    tx->send_failed = false;
    hc_tx_connect(tx);
}
