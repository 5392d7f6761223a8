/* Which endpoints have the consent of their receivers, and when those that lack it are asked. */
#ifndef TH_ENGINE_SETTINGS_CONSENT_H
#define TH_ENGINE_SETTINGS_CONSENT_H
#include "engine/engine.h"

struct th_ep;

bool th_consent_wanted(const struct th_engine *e, const struct th_tenant *t);
/** Says whether the endpoint lacks consent now, and sees to it that it is asked. TH_NOMEM. */
TH_MUST_USE enum th_error th_consent_judge(struct th_engine *e, struct th_ep *ep);
/** The pace that its receiver allows, for one of its own (0: none). */
double th_consent_pace(const struct th_endpoint *ep, double rate_per_s);
/** Asks now where consent is lacking: something of the endpoint has changed. */
void th_consent_again(struct th_engine *e, struct th_ep *ep);
/** Asks at that moment, where consent is lacking. */
void th_consent_ask_at(struct th_engine *e, struct th_ep *ep, int64_t us);
/** Who asks, as a number. */
uint64_t th_consent_origin(const struct th_engine *e);
#define TH_CONSENT_ASKS 30 /* of one endpoint, between two changes of it */
#endif
