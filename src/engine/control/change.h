/* A change of settings under way. Private to src/engine/change*.c.
 *
 * A kind has th_change_begin_x, which checks, builds the rows and ends with th_change_submit, th_change_fail or
 * th_change_finish, exactly one of them and as the last thing, since these may free the change; and th_change_end_x, called
 * after the commit, which brings memory to what the store has. All run on the engine's thread. */
#ifndef TH_ENGINE_CHANGE_H
#define TH_ENGINE_CHANGE_H
#include "base/arena.h"
#include "engine/engine.h"

struct th_disable_home;
struct th_ep;
struct th_mail;

/* CHECKING → COMMITTING → TELLING → ENDED; one that is refused or not committed ends at once. */
enum th_change_state {
    TH_CHANGE_CHECKING,
    TH_CHANGE_COMMITTING, /* its rows are with the store, or with the outcome that carries them */
    TH_CHANGE_TELLING,    /* memory is what the store has; the other engines are told */
    TH_CHANGE_ENDED
};

struct change_impl {
    struct th_engine *e;
    enum th_change_state state;
    struct th_change *c;
    struct th_deferred defer;
    struct th_settings_op op;
    struct th_row *rows;
    uint32_t row_cap;
    struct th_arena mem; /* row blobs */
    struct th_tenant *tenant, *fresh;
    struct th_ep *ep, *made;
    struct th_key *key;
    struct th_event_type *type; /* TYPE_PUT: the new one */
    struct th_endpoint next;    /* ENDPOINT_SET, ROTATE, REVOKE, DISABLE: the endpoint after the change */
    struct th_endpoint_run *run;
    struct th_secret secret; /* the new one */
    struct th_url url;
    enum th_disable why; /* DISABLE */
    bool unknown;        /* it was sent again after an unknown outcome */
};

/* change.c */
struct th_mono th_changes_wanted(const struct th_engine *e);
void th_changes_begin(struct th_engine *e);
/** The operation that carried a change has ended: with an error, or with the change, or without it. Ends the
 * change. */
void th_change_carried(struct change_impl *i, enum th_error error, bool applied);
void th_changes_cancel(struct th_engine *e);
/** All engines have the settings that the change under way has made. */
struct th_mono th_changes_known_wanted(const struct th_engine *home);
void th_changes_known(struct th_engine *home);
/** From one state to the next; the table of change.c says which. */
void th_change_enter(struct change_impl *i, enum th_change_state state);
/** Ends the change: frees it, then calls its done. */
void th_change_finish(struct change_impl *i, enum th_change_result result);
/** Ends the change because a limit of the tenant is reached; i->c->detail says which. */
void th_change_limited(struct change_impl *i, enum th_limit limit);
/** Notes as the change's one fault that this member is wrong; both texts are copied. It does not end the change. */
void th_change_fault(struct change_impl *i, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** Ends the change with a detail for people, which is copied. */
void th_change_fail(struct change_impl *i, enum th_change_result result, const char *detail);
void th_change_no_memory(struct change_impl *i);
/** Ends a change that has not begun, since the server stops. */
void th_change_stopping(struct th_change *c);
/* change_rows.c */
/** Adds a row of the tenant; the pointer is valid until the next one is added. NULL: no memory. */
struct th_row *th_change_row(struct change_impl *i, enum th_row_kind kind, uint64_t no);
/** False: no memory, as for all the rows below. */
/** The row of an event type of i->tenant. */
struct th_row *th_change_type_row(struct change_impl *i, struct th_span name);
bool th_change_last_number(struct change_impl *i, const char *name, uint64_t no);
bool th_change_endpoint_row(struct change_impl *i, const struct th_endpoint *ep); /* as it will be */
bool th_change_health_row(struct change_impl *i, const struct th_endpoint *ep);
bool th_change_secret_row(struct change_impl *i, const struct th_endpoint *ep, const struct th_secret *s,
                          bool del);

/* change.c */
/** Commits the rows. keep_version: the settings that events are matched against stay the same. */
void th_change_submit(struct change_impl *i, bool keep_version);
/** Makes i->op from the rows, for a change that another operation carries and th_change_carried ends. */
void th_change_prepare(struct change_impl *i, bool keep_version);

/** The secret that was given with the change: ENDPOINT_ADD and SECRET_ROTATE; n == 0: it is generated. */
static inline struct th_span th_change_secret_given(const struct th_change *c)
{
    return c->kind == TH_CHANGE_SECRET_ROTATE ? c->rotate.secret : c->endpoint_put.secret;
}

/* change_kinds.c */
/* A kind of change: `look_up` may put off that the change takes its place in the queue (true); NULL: it does not. */
struct th_change_kind_row {
    void (*begin)(struct change_impl *i);
    void (*end)(struct change_impl *i);
    bool (*look_up)(struct th_engine *e, struct th_change *c);
};
extern const struct th_change_kind_row th_change_kinds[TH_CHANGE_KINDS];

/* change_tenant.c */
void th_change_begin_tenant_put(struct change_impl *i);
void th_change_end_tenant_put(struct change_impl *i);
void th_change_begin_tenant_del(struct change_impl *i);
void th_change_end_tenant_del(struct change_impl *i);
/* change_key.c */
void th_change_begin_key_add(struct change_impl *i);
void th_change_end_key_add(struct change_impl *i);
void th_change_begin_key_del(struct change_impl *i);
void th_change_end_key_del(struct change_impl *i);

/* change_type.c */
void th_change_begin_type_put(struct change_impl *i);
void th_change_end_type_put(struct change_impl *i);
void th_change_begin_type_del(struct change_impl *i);
void th_change_end_type_del(struct change_impl *i);

/* change_endpoint.c */
/** True when the change waits for a name and takes its place in the queue later. */
bool th_change_look_up(struct th_engine *e, struct th_change *c);
/** A cancelled look-up may end inside the call. */
void th_change_look_ups_cancel(struct th_engine *e);
void th_change_begin_endpoint_put(struct change_impl *i);
void th_change_end_endpoint_add(struct change_impl *i);
/** This ends ENDPOINT_DISABLE, too. */
void th_change_end_endpoint_set(struct change_impl *i);
void th_change_begin_endpoint_del(struct change_impl *i);
void th_change_end_endpoint_del(struct change_impl *i);
/* change_disable.c */
extern const struct th_disable_home th_change_disable_steps;
/** The endpoint is disabled no more, and its failures of before do not count. */
void th_change_clear_disabled(struct th_endpoint *ep);
void th_change_begin_endpoint_disable(struct change_impl *i);
void th_change_begin_endpoint_enable(struct change_impl *i);
/** The letter of an owner that asks for it. */
void th_change_enable(struct th_engine *home, struct th_mail *m);

/* ask.c */
void th_ask_change_begin(struct change_impl *i);

/* change_secret.c */
/** Makes i->secret from the customer's text or anew; the clear text goes to c->secret_text for the answer. False without
 * memory. */
bool th_change_secret_make(struct change_impl *i, const struct th_endpoint *ep);
/** Makes a secret from a text. False: no memory. */
bool th_change_secret_take(struct change_impl *i, const struct th_endpoint *ep, struct th_span text,
                           uint64_t no, struct th_secret *out);
void th_change_begin_rotate(struct change_impl *i);
void th_change_begin_revoke(struct change_impl *i);
/** This ends a rotation and a revocation. */
void th_change_end_secrets(struct change_impl *i);
#endif
