/* A node that waits until it may work on the database. */
#ifndef TH_APP_STANDBY_H
#define TH_APP_STANDBY_H
#include "app/serve_parts.h"

/** Opens the PostgreSQL store of the configuration into a->store. While another node works on the database, or it cannot be reached,
 * the address of the API is answered: /livez with 200, all else with 503 and the reason. *stopped: a signal came instead. */
TH_MUST_USE enum th_error th_app_wait_for_store(struct th_app *a, bool *stopped);
#endif
