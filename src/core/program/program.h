/* Programs: what a dialect file (or JSON) says about texts and JSON objects, compiled once into a flat list of operations and
 * run often. One form for templates of header lines and signed contents, for envelopes, and for the shapes of the management
 * API; they differ only in where values come from, which is the environment's to say. Private to src/core. */
#ifndef TH_CORE_PROGRAM_PROGRAM_H
#define TH_CORE_PROGRAM_PROGRAM_H
#include "base/time.h"
#include "core/program/field.h"
#include "core/program/where.h"
#include "lib/crypto.h"

enum th_do {
    /* texts */
    TH_DO_TEXT,  /* `text` */
    TH_DO_FIELD, /* the value of `from` as text, of bytes that a header value can carry */
    /* the way through the program; `jump`: so many ops are left out */
    TH_DO_WHEN, /* unless the condition `arg` (and `text`) holds */
    TH_DO_JUMP, /* always */
    TH_DO_LINE, /* a line begins, with `text`; nothing of it stays when what comes up to TH_DO_LINE_END is empty */
    TH_DO_ELSE,     /* when the line has something already */
    TH_DO_LINE_END, /* `text` ends the line */
    TH_DO_CALL,     /* what only the environment can write: its piece number `arg` */
    /* one JSON value */
    TH_DO_OPEN,     /* '{', with its name (`text`) if it is a member */
    TH_DO_CLOSE,    /* '}' */
    TH_DO_LIST,     /* '['; with `jump`: left out with so many ops when the list `arg` is empty */
    TH_DO_LIST_END, /* ']' */
    TH_DO_EACH,     /* for each element of the list `arg`, up to the matching TH_DO_NEXT; `jump`: behind it */
    TH_DO_NEXT,     /* `jump`: back to the first op of the body */
    TH_DO_MEMBER,   /* a member from `from`, or a bare value when it has no name */
    TH_DO_CONST     /* a member with constant JSON (`from.arg`) */
};
struct th_renames {
    struct th_span from, to; /* to: JSON; from "*": anything else */
};
struct th_member { /* what only TH_DO_MEMBER has */
    /* takes the place of a source without a value; field TH_F_NONE: nothing does */
    struct th_field_ref other;
    const struct th_renames *map;
    unsigned map_count;
    bool or_null;  /* without a value: null instead of nothing */
    bool required; /* of an envelope: the event must have it */
};
struct th_program_op {
    uint8_t kind; /* enum th_do */
    uint8_t arg;  /* of a condition, a list or a piece: its number */
    bool percent; /* TH_DO_FIELD: in percent-encoding, which carries every byte */
    uint16_t jump;
    struct th_span text; /* of a member: `,"name":`, ready to write; n == 0: bare value */
    struct th_field_ref from;
    const struct th_member *member;
};
struct th_program {
    const struct th_program_op *ops;
    unsigned count;
    unsigned flags;  /* TH_FIELD_IS_* of all fields that it uses, together */
    uint32_t fields; /* TH_FIELD_BIT of each field of an event that it uses */
};
#define TH_FIELD_BIT(field) (UINT32_C(1) << (field))

/* ---- compiling ---- */

#define TH_TEMPLATE_OPS 24 /* of one template */
/** Compiles a text with variables in braces; "{{" and "}}" are single braces. place: what may be named. ts: the form of {ts}.
 * The schema version becomes a literal. */
bool th_template_compile(struct th_where *w, struct th_span text, unsigned line, enum th_field_place place,
                         enum th_form ts, struct th_span schema_version, struct th_program *out);

#define TH_SHAPE_OPS 256
#define TH_SHAPE_DEPTH 8
/** What a shape may name and refer to. */
struct th_shape_context {
    enum th_field_place place;          /* TH_IN_ENVELOPE or TH_IN_API */
    bool ecmascript;                    /* refuses member names that ECMAScript would reorder */
    const char *const *names;           /* of the shapes that `shape: NAME` may refer to */
    const struct th_node *const *named; /* NULL: absent */
    unsigned named_count;
    uint8_t created; /* condition behind `when: created` */
};
/** Compiles a node (list: an object; map with `each`: a bare array). */
bool th_shape_compile(struct th_where *w, const struct th_shape_context *c, const struct th_node *node,
                      struct th_program *out);

/* ---- running ---- */

/** A value on its way into a text. */
struct th_program_value {
    enum { TH_V_TEXT, TH_V_INT, TH_V_TIME, TH_V_JSON } kind;
    struct th_span s; /* TEXT: plain UTF-8; JSON: valid JSON */
    int64_t i;        /* INT; TIME: Unix milliseconds */
    bool ecmascript;  /* JSON: still to be written as ECMAScript writes it */
};
/** Where values come from. What a program does not use may be NULL. */
struct th_env {
    /* False when there is none. index: of the element of a list, 0 outside. A time may be given as a text of from->form. */
    bool (*get)(void *ctx, const struct th_field_ref *from, unsigned index, struct th_program_value *out);
    bool (*holds)(void *ctx, unsigned condition, struct th_span text);
    bool (*write)(void *ctx, unsigned piece, struct th_buf *out); /* false: it cannot be written */
    unsigned (*count)(void *ctx, enum th_field_list list);
    bool (*stop)(void *ctx, unsigned count, size_t bytes); /* of struct th_shape_source */
    void *ctx;
};

#define TH_PROGRAM_VALUE_MAX ((size_t)16 << 20) /* bytes of one value that is decoded */
#define TH_PROGRAM_STEPS (1u << 20) /* operations in the lists of one run: a thousand long rows are below */
/** A run in steps. Begin, step until it says true, end. */
struct th_program_run {
    const struct th_program *program;
    struct th_buf *out;
    struct th_buf text; /* of a value that has to be decoded */
    size_t start;       /* where the program began to write */
    size_t line, value; /* of the line that is open: where it begins, and where its value does */
    unsigned at, index, count, steps;
    bool refused; /* a value has bytes that its place cannot carry, or a piece could not be written */
};
void th_program_begin(struct th_program_run *run, const struct th_program *p, struct th_buf *out);
/** Runs to the end (true), or pauses (false) behind an element of a list when `out` has `pause_at` bytes. After a failure
 * (out->failed, or run->refused) it is at its end. A run of more than TH_PROGRAM_STEPS fails with TH_TOO_LARGE. */
bool th_program_step(struct th_program_run *run, const struct th_env *env, size_t pause_at);
/** secret: what was read may have been one. */
void th_program_end(struct th_program_run *run, bool secret);
/** All at once. TH_INVALID: refused. */
TH_MUST_USE enum th_error th_program_write(const struct th_program *p, const struct th_env *env,
                                           struct th_buf *out);

/** Whether a text has only what a header value may hold without doubt: visible ASCII and space (RFC 9110, 5.5). */
bool th_program_visible(struct th_span s);
#define TH_PROGRAM_TEXT 32 /* room for a number or a time as text */
/** A time as text, in a form of time. */
struct th_span th_program_time(int64_t ms, enum th_form form, char room[TH_PROGRAM_TEXT]);
/** The text of one op of a template whose values are texts, numbers and times. room: for a number or a time. */
struct th_span th_program_text(const struct th_program_op *op, const struct th_env *env,
                               char room[TH_PROGRAM_TEXT]);
/** The pieces of such a template, where they lie: what is signed is not copied. rooms: for
 * numbers and times, one for each op. */
void th_program_pieces(const struct th_program *p, const struct th_env *env, struct th_bytes *pieces,
                       char (*rooms)[TH_PROGRAM_TEXT]);
#endif
