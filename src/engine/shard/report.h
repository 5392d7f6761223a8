/* Writes deliveries to the log and to the metrics. */
#ifndef TH_ENGINE_SHARD_REPORT_H
#define TH_ENGINE_SHARD_REPORT_H
#include "engine/engine.h"

struct th_attempt;

void th_report_attempt(const struct th_attempt *a);
void th_report_expired(struct th_attempt *a);
void th_report_failed(struct th_attempt *a);
void th_report_turn(struct th_engine *e);
/* Writes what a tenant reads about a name whose address the guard refuses; `why` comes from the guard. */
void th_report_denied_text(const struct th_engine *e, const char *why, char *out, size_t size);
/* In development, for an address of one's own network: says what to do; else "". */
const char *th_report_denied_advice(const struct th_engine *e, const char *why);
/* Writes what the operator reads about it; one line a second. */
void th_report_denied(struct th_engine *e, struct th_span tenant, struct th_span host,
                      const struct th_addr *a, const char *why);
void th_report_breaker(const struct th_attempt *a, bool opened);
#endif
