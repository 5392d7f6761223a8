/* The way to the engine: POST /v1/events/batch, one tenant's messages at a time, in their order.
 *
 * What an answer means:
 *   202                        the events are durable: their messages are done
 *   409 for an event           one with this id exists: the message came before, and is done
 *   413, 422 for an event      it can never be published: refused, with the engine's words; the rest is sent again
 *   404                        there is no such tenant: refused
 *   400, 413, 422 for no event the batch is divided, down to one
 *   401, 403                   the key is wrong: nothing is refused; it is tried again, since somebody has to mend that
 *   429, 5xx, no answer        tried again, after Retry-After or later and later
 * Nothing is acknowledged here. A request that was carried out although no answer came is repeated, and each of its events is then one
 * that exists. */
#include "publish.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BODY_MAX ((size_t)12 << 20) /* the server takes 16 MiB */
#define ANSWER_MAX ((size_t)4 << 20)
#define WAIT_MIN_MS 100
#define WAIT_MAX_MS 15000

struct br_publisher {
    const atomic_bool *stop;
    void (*idle)(void *ctx);
    void *idle_ctx;
    CURL *curl;
    struct curl_slist *headers;
    char url[2100];
    struct th_buf body, answer;
    unsigned wait_ms;
    struct timespec said;
};

static size_t take(char *p, size_t one, size_t n, void *ctx)
{
    struct th_buf *b = ctx;

    th_buf_add(b, p, one * n);
    return b->failed ? 0 : one * n;
}

static int interrupted(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return atomic_load((const atomic_bool *)ctx) ? 1 : 0;
}

