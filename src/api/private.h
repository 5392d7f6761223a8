/* Shared by the files of api/ only: one request from reading to answer, and what its steps are made of. */
#ifndef TH_API_PRIVATE_H
#define TH_API_PRIVATE_H
#include "api/api.h"
#include "api/meter.h"
#include "base/alloc.h"
#include "base/arena.h"
#include "base/enc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"

#define TH_API_MAX_PARAMS 2
#define TH_API_MAX_QUERY 12
#define TH_API_MAX_ERRORS 20
#define TH_API_MAX_ANSWER (256u << 20)
#define TH_API_PAGE_BYTES                                                                                    \
    (768u << 10) /* a list ends with the row that brings it to so many bytes: about 1 MiB */
#define TH_API_ROW_BYTES                                                                                     \
    (384u << 10) /* the same for what is read for rows that are written larger than they are kept */
#define TH_API_SLICE (256u << 10)      /* bytes of an answer written in one go where it cannot end early */
#define TH_API_READERS 16              /* requests that read or write much at a time, */
#define TH_API_TENANT_READERS 4        /* and of one tenant; others wait */
#define TH_API_KEEP_ANSWER (1u << 20)  /* larger buffers go back to the heap after the answer */
#define TH_API_MAX_SETTINGS (1u << 20) /* bytes of a body that is no event */
#define TH_API_LARGE_BODY (32u << 10)  /* from which another thread reads it */
#define TH_API_MAX_ARENA (64u << 20)   /* memory that one request may take beside its body */
#define TH_API_KEEP_REQUESTS 256       /* request structs kept for reuse */
#define TH_API_NOTES 4096              /* addresses from which a key was right, see guess.c */
#define TH_API_SKIP_MAX (64u << 10)    /* a larger body is not waited for where it does not matter */
#define TH_API_IDEM_WAIT_US 5000000    /* a second request with a key under way for longer is told 409 */

struct th_api_req;

/* ---- routes ---- */

enum {
    TH_R_PUBLIC = 1,    /* no key */
    TH_R_OPERATOR = 2,  /* the operator's key only */
    TH_R_TENANT = 4,    /* acts for a tenant: the key's, or the one that the operator names */
    TH_R_BODY = 8,      /* a JSON body is required */
    TH_R_BODY_MAY = 16, /* a JSON body may be there */
    TH_R_ETAG = 32,     /* the answer carries an ETag; If-Match and If-None-Match are honoured */
    TH_R_SECRET = 64,   /* the answer holds a secret: not cached, wiped after sending */
    TH_R_MERGE = 128,   /* the body is a JSON Merge Patch */
    TH_R_PUBLISH = 256, /* counted as publishing */
    TH_R_KEEPS = 512,   /* the whole answer is kept with an Idempotency-Key */
    /* The operator's key need not name the tenant: it is that of the object ... */
    TH_R_OF_ENDPOINT = 1024, /* ... in the path */
    TH_R_OF_REPLAY = 2048,
    TH_R_OF_EVENT = 4096,
    TH_R_OF_DELIVERY = 8192,
    TH_R_OF_FILTERS = 16384, /* ... in the query: `endpoint`, else `event` */
};

struct th_api_route {
    const char *method, *path;
    unsigned scope; /* of TH_SCOPE_*, for tenant keys; 0: any key */
    unsigned flags;
    void (*handle)(struct th_api_req *r);
    const char *query;              /* allowed query parameters, separated by one space */
    unsigned status;                /* of success */
    const char *request, *response; /* schemas in the OpenAPI document; NULL: no body */
    const char *id, *summary;
};
/** Ends with a row whose method is NULL. */
extern const struct th_api_route th_api_routes[];

/** Finds the route: r->route and, still encoded, r->param; else r->route is NULL, and r->allow has the path's methods. */
void th_api_route_find(struct th_api_req *r);
/** Decodes r->param of the route that was found; answers 404 and 405 itself. */
TH_MUST_USE bool th_api_route(struct th_api_req *r);

/* ---- a request ---- */

struct th_api_error {
    struct th_span pointer, detail; /* JSON pointer into the body, or the name of a query parameter */
    bool parameter;
};

struct th_api_pair {
    struct th_span name, value;
};

