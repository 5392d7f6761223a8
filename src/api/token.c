/* Makes the texts of tokens. Their random bytes are wiped. */
#include "api/token.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/enc.h"
#include <string.h>

void th_api_token_make(const char *prefix, const struct th_entropy *entropy, char token[TH_API_TOKEN])
{
    uint8_t random[32];
    struct th_buf text;

    entropy->fill(entropy->ctx, random, sizeof random);
    th_buf_init(&text, TH_API_TOKEN);
    th_buf_str(&text, prefix);
    th_base64url(&text, random, sizeof random);
    memset(token, 0, TH_API_TOKEN);
    memcpy(token, th_buf_view(&text).p, text.n < TH_API_TOKEN ? text.n : TH_API_TOKEN - 1);
    th_wipe(random, sizeof random);
    th_buf_wipe(&text);
}
