/* What the files of the server share: its state, and the steps of starting and of reading the configuration again.
 * Everything here is the loop's thread. */
#ifndef TH_APP_SERVE_PARTS_H
#define TH_APP_SERVE_PARTS_H

#include "api/api.h"
#include "app/live.h"
#include "app/serve.h"
#include "app/turn_clock.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include <uv.h>

#define EXIT_USAGE 64
#define EXIT_DATA 65
#define EXIT_BUG 70
#define EXIT_STORE 74

struct th_app {
    int argc;
    char **argv;
    struct th_live *live;
    struct th_first_start *first; /* NULL: serve */
    bool announced, stopping, engine_draining, hard;
    bool tls;     /* the API was opened with it */
    bool reloads; /* SIGHUP came; it waits for the change of settings under way */
    uv_loop_t loop;
    uv_async_t wake;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer, grace, watchdog;
    uv_signal_t term, intr, hup;
    uint64_t timer_at;
    struct th_turn_clock turns;
    struct th_metrics metrics;
    struct th_store *store;
    struct th_transport *transport;
    struct th_resolver *resolver;
    struct th_engine *engine;
    struct th_api *api;
    struct th_http_server *server;
    struct th_buf made_key;
    uint8_t admin_hash[32];
    char why[512];
    unsigned to_close;
    unsigned max_in_flight, max_idle,
        max_connections; /* what the descriptors allow of the configured limits */
};

/* Opens data folder, store, network, engine, API and, unless it is a first start, the HTTP server, in this order. On an
 * error a->why says what is wrong, and what is open stays open for the caller to close. */
enum th_error th_app_open(struct th_app *a);

/* What the API is given, out of the configuration in force. */
struct th_api_options th_app_api_options(struct th_app *a);

/* SIGHUP: configuration, dialects and certificate are to be read again. */
void th_app_ask_reload(struct th_app *a);
/* After each turn: does so when it was asked for and no change of settings is under way. What cannot be used is logged with its
 * place, and everything stays as it was. */
void th_app_reload_turn(struct th_app *a);

#endif