/** Writes the answer to a change into body; may add field lines. */
typedef void th_api_answer_fn(struct th_api_req *r, struct th_change *c, struct th_buf *fields,
                              struct th_buf *body);

struct th_api_req { /* zeroed at the start of each request up to `allow`; the rest is set by who uses it */
    struct th_api *api;
    struct th_api_req *next_free;
    struct th_http_exchange *x;
    const struct th_api_route *route;
    struct th_span param[TH_API_MAX_PARAMS];
    unsigned query_count, error_count;
    bool shaped;       /* the path is one whose answers and errors dialects shape */
    bool operator_key; /* else a tenant's key */
    bool unnamed;      /* the operator's key without the name of a tenant */
    bool judging;      /* the body is not here yet */
    bool wrong_key;    /* looked for and not found */
    bool too_many_wrong;
    bool client_known, client_trusted; /* client is set; it is a trusted proxy's address */
    struct th_addr client;             /* see th_api_client */
    unsigned scopes;
    uint64_t key_no;                   /* 0: no tenant's key */
    uint64_t metered_tenant;           /* whose rate this request counts for; 0: nobody's */
    unsigned retry_after_s;            /* of 429; 0: 1 */
    const char *limit;                 /* of 429: the tenant's limit that is reached; NULL: another reason */
    const struct th_tenant *key_owner; /* valid in the turn of the request */
    struct th_tenant *tenant;          /* valid in the turn of the request; later: th_api_tenant */
    size_t tenant_id_len;
    const struct th_dialect *dialect; /* the tenant's, else by host */
    struct th_json body;
    struct th_arena mem;
    unsigned json_line, json_column; /* of malformed JSON */
    bool bad_json, no_memory;        /* found by th_api_body_read */
    struct th_publish_event *events;
    uint32_t event_count; /* 0: the batch has none, or too many */
    struct th_span events_tenant;
    bool repeated;
    bool dry_run;      /* change */
    bool asked_engine; /* publishing: the engine counts its refusals itself */
    bool idem_first;   /* this request is the one in api->idem */
    bool conditional;  /* the client named a revision */
    bool moved;        /* an endpoint from elsewhere: all of its fields count */
    unsigned answer_status, redos;
    th_api_answer_fn *answer; /* change */
    const char *object;       /* change: "webhook", ... */
    char made[72];            /* public id of what the request has made, for the audit log */
    void (*next)(struct th_api_req *r, const struct th_event_row *row); /* where a chain of reads goes on */
    struct th_span id;                                                  /* what a chain of reads looks for */
    struct th_list reads;    /* read.c: in api->reads while it waits */
    struct th_page *reading; /* what it waits to read */
    bool reader;             /* counts as one, at this place */
    unsigned reader_slot;
    struct owner *owner; /* owner.c */
    uint64_t endpoint_no, page_number;
    struct th_idem idem;
    uint64_t idem_slot;
    void (*read)(struct th_op *op); /* read.c: who gets what was read */
    struct th_op *read_op;
    void (*write)(struct th_api_req *r); /* who writes what is in memory */
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
    struct th_api_pair query[TH_API_MAX_QUERY];
    struct th_api_error errors[TH_API_MAX_ERRORS];
    struct th_publish_event one;
    struct th_page page, page2;
    union {
        struct th_publish publish;
        struct th_change change;
        struct th_idem_answer recall; /* before the handler */
        struct {
            struct th_retry_now now;
            uint16_t attempts; /* that it had */
            struct th_idem_answer remember;
            struct th_buf answer;
        } retry;
        struct {
            struct th_replay_start start;
            struct th_span types[TH_MAX_REPLAY_TYPES];
        } replay;
        struct th_replay_cancel cancel;
        struct th_retry_all retry_all;
        struct th_erase_event erase;
        struct {
            struct th_counts counts;
            uint64_t before, next; /* cursor of a read; of the page */
            uint32_t at;           /* endpoint whose last attempt is read */
        } health;
    } op;
};

struct th_api {
    struct th_api_options options;
    struct th_engine *engine;
    struct th_metrics *metrics;
    struct th_buf out, fields, openapi;
    struct th_api_meter keys, tenants, addresses;
    struct th_map idem; /* first 8 bytes of the key's hash → the request under way that came first */
    struct th_api_req *free;
    unsigned free_count, live;
    struct th_list reads;                   /* requests that wait until others have been answered */
    uint64_t reader_tenant[TH_API_READERS]; /* whose requests they are; 0: free */
    bool begun;                             /* the engine's start is over */
    /* guess.c */
    int64_t guessed_until_us, guess_told_us; /* some address must wait until then; the last line of the log */
    uint64_t guesses;                        /* since that line */
    bool guess_told;
    uint64_t notes[TH_API_NOTES];
};

