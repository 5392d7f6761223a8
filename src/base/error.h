/* Error values and their classes. The class decides what to do; the value says what happened. */
#ifndef TH_BASE_ERROR_H
#define TH_BASE_ERROR_H

#define TH_MUST_USE __attribute__((warn_unused_result))

enum th_error {
    TH_OK = 0,
    TH_NOMEM,     /* an allocation failed */
    TH_TOO_LARGE, /* a stated maximum would be exceeded */
    TH_MALFORMED, /* text does not follow its grammar */
    TH_INVALID,   /* well formed, but not an allowed value */
    TH_NOT_FOUND,
    TH_CONFLICT, /* the object is not in the state or version that the caller expected */
    TH_DENIED,   /* forbidden by a rule (guard, scope) */
    TH_RETRY,    /* nothing happened; the same call may succeed later */
    TH_FULL,     /* no room (disk full, queue at its limit); nothing happened */
    TH_UNKNOWN,  /* it may or may not have happened */
    TH_CORRUPT,  /* stored data is damaged */
    TH_IO,       /* an operating-system call failed */
    TH_TIMEOUT,
    TH_CANCELLED,
    TH_BUG, /* our own mistake */
};

enum th_error_class {
    TH_CLASS_OK,
    TH_CLASS_USAGE,
    TH_CLASS_RETRY,
    TH_CLASS_RESOURCE,
    TH_CLASS_UNKNOWN,
    TH_CLASS_CORRUPT,
    TH_CLASS_BUG
};

/** Class of an error value. Pure. */
enum th_error_class th_error_class(enum th_error error);
/** English name of an error value, for logs. Static memory. */
const char *th_error_name(enum th_error error);
#endif
