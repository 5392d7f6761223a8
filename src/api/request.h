/* A request from its head to its answer, with the state of all its steps. Private to api/. */
#ifndef TH_API_REQUEST_H
#define TH_API_REQUEST_H
#include "api/fault.h"
#include "api/route.h"
#include "api/state.h"
#include "base/arena.h"
#include "base/json.h"
#include "core/dialect.h"
#include "engine/engine.h"
#include "net/http_server.h"

#define TH_API_MAX_PARAMS 2
#define TH_API_MAX_QUERY 12
#define TH_API_MAX_ENDS 2
#define TH_API_LARGE_BODY (32u << 10) /* bytes from which another thread reads a body */

struct th_api_pair {
    struct th_span name, value;
};

/** Writes the answer to a change into body; may add field lines. */
typedef void th_api_answer_fn(struct th_api_req *r, struct th_change *c, struct th_buf *fields,
                              struct th_buf *body);

/* The operation for the engine; the handler sets all of it before it submits it. */
union th_api_op {
    struct th_publish publish;
    struct th_change change;
    struct th_idem_answer recall; /* before the handler */
    struct {
        struct th_retry_now now;
        uint16_t attempts; /* number of attempts that it had */
        struct th_idem_answer remember;
        struct th_buf answer;
    } retry;
    struct {
        struct th_replay_start start;
        struct th_span types[TH_MAX_REPLAY_TYPES];
    } replay;
    struct th_replay_cancel cancel;
    struct th_cancel_now cancel_now;
    struct th_retry_all retry_all;
    struct th_erase_event erase;
    struct th_stats stats;
    struct {
        struct th_counts counts;
        struct th_look look;
        uint64_t before, next; /* cursors of a read and of the page */
        uint32_t at, reads;    /* the endpoint whose last attempt is read; number of such reads */
    } health;
};

/* Not cleared when a request begins: a count of the request says how much of it is set. */
struct th_api_room {
    struct th_api_pair query[TH_API_MAX_QUERY];    /* r->query_count */
    struct th_api_fault errors[TH_API_MAX_ERRORS]; /* r->error_count */
    struct th_publish_event one;                   /* r->events points to it */
    struct th_key portal_key;                      /* by_portal, by_portal_link: what the key may */
};

struct th_api_req { /* all zeros, but for the first members, when the request begins */
    struct th_api *api;
    struct th_http_exchange *x;
    union th_api_op *op;
    struct th_api_room *room;
    struct th_api_req *next_free;
    void (*ends[TH_API_MAX_ENDS])(struct th_api_req *r); /* th_api_request_at_end */
    unsigned end_count;
    const struct th_api_route *route;
    struct th_span param[TH_API_MAX_PARAMS];
    unsigned query_count, error_count;
    bool shaped; /* the path is one whose answers and errors dialects shape, and the client wants that form */
    bool native; /* the client wants the native form of all dialects */
    bool operator_key; /* an operator's key, whatever its role; else a tenant's key */
    bool unnamed;      /* the operator's key without the name of a tenant */
    bool all_tenants;  /* filter.c: the list has rows of all tenants, each with its tenant's id */
    bool judging;      /* the body is not here yet */
    bool wrong_key;    /* the key was looked for and not found */
    bool too_many_wrong;
    bool client_known, client_trusted; /* client is set; it is a trusted proxy's address */
    struct th_addr client;             /* see th_api_request_client */
    bool by_session, by_link;          /* the key is that of a session's cookie; of a link */
    uint8_t key_hash[32];              /* SHA-256 of the key's text */
    uint8_t link_hash[32];             /* hash of the link (by_link) or of the session (by_session) */
    char session[24], csrf[33];        /* with by_session: its id, and the token that changes need */
    bool by_portal;                    /* a token of the portal, whose id is in `session` ... */
    bool by_portal_link;               /* ... or of a link to it, of which link_hash is the hash */
    unsigned scopes;
    uint64_t key_no;                   /* 0: no tenant's key */
    uint64_t metered_tenant;           /* the tenant to whose rate this request counts; 0: to none */
    unsigned retry_after_s;            /* of 429; 0: 1 */
    struct th_span key_id, key_name;   /* those of an operator's key that is not the root */
    const char *needed_role;           /* for 403: the role that the key lacks; NULL: another reason */
    const char *limit;                 /* for 429: the tenant's limit that is reached; NULL: another reason */
    const struct th_tenant *key_owner; /* valid in the turn of the request */
    struct th_tenant *tenant;          /* valid in the turn of the request; later: th_api_request_tenant */
    size_t tenant_id_len;
    const struct th_dialect *dialect; /* the tenant's, else by host */
    struct th_json body;
    struct th_arena mem;
    unsigned json_line, json_column; /* where the JSON is malformed */
    bool bad_json, no_memory;        /* found by th_api_body_read */
    struct th_publish_event *events;
    uint32_t event_count; /* 0: the batch has none, or too many */
    struct th_span events_tenant;
    bool repeated;
    bool dry_run;      /* change */
    bool asked_engine; /* publishing: the engine counts its refusals itself */
    bool idem_first;   /* this request is the one in shared->idem */
    bool conditional;  /* the client named a revision */
    bool moved;        /* an endpoint from elsewhere: all of its fields count */
    unsigned answer_status, redos;
    th_api_answer_fn *answer; /* change */
    char made[72];            /* public id of what the request has made, for the audit log */
    void (*next)(struct th_api_req *r, const struct th_event_row *row); /* where a chain of reads goes on */
    struct th_span id;                                                  /* what a chain of reads looks for */
    struct th_list reads;    /* read.c: in api->reads while it waits */
    struct th_page *reading; /* the page that it waits to read */
    bool reader;             /* it counts as a reader, at reader_slot */
    bool has_read;           /* it counts as a reader, or did before */
    unsigned reader_slot;
    struct th_page *rows_page; /* rows.c */
    const struct th_api_rows *rows_form;
    struct th_jw rows_w;
    size_t rows_bytes;                  /* bytes of the earlier parts */
    uint64_t rows_newest;               /* where the list began */
    uint32_t rows_left;                 /* rows that its limit still allows */
    unsigned rows_parts;                /* parts read so far */
    void (*part)(struct th_api_req *r); /* reply.c: who writes the next part */
    bool in_parts, part_waits, lost;    /* a part is sent; the next one waits for room; the client has gone */
    struct owner *owner;                /* owner.c */
    struct th_api_stream *stream;
    void (*owner_found)(struct th_api_req *r);
    uint64_t endpoint_no, page_number;
    struct th_idem idem;
    uint64_t idem_slot;
    struct th_api_idem_first {
        int64_t since_us; /* when it came */
    } first;              /* read by other threads while it is in shared->idem, and not changed meanwhile */
    void (*read)(struct th_op *op); /* read.c: who gets what was read */
    struct th_op *read_op;
    void (*write)(struct th_api_req *r); /* read.c: writes what is in memory */
    uint64_t turn_of;
    struct th_deferred defer;
    bool (*step)(struct th_api_req *r); /* slow.c */
    struct th_buf slow_out, slow_fields;
    struct th_jw slow_w;
    unsigned slow_at;
    struct th_shape_run shape;
    struct th_shape_source shape_source;
    struct th_json_error json_error;
    char allow[64]; /* 405 */
    char tenant_id[128];
    struct th_page page, page2;
    struct th_api_waits *waits; /* waits.c; NULL: it waits for nobody */
};

