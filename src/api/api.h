/* The HTTP API: one table of routes, from which dispatch, 405 and the OpenAPI document come. Everything runs
 * on the engine's thread, except the functions of th_api_shared. */
#ifndef TH_API_API_H
#define TH_API_API_H
#include "engine/engine.h"
#include "net/client_address.h"
#include "net/http_server.h"

struct th_api;
struct th_api_shared;

/** A host name that decides about the form of errors if the tenant of a request is not known. Lower case,
 * without port. */
struct th_api_host {
    struct th_span name, dialect;
};

/** All spans and arrays belong to the caller and outlive the api. */
struct th_api_options {
    struct th_engine *engine;
    struct th_metrics *metrics;
    const struct th_api_host *hosts;
    unsigned host_count;
    /* form of errors without tenant and without matching host; n == 0: "standard" */
    struct th_span default_dialect;
    const struct th_span *source_addresses; /* prefixes from which deliveries come, as text */
    unsigned source_address_count;
    uint32_t key_rate, tenant_rate,
        wrong_key_rate;            /* requests a second, see limit.c and guess.c; 0: no limit */
    unsigned streams, key_streams; /* streams that are open in all, and with one key; 0: no limit */
    const struct th_cidr *trusted; /* proxies that name their client, and are not limited themselves */
    unsigned trusted_count;
    enum th_client_header client_header;
    int64_t session_idle_s; /* seconds without a request after which a session ends */
    bool catalogue;         /* everybody may see the installation's event types */
    bool tls;               /* clients come by https */
    /* The platform's own origins, such as "https://app.example.com": the portal may stand in frames of their pages, and
     * lead back there. They and portal_url outlive the api, also after th_api_reload, which leaves them as they are. */
    const char *const *portal_origins;
    unsigned portal_origin_count;
    const char *
        portal_url; /* where the portal is, "https://hooks.example.com"; NULL: the Host of each request says it */
    struct th_span version; /* of the program, for openapi.json */
    struct th_inbox *inbox; /* outlives the API; NULL: there are no inboxes */
    void (*measure)(
        void *ctx); /* before the metrics are written: what only the owner can measure; may be NULL */
    void *measure_ctx;
    void (*settings)(void *ctx, struct th_jw *w); /* writes the settings in force, a row each; may be NULL */
    void *settings_ctx;
    /** Has run(arg) called by another thread, then done(arg) by this one, from its loop. NULL: large bodies are read here. */
    void (*work)(void *ctx, void (*run)(void *arg), void (*done)(void *arg), void *arg);
    void *work_ctx;
    /** State shared by the APIs of a process, which may have several, each with an engine, a server and a
     * thread of its own. It must outlive them. NULL: this one is alone. */
    struct th_api_shared *shared;
    unsigned servers,
        number; /* how many there are, and which one this is: 0 answers everything, the others publish */
};

/** Rates, clients that try keys and Idempotency-Keys under way, for all APIs of a process. NULL: no memory. */
struct th_api_shared *th_api_shared_new(const struct th_entropy *entropy);
/** To be called after all its APIs have been freed. NULL is allowed. */
void th_api_shared_free(struct th_api_shared *shared);

/** TH_NOMEM when there is no memory. */
TH_MUST_USE enum th_error th_api_new(const struct th_api_options *options, struct th_api **out);
/** Takes over hosts, default dialect, source addresses, trusted proxies and rates of other options, which
 * must outlive the api. To be called on its own thread. */
void th_api_reload(struct th_api *api, const struct th_api_options *options);
/** The server's handler (`api` is a struct th_api): answers at once or from a later turn of the engine,
 * always exactly once. */
void th_api_handle(void *api, struct th_http_exchange *x);
/** The server's judge: answers what the head alone decides; takes no token of a rate. */
enum th_http_verdict th_api_judge(void *api, struct th_http_exchange *x);
/** The server's place (th_http_server_options): which server's API answers this request. */
unsigned th_api_place(void *api, struct th_http_exchange *x);
/** To be called after each turn of the engine: does what streams have to do at certain times. Returns when it
 * must be called again at the latest (monotonic microseconds, INT64_MAX: no time). */
int64_t th_api_turn(struct th_api *api);
/** The server is about to stop: ends streams, which would not end by themselves, and begins no further ones. */
void th_api_drain(struct th_api *api);
/** Number of requests that wait for the engine. The api may be freed when it is 0. */
unsigned th_api_pending(const struct th_api *api);
void th_api_free(struct th_api *api);
#endif
