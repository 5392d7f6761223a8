/* What every check of a request may have to say: why a header, or the time, is refused. */
#include "lib/internal.h"

enum tenterhook_result th_lib_say(struct tenterhook_report *r, enum tenterhook_result result,
                                  struct th_span header, const char *detail)
{
    r->header = header;
    r->detail = detail;
    return result;
}

enum tenterhook_result th_lib_need(struct tenterhook_report *r, const struct tenterhook_request *request,
                                   struct th_span name, struct th_span *value)
{
    enum tenterhook_result result = th_lib_header(request, name, value);

    return result == TENTERHOOK_OK ? result
                                   : th_lib_say(r, result, name,
                                                result == TENTERHOOK_MALFORMED ? "the header is there twice"
                                                                               : "the header is not there");
}

enum tenterhook_result th_lib_age(struct tenterhook_report *r, const struct th_lib_verifier *v, int64_t now,
                                  struct th_span header, const char *early)
{
    if (__builtin_sub_overflow(now, r->signed_at, &r->age_s))
        return th_lib_say(r, TENTERHOOK_INVALID, header, "now is out of range");
    if (v->back_s && r->age_s > v->back_s)
        return th_lib_say(r, TENTERHOOK_TOO_OLD, header,
                          "signed too long ago: replayed, delayed, or a wrong clock");
    if (v->ahead_s && r->age_s < -v->ahead_s)
        return th_lib_say(r, TENTERHOOK_TOO_NEW, header, early);
    return TENTERHOOK_OK;
}
