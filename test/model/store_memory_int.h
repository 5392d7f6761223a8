/* What the files of the memory store share. Private to test/model. */
#ifndef TH_STORE_MEMORY_INT_H
#define TH_STORE_MEMORY_INT_H
#include "base/alloc.h"
#include "base/map.h"
#include "model/store_memory.h"

/** Rows in order of their number; each begins with it. */
struct mem_vec {
    uint64_t **v;
    size_t n, cap;
};

struct mem_event {
    struct th_event_row row; /* spans point into bytes */
    char *own_key;           /* tenant and external id, key of the map; NULL without */
    size_t own_key_n;
    char bytes[];
};

struct mem_delivery {
    uint64_t no, event, endpoint, last, order;
    int64_t due, ended, round;
    enum th_delivery_state state;
    uint8_t lane, tries, marks;
    uint16_t attempts;
};

struct mem_attempt {
    uint64_t no, delivery, endpoint, prev;
    struct th_attempt_row row; /* spans point into bytes */
    char bytes[];
};

struct mem_row {
    uint64_t no; /* its place in the vector; the row's own number is in row */
    struct th_row row;
    bool deleted;
    char bytes[];
};

struct mem_rev {
    uint64_t endpoint, rev;
    struct th_span settings;
    char bytes[];
};

struct mem_idem {
    struct mem_idem *next;
    uint64_t day, tenant, first, version;
    uint32_t n;
    struct th_idem idem;
    struct th_span answer;
    char bytes[];
};

/** An accept whose deliveries are not all queued: their rows, told by number from `first` on. */
struct mem_fan {
    struct mem_fan *next;
    uint64_t event, first; /* event: the first of the accept */
    uint32_t n;
    struct th_queue_row rows[];
};

/** What is remembered of an attempt for statistics, also when it has been deleted. */
struct mem_backlog {
    int64_t at;
    uint64_t tenant; /* 0: of all */
    uint32_t waiting;
    bool cut;
};

struct mem_sample {
    uint64_t tenant, endpoint;
    int64_t at;
    int32_t us;
    unsigned outcome;
};

struct mem_store {
    struct th_store base;
    /* committed */
    struct mem_vec events, deliveries, attempts, rows; /* rows: in order of their first put */
    struct mem_rev **revs;
    size_t rev_n, rev_cap;
    struct th_smap own;                  /* tenant and id → mem_event */
    struct mem_idem *idem, *config_idem; /* newest first */
    uint64_t erasing[64];                /* tenants whose events are to be erased; 0: free */
    struct mem_fan *fans;                /* oldest first */
    uint32_t fanout_step;
    struct mem_sample *samples;
    size_t sample_n, sample_cap;
    struct mem_backlog *backlogs; /* in the order in which they were noted */
    size_t backlog_n, backlog_cap;
    uint64_t next_event, next_delivery, next_attempt, next_row;
    /* not committed */
    struct th_op *head, **tail;
    struct th_session *sessions;
    bool manual;
    /* several nodes (store_cluster.h): place of the commit that is being written, and of the last in which another node has changed
     * settings */
    bool is_shared;
    uint64_t position, others_settings;
    /* failures to come */
    enum th_error broken, fail_error;
    unsigned fail_count;
    bool fail_apply;
};

struct th_session {
    struct mem_store *store;
    struct th_session *next;
    struct th_wake wake;
    struct th_op *done, **done_tail;
};

/** Makes room for more rows; false: no memory, nothing changed. */
bool mem_room(struct mem_vec *v, size_t more);
/** Puts a row where its number belongs; there must be room. */
void mem_insert(struct mem_vec *v, uint64_t *row);
/** First index whose number is not below no. */
size_t mem_lower(const struct mem_vec *v, uint64_t no);
/** The row with this number, or NULL. */
void *mem_find(const struct mem_vec *v, uint64_t no);
/** Takes a row out without freeing it. */
void mem_take_out(struct mem_vec *v, uint64_t no);
/** Its row in the queue. */
struct th_queue_row mem_queue_row(const struct mem_delivery *d);
/** The delivery that such a row says, before its first attempt. */
struct mem_delivery mem_delivery_of(const struct th_queue_row *row);
/** Row i of the deliveries of an event, of those that an accept makes. */
struct th_queue_row mem_new_row(const struct th_accept *a, const struct th_new_event *e, uint32_t i);
/** The spans of an event's row, `data` among them; so many. */
#define MEM_SPANS 9
/** The event of which this one is a copy; 0: none. */
uint64_t mem_origin_of(const struct mem_event *e);
void mem_spans(struct th_event_row *row, struct th_span *spans[MEM_SPANS]);
/** Copies a span to *at and moves it on. */
struct th_span mem_put(char **at, struct th_span s);
uint64_t mem_day(int64_t wall_ms);

/** Applies one write to the committed state; sets op->error and its results. On an error nothing happened. */
void mem_write(struct mem_store *s, struct th_op *op);
void mem_settings(struct mem_store *s, struct th_settings_op *c);
void mem_purge(struct mem_store *s, struct th_purge *p);
void mem_trim(struct mem_store *s, struct th_trim *t);
void mem_fanout(struct mem_store *s, struct th_fanout *f);
/** Room for the note of an accept with n deliveries, in no list yet; NULL: no memory. */
struct mem_fan *mem_fan_new(uint32_t n);
/** After the accept has its numbers. */
void mem_fan_add(struct mem_store *s, struct mem_fan *fan, const struct th_accept *a);
void mem_fan_drop(struct mem_store *s, uint64_t event);
void mem_erase(struct mem_store *s, struct th_erase *e);
void mem_rewrap(struct mem_store *s, struct th_rewrap *r);
uint64_t mem_idem_day(const struct mem_store *s, int64_t at_ms);
/** The settings row with this number; META: with this id. Also a deleted tenant or endpoint. Or NULL. */
struct mem_row *mem_row_find(struct mem_store *s, enum th_row_kind kind, uint64_t no, struct th_span id);
/** The key as it was used on this day or the day before, or NULL. */
struct mem_idem *mem_idem_find(struct mem_idem *list, uint64_t day, uint64_t tenant,
                               const struct th_idem *idem);
/** Frees an event that is in no list. */
void mem_event_free(struct mem_event *e);
/** What a tenant has, counted anew. */
struct th_usage mem_usage(const struct mem_store *s, uint64_t tenant);
void mem_read(struct mem_store *s, struct th_op *op);
void mem_page_free(struct th_page *op);
#endif
