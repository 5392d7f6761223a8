/* Ends of the client certificates that endpoints show, told ahead. */
#ifndef TH_ENGINE_SHARD_CERTIFICATE_H
#define TH_ENGINE_SHARD_CERTIFICATE_H
#include "engine/engine.h"

struct th_mono th_certificates_wanted(const struct th_engine *e);
void th_certificates_begin(struct th_engine *e);
#endif
