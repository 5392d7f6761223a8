/* Options, and all that is made from them before a port is opened or the data directory is touched. The same
 * code serves the start, SIGHUP and `config check`, so that all three accept the same. A refused set leaves
 * nothing behind. */
#include "app/live.h"
#include "app/traces.h"
#include "base/alloc.h"
#include "base/log.h"
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define CERT_WARN_S (14 * 86400)

bool th_live_listen(const char *text, char *address, size_t size, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    uint64_t v;

    if (!colon || !th_span_u64(th_str(colon + 1), 65535, &v))
        return false;
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n == 0 || n >= size)
        return false;
    memcpy(address, text, n);
    address[n] = 0;
    *port = (uint16_t)v;
    return true;
}

struct th_limits th_live_limits(const struct th_settings *c)
{
    struct th_limits l;

    for (unsigned i = 0; i < TH_L_COUNT; i++)
        l.v[i] = c->v[TH_O_TENANT_ENDPOINTS + i].number; /* rows of both tables are in one order */
    return l;
}

void th_live_log(const struct th_settings *c)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const char *form = c->v[TH_O_LOG_FORMAT].text;
    enum th_log_level level = TH_LOG_INFO;

    for (unsigned i = 0; i < 4; i++)
        if (strcmp(c->v[TH_O_LOG_LEVEL].text, levels[i]) == 0)
            level = (enum th_log_level)i;
    th_log_setup(level, strcmp(form, "json") == 0     ? TH_LOG_JSON
                        : strcmp(form, "logfmt") == 0 ? TH_LOG_LOGFMT
                                                      : TH_LOG_AUTO);
}

/* This machine's own public addresses: a delivery to them would be a loop. Private ones are refused anyway, unless the
 * operator allows their network. */
static enum th_error own_addresses(struct th_live *a)
{
    struct ifaddrs *all, *i;
    unsigned n = 0;

    if (getifaddrs(&all) != 0)
        return TH_OK;
    for (i = all; i; i = i->ifa_next)
        n++;
    a->deny = th_calloc(n + 1, sizeof *a->deny);
    for (i = a->deny ? all : NULL, n = 0; i; i = i->ifa_next) {
        struct th_cidr own = {.bits = 32};
        const char *why;
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET) {
            own.net.family = 4;
            memcpy(own.net.ip, &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, 4);
        } else if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6) {
            own.net.family = 6;
            own.bits = 128;
            memcpy(own.net.ip, &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr, 16);
        } else {
            continue;
        }
        if (th_guard_addr(&(struct th_guard){0}, &own.net, &why))
            a->deny[n++] = own;
    }
    freeifaddrs(all);
    a->guard.deny = a->deny;
    a->guard.deny_count = n;
    return a->deny ? TH_OK : TH_NOMEM;
}

static enum th_error read_networks(const struct th_value *v, struct th_cidr **out, char *why, size_t why_size)
{
    struct th_cidr *networks = *out = th_calloc(v->count + 1, sizeof *networks);

    if (!networks)
        return TH_NOMEM;
    for (unsigned i = 0; i < v->count; i++)
        if (!th_cidr_parse(th_str(v->list[i]), &networks[i])) {
            snprintf(why, why_size,
                     "%s: \"%s\" is not a network; write for example 10.0.0.0/8 or fd00::/8 (host bits zero)",
                     v->origin, v->list[i]);
            return TH_INVALID;
        }
    return TH_OK;
}

/* The name stands in a header, and answers are compared with it. */
static enum th_error check_consent(const struct th_settings *c, char *why, size_t why_size)
{
    const struct th_value *origin = &c->v[TH_O_CONSENT_ORIGIN], *whose = &c->v[TH_O_CONSENT];
    size_t n = origin->text ? strlen(origin->text) : 0;

