/* Sessions of the SQLite store: the port's side. The session's thread, but for attach. */
#ifndef TH_STORE_SESSION_H
#define TH_STORE_SESSION_H
#include "store/store_state.h"

void sq_session_submit(struct th_session *session, struct th_op *op);
void sq_session_flush(struct th_session *session);
unsigned sq_session_drain(struct th_session *s, unsigned max);
enum th_error sq_session_attach(struct th_store *store, struct th_wake wake, struct th_session **out);
void sq_session_detach(struct th_session *session);
#endif
