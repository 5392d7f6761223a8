/* What verifying costs: nanoseconds for one request of 1 KiB in each seed dialect, the best of several
 * rounds, as a table or with --json as one object. Uses the public library alone. */
#include <stdio.h>
#include <string.h>
#include <tenterhook/tenterhook.h>
#include <time.h>

#define ROUNDS 20
#define EACH 2000
#define NOW 1775120400

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const struct {
    const char *dialect, *secret;
    unsigned form;
} rows[] = {{"tiro", "tiro_secret_4cK9rXw2Zp8LmQ7v", 0},
            {"tsanet", "5f2b8d0c9a7e4613b1d4c6f8e2a09375", 0},
            {"taskboard", "your_webhook_secret", 0},
            {"techwriter", "tw_signing_secret_one_7d1f", 0},
            {"standard", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 0},
            {"standard", "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", 1}};

/* Fills the body: an event of exactly n bytes. */
static void make_body(char *body, size_t n)
{
    static const char start[] =
        "{\"id\":\"evt_01HW8N4Z3R8C9X\",\"type\":\"document.published\",\"data\":{\"object\":\"";
    static const char end[] = "\"}}";

    memset(body, 'x', n);
    memcpy(body, start, sizeof start - 1);
    memcpy(body + n - (sizeof end - 1), end, sizeof end - 1);
}

static double measure(const struct tenterhook_verifier *v, const struct tenterhook_request *r, int events)
{
    double best = 1e18;
    struct tenterhook_event event;

    for (int round = 0; round < ROUNDS; round++) {
        double start = now_ns(), each;

        for (int i = 0; i < EACH; i++)
            if (events ? tenterhook_construct_event(v, r, NOW, &event, NULL)
                       : tenterhook_verify(v, r, NOW, NULL))
                return -1;
        each = (now_ns() - start) / EACH;
        best = each < best ? each : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    int json = argc > 1 && strcmp(argv[1], "--json") == 0;
    static char body[1024], scratch[2048], value[512];

    make_body(body, sizeof body);
    printf(json ? "{" : "%-12s %-4s %12s %12s\n", "dialect", "", "verify ns", "event ns");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tenterhook_span secret = tenterhook_str(rows[i].secret);
        struct tenterhook_scheme s;
        struct tenterhook_verifier v;
        struct tenterhook_message m = {.body = {body, sizeof body},
                                       .event_id = TENTERHOOK_LIT("msg_1"),
                                       .ts = NOW,
                                       .scratch = scratch,
                                       .scratch_len = sizeof scratch};
        /* Beside what is needed, the headers that requests have. */
        struct tenterhook_header h[] = {{TENTERHOOK_LIT("Host"), TENTERHOOK_LIT("example.com")},
                                        {TENTERHOOK_LIT("User-Agent"), TENTERHOOK_LIT("Tenterhook/0")},
                                        {TENTERHOOK_LIT("Content-Type"), TENTERHOOK_LIT("application/json")},
                                        {TENTERHOOK_LIT("Content-Length"), TENTERHOOK_LIT("1024")},
                                        {TENTERHOOK_LIT("webhook-id"), m.event_id},
                                        {TENTERHOOK_LIT("webhook-timestamp"), TENTERHOOK_LIT("1775120400")},
                                        {{NULL, 0}, {value, 0}}};
        struct tenterhook_request r = {.headers = h,
                                       .header_count = 7,
                                       .body = body,
                                       .body_len = sizeof body,
                                       .scratch = scratch,
                                       .scratch_len = sizeof scratch};

        if (tenterhook_scheme_find(rows[i].dialect, &s) ||
            tenterhook_verifier_init(&v, &s, &secret, 1, NULL) ||
            tenterhook_sign(&s, rows[i].form, &secret, 1, &m, value, sizeof value, &h[6].value.n))
            return 1;
        h[6].name = s.signature_count ? s.signature[rows[i].form].header : s.auth_header;
        if (json)
            printf("%s\"%s%s\": {\"verify_ns\": %.0f, \"event_ns\": %.0f}", i ? ", " : "", rows[i].dialect,
                   rows[i].form ? "-v1a" : "", measure(&v, &r, 0), measure(&v, &r, 1));
        else
            printf("%-12s %-4s %12.0f %12.0f\n", rows[i].dialect, rows[i].form ? "v1a" : "",
                   measure(&v, &r, 0), measure(&v, &r, 1));
    }
    if (json)
        printf("}\n");
    return 0;
}