    if (n ? n > 253 ||
                strspn(origin->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != n
          : origin->text != NULL) {
        snprintf(why, why_size, "%s: \"%s\" is not a host name; write for example events.example.com",
                 origin->origin, origin->text);
        return TH_INVALID;
    }
    if (!n && strcmp(whose->text, "all") == 0) {
        snprintf(why, why_size,
                 "%s: all receivers are to be asked for consent, but under no name; give it as %s (%s)",
                 whose->origin, th_options[TH_O_CONSENT_ORIGIN].key, th_options[TH_O_CONSENT_ORIGIN].env);
        return TH_INVALID;
    }
    return TH_OK;
}

/* Scheme, host and port, in the form in which browsers write an origin: texts are compared, and stand in a header. */
static bool is_origin(const char *text)
{
    const char *host = strncmp(text, "https://", 8) == 0  ? text + 8
                       : strncmp(text, "http://", 7) == 0 ? text + 7
                                                          : "";

    return *host && strlen(host) <= 260 && *host != ':' &&
           strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") == strlen(host);
}

static enum th_error check_portal(const struct th_settings *c, char *why, size_t why_size)
{
    const struct th_value *origins = &c->v[TH_O_PORTAL_ORIGINS], *url = &c->v[TH_O_PORTAL_URL];

    if (origins->count > 100) {
        snprintf(why, why_size, "%s: at most 100 origins can be named", origins->origin);
        return TH_INVALID;
    }
    for (unsigned i = 0; i < origins->count; i++)
        if (!is_origin(origins->list[i])) {
            snprintf(why, why_size,
                     "%s: \"%s\" is not an origin; write for example https://app.example.com, in small "
                     "letters and without a "
                     "path",
                     origins->origin, origins->list[i]);
            return TH_INVALID;
        }
    if (url->text && !is_origin(url->text)) {
        snprintf(why, why_size,
                 "%s: \"%s\" is not the address of a server; write for example https://hooks.example.com, "
                 "without a path",
                 url->origin, url->text);
        return TH_INVALID;
    }
    return TH_OK;
}

/* NAME=ADDR each. Whether an address is on this machine is seen when it is used: it may come and go. */
static enum th_error setup_sources(struct th_live *l, char *why, size_t why_size)
{
    const struct th_value *v = &l->settings.v[TH_O_SOURCES];

    l->from = th_calloc(v->count + 1, sizeof *l->from);
    if (!l->from)
        return TH_NOMEM;
    for (unsigned i = 0; i < v->count; i++) {
        const char *text = v->list[i], *equals = strchr(text, '=');
        size_t n = equals ? (size_t)(equals - text) : 0;

        l->from[i].name = th_span(text, n);
        if (n > 64 || !th_id_ok(th_span(text, n)) || !th_addr_parse(th_str(equals + 1), &l->from[i].addr)) {
            snprintf(why, why_size, "%s: \"%s\" is not NAME=ADDR; write for example eu=192.0.2.7", v->origin,
                     text);
            return TH_INVALID;
        }
        for (unsigned k = 0; k < i; k++)
            if (th_span_eq(l->from[k].name, l->from[i].name)) {
                snprintf(why, why_size, "%s: the name %.*s is there twice", v->origin, (int)n, text);
                return TH_INVALID;
            }
    }
    if (v->count > 1000) {
        snprintf(why, why_size, "%s: at most 1000 addresses can be named", v->origin);
        return TH_INVALID;
    }
    return TH_OK;
}

static enum th_error setup_guard(struct th_live *a, char *why, size_t why_size)
{
    const struct th_value *v = &a->settings.v[TH_O_ALLOW_NETWORK];
    enum th_error error = read_networks(v, &a->allow, why, why_size);

    if (!error)
        error = read_networks(&a->settings.v[TH_O_TRUSTED_PROXIES], &a->trusted, why, why_size);
    if (error)
        return error;
    a->guard =
        (struct th_guard){.allow = a->allow,
                          .allow_count = v->count,
                          .allow_loopback = strcmp(a->settings.v[TH_O_ENVIRONMENT].text, "development") == 0};
    return own_addresses(a);
}

static bool has_dialect(const struct th_live *a, const char *name)
{
    for (unsigned i = 0; i < a->dialects.count; i++)
        if (th_span_is(th_dialect_values(a->dialects.v[i])->name, name))
            return true;
    return false;
}

static enum th_error setup_lists(struct th_live *l)
{
    const struct th_value *hosts = &l->settings.v[TH_O_HOSTS],
                          *sources = &l->settings.v[TH_O_SOURCE_ADDRESSES];