static inline struct th_span th_api_tenant_id(const struct th_api_req *r)
{
    return th_span(r->tenant_id, r->tenant_id_len);
}
/** The request's tenant as it is now; NULL when it has been deleted meanwhile. */
struct th_tenant *th_api_tenant(struct th_api_req *r);
const struct th_http1_field *th_api_header(const struct th_api_req *r, const char *name);
static inline bool th_api_may(const struct th_api_req *r, unsigned scope)
{
    return r->operator_key || (r->scopes & scope);
}
/** Notes the public id of a new object for the audit log. */
void th_api_made(struct th_api_req *r, const struct th_buf *id);
/** What a client wrote, for the log: ends where a key or a secret begins, which may stand where an id belongs. */
struct th_span th_api_loggable(struct th_span s);
/** Writes the audit line of a management request that is being answered; nothing for others. */
void th_api_audit(struct th_api_req *r, unsigned status);
/** What follows when key, tenant and query are known: body, Idempotency-Key, handler. */
void th_api_go_on(struct th_api_req *r);
/** Frees the request; its answer has been given. */
void th_api_req_free(struct th_api_req *r);

/* ---- auth.c ---- */
/** Checks the key, its scope and the tenant; answers 401, 403 or 404 itself. */
TH_MUST_USE bool th_api_authorize(struct th_api_req *r);
/** Binds the request to a tenant; answers 404 when there is none of this id. */
TH_MUST_USE bool th_api_bind_tenant(struct th_api_req *r, struct th_span id);
/** Dialect in which this client expects an error: its tenant's when it has a key, else the one that the Host
 * field stands for, else the default. May be NULL. */
const struct th_dialect *th_api_client_dialect(struct th_api_req *r);

/* ---- owner.c: the tenant of an operator's request that names none ---- */
/** By an id that is in memory, else "default". */
struct th_span th_api_owner_now(struct th_api_req *r);
/** Whether the store or the query must be asked; then th_api_owner_find binds the tenant and goes on, or answers. */
bool th_api_owner_later(const struct th_api_req *r);
void th_api_owner_find(struct th_api_req *r);
/* ---- tenant_limits.c ---- */
/** Reads `limits` of a request into c; faults are noted. False: no memory. */
TH_MUST_USE bool th_api_limits_read(struct th_api_req *r, const struct th_json *v, struct th_change *c);
/** The members `limits` and, with use, `usage` of a tenant. */
void th_api_limits_write(struct th_api_req *r, struct th_jw *w, const struct th_tenant *t, bool use);
/** Appends what tenants use of their limits, for those with limits of their own or near one. */
void th_api_limits_metrics(struct th_api *api, struct th_buf *out);

/** The text after "Bearer"; false when there is none. */
bool th_api_bearer(const struct th_api_req *r, struct th_span *key);
/** The key of this text, if it is valid now; else NULL. Counts nothing. */
const struct th_key *th_api_find_key(struct th_api_req *r, struct th_span text);

/* ---- guess.c ---- */
/** The address of the client, behind trusted proxies too. Valid as long as the request. */
const struct th_addr *th_api_client(struct th_api_req *r);
/** Whether the request must wait before its key is looked at. */
bool th_api_guess_hold(struct th_api_req *r);
void th_api_guess_right(struct th_api_req *r, const struct th_key *key);
/** Counts a wrong key. False: its address has shown too many. */
bool th_api_guess_wrong(struct th_api_req *r);

/* ---- limit.c ---- */
/** Sets the rates of the conf. False: no memory, some may be the old ones. */
TH_MUST_USE bool th_api_limit_rates(struct th_api *api, const struct th_api_options *options);
/** Count a request for its key, for its tenant. Answer 429 themselves. */
TH_MUST_USE bool th_api_limit_key(struct th_api_req *r);
TH_MUST_USE bool th_api_limit_tenant(struct th_api_req *r);
/** False, and the answer's Retry-After is set, when there are microseconds to wait. */
bool th_api_limit_passes(struct th_api_req *r, int64_t wait_us);
/** The RateLimit lines of an answer. */
void th_api_limit_fields(struct th_api_req *r);

