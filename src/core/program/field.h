/* The fields of lib/fields.def by number. */
#ifndef TH_CORE_PROGRAM_FIELDS_H
#define TH_CORE_PROGRAM_FIELDS_H
#include "lib/span.h"

/** TH_F_*: of events, deliveries and attempts, for templates and envelopes. TH_A_*: of the management API, for its shapes. */
enum th_field {
    TH_F_NONE,
#define TH_FIELD_SHARED(id, ...) TH_F_##id,
#define TH_FIELD_SERVER(id, ...) TH_F_##id,
#define TH_FIELD_PREFIX(id, ...) TH_F_##id,
#define TH_FIELD_API(id, ...) TH_A_##id,
#include "lib/fields.def"
    TH_FIELD_COUNT
};

enum th_field_place {
    TH_IN_CONTENT = 1,   /* a signed content */
    TH_IN_HEADER = 2,    /* the value of a header line, `auth` included */
    TH_IN_ITEM = 4,      /* one signature in its header */
    TH_IN_WRAP = 8,      /* what stands around all of them */
    TH_IN_ENVELOPE = 16, /* a body */
    TH_IN_API = 32       /* a shape of the management API */
};
enum th_field_flag {
    TH_FIELD_IS_REQUIRED = 1, /* publishing needs it where an envelope names it */
    TH_FIELD_IS_OPTIONAL = 2, /* an event or a tenant may not have it */
    TH_FIELD_IS_DELIVERY = 4  /* differs between deliveries or attempts of one event */
};

/** Forms of a value. In a text (a header line, a signed content) a time needs one of the four of time. */
enum th_form {
    TH_FORM_AS_IS,
    TH_FORM_STRING,
    TH_FORM_INTEGER,
    TH_FORM_BOOLEAN,
    TH_FORM_RFC3339,
    TH_FORM_RFC3339_MILLIS,
    TH_FORM_UNIX,
    TH_FORM_UNIX_MILLIS,
    TH_FORM_RAW
};
/** A field with what its name says beyond it: a JSON pointer, or the name of an attribute. */
struct th_field_ref {
    enum th_field field;
    enum th_form form; /* in a text: of a time */
    struct th_span arg;
};
/** The field of a name, whose argument lies in it; TH_F_NONE: there is none. *here: whether it can stand in this place. */
struct th_field_ref th_field_find(struct th_span name, enum th_field_place place, bool *here);
unsigned th_field_flags(enum th_field field);
/** Its name in dialect files; of a prefix that. */
const char *th_field_name(enum th_field field);

/** Lists of the API that a shape can go through. */
enum th_field_list { TH_LIST_ENDPOINTS, TH_LIST_DELIVERIES, TH_LIST_ERRORS, TH_LIST_COUNT };
#endif
