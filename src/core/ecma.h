/* JSON as ECMAScript writes it. Private to src/core/ and to whoever compares spellings of a body. */
#ifndef TH_CORE_ECMA_H
#define TH_CORE_ECMA_H
#include "base/json.h"

/** Appends v, which th_json_parse accepted, as JSON.stringify(JSON.parse(text)) of ECMAScript would write it
 * (ECMA-262, 25.5), except that a number whose decimal value would change is left as it is; *inexact (may be
 * NULL) says whether there was one. */
TH_MUST_USE enum th_error th_ecma_write(struct th_json v, struct th_buf *out, bool *inexact);

/** Calls back with the JSON pointer of each number that th_ecma_write has left as it was. `written`: what it
 * wrote. */
TH_MUST_USE enum th_error th_ecma_inexact(struct th_span written,
                                          void (*found)(void *ctx, struct th_span pointer), void *ctx);

/** Appends a valid JSON number in ECMAScript's spelling. False: as it was, because a double cannot hold it
 * exactly. */
bool th_ecma_number(struct th_span raw, struct th_buf *out);
#endif
