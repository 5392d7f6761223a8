/* The smallest receiver: one request on standard input as "Name: value" lines, an empty line and the body;
 * one answer on standard output. For inetd, systemd socket units, or a web server that runs programs.
 *   stdin_receiver DIALECT, with the secret in WEBHOOK_SECRET (and the old one in WEBHOOK_SECRET_OLD) */
#include <stdio.h>
#include <stdlib.h>
#include <tenterhook/tenterhook.h>
#include <time.h>

#define HEADERS_MAX 64
static char text[1 << 20], scratch[(1 << 20) + TENTERHOOK_SCRATCH];
static struct tenterhook_verifier verifier;
static struct tenterhook_event event;

int main(int argc, char **argv)
{
    const char *secret = getenv("WEBHOOK_SECRET");
    struct tenterhook_header headers[HEADERS_MAX];
    struct tenterhook_request request = {
        .headers = headers, .scratch = scratch, .scratch_len = sizeof scratch};
    struct tenterhook_report report;
    enum tenterhook_result result;
    size_t n = fread(text, 1, sizeof text, stdin);
    char *at = text, *end = text + n, *eol, *colon;

    if (argc != 2 || !secret ||
        tenterhook_verifier_open(&verifier, argv[1], secret, getenv("WEBHOOK_SECRET_OLD")) != TENTERHOOK_OK)
        return fputs("usage: WEBHOOK_SECRET=... stdin_receiver DIALECT\n", stderr), 2;
    for (; (eol = memchr(at, '\n', (size_t)(end - at))) && eol > at && request.header_count < HEADERS_MAX;
         at = eol + 1) {
        if (!(colon = memchr(at, ':', (size_t)(eol - at))) || colon + 1 == eol)
            continue;
        headers[request.header_count].name = (struct tenterhook_span){at, (size_t)(colon - at)};
        colon += colon[1] == ' ' ? 2 : 1;
        headers[request.header_count++].value = (struct tenterhook_span){colon, (size_t)(eol - colon)};
    }
    request.body = eol ? eol + 1 : end;
    request.body_len = (size_t)(end - (const char *)request.body);
    result = tenterhook_construct_event(&verifier, &request, time(NULL), &event, &report);
    printf("%d\n", tenterhook_status(result)); /* the answer goes out first */
    if (fclose(stdout) || result)
        return fprintf(stderr, "refused: %s (%s)\n", tenterhook_text(result), report.detail), 1;
    fprintf(stderr, "event %.*s %.*s\n", (int)event.type.n, event.type.p, (int)event.data.n,
            event.data.p); /* then the work */
    return 0;
}
