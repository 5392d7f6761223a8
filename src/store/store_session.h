/* Sessions of the stores: the port's side. On the session's thread, except attach. */
#ifndef TH_STORE_SESSION_H
#define TH_STORE_SESSION_H
#include "store/store_state.h"

void st_session_submit(struct th_session *session, struct th_op *op);
void st_session_flush(struct th_session *session);
unsigned st_session_drain(struct th_session *s, unsigned max);
enum th_error st_session_attach(struct th_store *store, struct th_wake wake, struct th_session **out);
void st_session_detach(struct th_session *session);
#endif
