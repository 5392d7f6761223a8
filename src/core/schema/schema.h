/* JSON Schema, draft 2020-12: compiled once, asked of a value on a tape within a number of steps. Pure.
 *
 * References stay within the schema and the meta-schemas of the draft, which are built in; nothing is ever fetched. `format` and
 * `content…` are annotations: they check nothing. */
#ifndef TH_CORE_SCHEMA_H
#define TH_CORE_SCHEMA_H
#include "core/jsonpath/value.h"

#define TH_SCHEMA_BYTES (64u << 10)   /* the longest text of a schema */
#define TH_SCHEMA_PARTS 4096          /* schemas in it, each of its parts being one */
#define TH_SCHEMA_COMPILED (4u << 20) /* bytes of a compiled schema */
#define TH_SCHEMA_STEPS 50000 /* of one check: values that are looked at, times the keywords that look */
#define TH_SCHEMA_DEPTH 256   /* schemas that are being applied at a time, one within the other */
#define TH_SCHEMA_FOUND 8     /* faults that one check tells */

/** A compiled schema; never changed, so that threads may share it. Counted. */
struct th_schema;

/** A document that a schema may refer to, beside the meta-schemas. */
struct th_schema_document {
    struct th_span uri, text;
};

struct th_schema_fault {
    char pointer[160]; /* JSON pointer into the schema; "" is all of it */
    char what[224];
};

/** Compiles the text, which is not needed any more afterwards; *out has one holder. `more` (count of them; may be NULL) is what it can
 * refer to. TH_MALFORMED: no JSON, no schema of this draft, or larger than allowed; *fault (may be NULL) says where and why. TH_NOMEM. */
TH_MUST_USE enum th_error th_schema_compile(struct th_span text, const struct th_schema_document *more,
                                            size_t count, struct th_schema **out,
                                            struct th_schema_fault *fault);
/** Frees it. NULL is none. */
void th_schema_unref(struct th_schema *s);

enum th_schema_answer {
    TH_SCHEMA_INVALID,
    TH_SCHEMA_VALID,
    TH_SCHEMA_EXCESS /* the steps, TH_SCHEMA_DEPTH or the memory did not suffice to say so */
};

/** What was found to be wrong: the first faults, in the order of the schema. */
struct th_schema_why {
    unsigned count;
    struct th_schema_found {
        char pointer[160]; /* into the value that was checked */
        char schema[160];  /* into the schema: where the keyword is; of a meta-schema with its URI */
        char keyword[24];  /* "required"; "false" where the schema is just false */
        char what[160];    /* "must be a string" */
    } found[TH_SCHEMA_FOUND];
};

/** Checks a node of a tape. *steps (TH_SCHEMA_STEPS, or what is left of a budget) is counted down; how many it takes depends on schema and
 * value alone. `why` may be NULL. Allocates only for uniqueItems and unevaluated…, a MiB at most. */
enum th_schema_answer th_schema_check(const struct th_schema *s, const struct th_tape *tape, uint32_t node,
                                      uint32_t *steps, struct th_schema_why *why);
#endif