/** Makes a request whose route has not been looked for yet. NULL: no memory. */
struct th_api_req *th_api_request_new(struct th_api *api, struct th_http_exchange *x);
/** Has `end` called when the request is freed, after those that were noted later, to free what the request
 * holds. */
void th_api_request_at_end(struct th_api_req *r, void (*end)(struct th_api_req *r));
/** Frees the request; its answer has been given. */
void th_api_request_free(struct th_api_req *r);
/** Frees the structs that are kept for further requests. */
void th_api_request_free_spare(struct th_api *api);
const struct th_http1_field *th_api_request_header(const struct th_api_req *r, const char *name);
/** The text after "Bearer"; false when there is none. */
bool th_api_request_bearer(const struct th_api_req *r, struct th_span *key);
/** The key of this text, if it is valid now; else NULL. Counts nothing. */
const struct th_key *th_api_request_key(struct th_api_req *r, struct th_span text);
/** The request's tenant as it is now; NULL when it has been deleted meanwhile. */
struct th_tenant *th_api_request_tenant(struct th_api_req *r);
static inline struct th_span th_api_request_tenant_id(const struct th_api_req *r)
{
    return th_span(r->tenant_id, r->tenant_id_len);
}
static inline bool th_api_request_may(const struct th_api_req *r, unsigned scope)
{
    return r->scopes & scope;
}
/** Whether it may see what is kept secret of an endpoint: keys that manage may, tokens of the portal only if they were made so. */
static inline bool th_api_request_may_secrets(const struct th_api_req *r)
{
    return r->scopes & TH_SCOPE_MANAGE && (!r->by_portal || r->scopes & TH_SCOPE_SECRETS);
}
/** The address of the client, even behind trusted proxies. Valid as long as the request. */
const struct th_addr *th_api_request_client(struct th_api_req *r);
/** Whether the request has come by https: to us, or to a proxy that we trust. */
bool th_api_request_is_https(const struct th_api_req *r);
/** True when the answer has this shape of the tenant's dialect; otherwise it has the native form. */
static inline bool th_api_request_shaped(const struct th_api_req *r, enum th_shape_id id)
{
    return r->shaped && th_dialect_has_shape(r->dialect, id);
}
/** Notes the public id of a new object for the audit log. */
void th_api_request_made(struct th_api_req *r, const struct th_buf *id);
#endif
