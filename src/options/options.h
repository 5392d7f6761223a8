/* Configuration: one table of options; values come from flags, environment, file, defaults, in this order. */
#ifndef TH_OPTIONS_OPTIONS_H
#define TH_OPTIONS_OPTIONS_H
#include "base/arena.h"
#include "core/dialect.h"

enum th_option_kind {
    TH_OPT_TEXT,
    TH_OPT_LIST, /* flags repeat; environment: comma-separated; file: a list */
    TH_OPT_MAP,  /* file only: name: value */
    TH_OPT_NUMBER,
    TH_OPT_DURATION, /* 30, "30s", "10m", "24h", "30d"; bare numbers are seconds */
    TH_OPT_CHOICE,   /* one of `choices`, separated by '|' */
    TH_OPT_SECRET, /* environment, NAME_FILE, $CREDENTIALS_DIRECTORY/<credential>, or <key>_file in the file */
};

/* id, kind, flag, environment, key in the file, default, choices or NULL, lowest, highest, argument, help */
/* clang-format off */
#define TH_OPTIONS(X)                                                                                                               \
    X(CONFIG, TEXT, "--config", "TENTERHOOK_CONFIG", NULL, NULL, NULL, 0, 0, "FILE", "read configuration from this YAML file")      \
    X(LISTEN, TEXT, "--listen", "TENTERHOOK_LISTEN", "listen", "127.0.0.1:8420", NULL, 0, 0, "ADDR:PORT",                           \
      "address of the API; port 0 takes a free one")                                                                                \
    X(DATA, TEXT, "--data", "TENTERHOOK_DATA", "data", "./tenterhook-data", NULL, 0, 0, "DIR", "data directory, used by one process") \
    X(STORE, TEXT, "--store", "TENTERHOOK_STORE", "store.address", NULL, NULL, 0, 0, "URL",                                         \
      "store in PostgreSQL instead of the data directory: postgres://USER@HOST:PORT/DATABASE")                                      \
    X(STORE_PASSWORD, SECRET, NULL, "TENTERHOOK_STORE_PASSWORD", "store.password", NULL, NULL, 1, 512, NULL,                        \
      "password of that role; else it is in the address, in PGPASSWORD or in ~/.pgpass")                                            \
    X(STORE_STATEMENTS, CHOICE, NULL, "TENTERHOOK_STORE_STATEMENTS", "store.statements", "prepared", "prepared|unnamed", 0, 0,      \
      NULL, "unnamed: keep no statement on the database server, for poolers that do not follow them")                               \
    X(STORE_LEASE, DURATION, NULL, "TENTERHOOK_STORE_LEASE", "store.lease", "10s", NULL, 2, 600, NULL,                              \
      "how long a node may be silent before another one takes over; the same on all nodes")                                         \
    X(STORE_SHARE, CHOICE, NULL, "TENTERHOOK_STORE_SHARE", "store.share", "off", "off|on", 0, 0, NULL,                              \
      "on: all nodes of the database share the work; off: one works, the others wait. The same on all nodes")                       \
    X(INBOX_SOURCES, LIST, "--inbox-source", "TENTERHOOK_INBOX_SOURCES", "inbox.sources", NULL, NULL, 0, 0, "URL",                  \
      "take events out of the inbox of this PostgreSQL database (tenterhook sql); may be repeated; a password stands in the file that passfile= in the address names, or in ~/.pgpass") \
    X(DIALECTS, TEXT, "--dialects", "TENTERHOOK_DIALECTS", "dialects", NULL, NULL, 0, 0, "DIR",                                     \
      "dialect files that add to the built-in ones or replace them")                                                                \
    X(DEFAULT_DIALECT, TEXT, "--default-dialect", "TENTERHOOK_DEFAULT_DIALECT", "default_dialect", "standard", NULL, 0, 0, "NAME",  \
      "dialect of new tenants")                                                                                                     \
    X(ALLOW_NETWORK, LIST, "--allow-network", "TENTERHOOK_ALLOW_NETWORKS", "allow_networks", NULL, NULL, 0, 0, "CIDR",              \
      "let deliveries go to this network although it is not public; may be repeated")                                               \
    X(ENVIRONMENT, CHOICE, "--environment", "TENTERHOOK_ENVIRONMENT", "environment", "production", "production|development", 0, 0,  \
      "NAME", "development allows http endpoints and loopback addresses")                                                           \
    X(TLS_CERT, TEXT, "--tls-cert", "TENTERHOOK_TLS_CERT", "tls.cert_file", NULL, NULL, 0, 0, "FILE",                               \
      "the API speaks TLS with this certificate, in PEM, followed by the intermediate ones")                                        \
    X(TLS_KEY, TEXT, "--tls-key", "TENTERHOOK_TLS_KEY", "tls.key_file", NULL, NULL, 0, 0, "FILE",                                   \
      "the certificate's key: PEM, without a passphrase")                                                                           \
    X(ADMIN_KEY, SECRET, NULL, "TENTERHOOK_ADMIN_KEY", "admin_key", NULL, NULL, 8, 512, NULL, "the operator's API key")             \
    X(SECRET_KEY, SECRET, NULL, "TENTERHOOK_SECRET_KEY", "secret_key", NULL, NULL, 16, 4096, NULL,                                  \
      "encrypts secrets at rest; default: a key file in the data directory")                                                        \
    X(SECRET_KEY_OLD, SECRET, NULL, "TENTERHOOK_SECRET_KEY_OLD", "secret_key_old", NULL, NULL, 16, 4096, NULL,                      \
      "the previous secret key, until all secrets are encrypted with the new one")                                                  \
    X(RETENTION, DURATION, "--retention", "TENTERHOOK_RETENTION", "retention", "30d", NULL, 0, 315360000, "TIME",                   \
      "how long events and deliveries are kept; 0: for ever")                                                                       \
    X(DRAIN, DURATION, "--drain-timeout", "TENTERHOOK_DRAIN_TIMEOUT", "drain_timeout", "30s", NULL, 0, 3600, "TIME",                \
      "how long a stop waits for requests in flight")                                                                               \
    X(LOG_LEVEL, CHOICE, "--log-level", "TENTERHOOK_LOG_LEVEL", "log.level", "info", "debug|info|warn|error", 0, 0, "LEVEL",        \
      "least severe messages to write")                                                                                             \
    X(LOG_FORMAT, CHOICE, "--log-format", "TENTERHOOK_LOG_FORMAT", "log.format", "auto", "auto|logfmt|json", 0, 0, "FORM",          \
      "auto: logfmt on a terminal, else JSON")                                                                                      \
    X(CA_FILE, TEXT, "--ca-file", "TENTERHOOK_CA_FILE", "delivery.ca_file", NULL, NULL, 0, 0, "FILE",                               \
      "PEM certificates to trust in addition to the system's")                                                                      \
    X(BIND, TEXT, "--bind", "TENTERHOOK_BIND", "delivery.bind", NULL, NULL, 0, 0, "ADDR", "source address of deliveries")           \
    X(SOURCES, LIST, "--source-address", "TENTERHOOK_DELIVERY_SOURCES", "delivery.sources", NULL, NULL, 0, 0, "NAME=ADDR",         \
      "address of this machine that endpoints may choose by its name to be reached from; may be repeated")                        \
    X(PROXY, TEXT, "--proxy", "TENTERHOOK_PROXY", "delivery.proxy", NULL, NULL, 0, 0, "URL",                                         \
      "forward proxy for all deliveries, http://HOST:PORT; it is asked with CONNECT for the address that was judged")               \
    X(PROXY_CREDENTIALS, SECRET, NULL, "TENTERHOOK_PROXY_CREDENTIALS", "delivery.proxy_credentials", NULL, NULL, 1, 1024, NULL,     \
      "USER:PASSWORD for the forward proxy")                                                                                        \
    X(DNS, TEXT, "--dns-servers", "TENTERHOOK_DNS_SERVERS", "delivery.dns_servers", NULL, NULL, 0, 0, "LIST",                       \
      "name servers, comma-separated; default: the system's")                                                                       \
    X(CONSENT_ORIGIN, TEXT, NULL, "TENTERHOOK_CONSENT_ORIGIN", "delivery.consent_origin", NULL, NULL, 0, 0, NULL,                   \
      "this installation's name, such as events.example.com; receivers see it when they are asked whether they want events")        \
    X(CONSENT, CHOICE, NULL, "TENTERHOOK_CONSENT", "delivery.consent", "dialects", "dialects|all", 0, 0, NULL,                      \
      "which receivers are asked whether they want events: those of dialects that require it, or all")                              \
    X(THREADS, NUMBER, "--threads", "TENTERHOOK_THREADS", "threads", "0", NULL, 0, 64, "N",                                         \
      "threads that publish and deliver, each with a share of the endpoints; 0: one less than processors for this process, 1 to 8") \
    X(MAX_IN_FLIGHT, NUMBER, "--max-in-flight", "TENTERHOOK_MAX_IN_FLIGHT", "delivery.max_in_flight", "4096", NULL, 1, 65536, "N",  \
      "most delivery requests under way at once")                                                                                   \
    X(MAX_PENDING, NUMBER, "--max-pending", "TENTERHOOK_MAX_PENDING", "delivery.max_pending_in_memory", "1000000", NULL, 1000,      \
      10000000, "N", "most unfinished deliveries held in memory; the store has the rest")                                           \
    X(SOURCE_ADDRESSES, LIST, NULL, "TENTERHOOK_SOURCE_ADDRESSES", "source_addresses", NULL, NULL, 0, 0, NULL,                      \
      "address prefixes from which deliveries come, shown to customers for their firewalls")                                        \
    X(HOSTS, MAP, NULL, NULL, "hosts", NULL, NULL, 0, 0, NULL, "host names of the API whose errors have the form of a dialect: NAME: DIALECT") \
    X(MAX_CONNECTIONS, NUMBER, "--max-connections", "TENTERHOOK_MAX_CONNECTIONS", "limits.connections", "10000", NULL, 1, 1000000,  \
      "N", "most API connections at once")                                                                                          \
    X(MAX_BODY, NUMBER, "--max-body", "TENTERHOOK_MAX_BODY", "limits.body_bytes", "16777216", NULL, 1024, 268435456, "BYTES",       \
      "largest request body of the API")                                                                                            \
    X(KEYLESS, NUMBER, "--keyless-connections", "TENTERHOOK_KEYLESS_CONNECTIONS", "limits.keyless_connections", "256", NULL, 0,     \
      1000000, "N", "most API connections of one address on which no valid key has been shown yet; 0: no limit")                    \
    X(STREAMS, NUMBER, "--streams", "TENTERHOOK_STREAMS", "limits.streams", "1000", NULL, 0, 100000, "N",                           \
      "most streams of attempts and events that are open at once; 0: no limit")                                                     \
    X(KEY_STREAMS, NUMBER, "--key-streams", "TENTERHOOK_KEY_STREAMS", "limits.key_streams", "100", NULL, 0, 100000, "N",            \
      "most streams that are open at once with one key; 0: no limit")                                                               \
    X(KEY_RATE, NUMBER, "--key-rate", "TENTERHOOK_KEY_RATE", "limits.key_rate", "0", NULL, 0, 1000000, "N",                         \
      "most API requests a second with one key of a tenant; 0: no limit")                                                           \
    X(TENANT_RATE, NUMBER, "--tenant-rate", "TENTERHOOK_TENANT_RATE", "limits.tenant_rate", "0", NULL, 0, 1000000, "N",             \
      "most API requests a second for one tenant, whatever the key; 0: no limit")                                                   \
    X(TENANT_ENDPOINTS, NUMBER, "--tenant-endpoints", "TENTERHOOK_TENANT_ENDPOINTS", "limits.tenant_endpoints", "10000", NULL, 0,   \
      1000000, "N", "most endpoints of a tenant; 0: no limit")                                                                      \
    X(TENANT_HEADER_BYTES, NUMBER, "--tenant-header-bytes", "TENTERHOOK_TENANT_HEADER_BYTES", "limits.tenant_header_bytes",         \
      "8192", NULL, 0, 131072, "BYTES", "most bytes of names and values of all headers of an endpoint; 0: no limit")                \
    X(TENANT_KEYS, NUMBER, "--tenant-keys", "TENTERHOOK_TENANT_KEYS", "limits.tenant_keys", "100", NULL, 0, 1000000, "N",           \
      "most API keys of a tenant; 0: no limit")                                                                                     \
    X(TENANT_REPLAYS, NUMBER, "--tenant-replays", "TENTERHOOK_TENANT_REPLAYS", "limits.tenant_replays", "8", NULL, 0, 1000, "N",    \
      "most replays of a tenant at work at the same time; 0: no limit")                                                             \
    X(TENANT_STORED_BYTES, NUMBER, "--tenant-stored-bytes", "TENTERHOOK_TENANT_STORED_BYTES", "limits.tenant_stored_bytes", "0",    \
      NULL, 0, 1000000000000000, "BYTES", "bytes of a tenant's events and answers in the store above which publishing is refused; 0: no limit") \
    X(TENANT_UNFINISHED, NUMBER, "--tenant-unfinished-deliveries", "TENTERHOOK_TENANT_UNFINISHED_DELIVERIES",                       \
      "limits.tenant_unfinished_deliveries", "0", NULL, 0, 1000000000, "N",                                                         \
      "unfinished deliveries of a tenant above which publishing is refused; 0: no limit")                                           \
    X(HOST_REQUESTS, NUMBER, "--host-requests", "TENTERHOOK_HOST_REQUESTS", "limits.host_requests", "100", NULL, 0, 65536, "N",     \
      "most requests of a tenant under way at once to one host, over all its endpoints there; 0: no limit")                         \
    X(HOST_RATE, NUMBER, "--host-requests-per-second", "TENTERHOOK_HOST_REQUESTS_PER_SECOND", "limits.host_requests_per_second",    \
      "0", NULL, 0, 1000000, "N", "most requests a second of a tenant to one host, over all its endpoints there; 0: no limit")      \
    X(ADDRESS_REQUESTS, NUMBER, "--address-requests", "TENTERHOOK_ADDRESS_REQUESTS", "limits.address_requests", "1000", NULL, 0,    \
      65536, "N", "most requests of a tenant under way at once to one IP address, whatever the host names; 0: no limit")            \
    X(LIMIT_WARNING, NUMBER, "--limit-warning", "TENTERHOOK_LIMIT_WARNING", "limits.warn_percent", "80", NULL, 0, 100, "PERCENT",   \
      "share of a tenant's limit from which the log and operator events say that the limit is near; 0: never")                      \
    X(VALIDATE, CHOICE, "--validate", "TENTERHOOK_VALIDATE", "event_types.validate", "warn", "off|warn|refuse", 0, 0, "WHAT",        \
      "what publishing does with data that does not fit the schema of its event type, where the type does not say")                 \
    X(PUBLIC_CATALOGUE, CHOICE, "--public-catalogue", "TENTERHOOK_PUBLIC_CATALOGUE", "event_types.public", "off", "on|off", 0, 0,     \
      "CHOICE", "whether everybody may see the installation's event types, at /catalogue and /catalogue.json")                      \
    X(WRONG_KEY_RATE, NUMBER, "--wrong-key-rate", "TENTERHOOK_WRONG_KEY_RATE", "limits.wrong_key_rate", "10", NULL, 0, 1000000, "N", \
      "requests a second with a wrong key from one address, above which they are slowed down; 0: no limit")                         \
    X(TRUSTED_PROXIES, LIST, "--trusted-proxy", "TENTERHOOK_TRUSTED_PROXIES", "trusted_proxies", NULL, NULL, 0, 0, "CIDR",          \
      "proxies in front of the API that name their client in X-Forwarded-For, in Forwarded, or by the PROXY protocol; may be repeated") \
    X(CLIENT_HEADER, CHOICE, "--client-header", "TENTERHOOK_CLIENT_HEADER", "client_header", "auto",                                \
      "auto|forwarded|x-forwarded-for|none", 0, 0, "NAME",                                                                          \
      "the field in which trusted proxies name their client; auto: X-Forwarded-For, or Forwarded if there is none")                 \
    X(SESSION_IDLE, DURATION, "--session-idle", "TENTERHOOK_SESSION_IDLE", "session_idle", "1h", NULL, 60, 43200, "TIME",           \
      "how long a browser session lives without a request; then the user has to sign in again")                                    \
    X(TRACES_ENDPOINT, TEXT, "--traces-endpoint", "TENTERHOOK_TRACES_ENDPOINT", "traces.endpoint", NULL, NULL, 0, 0, "URL",         \
      "send traces to this OpenTelemetry collector (OTLP/HTTP), such as http://127.0.0.1:4318; default: no traces")                 \
    X(TRACES_HEADERS, SECRET, NULL, "TENTERHOOK_TRACES_HEADERS", "traces.headers", NULL, NULL, 1, 8192, NULL,                       \
      "headers for the collector, as NAME=VALUE,NAME=VALUE")                                                                        \
    X(TRACES_RATIO, TEXT, "--traces-ratio", "TENTERHOOK_TRACES_RATIO", "traces.ratio", "0.1", NULL, 0, 0, "SHARE",                  \
      "share of the events published without a traceparent that is traced, 0 to 1; a traceparent decides by its own flag")          \
    X(TRACES_PASS_ON, CHOICE, "--traces-pass-on", "TENTERHOOK_TRACES_PASS_ON", "traces.pass_on", "off", "off|on", 0, 0, "CHOICE",   \
      "on: requests to endpoints say to which trace they belong (traceparent, tracestate)")                                         \
    X(UI, CHOICE, "--ui", "TENTERHOOK_UI", "ui", "on", "on|off", 0, 0, "CHOICE", "the dashboard at /ui/")                           \
    X(UI_DIR, TEXT, "--ui-dir", "TENTERHOOK_UI_DIR", "ui_dir", NULL, NULL, 0, 0, "DIR",                                             \
      "serve the dashboard's files from this folder instead of the built-in ones, while one works on them")                         \
    X(PORTAL_ORIGINS, LIST, "--portal-origin", "TENTERHOOK_PORTAL_ORIGINS", "portal_origins", NULL, NULL, 0, 0, "ORIGIN",           \
      "your own origins, such as https://app.example.com: the portal may stand in frames of their pages and lead back there; may be repeated") \
    X(PORTAL_URL, TEXT, "--portal-url", "TENTERHOOK_PORTAL_URL", "portal_url", NULL, NULL, 0, 0, "URL",                             \
      "public address of this server in links to the portal, such as https://hooks.example.com; default: the Host of the request")
