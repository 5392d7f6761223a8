/* Tells a service manager the state of the process (sd_notify(3)): ready, reloading, stopping, alive. Works
 * without libsystemd: with a datagram to the socket that $NOTIFY_SOCKET names. Does nothing if there is none.
 * Main thread only. */
#ifndef TH_APP_NOTIFY_H
#define TH_APP_NOTIFY_H
#include <stdint.h>

/** Sends lines "NAME=value\n...". Never blocks; a message that cannot be sent is lost. */
void th_notify(const char *lines);
/** Sends RELOADING=1 with the time by which the manager distinguishes this reload from an older one. */
void th_notify_reloading(void);
/** The interval in ms at which WATCHDOG=1 must be sent, already halved; 0: the manager does not watch this
 * process. */
uint64_t th_notify_watchdog_ms(void);
#endif
