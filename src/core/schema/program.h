/* A compiled schema: schemas that are lists of operations, and tables that these name by index. Private to core/schema/.
 *
 * The texts of the schema and of all documents that it refers to are one JSON array on one tape; node 1 is the schema itself. */
#ifndef TH_CORE_SCHEMA_PROGRAM_H
#define TH_CORE_SCHEMA_PROGRAM_H
#include "base/arena.h"
#include "base/ref.h"
#include "core/jsonpath/iregexp.h"
#include "core/schema/schema.h"

enum sc_kind {
    SC_TYPE, /* a: bits 1 << th_json_type, and SC_INTEGER */
    SC_CONST,
    SC_ENUM,
    SC_MULTIPLE_OF,
    SC_MAXIMUM,
    SC_EXCLUSIVE_MAXIMUM,
    SC_MINIMUM,
    SC_EXCLUSIVE_MINIMUM,
    SC_MAX_LENGTH, /* a: the number, as in the others that count */
    SC_MIN_LENGTH,
    SC_PATTERN, /* a: pattern */
    SC_MAX_ITEMS,
    SC_MIN_ITEMS,
    SC_UNIQUE,
    SC_CONTAINS, /* a: schema; b, c: how many at least and at most */
    SC_MAX_PROPERTIES,
    SC_MIN_PROPERTIES,
    SC_REQUIRED,
    SC_DEPENDENT_REQUIRED,
    SC_ITEMS,      /* parts: of the first items, one each; a: schema of the others, or NONE */
    SC_PROPERTIES, /* parts: names, then b patterns; a: schema of the others, or NONE */
    SC_PROPERTY_NAMES,
    SC_DEPENDENT_SCHEMAS, /* parts */
    SC_ALL_OF,            /* parts, as in the two that follow */
    SC_ANY_OF,
    SC_ONE_OF,
    SC_NOT,
    SC_IF, /* a: schema; b, c: then and else, or NONE */
    SC_REF,
    SC_DYNAMIC_REF, /* a: schema; b: name of a dynamic anchor, or NONE */
    SC_UNEVALUATED_ITEMS,
    SC_UNEVALUATED_PROPERTIES
};

#define SC_NONE UINT32_MAX
#define SC_INTEGER 0x80u /* in SC_TYPE: whole numbers */

struct sc_op {
    enum sc_kind kind;
    uint32_t node; /* of the keyword's value */
    uint32_t a, b, c;
    uint32_t part, parts; /* of sc_part */
};

struct sc_part {
    uint32_t node;   /* a member's value, whose name is meant, or an element */
    uint32_t schema; /* index */
    uint32_t pattern;
};

struct sc_schema {
    uint32_t node, resource;
    uint32_t op, ops;
    bool is_false, marks; /* marks: it has an unevaluated… */
};

struct sc_pattern {
    uint32_t slot, slots;
};

struct sc_anchor {
    uint32_t resource, name, schema; /* name: index of the first anchor with this name */
    uint32_t node;                   /* of the keyword's value */
    bool dynamic;
};

struct sc_resource { /* a document or a part of one that has a URI of its own */
    uint32_t uri, uri_n;
    uint32_t node, same; /* same: the one that this is another URI of; itself otherwise */
    bool no_validation;  /* its meta-schema leaves out the keywords that compare */
};

struct th_schema {
    struct th_ref refs;
    struct th_arena mem; /* has this struct and all tables */
    struct th_tape tape;
    const struct sc_schema *schemas;
    const struct sc_op *ops;
    const struct sc_part *parts;
    const struct sc_pattern *patterns;
    const struct th_iregexp_slot *slots;
    const struct sc_anchor *anchors; /* dynamic ones */
    uint32_t anchor_count;
    const struct th_span *uris; /* of the documents behind the schema itself */
};

/* ---- uri.c ---- */

/** Appends a reference without its fragment, resolved against a base (RFC 3986, 5.2). */
void sc_uri_resolve(struct th_span base, struct th_span reference, struct th_buf *out);
/** Appends text with %XX resolved. */
void sc_uri_decode(struct th_span s, struct th_buf *out);

/* ---- meta.c ---- */

/** The meta-schemas; the last one has an empty URI. */
extern const struct th_schema_document sc_meta[];

/** Appends where a node is: a JSON pointer into its document, behind the document's URI where it is not the schema itself. */
void sc_where(const struct th_tape *tape, const struct th_span *uris, uint32_t node, struct th_buf *out);
#endif
