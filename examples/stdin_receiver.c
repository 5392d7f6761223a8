/* The smallest receiver: one HTTP/1.1 request on standard input, its answer on standard output. For systemd socket
 * units (Accept=yes, StandardInput=socket), whatever else hands over a connection, or a saved request. The body has
 * a Content-Length, as Tenterhook sends it, or ends with the input.
 *   stdin_receiver DIALECT, with the secret in WEBHOOK_SECRET (and the old one in WEBHOOK_SECRET_OLD) */
#define _POSIX_C_SOURCE 200809L /* alarm and strncasecmp, with -std=c17 too */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <tenterhook/tenterhook.h>
#include <time.h>
#include <unistd.h>

#define HEADERS_MAX 64
static char text[1 << 20], scratch[sizeof text + TENTERHOOK_SCRATCH];
static struct tenterhook_verifier verifier;
static struct tenterhook_event event;

int main(int argc, char **argv)
{
    const char *secret = getenv("WEBHOOK_SECRET");
    struct tenterhook_header headers[HEADERS_MAX], *h = headers;
    struct tenterhook_request request = {
        .headers = headers, .scratch = scratch, .scratch_len = sizeof scratch};
    struct tenterhook_report report = {.detail = "more headers, or a longer body, than fit in here"};
    enum tenterhook_result result;
    char *at = text, *const end = text + sizeof text, *value;
    size_t n, length = sizeof text; /* without Content-Length: to the end of the input */

    if (argc != 2 || !secret)
        return fputs("usage: WEBHOOK_SECRET=... stdin_receiver DIALECT\n", stderr), 2;
    if ((result = tenterhook_verifier_open(&verifier, argv[1], secret, getenv("WEBHOOK_SECRET_OLD"))))
        return fprintf(stderr, "%s: %s\n", argv[1], tenterhook_text(result)), 2;
    alarm(30); /* for the whole request: nobody keeps the process by being slow */
    for (; fgets(at, (int)(end - at), stdin) && (n = strcspn(at, "\r\n")); at += strlen(at)) {
        if (h == headers + HEADERS_MAX || !(value = memchr(at, ':', n)))
            continue; /* the request line, or too many */
        h->name = (struct tenterhook_span){at, (size_t)(value - at)};
        value += 1 + strspn(value + 1, " \t");
        (h++)->value = (struct tenterhook_span){value, (size_t)(at + n - value)};
        if (strncasecmp(at, "content-length:", 15) == 0)
            length = strtoul(value, NULL, 10);
    }
    request.header_count = (size_t)(h - headers);
    request.body = at;
    request.body_len = fread(at, 1, length < (size_t)(end - at) ? length : (size_t)(end - at), stdin);
    alarm(0);
    result = TENTERHOOK_NO_ROOM;
    if (request.header_count < HEADERS_MAX && at + request.body_len < end)
        result = tenterhook_construct_event(&verifier, &request, time(NULL), &event, &report);
    printf("HTTP/1.1 %d \r\nContent-Length: 0\r\nConnection: close\r\n\r\n", tenterhook_status(result));
    if (fclose(stdout) || result) /* the answer is out, before the work */
        return fprintf(stderr, "refused: %s (%.*s%s%s)\n", tenterhook_text(result), (int)report.header.n,
                       report.header.p, report.header.n ? ": " : "", report.detail),
               1;
    fprintf(stderr, "event %.*s %.*s\n", (int)event.type.n, event.type.p, (int)event.data.n, event.data.p);
    return 0;
}
