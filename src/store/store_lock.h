/* The lock of a data directory: one process works with it. */
#ifndef TH_STORE_LOCK_H
#define TH_STORE_LOCK_H
#include "base/error.h"
#include <stddef.h>

/** Takes the lock that is this file; *fd stays open as long as it is held. TH_CONFLICT: another process has it. */
TH_MUST_USE enum th_error st_lock_take(const char *path, int *fd, char *why, size_t why_size);
#endif
