/* What a dialect costs: writes the data of an event and makes body and head of its only attempt, signature
 * included, for each built-in dialect, and compares with `standard`. The same calls as the engine makes, on one
 * core, without store and network.
 *
 * usage: bench_dialects [MILLISECONDS a dialect, default 300]
 *        bench_dialects --count N NAME          just N attempts of one dialect, for a tool that counts instructions
 * One line a dialect: nanoseconds for an attempt, the difference to `standard`, and what part of the time
 * that difference is of an event of 50 us, which is about what the engine's process takes for one at
 * saturation (make bench shows it: "CPU"). */
#include "options/dialects.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define EVENT_NS 50000.0
#define ROUNDS 60 /* short: on a busy machine some of them run undisturbed */

static const char data[] =
    "{\"id\":\"in_1MtHbELkdIwHu7ixl4OzzPMv\",\"object\":\"invoice\",\"amount_due\":1200,\"currency\":\"eur\","
    "\"customer\":"
    "\"cus_NeZwdNtLEOXuvB\",\"lines\":[{\"id\":\"il_1\",\"amount\":700,\"description\":\"Seats\"},{\"id\":"
    "\"il_2\",\"amount\":"
    "500,\"description\":\"Storage\"}],\"metadata\":{},\"paid\":true,\"status\":\"paid\",\"total\":1200}";

struct bench {
    const struct th_dialect *d;
    struct th_render r;
    struct th_sign_key key;
    const struct th_sign_key *keys[1];
    struct th_buf secret, data, body, head, sigs;
};

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static bool attempt(struct bench *b)
{
    bool shared, exact;

    th_buf_reset(&b->data);
    th_buf_reset(&b->body);
    th_buf_reset(&b->head);
    th_buf_reset(&b->sigs);
    b->r.at_unix++; /* each attempt has its own time */
    if (th_dialect_data(b->d, th_str(data), &b->data, &exact))
        return false;
    b->r.data = th_buf_view(&b->data);
    b->r.data_written = true;
    return th_dialect_body(b->d, &b->r, &b->body, &shared) == TH_OK &&
           th_dialect_head(b->d, &b->r, th_buf_view(&b->body), &b->head, &b->sigs, false) == TH_OK;
}

static bool open_bench(struct bench *b, const struct th_dialect *d)
{
    static const uint8_t random[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const struct th_dialect_values *v = th_dialect_values(d);

    *b = (struct bench){.d = d};
    th_buf_init(&b->secret, 1024);
    th_buf_init(&b->data, 1 << 20);
    th_buf_init(&b->body, 1 << 20);
    th_buf_init(&b->head, 1 << 16);
    th_buf_init(&b->sigs, 1 << 16);
    th_dialect_secret_make(d, random, &b->secret);
    if (th_dialect_key_init(d, th_buf_view(&b->secret), &b->key))
        return false;
    b->keys[0] = &b->key;
    b->r = (struct th_render){
        .event_id = TH_LIT("msg_01JQTT4G00ABCDEFGHJKMNPQRS"),
        .event_type = TH_LIT("invoice.paid"),
        .resource_type = TH_LIT("Invoice"),
        .resource_id = TH_LIT("in_1MtHbELkdIwHu7ixl4OzzPMv"),
        .event_time = {1775116800000},
        .tenant_id = TH_LIT("acme"),
        .attributes = TH_LIT("{\"source\":\"https://acme.example/\",\"shop_domain\":\"acme.example\"}"),
        .endpoint_id = TH_LIT("we_01JQTT4G00ABCDEFGHJKMNPQRS"),
        .endpoint_url = TH_LIT("https://receiver.example.com/hooks/in"),
        .delivery_id = TH_LIT("dlv_01JQTT4G00ABCDEFGHJKMNPQRS"),
        .attempt = 1,
        .at_unix = 1775116801,
        .options = v->options_default,
        .keys = b->keys,
        .key_count = 1};
    return attempt(b);
}

static void close_bench(struct bench *b)
{
    th_dialect_key_fini(&b->key);
    th_buf_wipe(&b->secret);
    th_buf_fini(&b->data);
    th_buf_fini(&b->body);
    th_buf_fini(&b->head);
    th_buf_fini(&b->sigs);
}

/* The best of some rounds: what else the machine does only adds. Negative: it could not be made. */
static double measure(const struct th_dialect *d, double round_ns)
{
    struct bench b;
    double best = -1;

    if (open_bench(&b, d))
        for (unsigned round = 0; round < ROUNDS; round++) {
            double start = now_ns(), end = start;
            unsigned long n = 0;
            while (end - start < round_ns) {
                for (unsigned i = 0; i < 64; i++)
                    if (!attempt(&b))
                        return -1;
                n += 64;
                end = now_ns();
            }
            if (best < 0 || (end - start) / (double)n < best)
                best = (end - start) / (double)n;
        }
    close_bench(&b);
    return best;
}

static int count(const struct th_dialect_set *set, struct th_span name, unsigned long n)
{
    struct bench b;
    bool ok = false;

    for (unsigned i = 0; i < set->count; i++) {
        if (!th_span_eq(th_dialect_values(set->v[i])->name, name))
            continue;
        ok = open_bench(&b, set->v[i]);
        for (unsigned long k = 0; ok && k < n; k++)
            ok = attempt(&b);
        close_bench(&b);
    }
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    double round_ns = (argc > 1 ? strtod(argv[1], NULL) : 300) * 1e6 / ROUNDS, standard = -1;
    struct th_dialect_set set;
    char why[512] = "";

    if (th_dialects_load(NULL, &set, why, sizeof why)) {
        fprintf(stderr, "%s\n", why);
        return 1;
    }
    if (argc == 4 && strcmp(argv[1], "--count") == 0)
        return count(&set, th_str(argv[3]), strtoul(argv[2], NULL, 10));
    for (unsigned i = 0; i < set.count; i++)
        if (th_span_is(th_dialect_values(set.v[i])->name, "standard"))
            standard = measure(set.v[i], round_ns);
    printf("%-24s %10s %10s %10s\n", "dialect", "ns", "more ns", "of 50 us");
    for (unsigned i = 0; i < set.count; i++) {
        double ns = measure(set.v[i], round_ns);
        if (ns < 0) {
            fprintf(stderr, "%s: cannot be rendered\n", th_dialect_values(set.v[i])->name.p);
            return 1;
        }
        printf("%-24s %10.0f %+10.0f %+9.2f%%\n", th_dialect_values(set.v[i])->name.p, ns, ns - standard,
               (ns - standard) / EVENT_NS * 100);
    }
    th_dialects_free(&set);
    return 0;
}
