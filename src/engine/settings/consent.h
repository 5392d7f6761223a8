/* Which endpoints have the consent of their receivers, and when those that lack it are asked. */
#ifndef TH_ENGINE_SETTINGS_CONSENT_H
#define TH_ENGINE_SETTINGS_CONSENT_H
#include "engine/engine.h"

struct th_ep;

bool th_consent_wanted(const struct th_engine *e, const struct th_tenant *t);
/** Finds out whether the endpoint lacks consent now, and if so has it asked. TH_NOMEM. */
TH_MUST_USE enum th_error th_consent_judge(struct th_engine *e, struct th_ep *ep);
/** The endpoint's own pace (0: none), limited to the one that its receiver allows. */
double th_consent_pace(const struct th_endpoint *ep, double rate_per_s);
/** To be called when something of the endpoint has changed: asks now if it lacks consent. */
void th_consent_again(struct th_engine *e, struct th_ep *ep);
/** Asks at that moment, if the endpoint lacks consent. */
void th_consent_ask_at(struct th_engine *e, struct th_ep *ep, int64_t us);
/** The name of the installation that asks, as a number. */
uint64_t th_consent_origin(const struct th_engine *e);
#define TH_CONSENT_ASKS 30 /* how often an endpoint is asked between two changes of it */
#endif
