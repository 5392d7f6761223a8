/* A compiled query: nodes that name each other by index, and a pool of texts. Private to core/jsonpath/.
 *
 * Node 0 is the query itself. A query (QUERY) has its first segment in `a`. A segment is its first selector: `next` is the first
 * selector of the following segment, `alt` the next selector of the same one. 0 is no node, since node 0 is nobody's part. */
#ifndef TH_CORE_JSONPATH_PROGRAM_H
#define TH_CORE_JSONPATH_PROGRAM_H
#include "core/jsonpath/iregexp.h"
#include "core/jsonpath/jsonpath.h"
#include "core/jsonpath/value.h"

enum jp_kind {
    JP_QUERY,
    /* selectors */
    JP_NAME, /* text: the name */
    JP_WILD,
    JP_INDEX,  /* i */
    JP_SLICE,  /* text: struct jp_slice */
    JP_FILTER, /* a: expression */
    /* logical expressions; a QUERY in their place asks whether there is a node */
    JP_OR,
    JP_AND,
    JP_NOT,
    JP_COMPARE, /* op; a, b: values */
    JP_MATCH,   /* a: value, b: pattern */
    JP_SEARCH,
    /* values; a QUERY in their place is singular */
    JP_STRING, /* text, escapes resolved */
    JP_NUMBER, /* text: as it stands */
    JP_TRUE,
    JP_FALSE,
    JP_NULL,
    JP_LENGTH, /* a: value */
    JP_COUNT,  /* a: query */
    JP_VALUE
};
enum jp_op { JP_EQ, JP_NE, JP_LT, JP_LE, JP_GT, JP_GE };

#define JP_DESCENDANT 1 /* of a segment: it begins with ".." */
#define JP_SINGULAR 2   /* of a query: names and indexes alone */
#define JP_CURRENT 4    /* of a query: it begins with "@" */
#define JP_COMPILED 8   /* of a pattern: text is its th_iregexp_slots, count of them in `b` units of bytes */

struct jp_node {
    uint8_t kind, op, flags;
    uint8_t a;
    union {
        uint8_t b,
            key_term; /* of node 0: the term, its path and its value that th_jsonpath_key gives; 0: none */
    };
    union {
        uint8_t next, key_path;
    };
    union {
        uint8_t alt, key_value;
    };
    uint16_t at, n; /* bytes of the query's text */
    union {
        int64_t i;
        struct {
            uint32_t at, n;
        } text; /* in the pool */
    } u;
};

struct jp_slice {
    int64_t start, end, step;
    bool has_start, has_end;
};

struct th_jsonpath {
    uint32_t count, pool; /* nodes; bytes behind them */
    struct jp_node nodes[];
};

static inline const char *jp_pool(const struct th_jsonpath *q, const struct jp_node *n)
{
    return (const char *)(q->nodes + q->count) + n->u.text.at;
}
static inline struct th_span jp_text(const struct th_jsonpath *q, const struct jp_node *n)
{
    return th_span(jp_pool(q, n), n->u.text.n);
}

/* ---- jsonpath_compare.c ---- */

/** A value of a comparison: nothing, a node of the tape, or a scalar. */
struct jp_value {
    enum { JP_NOTHING, JP_NODE, JP_SCALAR } what;
    uint32_t node;
    enum th_json_type type;
    struct th_span text; /* of a scalar: a number as it is written, a string with its escapes resolved */
    char digits[24];     /* where text is a number that was counted */
};

/** Counts steps; false: none are left, and run->excess is set. */
static inline bool jp_step(struct th_jsonpath_run *run, uint32_t n)
{
    if (run->steps >= n) {
        run->steps -= n;
        return !run->excess;
    }
    run->steps = 0;
    run->excess = true;
    return false;
}
bool jp_compare(struct th_jsonpath_run *run, enum jp_op op, const struct jp_value *a,
                const struct jp_value *b);
/** The characters of a string value. */
bool jp_characters(const struct th_tape *tape, const struct jp_value *v, struct th_characters *out);

/* ---- jsonpath_eval.c ---- */
bool jp_test(struct th_jsonpath_run *run, uint8_t expression, uint32_t current);
uint32_t jp_first(struct th_jsonpath_run *run, uint8_t query, uint32_t current);

/* ---- jsonpath_key.c ---- */
/** Chooses the term that th_jsonpath_key is about. */
void jp_key_choose(struct th_jsonpath *q);
#endif