/* clang-format on */

enum th_option_id {
#define X(id, ...) TH_O_##id,
    TH_OPTIONS(X)
#undef X
        TH_O_COUNT
};

struct th_option {
    enum th_option_kind kind;
    const char *flag, *env, *key, *fallback, *choices;
    int64_t lowest, highest;
    const char *argument, *help;
};
extern const struct th_option th_options[TH_O_COUNT];

struct th_pair {
    const char *name, *value;
};

struct th_value {
    const char *text;    /* TEXT, CHOICE, SECRET; NULL: not given and no default */
    int64_t number;      /* NUMBER; DURATION in seconds */
    const char **list;   /* LIST */
    struct th_pair *map; /* MAP */
    unsigned count;
    const char *origin; /* "flag --listen", "environment TENTERHOOK_LISTEN", "file x.yaml:3", "default" */
    const char *file;   /* SECRET: the file that holds it; NULL: none */
};

struct th_settings {
    struct th_arena mem; /* owns all text but that of secrets (secret.h) */
    struct th_value v[TH_O_COUNT];
};

/** Reads flags (argv[0] is the first flag), environment and file. On failure `why` says what, where and what instead. */
TH_MUST_USE enum th_error th_options_read(int argc, char **argv, struct th_settings *out, char *why,
                                          size_t why_size);
void th_options_fini(struct th_settings *c);
/** Writes to the log which files of secrets every user of the machine can read. To be called once the log is
 * set up; th_options_read writes nothing to it. */
void th_options_warn_open(const struct th_settings *c);
/** Appends a value as people read it; of a secret that it is set. Nothing where there is none. */
void th_options_value(const struct th_settings *c, enum th_option_id id, struct th_buf *out);
/** The options of a command, for --help and the man page. */
void th_options_help(struct th_buf *out);
#endif
