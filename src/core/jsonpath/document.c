/* The document that filters and templates read. */
#include "core/jsonpath/document.h"
#include "base/json.h"

static void member(struct th_jw *w, struct th_span name, struct th_span value)
{
    if (!value.n)
        return;
    th_jw_key(w, name);
    th_jw_string(w, value);
}

void th_document_write(const struct th_document *doc, struct th_buf *out)
{
    struct th_jw w = th_jw(out);

    th_jw_array(&w);
    th_jw_object(&w);
    member(&w, TH_LIT("type"), doc->type);
    member(&w, TH_LIT("id"), doc->id);
    th_jw_key(&w, TH_LIT("time"));
    th_jw_raw(&w, TH_LIT("\""));
    th_wall_format(out, doc->time, TH_RFC3339_MILLIS);
    th_buf_char(out, '"');
    member(&w, TH_LIT("resource_type"), doc->resource_type);
    member(&w, TH_LIT("resource_id"), doc->resource_id);
    th_jw_key(&w, TH_LIT("data"));
    th_jw_raw(&w, doc->data);
    th_jw_end_object(&w);
    th_jw_end_array(&w);
}