    l->hosts = th_calloc(hosts->count + 1, sizeof *l->hosts);
    l->sources = th_calloc(sources->count + 1, sizeof *l->sources);
    if (!l->hosts || !l->sources)
        return TH_NOMEM;
    for (unsigned i = 0; i < hosts->count; i++)
        l->hosts[i] = (struct th_api_host){th_str(hosts->map[i].name), th_str(hosts->map[i].value)};
    for (unsigned i = 0; i < sources->count; i++)
        l->sources[i] = th_str(sources->list[i]);
    return TH_OK;
}

/* True for a network with all addresses of one kind. That is nearly always a mistake, and then every private
 * network is open to customers' URLs, or every client may claim to be anybody. */
static void warn_networks(const struct th_live *l)
{
    const struct th_value *allowed = &l->settings.v[TH_O_ALLOW_NETWORK],
                          *trusted = &l->settings.v[TH_O_TRUSTED_PROXIES];

    for (unsigned i = 0; i < allowed->count; i++)
        if (l->allow[i].bits == 0)
            th_log(TH_LOG_WARN,
                   "every address is an allowed network, those of this machine and of cloud metadata too; "
                   "name the networks that deliveries need",
                   TH_KC("network", allowed->list[i]), TH_KC("option", allowed->origin));
    for (unsigned i = 0; i < trusted->count; i++)
        if (l->trusted[i].bits == 0)
            th_log(TH_LOG_WARN,
                   "every address is a trusted proxy, so clients may claim any address; name the proxies",
                   TH_KC("network", trusted->list[i]), TH_KC("option", trusted->origin));
}

/* True for an address of this machine alone. */
static bool is_loopback(const char *address)
{
    static const struct th_guard loopback = {.allow_loopback = true};
    struct th_addr a;
    const char *why;

    return th_addr_parse(th_str(address), &a) && th_guard_addr(&loopback, &a, &why) &&
           !th_guard_addr(&(struct th_guard){0}, &a, &why);
}

/* Keys go over this connection. A proxy on the same machine, which most have, needs loopback only. */
static void warn_listen(const struct th_live *l)
{
    const struct th_value *listen = &l->settings.v[TH_O_LISTEN];
    char address[256];
    uint16_t port;

    if (l->identity || !th_live_listen(listen->text, address, sizeof address, &port) || is_loopback(address))
        return;
    th_log(
        TH_LOG_WARN,
        "keys and events cross the network in the clear: the API listens on more than loopback without TLS; "
        "give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that speaks TLS",
        TH_KC("address", listen->text));
}

/* engine/control/short_key.c decides whether it may be used, because the data directory says since when it
 * has been. */
static void warn_key(const struct th_live *l)
{
    const struct th_value *key = &l->settings.v[TH_O_ADMIN_KEY];

    if (key->text && strlen(key->text) < TH_OPERATOR_KEY_MIN &&
        strcmp(l->settings.v[TH_O_ENVIRONMENT].text, "production") == 0)
        th_log(TH_LOG_WARN,
               "the operator's key has fewer than 16 characters and can be guessed; make another one with "
               "`openssl rand -hex 32`",
               TH_KC("option", key->origin));
}

/* A certificate that has expired or is not yet valid is not refused: clients may know that, and still want
 * it. */
void th_live_warn(const struct th_live *l)
{
    const char *file = l->settings.v[TH_O_TLS_CERT].text;
    int64_t now_s = (int64_t)time(NULL), left_s, begins_s;

    th_options_warn_open(&l->settings);
    warn_networks(l);
    warn_listen(l);
    warn_key(l);
    if (!l->identity)
        return;
    left_s = th_tls_identity_left_s(l->identity, now_s);
    begins_s = th_tls_identity_begins_s(l->identity, now_s);
    if (left_s < CERT_WARN_S)
        th_log(TH_LOG_WARN,
               left_s < 0 ? "the API's certificate has expired" : "the API's certificate expires soon",
               TH_KC("file", file), TH_KI("seconds_left", left_s));
    if (begins_s > 0)
        th_log(TH_LOG_WARN, "the API's certificate is not valid yet", TH_KC("file", file),
               TH_KI("seconds_until", begins_s));
}

static enum th_error setup_tls(struct th_live *l, char *why, size_t why_size)
{
    const struct th_value *cert = &l->settings.v[TH_O_TLS_CERT], *key = &l->settings.v[TH_O_TLS_KEY];

