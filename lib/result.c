/* Results as names, sentences and statuses: one row each. The rows become lists of texts with a NUL behind each,
 * which are smaller than an array of texts of one length, and need no relocations, as pointers would. */
#include "lib/internal.h"

/* in the order of enum tenterhook_result */
#define ROWS(X)                                                                                              \
    X(OK, "ok", "accepted", 200)                                                                             \
    X(MISSING_HEADER, "missing_header", "a header that the scheme needs is missing", 401)                    \
    X(MALFORMED, "malformed", "a header cannot be read", 400)                                                \
    X(TOO_OLD, "too_old", "the request was signed longer ago than the window allows", 401)                   \
    X(TOO_NEW, "too_new", "the request was signed further in the future than the window allows", 401)        \
    X(NO_MATCH, "no_match", "none of the secrets gives this signature for these bytes", 401)                 \
    X(BAD_EVENT, "bad_event", "the signature is valid, but the body is not an event of the dialect", 400)    \
    X(INVALID, "invalid", "an argument makes no sense", 500)                                                 \
    X(UNKNOWN_DIALECT, "unknown_dialect", "no built-in dialect has this name", 500)                          \
    X(BAD_DIALECT, "bad_dialect", "the dialect cannot be used", 500)                                         \
    X(BAD_SECRET, "bad_secret", "a secret is empty or of another form than the scheme's", 500)               \
    X(TOO_MANY, "too_many", "too many secrets", 500)                                                         \
    X(NO_ROOM, "no_room", "the memory given is too small", 500)                                              \
    X(FAILED, "failed", "the cryptographic library failed", 500)

#define NAME(result, name, text, status) name "\0"
#define TEXT(result, name, text, status) text "\0"
#define STATUS(result, name, text, status) [TENTERHOOK_##result] = status,
static const char names[] = ROWS(NAME), texts[] = ROWS(TEXT);
static const int16_t statuses[] = {ROWS(STATUS)};

static unsigned row(enum tenterhook_result result)
{
    return (unsigned)result < sizeof statuses / sizeof *statuses ? (unsigned)result : TENTERHOOK_INVALID;
}

static const char *nth(const char *list, unsigned n)
{
    while (n--)
        list += strlen(list) + 1;
    return list;
}

const char *tenterhook_text(enum tenterhook_result result)
{
    return nth(texts, row(result));
}

const char *tenterhook_name(enum tenterhook_result result)
{
    return nth(names, row(result));
}

int tenterhook_status(enum tenterhook_result result)
{
    return statuses[row(result)];
}

const char *tenterhook_version(void)
{
    return TH_VERSION;
}
