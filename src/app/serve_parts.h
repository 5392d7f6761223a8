/* Shared by the files of the server: its state, and the steps of starting and of reading the configuration
 * again. Everything here belongs to the first thread, unless a comment says otherwise. */
#ifndef TH_APP_SERVE_PARTS_H
#define TH_APP_SERVE_PARTS_H

#include "api/api.h"
#include "app/inbox.h"
#include "app/live.h"
#include "app/serve.h"
#include "app/shard.h"
#include <uv.h>

#define EXIT_USAGE 64
#define EXIT_DATA 65
#define EXIT_BUG 70
#define EXIT_STORE 74

/* The steps that a stop asks of the other shards, each once. */
enum th_stop_step { TH_STOP_SERVER, TH_STOP_ENGINE, TH_STOP_CANCEL, TH_STOP_CLOSE, TH_STOP_STEPS };

struct th_app {
    int argc;
    char **argv;
    struct th_live *live;
    struct th_first_start *first; /* NULL: serve */
    bool announced, stopping, engine_draining, hard;
    bool tls;           /* the API was opened with it */
    bool reloads_again; /* SIGHUP came once more while the old configuration was still in use */
    char reload_names[2048];
    bool reloads; /* SIGHUP came; it waits for the change of settings under way */
    uv_loop_t loop;
    uv_timer_t grace, watchdog;
    uv_signal_t term, intr, hup;
    struct th_metrics metrics;
    struct th_store *store;
    struct th_shard home;    /* the first thread's */
    struct th_shard *others; /* shard_count - 1 */
    unsigned shard_count;
    unsigned grace_ms; /* time for a stop */
    unsigned letters;  /* atomic: letters of engines that are under way */
    bool watches_idle; /* atomic: the first thread waits for the others to be idle */
    struct th_http_shared *http_shared;
    struct th_api_shared *api_shared;
    struct th_places *places; /* requests to hosts and addresses, of all shards */
    struct th_ui *ui;         /* NULL: without pages */
    struct th_inbox *inbox;   /* NULL: nothing can be in one */
    unsigned servers_left;    /* during a stop: HTTP servers that still answer */
    /* errands to the other shards, one for each, whose memory is taken at the start */
    struct th_errand *stop_steps[TH_STOP_STEPS];
    bool cancel_asked;
    unsigned pings_out; /* for the watchdog: shards that have not answered */
    struct th_errand *pings;
    struct th_live *replacing; /* a reload: the old configuration, until no shard uses it */
    unsigned reloads_out;      /* shards that have not taken the new one over */
    struct th_errand *reload_asks;
    struct th_buf made_key;
    bool waited_in_vain; /* a signal came while it waited for the database */
    uint8_t admin_hash[32];
    char why[512];
    unsigned max_in_flight, max_idle,
        max_connections; /* what the descriptors allow of the configured limits */
};

static inline struct th_shard *th_app_shard(struct th_app *a, unsigned no)
{
    return no ? &a->others[no - 1] : &a->home;
}

/* Opens data folder, store, network, engine, API and, unless it is a first start, the HTTP server, in this order. On an
 * error a->why says what is wrong, and what is open stays open for the caller to close. */
enum th_error th_app_open(struct th_app *a);

/* The options for the API, from the configuration in force. */
struct th_api_options th_app_api_options(struct th_app *a, struct th_shard *s);

/* SIGHUP: configuration, dialects and certificate are to be read again. */
void th_app_ask_reload(struct th_app *a);
/* To be called after each turn: reads them again if that was asked for and no change of settings is under
 * way. If something cannot be used, it is logged with its place, and everything stays as it was. */
void th_app_reload_turn(struct th_app *a);

#endif