struct br_publisher *br_publisher_new(const struct br_config *c, const atomic_bool *stop,
                                      void (*idle)(void *ctx), void *idle_ctx, char *why, size_t why_size)
{
    struct br_publisher *p = th_calloc(1, sizeof *p);
    char authorization[4200];
    struct curl_slist *more;
    size_t n = strlen(c->server);

    snprintf(why, why_size, "out of memory");
    if (!p)
        return NULL;
    while (n && c->server[n - 1] == '/')
        n--;
    snprintf(p->url, sizeof p->url, "%.*s/v1/events/batch", (int)n, c->server);
    th_buf_init(&p->body, BODY_MAX + (1u << 20));
    th_buf_init(&p->answer, ANSWER_MAX);
    p->stop = stop;
    p->idle = idle;
    p->idle_ctx = idle_ctx;
    p->curl = curl_easy_init();
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", c->key);
    p->headers = curl_slist_append(NULL, authorization);
    more = curl_slist_append(p->headers, "Content-Type: application/json");
    if (more)
        more = curl_slist_append(p->headers, "Expect:");
    if (!p->curl || !p->headers || !more) {
        br_publisher_free(p);
        return NULL;
    }
    curl_easy_setopt(p->curl, CURLOPT_URL, p->url);
    curl_easy_setopt(p->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(p->curl, CURLOPT_HTTPHEADER, p->headers);
    curl_easy_setopt(p->curl, CURLOPT_USERAGENT, "tenterhook-bridge/" TH_VERSION);
    curl_easy_setopt(p->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(p->curl, CURLOPT_WRITEDATA, &p->answer);
    curl_easy_setopt(p->curl, CURLOPT_TIMEOUT_MS, 60000L);
    curl_easy_setopt(p->curl, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(p->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(p->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(p->curl, CURLOPT_XFERINFOFUNCTION, interrupted);
    curl_easy_setopt(p->curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)stop);
    if (c->ca_file)
        curl_easy_setopt(p->curl, CURLOPT_CAINFO, c->ca_file);
    return p;
}

void br_publisher_free(struct br_publisher *p)
{
    if (!p)
        return;
    curl_slist_free_all(p->headers);
    if (p->curl)
        curl_easy_cleanup(p->curl);
    th_buf_fini(&p->body);
    th_buf_fini(&p->answer);
    th_free(p);
}

/* ---- waiting ---- */

static void wait_ms(const struct br_publisher *p, unsigned ms)
{
    for (unsigned done = 0; done < ms && !atomic_load(p->stop); done += 50) {
        const struct timespec step = {0, 50 * 1000000};

        (void)nanosleep(&step, NULL);
        p->idle(p->idle_ctx);
    }
}

/* Once in ten seconds. */
static void complain(struct br_publisher *p, const char *what, int64_t status, const char *why)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (p->said.tv_sec && now.tv_sec - p->said.tv_sec < 10)
        return;
    p->said = now;
    th_log(TH_LOG_WARN, what, TH_KI("status", status), TH_KC("why", why));
}

static void back_off(struct br_publisher *p, struct br_counts *counts, const char *what, long status,
                     const char *why)
{
    curl_off_t after_s = 0;

    complain(p, what, status, why);
    br_count(counts, BR_N_RETRIES, 1);
    br_set(counts, BR_N_SERVER_OK, 0);
    p->wait_ms = p->wait_ms ? p->wait_ms * 2 : WAIT_MIN_MS;
    if (p->wait_ms > WAIT_MAX_MS)
        p->wait_ms = WAIT_MAX_MS;
    if (status && curl_easy_getinfo(p->curl, CURLINFO_RETRY_AFTER, &after_s) == CURLE_OK && after_s > 0)
        wait_ms(p, after_s > 300 ? 300000u : (unsigned)after_s * 1000);
    else
        wait_ms(p, p->wait_ms / 2 + (unsigned)random() % (p->wait_ms / 2 + 1));
}

/* ---- one request ---- */

static void refuse(struct br_publisher *p, struct br_message *m, struct th_json error)
{
    struct th_json v;
    struct th_buf text;

    (void)p;
    th_buf_init(&text, 4096);
    if (th_json_member(error, TH_LIT("pointer"), &v) && th_json_string(v, &text))
        th_buf_str(&text, ": ");
    if (th_json_member(error, TH_LIT("detail"), &v))
        (void)th_json_string(v, &text);
    snprintf(m->reason, sizeof m->reason, "the engine refuses it: %.*s", (int)text.n, th_buf_view(&text).p);
    th_buf_fini(&text);
}

/* "/12/type" is event 12; false: it names none below `count`. */
static bool index_of(struct th_json error, unsigned count, unsigned *out)
{
    struct th_json v;
    struct th_span s;
    uint64_t n;
    size_t end = 1;

    if (!th_json_member(error, TH_LIT("pointer"), &v) || v.type != TH_JSON_STRING)
        return false;
    s = th_span(v.raw.p + 1, v.raw.n - 2);
    while (end < s.n && s.p[end] != '/')
        end++;
    if (s.n < 2 || s.p[0] != '/' || !th_span_u64(th_span(s.p + 1, end - 1), UINT32_MAX, &n) || n >= count)
        return false;
    *out = (unsigned)n;
    return true;
}

/* Marks the events that the answer names. Returns how many. */
static unsigned mark(struct br_publisher *p, struct br_message *const *sent, unsigned count, bool exist,
                     struct br_counts *counts)
{
    struct th_json root, errors, e;
    struct th_json_iter it;
    unsigned marked = 0, i;

    if (th_json_parse(th_buf_view(&p->answer), TH_JSON_DEPTH, &root, NULL) != TH_OK ||
        !th_json_member(root, TH_LIT("errors"), &errors))
        return 0;
    th_json_iter(&it, errors);
    while (th_json_next(&it, NULL, &e)) {
        if (!index_of(e, count, &i) || sent[i]->done || sent[i]->reason[0])
            continue;
        marked++;
        if (exist) {
            sent[i]->done = true;
            br_count(counts, BR_N_REPEATED, 1);
        } else {
            refuse(p, sent[i], e);
        }
    }
    return marked;
}

static void refuse_one(struct br_publisher *p, struct br_message *m, long status)
{
    struct th_json root, v;
    struct th_buf text;

    th_buf_init(&text, 4096);
    if (th_json_parse(th_buf_view(&p->answer), TH_JSON_DEPTH, &root, NULL) == TH_OK &&
        th_json_member(root, TH_LIT("detail"), &v))
        (void)th_json_string(v, &text);
    snprintf(m->reason, sizeof m->reason, "the engine refuses it with status %ld: %.*s", status, (int)text.n,
             th_buf_view(&text).p);
    th_buf_fini(&text);
}

/* Sends the first `*count` messages; lowers *count when fewer shall be tried next. */
static void send_once(struct br_publisher *p, struct br_message *const *sent, unsigned *count,
                      struct br_counts *counts)
{
    long status = 0;
    CURLcode code;

    th_buf_reset(&p->body);
    th_buf_reset(&p->answer);
    for (unsigned i = 0; i < *count; i++) {
        th_buf_char(&p->body, i ? ',' : '[');
        th_buf_span(&p->body, sent[i]->event);
    }
    th_buf_char(&p->body, ']');
    if (p->body.failed && *count > 1) {
        *count = *count / 2;
        return;
    }
    if (p->body.failed) {
        snprintf(sent[0]->reason, sizeof sent[0]->reason, "it has %zu bytes, which no event may have",
                 sent[0]->event.n);
        return;
    }
    curl_easy_setopt(p->curl, CURLOPT_POSTFIELDS, th_buf_view(&p->body).p);
    curl_easy_setopt(p->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->body.n);
    br_count(counts, BR_N_REQUESTS, 1);
    code = curl_easy_perform(p->curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(p->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        back_off(p, counts, "the engine cannot be reached; trying again", 0, curl_easy_strerror(code));
    } else if (status == 202) {
        for (unsigned i = 0; i < *count; i++)
            sent[i]->done = true;
        br_count(counts, BR_N_ACCEPTED, *count);
        p->wait_ms = 0;
    } else if (status == 409 && mark(p, sent, *count, true, counts)) {
        *count = 1; /* where one has come before, most have: one by one costs least */
    } else if ((status == 413 || status == 422) && mark(p, sent, *count, false, counts)) {
        return;
    } else if (status == 400 || status == 404 || status == 409 || status == 413 || status == 422) {
        if (*count > 1)
            *count = *count / 2;
        else
            refuse_one(p, sent[0], status);
    } else if (status == 401 || status == 403) {
        back_off(p, counts, "the engine refuses the key; trying again", status,
                 "give the bridge a key that may publish for this tenant");
    } else {
        back_off(p, counts, "the engine does not take events now; trying again", status, "");
    }
}

static bool is_open(const struct br_message *m)
{
    return !m->done && !m->reason[0];
}

bool br_publish(struct br_publisher *p, struct br_message *m, unsigned count, struct br_counts *counts)
{
    struct br_message *sent[1000];
    unsigned most = 1000;

    for (unsigned first = 0; first < count;) {
        unsigned n = 0, tried;
        size_t bytes = 0;
        uint64_t before;

        if (!is_open(&m[first])) {
            first++;
            continue;
        }
        for (unsigned i = first; i < count && n < most; i++) {
            if (!is_open(&m[i]) || !th_span_eq(m[i].tenant, m[first].tenant))
                continue;
            if (n && bytes + m[i].event.n > BODY_MAX / 2)
                break;
            bytes += m[i].event.n + 1;
            sent[n++] = &m[i];
        }
        tried = n;
        before = br_get(counts, BR_N_RETRIES);
        send_once(p, sent, &n, counts);
        if (before == br_get(counts, BR_N_RETRIES))
            br_set(counts, BR_N_SERVER_OK, 1);
        br_beat(counts);
        if (n < tried)
            most = n;
        if (atomic_load(p->stop)) {
            for (unsigned i = first; i < count; i++)
                if (is_open(&m[i]))
                    return false;
            return true;
        }
    }
    return true;
}
