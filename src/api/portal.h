/* Links and tokens of the portal, which tenants' people use. Private to api/. */
#ifndef TH_API_PORTAL_H
#define TH_API_PORTAL_H
#include "api/session.h"
#include "base/arena.h"

#define TH_API_PORTALS 4096      /* links and tokens in all */
#define TH_API_TENANT_PORTALS 64 /* those of one tenant: its share */

enum th_api_portal_kind { TH_PORTAL_FREE, TH_PORTAL_LINK, TH_PORTAL_OPEN };

struct th_api_portal {
    enum th_api_portal_kind kind;
    uint8_t link[32], token[32]; /* SHA-256 of the link's token, and of that for which it was exchanged */
    uint8_t key[32];             /* the hash of the operator's key with which the link was made */
    char id[24];                 /* "ptl_" and 16 digits: of the link and of what it has opened */
    uint64_t number;             /* another one for each link; its highest bit is set, as of no key */
    uint64_t tenant;             /* its number */
    unsigned scopes;             /* TH_SCOPE_*, with TH_SCOPE_SECRETS */
    int64_t until_us, end_us;    /* monotonic: its end if it is not used before, and its end in any case */
    int64_t made_ms, used_ms, end_ms;
    struct th_addr from; /* who has opened it */
    char *texts;         /* the theme as JSON and the address that leads back, both NUL-terminated; owned */
};

struct th_api_portals {
    pthread_mutex_t lock; /* of all; held for one look-up */
    uint64_t count;       /* links made */
    unsigned high;        /* no row from here on has ever been used */
    struct th_api_portal v[TH_API_PORTALS];
};

/** What a link is made for. */
struct th_api_portal_spec {
    const uint8_t *key; /* 32 bytes */
    uint64_t tenant;
    unsigned scopes;
    int64_t wait_s;                   /* seconds for which it waits to be opened */
    struct th_span theme, return_url; /* copied */
};

enum th_api_portal_found { TH_PORTAL_UNKNOWN, TH_PORTAL_READY, TH_PORTAL_USED };

void th_api_portals_init(struct th_api_portals *p);
void th_api_portals_fini(struct th_api_portals *p);
/** Makes a link; its token is written to `token`, and the row to *out. If there is no more room, the row that has been
 * unused for the longest ends: one of the same tenant when that tenant has its share, otherwise one of all. False: no memory. */
TH_MUST_USE bool th_api_portal_make(struct th_api_portals *p, const struct th_api_portal_spec *spec,
                                    const struct th_entropy *entropy, struct th_now now,
                                    char token[TH_API_TOKEN], struct th_api_portal *out);
/** Looks for a link by its token: READY, or USED when it has been opened before. *out is set unless it is unknown. */
enum th_api_portal_found th_api_portal_link(struct th_api_portals *p, struct th_span token, struct th_now now,
                                            struct th_api_portal *out);
/** Opens the link with this hash, for whoever comes first: a new token is written to `token`. A link that was opened before is
 * USED, and what it has opened ends, because one of the two who had it was not meant to. */
enum th_api_portal_found th_api_portal_open(struct th_api_portals *p, const uint8_t link[32],
                                            const struct th_entropy *entropy, struct th_now now,
                                            struct th_api_session_times times, const struct th_addr *from,
                                            char token[TH_API_TOKEN], struct th_api_portal *out);
/** Copies the open row with this token, and counts it as used now. False: there is none, or it has ended. */
bool th_api_portal_find(struct th_api_portals *p, struct th_span token, struct th_now now, int64_t idle_s,
                        struct th_api_portal *out);
/** Tells whether what was opened under this number is still open, without counting it as used. */
bool th_api_portal_is_open(struct th_api_portals *p, uint64_t number, struct th_now now);
/** Copies the texts of a row into the arena. False: it has ended, or there is no memory. */
TH_MUST_USE bool th_api_portal_texts(struct th_api_portals *p, uint64_t number, struct th_arena *mem,
                                     struct th_span *theme, struct th_span *return_url);
/** Ends a tenant's row with this id. False: there is none. */
bool th_api_portal_end(struct th_api_portals *p, uint64_t tenant, struct th_span id, struct th_now now);
/** Copies a tenant's rows, newest first, at most `most`; returns how many. */
unsigned th_api_portal_list(struct th_api_portals *p, uint64_t tenant, struct th_now now,
                            struct th_api_portal *out, unsigned most);
#endif
