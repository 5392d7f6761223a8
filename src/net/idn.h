/* International host names (UTS 46, not transitional): from the form that people write to the one that goes out, and back.
 * Hides libidn2. No state. */
#ifndef TH_NET_IDN_H
#define TH_NET_IDN_H
#include "base/buf.h"

/** Writes `url` with its host in ASCII (xn--) into `out`. False: nothing to do, `out` is empty: the host is ASCII already,
 * or the URL is one that th_url_parse refuses anyway. Afterwards *why is NULL, or an English reason why the name cannot be
 * taken, and `out` must not be used. Refused are names that are no host names, that mix scripts whose letters look alike,
 * and characters that are only another form of others (full-width digits, ideographic full stops). */
bool th_idn_url(struct th_span url, struct th_buf *out, const char **why);
/** Writes `url` with its host as people write it. False, and `out` empty: the host has no xn-- label, or one that does not
 * decode. */
bool th_idn_show(struct th_span url, struct th_buf *out);
#endif
