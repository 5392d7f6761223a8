/* JSONPath, RFC 9535, complete: compiled once, evaluated on a tape (tape.h) within a number of steps. Pure. */
#ifndef TH_CORE_JSONPATH_H
#define TH_CORE_JSONPATH_H
#include "base/arena.h"
#include "core/jsonpath/tape.h"

#define TH_JSONPATH_BYTES 4096    /* the longest text of a query */
#define TH_JSONPATH_NODES 64      /* selectors, operators, values and functions of a query */
#define TH_JSONPATH_COMPILED 8192 /* bytes of a compiled query */
#define TH_JSONPATH_STEPS 20000   /* of one evaluation, where the caller has no other number */
#define TH_JSONPATH_EXPLAINED 16  /* terms that th_jsonpath_explain tells */

/** A compiled query; one piece of memory that may be copied (th_jsonpath_size) and shared by threads. */
struct th_jsonpath;

struct th_jsonpath_fault {
    unsigned at;    /* character of the text, from 1; one behind the last: its end */
    char what[160]; /* "expected a name behind '.'" */
};

/** Compiles; *out is in `mem`. TH_MALFORMED: no valid query, or larger than allowed; *fault (may be NULL) says where and why.
 * TH_NOMEM. `text` is not needed any more afterwards. */
TH_MUST_USE enum th_error th_jsonpath_compile(struct th_span text, struct th_arena *mem,
                                              const struct th_jsonpath **out,
                                              struct th_jsonpath_fault *fault);
size_t th_jsonpath_size(const struct th_jsonpath *q);
/** A copy in `mem`; NULL without memory. */
const struct th_jsonpath *th_jsonpath_copy(const struct th_jsonpath *q, struct th_arena *mem);
/** Whether it gives at most one node, whatever the document: names and indexes alone. */
bool th_jsonpath_is_singular(const struct th_jsonpath *q);

/** One evaluation. The nodes come one at a time, in the order of RFC 9535. */
struct th_jsonpath_run {
    const struct th_jsonpath *q;
    const struct th_tape *tape;
    uint32_t root;  /* node of the tape that "$" is */
    uint32_t steps; /* that are left */
    bool excess;    /* they did not suffice: what has been found is not all, and "no" means nothing */
    struct th_jsonpath_frame {
        uint32_t node, at, end, child, index;
        uint8_t selector, before, began;
        int64_t low, high, by; /* of a slice */
    } frames[TH_JSONPATH_NODES];
};

/** Begins. The steps that one evaluation takes depend on query and document alone. */
void th_jsonpath_begin(struct th_jsonpath_run *run, const struct th_jsonpath *q, const struct th_tape *tape,
                       uint32_t root, uint32_t steps);
/** The next node, or TH_TAPE_NONE: the end, or no steps are left (run->excess). */
uint32_t th_jsonpath_next(struct th_jsonpath_run *run);

enum th_jsonpath_answer {
    TH_JSONPATH_NO,
    TH_JSONPATH_YES,
    TH_JSONPATH_EXCESS /* the steps did not suffice to say so */
};

/** Whether the query gives a node. A query [?A && B ...] with a term that compares a member with a text, number or word by ==
 * (th_jsonpath_key) is asked for that first: the answer is the same as without, and does not depend on the steps where it is no. *steps
 * (TH_JSONPATH_STEPS, or what is left of a budget): counted down. */
enum th_jsonpath_answer th_jsonpath_test(const struct th_jsonpath *q, const struct th_tape *tape,
                                         uint32_t root, uint32_t *steps);

/* ---- what has to be so for [?A && B ...] to find anything: an index of queries ---- */

/** Of a query $[?A && B ...]: appends the path of a term "path == value" to *path, as th_jsonpath_key_find reads it, and gives the
 * number of the value. False: there is no such term. Both are the same for two queries that ask for the same. */
bool th_jsonpath_key(const struct th_jsonpath *q, struct th_buf *path, uint64_t *value);
/** The number of the value that is at the path below a node. Equal values have equal numbers; others seldom. False: there is
 * no value there, or it is an array or an object: no query with this path finds the node. */
bool th_jsonpath_key_find(struct th_span path, const struct th_tape *tape, uint32_t node, uint64_t *value);

/** The number of a value: equal texts, numbers and words have equal numbers, whatever their spelling, arrays and objects those of their
 * bytes. The same in every process and version, for it is stored. */
uint64_t th_jsonpath_number(struct th_json v);

/* ---- why ---- */

struct th_jsonpath_term { /* A of $[?A && B ...] */
    uint32_t at, n;       /* its bytes in the text of the query */
    enum th_jsonpath_answer answer;
};
/** A query that was looked up for a term, and what it found. */
struct th_jsonpath_found {
    unsigned term;        /* which */
    uint32_t at, n;       /* its bytes in the text of the query */
    bool there;           /* it gave a node */
    struct th_json value; /* the first one's */
};
struct th_jsonpath_why {
    unsigned term_count, found_count; /* term_count 0: the query is not of the form $[?A && B ...] */
    struct th_jsonpath_term terms[TH_JSONPATH_EXPLAINED];
    struct th_jsonpath_found found[2 * TH_JSONPATH_EXPLAINED];
};
/** Says for the element `node` of the root which terms are true, and what their queries found. Returns the steps that it took:
 * TH_JSONPATH_STEPS for each at most. */
uint32_t th_jsonpath_explain(const struct th_jsonpath *q, const struct th_tape *tape, uint32_t root,
                             uint32_t node, struct th_jsonpath_why *why);
#endif
