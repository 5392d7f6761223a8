/* Error names and classes: one table. */
#include "base/error.h"

static const struct {
    const char *name;
    enum th_error_class class;
} rows[] = {
    [TH_OK] = {"ok", TH_CLASS_OK},
    [TH_NOMEM] = {"out of memory", TH_CLASS_RESOURCE},
    [TH_TOO_LARGE] = {"too large", TH_CLASS_USAGE},
    [TH_MALFORMED] = {"malformed", TH_CLASS_USAGE},
    [TH_INVALID] = {"invalid", TH_CLASS_USAGE},
    [TH_NOT_FOUND] = {"not found", TH_CLASS_USAGE},
    [TH_CONFLICT] = {"conflict", TH_CLASS_USAGE},
    [TH_DENIED] = {"denied", TH_CLASS_USAGE},
    [TH_RETRY] = {"try again", TH_CLASS_RETRY},
    [TH_FULL] = {"no room", TH_CLASS_RESOURCE},
    [TH_UNKNOWN] = {"outcome unknown", TH_CLASS_UNKNOWN},
    [TH_CORRUPT] = {"stored data damaged", TH_CLASS_CORRUPT},
    [TH_IO] = {"input/output error", TH_CLASS_CORRUPT},
    [TH_TIMEOUT] = {"timed out", TH_CLASS_RETRY},
    [TH_CANCELLED] = {"cancelled", TH_CLASS_RETRY},
    [TH_BUG] = {"internal error", TH_CLASS_BUG},
};

enum th_error_class th_error_class(enum th_error error)
{
    if ((unsigned)error >= sizeof rows / sizeof rows[0])
        return TH_CLASS_BUG;
    return rows[error].class;
}

const char *th_error_name(enum th_error error)
{
    if ((unsigned)error >= sizeof rows / sizeof rows[0])
        return "unknown error value";
    return rows[error].name;
}