/* ---- reply.c: every answer ends here, and frees the request ---- */

/** Empties the answer's buffers and gives a writer for its body. Field lines go into r->api->fields. */
struct th_jw th_api_begin(struct th_api_req *r);
/** Sends what th_api_begin's writer has written. */
void th_api_send(struct th_api_req *r, unsigned status);
void th_api_send_empty(struct th_api_req *r, unsigned status);
void th_api_send_text(struct th_api_req *r, unsigned status, struct th_span content_type,
                      struct th_span body);
/** 200 with a body that stays as it is as long as the API: it is not copied. */
void th_api_send_lasting(struct th_api_req *r, struct th_span content_type, struct th_span body);
/** Answers with an error; r->errors are listed. */
void th_api_fail(struct th_api_req *r, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Remembers one fault of the body (JSON pointer) or of the query (parameter name). Bytes are copied. */
void th_api_error(struct th_api_req *r, struct th_span pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void th_api_error_param(struct th_api_req *r, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** 422, or what the dialect says for management requests: "N fields are invalid". */
void th_api_fail_invalid(struct th_api_req *r);
/** The answer to a failed store operation: 503 or 500. */
void th_api_fail_store(struct th_api_req *r, enum th_error error);
void th_api_fail_nomem(struct th_api_req *r);
/** Adds "ETag: ..." of a tenant or endpoint. */
void th_api_etag_line(const struct th_api_req *r, struct th_buf *fields, uint64_t no, uint64_t rev);

/* ---- conditional.c ---- */
/** If-None-Match of a GET: true when 304 was sent. */
TH_MUST_USE bool th_api_not_modified(struct th_api_req *r, uint64_t no, uint64_t rev);
/** If-Match and If-None-Match of a change; no 0: there is no such object yet. False when 412 was sent; sets
 * r->conditional when a tag was compared. */
TH_MUST_USE bool th_api_precondition(struct th_api_req *r, uint64_t no, uint64_t rev);

/* ---- idem.c ---- */
/** Reads Idempotency-Key of a POST into r->idem; answers 400 or 409 itself. */
TH_MUST_USE bool th_api_idem(struct th_api_req *r);
/** Gives the answer that is kept for the key, or calls the route's handler when there is none. */
void th_api_idem_recall(struct th_api_req *r);
/** 409 of an object's state; what another request with the same key does meanwhile is such a state too. */
/** 429: a limit of the tenant is reached. */
void th_api_fail_limit(struct th_api_req *r, enum th_limit limit, const char *detail);
void th_api_fail_conflict(struct th_api_req *r, const char *detail);
void th_api_idem_end(struct th_api_req *r);

/* ---- query.c ---- */
/** Splits and decodes the query, refuses what the route does not know (400). */
TH_MUST_USE bool th_api_query(struct th_api_req *r);
/** The filter `event_type`: a type of the tenant's dialect or a pattern; empty without one. False when it can never match:
 * answered with 400. */
TH_MUST_USE bool th_api_type_param(struct th_api_req *r, struct th_span *pattern);
/** False when the parameter is absent. */
bool th_api_param(const struct th_api_req *r, const char *name, struct th_span *value);
/** "true" or "false", false when it is not given; else answers 400 and returns false. */
bool th_api_flag(struct th_api_req *r, const char *name, bool *out);
/** include_tests, whose absence leaves tests out. False: answered. */
TH_MUST_USE bool th_api_with_tests(struct th_api_req *r, struct th_page *page);
/** Decodes %XX; false when malformed or when the result would hold NUL. '+' stays. */
TH_MUST_USE bool th_api_percent(struct th_api_req *r, struct th_span in, struct th_span *out);
/** limit (default 100, 1..1000) and cursor (0 without). Answers 400 itself. */
TH_MUST_USE bool th_api_paging(struct th_api_req *r, uint32_t *limit, uint64_t *before);
/** after, where the route has it: numbers above it are asked for. Answers 400 itself. */
TH_MUST_USE bool th_api_after(struct th_api_req *r, bool *given, uint64_t *after);
/** outcome and status_code into the page's filters. Answers 400 itself. */
TH_MUST_USE bool th_api_outcome_filters(struct th_api_req *r, struct th_page *p);
/** Answers 400 for the parameter that th_api_error_param has noted; false. */
bool th_api_fail_query(struct th_api_req *r);
/* What the OpenAPI document says in words (words.c). NULL: there is no row. */
const char *th_api_words(struct th_span schema, struct th_span property);
const char *th_api_example(const char *schema);
const char *th_api_tag(const char *path);
void th_api_write_tags(struct th_jw *w);
/** Appends the opaque cursor for the page of numbers below `before`. */
void th_api_cursor(struct th_api_req *r, uint64_t before, struct th_buf *out);
/** The same for another list of the request's tenant, with one filter. */
void th_api_cursor_of(struct th_api_req *r, struct th_span path, struct th_span name, struct th_span value,
                      uint64_t before, struct th_buf *out);
/** Member next_cursor; before 0: null. */
void th_api_next_cursor(struct th_api_req *r, struct th_jw *w, uint64_t before);
/** Line Link: <...>; rel="next", for lists without place for a cursor. */
void th_api_next_link(struct th_api_req *r, uint64_t before);
/** Parameters since and until as wall ms (0: absent). Answers 400 itself. */
TH_MUST_USE bool th_api_since_until(struct th_api_req *r, int64_t *since, int64_t *until);

/* ---- decode.c ---- */
enum th_api_type {
    TH_T_STRING,
    TH_T_BOOL,
    TH_T_INTEGER,
    TH_T_NUMBER,
    TH_T_OBJECT,
    TH_T_STRINGS,
    TH_T_TIME,
    TH_T_ANY
};
struct th_api_field {
    const char *name; /* native */
    enum th_api_type type;
    bool required, nullable;
    uint32_t max;   /* STRING: bytes; STRINGS: elements */
    int64_t lo, hi; /* INTEGER */
};
struct th_api_value {
    bool present, null; /* present: given, null included */
    bool bad;           /* a fault has been noted: not to be judged further */
    struct th_json json;
    struct th_span text;     /* STRING, unescaped */
    struct th_span *strings; /* STRINGS */
    unsigned count;
    int64_t i; /* INTEGER; TIME: wall ms; BOOL: 0 or 1 */
    double number;
};
/** Checks what the head says of the body that is to come: its media type and size; answers 413 or 415 itself. */
TH_MUST_USE bool th_api_body_judge(struct th_api_req *r);
/** Checks the body's media type and size; answers 400, 413 or 415 itself. A body that may be absent is an empty object. */
TH_MUST_USE bool th_api_body_begin(struct th_api_req *r);
/** Parses it into r->body, hashes it for an Idempotency-Key, and reads events: all that takes long with a large one. Touches
 * nothing but the request, so that another thread may do it. */
void th_api_body_read(struct th_api_req *r);
/** Answers 400 itself when it was no JSON. */
TH_MUST_USE bool th_api_body_end(struct th_api_req *r);
/** Reads the members of `object` into values[], one per field; notes every fault with its pointer below
 * `prefix`. With shaped the member names are those of the request's dialect. False only when there is no
 * memory. */
TH_MUST_USE bool th_api_decode(struct th_api_req *r, struct th_json object, struct th_span prefix,
                               const struct th_api_field *fields, unsigned count, bool shaped,
                               struct th_api_value *values);
/** The bytes of a string value without escapes: a span of the body when it has none, else a copy. False: no
 * memory. */
TH_MUST_USE bool th_api_string(struct th_api_req *r, struct th_json v, struct th_span *out);
/** prefix + "/" + name with ~ and / escaped (RFC 6901); cut when long. */
struct th_span th_api_pointer(struct th_api_req *r, struct th_span prefix, struct th_span name);
/** Name of a native field in the request's dialect when the route is shaped. */
struct th_span th_api_wire(const struct th_api_req *r, struct th_span native);
const char *th_api_json_name(enum th_json_type type);

/* ---- publish.c ---- */
/** Reads one event or a batch out of r->body: r->events, r->event_count, r->events_tenant, and faults in r->errors. */
void th_api_publish_read(struct th_api_req *r);

/* ---- change.c ---- */
/** Prepares r->op.change (zeroed) for the request's tenant. */
struct th_change *th_api_change(struct th_api_req *r, enum th_change_kind kind);
/** Submits it; the answer is written by `answer` (NULL: no body) with this status. */
void th_api_submit(struct th_api_req *r, unsigned status, const char *object, th_api_answer_fn *answer);

/** Kept form of an answer: "201\n", field lines, "\n", body. */
void th_api_keep(unsigned status, const struct th_buf *fields, const struct th_buf *body,
                 struct th_buf *answer);
/** Gives a kept answer again, and wipes it. */
void th_api_send_kept(struct th_api_req *r, struct th_buf *answer);

/* ---- views ---- */
/** One list of endpoints or deliveries for native and dialect shapes; elements are indexed. */
struct th_api_list {
    struct th_api_req *r;
    struct th_endpoint *const *endpoints;
    const struct th_delivery_row *deliveries;
    const struct th_attempt_view *attempts; /* of deliveries[0] */
    unsigned count, attempt_count;
    struct th_span secret;              /* just created; n == 0: not shown */
    uint64_t next, total, size, number; /* cursor; of numbered pages */
    bool next_shown;                    /* the shape has written it: the list cannot end earlier any more */
    unsigned ended; /* a shape's list ended by bytes, with so many elements; 0: it did not */
    bool values;    /* custom header values may be shown */
    /* the settings of the endpoint that is being written, where they are not all in memory: th_api_list_fini */
    struct th_endpoint_spec whole;
    const struct th_endpoint *whole_of;
    struct th_arena texts;
};
/** After a list of endpoints has been written. */
void th_api_list_fini(struct th_api_list *l);
bool th_api_endpoint_field(void *ctx, struct th_span name, unsigned i, struct th_buf *out);
/** th_shape_source.stop for lists that may end by bytes: sets l->ended. */
bool th_api_list_stop(void *ctx, unsigned count, size_t bytes);
/** The list in the shape of the dialect; false when it has none. */
bool th_api_endpoint_list_shape(struct th_api_list *l, struct th_buf *out);
/** One endpoint in the tenant's form; created: with its secret. */
void th_api_endpoint_show(struct th_api_req *r, struct th_endpoint *ep, struct th_span secret, bool created,
                          struct th_buf *out);
/** Member test, of what is one. */
void th_api_test_mark(struct th_jw *w, bool test);
void th_api_delivery_native(struct th_jw *w, struct th_api_list *l, unsigned i, bool attempts);
/** Rows of a list, as far as there is room: then l->next says where it goes on. */
void th_api_deliveries_native(struct th_jw *w, struct th_api_list *l);
bool th_api_delivery_field(void *ctx, struct th_span name, unsigned i, struct th_buf *out);
void th_api_attempt(struct th_jw *w, struct th_api_req *r, const struct th_attempt_view *view);
/** One of a list over many deliveries: with their ids, without request and answer. */
void th_api_attempt_row(struct th_jw *w, struct th_api_req *r, const struct th_attempt_view *view);
/** Member with a time, null when ms is 0. */
void th_api_time(struct th_jw *w, const char *name, int64_t ms);
/** The endpoint's URL; a secret one masked unless `whole`. */
/** What the endpoint's receiver has said to whether it wants events. False, with nothing written: it is not asked. */
bool th_api_consent(const struct th_engine *e, const struct th_endpoint *ep, struct th_jw *w);
void th_api_url(struct th_jw *w, const struct th_endpoint *ep, bool whole);
static inline void th_api_str(struct th_jw *w, const char *name, struct th_span value)
{
    th_jw_key(w, th_str(name));
    th_jw_string(w, value);
}
static inline void th_api_int(struct th_jw *w, const char *name, int64_t value)
{
    th_jw_key(w, th_str(name));
    th_jw_i64(w, value);
}
static inline void th_api_wall(struct th_buf *out, int64_t ms)
{
    th_buf_char(out, '"');
    th_wall_format(out, (struct th_wall){ms}, TH_RFC3339_MILLIS);
    th_buf_char(out, '"');
}
/** Reads an endpoint from r->body over `base` (NULL: a new one) into c->spec; faults go to r->errors. False:
 * no memory. */
TH_MUST_USE bool th_api_spec(struct th_api_req *r, const struct th_endpoint_spec *base, struct th_change *c);
/** The endpoint that the path names; answers 404 itself. */
struct th_endpoint *th_api_endpoint(struct th_api_req *r);
/** Finds the event that `id` names and goes on in `next`, with its row (in r->page until th_engine_page_free)
 * or NULL; store errors are answered here. */
void th_api_find_event(struct th_api_req *r, struct th_span id, bool with_data,
                       void (*next)(struct th_api_req *r, const struct th_event_row *row));
/** Reads a page with r->page or r->page2; `done` gets the op, whose user is r. In a turn of its own, with time to write
 * about TH_API_PAGE_BYTES, and in turn with other requests: see read.c. */
void th_api_read(struct th_api_req *r, struct th_page *page, enum th_page_kind kind,
                 void (*done)(struct th_op *));

/** Calls `then`, which answers out of memory and may write as much, in the same way. The tenant is looked up again for it. */
void th_api_in_turn(struct th_api_req *r, void (*then)(struct th_api_req *r));
/** The request has been answered: another one may read. */
void th_api_read_end(struct th_api_req *r);
/** The list that is being written is full: its last row was the last one. */
static inline bool th_api_is_full(const struct th_api_req *r)
{
    return r->api->out.n >= TH_API_PAGE_BYTES;
}

/* ---- slow.c: answers that are written in several turns ---- */
/** Calls `step` in turns to come, until it says that it has answered: then the request is gone. It writes to api->out and
 * api->fields as usual, which hold what it has written in earlier steps; `begin` empties them first. */
void th_api_slowly(struct th_api_req *r, bool (*step)(struct th_api_req *r));

enum th_api_filter { TH_API_FILTER_OK, TH_API_FILTER_EMPTY, TH_API_FILTER_ANSWERED };
/** Fills a page of deliveries from the query; EMPTY: nothing can match. */
enum th_api_filter th_api_delivery_filters(struct th_api_req *r, struct th_page *p);

/* ---- openapi.c ---- */
void th_api_openapi(const struct th_api *api, struct th_buf *out);
struct th_api_schema {
    const char *name, *json;
};
/** End with a row whose name is NULL. */
extern const struct th_api_schema th_api_schemas[];
extern const struct th_api_schema th_api_parameters[];
extern const struct th_api_schema th_api_headers[]; /* of answers */

/* ---- handlers, one for each row of the table ---- */
void th_h_publish(struct th_api_req *r);
void th_h_publish_batch(struct th_api_req *r);
void th_h_events(struct th_api_req *r);
void th_h_event_erase(struct th_api_req *r);
void th_h_event(struct th_api_req *r);
void th_h_deliveries(struct th_api_req *r);
void th_h_attempts(struct th_api_req *r);
void th_h_delivery(struct th_api_req *r);
void th_h_retry(struct th_api_req *r);
void th_h_replay_start(struct th_api_req *r);
void th_h_replay(struct th_api_req *r);
void th_h_replay_cancel(struct th_api_req *r);
void th_h_webhooks(struct th_api_req *r);
void th_h_webhook_add(struct th_api_req *r);
void th_h_webhook(struct th_api_req *r);
void th_h_webhook_set(struct th_api_req *r);
void th_h_webhook_del(struct th_api_req *r);
void th_h_webhook_test(struct th_api_req *r);
void th_h_webhook_retry(struct th_api_req *r);
void th_h_webhook_deliveries(struct th_api_req *r);
void th_h_secrets(struct th_api_req *r);
void th_h_secret_rotate(struct th_api_req *r);
void th_h_secret_revoke(struct th_api_req *r);
void th_h_tenants(struct th_api_req *r);
void th_h_endpoint_health(struct th_api_req *r);
void th_h_tenant_put(struct th_api_req *r);
void th_h_tenant_get(struct th_api_req *r);
void th_h_tenant_del(struct th_api_req *r);
void th_h_key_add(struct th_api_req *r);
void th_h_keys(struct th_api_req *r);
void th_h_key_del(struct th_api_req *r);
void th_h_dialects(struct th_api_req *r);
void th_h_dialect(struct th_api_req *r);
void th_h_source_addresses(struct th_api_req *r);
void th_h_livez(struct th_api_req *r);
void th_h_readyz(struct th_api_req *r);
void th_h_metrics(struct th_api_req *r);
void th_h_openapi_json(struct th_api_req *r);
#endif
