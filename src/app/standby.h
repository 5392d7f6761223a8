/* A node that waits until it may work on the database. */
#ifndef TH_APP_STANDBY_H
#define TH_APP_STANDBY_H
#include "app/serve_parts.h"

/** Opens the PostgreSQL store of the configuration into a->store. While another node works on the database, or it cannot be reached,
 * the address of the API is answered: /livez with 200, all else with 503 and the reason. *stopped: a signal came instead. */
TH_MUST_USE enum th_error th_app_wait_for_store(struct th_app *a, bool *stopped);
/** Whether the text is an address of a PostgreSQL database and, on a command line, has no password, which every user of the machine
 * could read there. `option`: its name in the message. */
bool th_app_address_ok(const char *option, const char *text, const char *origin, char *why, size_t why_size);
#endif
