/* Streams of attempts and of events: stream_source.c has what all of them share; stream.c, which builds on
 * it, has the stream of one client. Private to api/. */
#ifndef TH_API_STREAM_H
#define TH_API_STREAM_H
#include "api/cursor.h"
#include "api/request.h"

#define TH_STREAM_TICK_US 100000     /* how often new rows and ended keys are looked for */
#define TH_STREAM_QUIET_US 15000000  /* after this time without an event a comment is sent */
#define TH_STREAM_LAG_US 10000000    /* a client that stays behind for longer gets a gap */
#define TH_STREAM_ROWS 500           /* most rows of one look at the store */
#define TH_STREAM_BYTES (128u << 10) /* most bytes of one look at the store */
#define TH_STREAM_SLICE (16u << 10)  /* bytes between two looks at the room that a client has */
#define TH_STREAM_RATE_MOST 1000     /* the largest `max_rate`; more than this is no page for eyes */
#define TH_STREAM_SPAN_US 1000000    /* `max_rate` counts rows in this time */
#define TH_STREAM_RETRY_MS 2000      /* a client that has lost the stream comes again after this time */
#define TH_STREAM_FULL_RETRY_S 30    /* so does a client that found no place */

enum th_stream_state {
    TH_STREAM_OPENING, /* the place is being looked for where it begins, or where it goes on after a gap */
    TH_STREAM_READING, /* rows that it has not had are being read for it alone */
    TH_STREAM_LIVE,    /* it gets what the source finds */
    TH_STREAM_FULL     /* its client takes nothing more: it waits for room */
};

struct th_api_source;

/** The stream of one client. It lives from the request to the end of its answer. */
struct th_api_stream {
    struct th_api_req *r;
    struct th_list link; /* in source->streams */
    struct th_api_source *source;
    struct th_page filter;
    uint64_t at;    /* every row up to this number has been given, or does not match */
    uint64_t asked; /* the source's `reached` when rows were read for the stream */
    uint64_t batch; /* the last batch of the source that it was offered */
    enum th_stream_state state;
    bool begun;                /* the head is sent */
    bool reading;              /* an operation of the store is under way */
    bool lost;                 /* its client has gone */
    bool caught_up;            /* it has been live once */
    bool covered;              /* the source's present look at the store asks for its tenant */
    const char *end;           /* why it ends once nothing is under way; NULL: it does not */
    int64_t spoke_us, full_us; /* when something was last sent; since when it is behind; 0: it is not */
    int64_t expires;           /* end of its key, wall ms; 0: never */
    uint32_t max_rate;         /* most rows in TH_STREAM_SPAN_US; 0: no bound */
    uint32_t span_rows;        /* given since `span_us` */
    int64_t span_us;           /* when the present span began */
    /* Matching rows up to `at` that were left out and of which the client does not know yet; they follow the number `skipped_after`. */
    uint64_t skipped, skipped_after;
    uint8_t key_hash[32], base[TH_API_CURSOR_BASE];
};

/** Rows as they are sent to one client, or to several with the same filters. All that match are found; they become text as far
 * as somebody wants them. */
struct th_api_frames {
    struct th_buf text;
    unsigned count;   /* of rows that match */
    unsigned written; /* of these, how many are in `text` */
    struct {
        uint64_t no;
        unsigned at; /* in the page */
        size_t end;  /* in `text`, once it is written */
    } row[TH_STREAM_ROWS];
};

/** What is common to all streams of one kind. */
struct th_api_source {
    struct th_api *api;
    enum th_page_kind kind; /* ATTEMPTS or EVENTS */
    const char *event;      /* name of a row's server-sent event */
    /* Called for each stream when there is a batch that it was not offered. The stream may end. */
    void (*offer)(struct th_api_stream *s);
    struct th_list streams;
    unsigned live;    /* number of live streams */
    uint64_t reached; /* live streams have had every row up to this number; valid while there are some */
    uint64_t batch;   /* of rows, that is being handed out or was last */
    bool busy;        /* a look at the store is under way, or what it found is being handed out */
    struct th_page page;
    uint64_t *tenants; /* the tenants for which `page` asks */
    uint32_t tenant_cap;
    struct th_deferred defer;
    /* The frames that were written last, for the next stream with the same filters. */
    struct th_api_frames frames;
    uint64_t frames_batch, frames_at; /* batch 0: nothing */
    uint8_t frames_base[TH_API_CURSOR_BASE];
};

struct th_api_streams {
    struct th_api *api;
    struct th_api_source attempts, events;
    unsigned count; /* of all streams */
    bool draining;
    int64_t next_us; /* when they are looked at again */
};

/* ---- stream_source.c ---- */

/** Empties `f`, and finds the rows of a page that match and that the stream has not had. */
void th_api_source_find(struct th_api_frames *f, struct th_api_stream *s, const struct th_page *page);
/** Writes the first `count` of the rows that were found in this page, those that are not written yet. False: no memory. */
TH_MUST_USE bool th_api_source_write(struct th_api_frames *f, struct th_api_stream *s,
                                     const struct th_page *page, unsigned count);
/** The stream's share of the batch that is being handed out: what th_api_source_find has found in the source's page. Valid until
 * the next call. */
struct th_api_frames *th_api_source_frames(struct th_api_stream *s);
/** Looks in the store for rows that live streams have not had, unless it does so already. */
void th_api_source_look(struct th_api_source *source);

/* ---- stream.c ---- */

/** NULL: no memory. */
struct th_api_streams *th_api_streams_new(struct th_api *api);
void th_api_streams_free(struct th_api_streams *all);
/** Number of operations under way for which no request waits. */
unsigned th_api_streams_busy(const struct th_api_streams *all);
/** th_api_turn, th_api_drain. */
int64_t th_api_stream_turn(struct th_api_streams *all);
void th_api_stream_drain(struct th_api_streams *all);
#endif
