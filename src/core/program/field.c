/* The table of lib/fields.def, and looking names up in it: only compilers do, so a row after the other is quick enough. */
#include "core/program/field.h"

enum { /* the words of the table */
       CONTENT = TH_IN_CONTENT,
       HEADER = TH_IN_HEADER,
       ITEM = TH_IN_ITEM,
       WRAP = TH_IN_WRAP,
       ENVELOPE = TH_IN_ENVELOPE,
       REQUIRED = TH_FIELD_IS_REQUIRED,
       OPTIONAL = TH_FIELD_IS_OPTIONAL,
       DELIVERY = TH_FIELD_IS_DELIVERY
};

static const struct {
    const char *name;
    uint8_t places, flags;
    bool prefix;
} rows[TH_FIELD_COUNT] = {
    [TH_F_NONE] = {"", 0, 0, false},
#define TH_FIELD_SHARED(id, name, type, places, flags, text) [TH_F_##id] = {name, places, flags, false},
#define TH_FIELD_SERVER(id, name, type, places, flags, text) [TH_F_##id] = {name, places, flags, false},
#define TH_FIELD_PREFIX(id, name, type, places, flags, text) [TH_F_##id] = {name, places, flags, true},
#define TH_FIELD_API(id, name, object, text) [TH_A_##id] = {name, TH_IN_API, 0, false},
#include "lib/fields.def"
};

struct th_field_ref th_field_find(struct th_span name, enum th_field_place place, bool *here)
{
    struct th_field_ref found = {.field = TH_F_NONE};

    *here = false;
    for (unsigned i = TH_F_NONE + 1; i < TH_FIELD_COUNT; i++) {
        struct th_span own = th_str(rows[i].name);

        if ((rows[i].places == TH_IN_API) != (place == TH_IN_API))
            continue;
        if (rows[i].prefix ? name.n >= own.n + (i != TH_F_MEMBER) && th_span_starts(name, own)
                           : th_span_eq(name, own)) {
            found.field = (enum th_field)i;
            if (rows[i].prefix)
                found.arg = i == TH_F_MEMBER ? name : th_span(name.p + own.n, name.n - own.n);
            *here = rows[i].places & place;
            break;
        }
    }
    return found;
}

unsigned th_field_flags(enum th_field field)
{
    return rows[field].flags;
}

const char *th_field_name(enum th_field field)
{
    return rows[field].name;
}
