/* Tokens of OAuth 2.0 for an engine's endpoints. */
#ifndef TH_ENGINE_SHARD_TOKEN_H
#define TH_ENGINE_SHARD_TOKEN_H
#include "engine/engine.h"

struct th_attempt;
struct th_ep;

/** Gives the attempt, whose settings have a token's URL, the token that its request is to carry: calls its token_came, perhaps inside
 * the call, when there is one or none could be had by `deadline`. */
void th_token_get(struct th_attempt *a, struct th_mono deadline);
/** The endpoint has answered 401 to the attempt's token: it serves no further request. */
void th_token_refused(struct th_attempt *a);
/** Ends the requests for tokens of an endpoint (NULL: of all) early. */
void th_token_cancel(struct th_engine *e, const struct th_ep *ep);
#endif
