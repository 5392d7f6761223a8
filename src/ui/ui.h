/* The pages: files of ui/ as they are, built into the binary in compressed form, or read from a folder while one works on
 * them. They hold no data: everything that they show they ask the API for, as any client does. */
#ifndef TH_UI_UI_H
#define TH_UI_UI_H
#include "base/error.h"
#include "net/http_server.h"

struct th_ui;

/** dir: a folder from which files are read at each request instead of the built-in ones (copied); NULL: none. origins: those whose
 * pages the portal may be framed by (copied); they can stand in a header as they are. TH_NOMEM. */
TH_MUST_USE enum th_error th_ui_new(const char *dir, const char *const *origins, unsigned origin_count,
                                    struct th_ui **out);
/** NULL is allowed. */
void th_ui_free(struct th_ui *ui);
/** The server's handler for the paths /ui, /portal and below (`ui` is a struct th_ui): answers at once. Any thread. */
void th_ui_handle(void *ui, struct th_http_exchange *x);
/** The server's judge for them: a body is not waited for. */
enum th_http_verdict th_ui_judge(void *ui, struct th_http_exchange *x);
#endif
