/* Results as names, sentences and statuses: one row each. */
#include "lib/internal.h"

static const struct {
    char name[16], text[64];
    int16_t status;
} rows[] = {
    [TENTERHOOK_OK] = {"ok", "accepted", 200},
    [TENTERHOOK_MISSING_HEADER] = {"missing_header", "a header that the scheme needs is missing", 401},
    [TENTERHOOK_MALFORMED] = {"malformed", "a header cannot be read", 400},
    [TENTERHOOK_TOO_OLD] = {"too_old", "signed longer ago than the window allows", 401},
    [TENTERHOOK_TOO_NEW] = {"too_new", "signed further in the future than the window allows", 401},
    [TENTERHOOK_NO_MATCH] = {"no_match", "made with none of the secrets for these bytes", 401},
    [TENTERHOOK_BAD_EVENT] = {"bad_event", "verified, but not an event of the dialect", 400},
    [TENTERHOOK_INVALID] = {"invalid", "an argument makes no sense", 500},
    [TENTERHOOK_UNKNOWN_DIALECT] = {"unknown_dialect", "no built-in dialect has this name", 500},
    [TENTERHOOK_BAD_DIALECT] = {"bad_dialect", "the dialect cannot be used", 500},
    [TENTERHOOK_BAD_SECRET] = {"bad_secret", "a secret is empty or of another form than the scheme's", 500},
    [TENTERHOOK_TOO_MANY] = {"too_many", "too many secrets", 500},
    [TENTERHOOK_NO_ROOM] = {"no_room", "the memory given is too small", 500},
    [TENTERHOOK_FAILED] = {"failed", "the cryptographic library failed", 500},
};

static unsigned row(enum tenterhook_result result)
{
    return (unsigned)result < sizeof rows / sizeof *rows ? (unsigned)result : TENTERHOOK_INVALID;
}

const char *tenterhook_text(enum tenterhook_result result)
{
    return rows[row(result)].text;
}

const char *tenterhook_name(enum tenterhook_result result)
{
    return rows[row(result)].name;
}

int tenterhook_status(enum tenterhook_result result)
{
    return rows[row(result)].status;
}

const char *tenterhook_version(void)
{
    return TH_VERSION;
}
