/* An answer that is kept with an Idempotency-Key: "201\n", its field lines, "\n", its body. */
#include "api/kept.h"
#include "api/fail.h"
#include "api/reply.h"
#include "api/request.h"
#include "api/state.h"

void th_api_kept_write(unsigned status, const struct th_buf *fields, const struct th_buf *body,
                       struct th_buf *answer)
{
    th_buf_printf(answer, "%u\n", status);
    th_buf_span(answer, th_buf_view(fields));
    th_buf_char(answer, '\n');
    th_buf_span(answer, th_buf_view(body));
    if (fields->failed || body->failed)
        answer->failed = fields->failed ? fields->failed : body->failed;
}

void th_api_kept_send(struct th_api_req *r, struct th_buf *answer)
{
    struct th_span kept = th_buf_view(answer);
    const char *p = kept.p, *end = kept.p + kept.n, *fields, *from;
    uint64_t status = 0;

    from = kept.n ? memchr(p, '\n', kept.n) : NULL;
    if (!from || !th_span_u64(th_span(p, (size_t)(from - p)), 999, &status)) {
        th_buf_wipe(answer);
        th_api_fail(r, 500, "the kept answer is damaged");
        return;
    }
    fields = p = from + 1;
    while (p < end && *p != '\n') { /* lines end in CRLF; an empty line begins with \n */
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        p = eol ? eol + 1 : end;
    }
    (void)th_api_reply_begin(r);
    th_buf_add(&r->api->fields, fields, (size_t)(p - fields));
    if (p < end)
        th_buf_add(&r->api->out, p + 1, (size_t)(end - p - 1));
    th_buf_wipe(answer);
    r->repeated = true;
    if (r->api->out.n)
        th_api_reply(r, (unsigned)status);
    else
        th_api_reply_empty(r, (unsigned)status);
}
