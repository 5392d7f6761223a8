/* Shapes: the ordered description of a JSON object that a dialect shows, compiled into a flat program.
 * Private to src/core/shape*.c and dialect*.c; what others call is in core/dialect.h. */
#ifndef TH_CORE_SHAPE_H
#define TH_CORE_SHAPE_H
#include "core/dialect.h"

struct dl_where;

enum shape_kind {
    SHAPE_OPEN, /* '{', with its name if it is a member */
    SHAPE_CLOSE,
    SHAPE_LIST, /* '['; with `jump`: left out with so many ops when the list `arg` is empty */
    SHAPE_LIST_END,
    SHAPE_EACH,    /* for each element of the list `arg`, up to the matching SHAPE_NEXT; `jump`: behind it */
    SHAPE_NEXT,    /* `jump`: back to the first op of the body */
    SHAPE_FIELD,   /* a member, or a bare value when it has no name */
    SHAPE_CONST,   /* a member with constant JSON */
    SHAPE_CREATED, /* leaves out `jump` ops unless the object has just been created */
};
enum shape_source { /* of an envelope; an API shape has SHAPE_NATIVE only */
                    SHAPE_NATIVE,
                    SHAPE_DATA,
                    SHAPE_DATA_MEMBER,
                    SHAPE_EVENT_ID,
                    SHAPE_EVENT_TYPE,
                    SHAPE_TYPE_OBJECT,
                    SHAPE_TYPE_ACTION,
                    SHAPE_EVENT_TIME,
                    SHAPE_RESOURCE_TYPE,
                    SHAPE_RESOURCE_ID,
                    SHAPE_TENANT_ID,
                    SHAPE_TENANT_ATTRIBUTE,
                    SHAPE_ENDPOINT_ID,
                    SHAPE_ENDPOINT_URL,
                    SHAPE_DELIVERY_ID,
                    SHAPE_ATTEMPT_NUMBER,
                    SHAPE_ATTEMPT_TIME
};
enum shape_as {
    SHAPE_AS_IS,
    SHAPE_STRING,
    SHAPE_INTEGER,
    SHAPE_BOOLEAN,
    SHAPE_RFC3339,
    SHAPE_RFC3339_MILLIS,
    SHAPE_UNIX,
    SHAPE_UNIX_MILLIS,
    SHAPE_RAW
};
struct shape_from {
    enum shape_source source;
    struct th_span arg; /* native name, JSON pointer, or name of an attribute */
};
struct shape_map {
    struct th_span from, to; /* to: JSON; from "*": anything else */
};
struct shape_op {
    enum shape_kind kind;
    enum shape_as as;
    unsigned jump;
    bool or_null;        /* without a value: null instead of nothing */
    bool required;       /* of an envelope: the event must have it */
    struct th_span name; /* `"name":`, ready to write; n == 0: bare value */
    struct shape_from from;
    struct shape_from other; /* takes its place when it has no value; arg.p NULL and source NATIVE: none */
    struct th_span json;     /* CONST */
    const struct shape_map *map;
    unsigned map_count;
};
struct shape_program {
    const struct shape_op *ops;
    unsigned count;
    bool per_delivery; /* uses endpoint, delivery or attempt */
};
#define SHAPE_OPS 256
#define SHAPE_DEPTH 8

/** What a shape may name and refer to. */
struct shape_context {
    bool envelope;   /* else an API shape */
    bool ecmascript; /* refuses member names that ECMAScript would reorder */
    const struct th_node
        *named[TH_SHAPE_COUNT]; /* API shapes that `shape: NAME` may refer to; NULL: absent */
};
extern const char *const shape_names[TH_SHAPE_COUNT];
/** Compiles a node (list: an object; map with `each`: a bare array). */
bool shape_compile(struct dl_where *w, const struct shape_context *c, const struct th_node *node,
                   struct shape_program *out);

/** A value on its way into a shape. */
struct shape_value {
    enum { SHAPE_V_TEXT, SHAPE_V_INT, SHAPE_V_TIME, SHAPE_V_JSON } kind;
    struct th_span s; /* TEXT: plain UTF-8; JSON: valid JSON */
    int64_t i;        /* INT; TIME: Unix milliseconds */
    bool ecmascript;  /* JSON: still to be written as ECMAScript writes it */
};
/** Where values come from. get: false when there is none. */
struct shape_reader {
    bool (*get)(void *ctx, const struct shape_from *from, unsigned index, struct shape_value *out);
    unsigned (*count)(void *ctx, struct th_span name);
    bool (*stop)(void *ctx, unsigned count, size_t bytes); /* of th_shape_source */
    void *ctx;
    bool created;
};
TH_MUST_USE enum th_error shape_run(const struct shape_program *p, const struct shape_reader *r,
                                    struct th_buf *out);
#endif
