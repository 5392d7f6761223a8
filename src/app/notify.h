/* What a service manager wants to hear (sd_notify(3)): ready, reloading, stopping, alive. Without libsystemd:
 * one datagram to the socket that $NOTIFY_SOCKET names. Nothing happens when there is none. Main thread only.
 */
#ifndef TH_APP_NOTIFY_H
#define TH_APP_NOTIFY_H
#include <stdint.h>

/** Sends lines "NAME=value\n...". Never blocks; a message that cannot be sent is lost. */
void th_notify(const char *lines);
/** RELOADING=1 with the time that the manager needs to tell this reload from an older one. */
void th_notify_reloading(void);
/** How often the manager wants WATCHDOG=1 in ms, already halved; 0: it does not watch this process. */
uint64_t th_notify_watchdog_ms(void);
#endif