    if (!cert->text && !key->text)
        return TH_OK;
    if (!cert->text || !key->text) {
        snprintf(why, why_size,
                 "%s: TLS needs a certificate and its key; give --tls-cert and --tls-key, or neither",
                 cert->text ? cert->origin : key->origin);
        return TH_INVALID;
    }
    return th_tls_identity_open(cert->text, key->text, &l->identity, why, why_size);
}

/* Everything that can be refused without touching the data directory. */
static enum th_error prepare(struct th_live *l, char *why, size_t why_size)
{
    const struct th_settings *c = &l->settings;
    char address[256];
    uint16_t port;
    enum th_error error;

    if (!th_live_listen(c->v[TH_O_LISTEN].text, address, sizeof address, &port)) {
        snprintf(why, why_size, "%s: \"%s\" is not ADDR:PORT; write for example 127.0.0.1:8420 or [::1]:8420",
                 c->v[TH_O_LISTEN].origin, c->v[TH_O_LISTEN].text);
        return TH_INVALID;
    }
    error = check_consent(c, why, why_size);
    if (!error)
        error = check_portal(c, why, why_size);
    if (!error)
        error = th_traces_check(c, why, why_size);
    if (!error)
        error = setup_guard(l, why, why_size);
    if (!error)
        error = setup_lists(l);
    if (!error)
        error = setup_sources(l, why, why_size);
    if (!error)
        error = setup_tls(l, why, why_size);
    if (!error)
        error = th_dialects_load(c->v[TH_O_DIALECTS].text, &l->dialects, why, why_size);
    if (!error && !has_dialect(l, c->v[TH_O_DEFAULT_DIALECT].text)) {
        snprintf(why, why_size, "%s: no dialect \"%s\" is loaded", c->v[TH_O_DEFAULT_DIALECT].origin,
                 c->v[TH_O_DEFAULT_DIALECT].text);
        error = TH_INVALID;
    }
    for (unsigned i = 0; !error && i < c->v[TH_O_HOSTS].count; i++)
        if (!has_dialect(l, c->v[TH_O_HOSTS].map[i].value)) {
            snprintf(why, why_size, "%s: host \"%s\": no dialect \"%s\" is loaded", c->v[TH_O_HOSTS].origin,
                     c->v[TH_O_HOSTS].map[i].name, c->v[TH_O_HOSTS].map[i].value);
            error = TH_INVALID;
        }
    return error;
}

void th_live_borrow(struct th_live *l, const struct th_live *old)
{
    if (memcmp(l->dialects.print, old->dialects.print, sizeof l->dialects.print) != 0)
        return;
    th_dialects_free(&l->dialects);
    l->dialects = old->dialects;
    l->borrows = true;
}

const struct th_live *th_live_first(const struct th_live *l)
{
    while (l->older)
        l = l->older;
    return l;
}

void th_live_replace(struct th_live *l, struct th_live *old)
{
    if (!old->older || !old->borrows) {
        l->older = old;
        return;
    }
    l->older = old->older;
    old->older = NULL;
    th_live_free(old);
}

void th_live_free(struct th_live *l)
{
    while (l) {
        struct th_live *older = l->older;
        if (!l->borrows)
            th_dialects_free(&l->dialects);
        th_free(l->allow);
        th_free(l->deny);
        th_free(l->trusted);
        th_free(l->hosts);
        th_free(l->sources);
        th_free(l->from);
        th_tls_identity_unref(l->identity);
        th_options_fini(&l->settings);
        th_free(l);
        l = older;
    }
}

/* Reads flags, environment and file and makes all that follows from them. */
enum th_error th_live_new(int argc, char **argv, struct th_live **out, char *why, size_t why_size)
{
    struct th_live *l = th_calloc(1, sizeof *l);
    enum th_error error;

    snprintf(why, why_size, "out of memory");
    if (!l)
        return TH_NOMEM;
    error = th_options_read(argc, argv, &l->settings, why, why_size);
    if (!error)
        error = prepare(l, why, why_size);
    if (error) {
        th_live_free(l);
        return error;
    }
    *out = l;
    return TH_OK;
}
