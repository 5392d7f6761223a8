/* The texts of tokens that only this process knows: sessions, links, the portal. Private to api/. */
#ifndef TH_API_TOKEN_H
#define TH_API_TOKEN_H
#include "port/clock.h"

#define TH_API_TOKEN 64 /* bytes of a token's text at most, NUL included */

/** Writes `prefix` and 32 random bytes in base64url, and fills the rest with NUL. The prefix has at most 20 bytes. Any thread. */
void th_api_token_make(const char *prefix, const struct th_entropy *entropy, char token[TH_API_TOKEN]);
#endif
