/* The dialect and the secrets with which a developer examines a saved request when a webhook fails. */
#include "cli/cli_request.h"
#include "base/alloc.h"
#include "base/enc.h"
#include "cli/cli.h"
#include "lib/crypto.h"
#include "options/dialects.h"
#include <stdlib.h>

/* ---- dialect and secrets ---- */

static int unknown_dialect(struct th_cli *cli, const char *name)
{
    const char *all = "", *one;

    for (unsigned i = 0; (one = tenterhook_dialect_at(i)) != NULL; i++)
        all = th_cli_printf(cli, "%s%s%s", all, i ? ", " : "", one);
    return th_cli_fail(
        cli, TH_EXIT_USAGE,
        "there is no dialect \"%s\"; built in are %s; a file is named with its path: ./%s.yaml", name, all,
        name);
}

/* The library reads only files that extend nothing, so a file is completed with what it extends. Other files
 * stay unchanged. */
static int whole(struct th_cli *cli, const char *path, struct th_buf *text)
{
    struct th_buf all;
    char why[512];
    enum th_error error;

    if (!memmem(text->p, text->n, "extends", 7))
        return TH_EXIT_OK;
    th_buf_init(&all, 2u << 20);
    error = th_dialect_whole_file(path, th_buf_view(text), &all, why, sizeof why);
    if (!error && all.failed)
        exit(th_cli_nomem(cli));
    if (error) {
        th_buf_fini(&all);
        return th_cli_fail(cli, error == TH_IO ? TH_EXIT_INPUT : TH_EXIT_DATA, "%s", why);
    }
    th_buf_fini(text);
    *text = all;
    return TH_EXIT_OK;
}

int th_receiver_scheme(struct th_cli *cli, const char *name, struct th_receiver *r)
{
    size_t n = strlen(name);
    struct tenterhook_fault fault;
    int status;

    r->dialect = name;
    if (!strchr(name, '/') && !(n > 5 && strcmp(name + n - 5, ".yaml") == 0))
        return tenterhook_scheme_find(name, &r->scheme) == TENTERHOOK_OK ? TH_EXIT_OK
                                                                         : unknown_dialect(cli, name);
    status = th_cli_read_file(cli, name, (size_t)1 << 20, &r->scheme_text);
    if (status)
        return status;
    status = whole(cli, name, &r->scheme_text);
    if (status)
        return status;
    if (tenterhook_scheme_read(r->scheme_text.p, r->scheme_text.n, &r->scheme, &fault) != TENTERHOOK_OK)
        return th_cli_fail(cli, TH_EXIT_DATA, "%s:%u: %s", name, fault.line, fault.what);
    return TH_EXIT_OK;
}

static int read_secrets(struct th_cli *cli, struct th_receiver *r)
{
    const char *file, *text = getenv("TENTERHOOK_SECRET");
    int status = TH_EXIT_OK;

    for (unsigned i = 0; !status && (file = th_cli_option_at(cli, "--secret-file", i)) != NULL; i++) {
        if (r->secret_count == TH_SECRETS)
            return th_cli_fail(cli, TH_EXIT_USAGE, "at most %d secrets", TH_SECRETS);
        status = th_cli_read_secret(cli, file, &r->secret[r->secret_count]);
        r->secret_count += !status;
    }
    if (!status && r->secret_count == 0 && text && *text) {
        th_buf_str(&r->secret[0], text);
        r->secret_count = 1;
    }
    if (!status && th_cli_option(cli, "--old-secret-file")) {
        status = th_cli_read_secret(cli, th_cli_option(cli, "--old-secret-file"), &r->old);
        r->has_old = !status;
    }
    if (!status && r->secret_count == 0)
        return th_cli_fail(
            cli, TH_EXIT_USAGE,
            "a secret is missing: give --secret-file FILE (- is standard input), or set TENTERHOOK_SECRET");
    return status;
}

const char *th_receiver_public(struct th_cli *cli, const struct tenterhook_scheme *scheme,
                               struct th_span secret)
{
    const struct tenterhook_signature *s = &scheme->signature[0];
    uint8_t seed[64], public[32];
    const char *text = NULL;
    struct th_buf out;
    size_t n;

    if (scheme->signature_count == 0 || s->algorithm != TENTERHOOK_ED25519 || s->key != TENTERHOOK_KEY_HEX ||
        !th_unhex(secret, seed, sizeof seed, &n) || n < 32)
        return NULL;
    if (th_ed25519_public(seed, public)) {
        th_buf_init(&out, 128);
        th_hex(&out, public, sizeof public);
        text = th_cli_text(cli, th_buf_view(&out));
        th_buf_fini(&out);
    }
    th_wipe(seed, sizeof seed);
    return text;
}

/* Takes one layer off; NULL: there is none. */
static const char *peel(struct th_span *s)
{
    static const struct {
        struct th_span text;
        const char *what;
    } fronts[] = {{{"\xef\xbb\xbf", 3}, "the byte order mark in front of it"},
                  {{"v1,", 3}, "the \"v1,\" in front of it, which belongs to signatures"},
                  {{"v1a,", 4}, "the \"v1a,\" in front of it, which belongs to signatures"},
                  {{"Bearer ", 7}, "the \"Bearer \" in front of it"}};
    struct th_span was = *s;

    while (s->n && strchr(" \t\r\n", s->p[s->n - 1]))
        s->n--;
    while (s->n && strchr(" \t\r\n", s->p[0]))
        s->p++, s->n--;
    if (s->n != was.n)
        return "its white space";
    if (s->n >= 2 && strchr("\"'`", s->p[0]) && s->p[s->n - 1] == s->p[0]) {
        *s = th_span(s->p + 1, s->n - 2);
        return "the quotation marks around it";
    }
    for (size_t i = 0; i < sizeof fronts / sizeof fronts[0]; i++)
        if (th_span_starts(*s, fronts[i].text)) {
            *s = th_span(s->p + fronts[i].text.n, s->n - fronts[i].text.n);
            return fronts[i].what;
        }
    return NULL;
}

bool th_secret_clean(struct th_span secret, struct th_span *clean, const char **what)
{
    *clean = secret;
    *what = NULL;
    for (const char *next; clean->n && (next = peel(clean)) != NULL;)
        *what = *what ? *what : next;
    return *what && clean->n;
}

/* True when the verifier takes the secrets without the text around them. */
static const char *fits_clean(const struct th_receiver *r)
{
    struct tenterhook_span secrets[TH_SECRETS];
    struct tenterhook_verifier v;
    struct tenterhook_fault fault = {0, NULL};
    const char *what = NULL, *first = NULL;
    bool fits;

    for (unsigned i = 0; i < r->secret_count; i++) {
        struct th_span clean;

        if (th_secret_clean(th_buf_view(&r->secret[i]), &clean, &what) && !first)
            first = what;
        secrets[i] = (struct tenterhook_span){clean.p, clean.n};
    }
    fits =
        first && tenterhook_verifier_init(&v, &r->scheme, secrets, r->secret_count, &fault) == TENTERHOOK_OK;
    if (fits)
        tenterhook_verifier_wipe(&v);
    return fits ? first : NULL;
}

/* What a secret looks like. */
static const char *form_of(const struct tenterhook_scheme *scheme)
{
    const struct tenterhook_signature *s = &scheme->signature[0];

    if (scheme->signature_count == 0 || s->key == TENTERHOOK_KEY_UTF8)
        return "a text, not too long";
    if (s->key == TENTERHOOK_KEY_HEX)
        return s->algorithm == TENTERHOOK_ED25519 ? "the public key in hex" : "hex digits";
    return s->key == TENTERHOOK_KEY_WHSEC  ? "base64, mostly with \"whsec_\" before it"
           : s->key == TENTERHOOK_KEY_WHSK ? "base64, with \"whpk_\" or \"whsk_\" before it"
                                           : "base64";
}

int th_receiver_init(struct th_cli *cli, const char *dialect_option, struct th_receiver *r)
{
    struct tenterhook_span secrets[TH_SECRETS];
    const char *name = th_cli_option(cli, dialect_option);
    struct tenterhook_fault fault = {0, NULL};
    enum tenterhook_result result;
    int status;

    *r = (struct th_receiver){.window_s = TENTERHOOK_WINDOW_S};
    th_buf_init(&r->scheme_text, 2u << 20);
    for (unsigned i = 0; i < TH_SECRETS; i++)
        th_buf_init(&r->secret[i], 65536);
    th_buf_init(&r->old, 65536);
    status = th_receiver_scheme(cli, name ? name : "standard", r);
    if (!status)
        status = read_secrets(cli, r);
    if (status)
        return status;
    for (unsigned i = 0; i < r->secret_count; i++)
        secrets[i] = (struct tenterhook_span){r->secret[i].p, r->secret[i].n};
    result = tenterhook_verifier_init(&r->verifier, &r->scheme, secrets, r->secret_count, &fault);
    if (result == TENTERHOOK_OK)
        return TH_EXIT_OK;
    if (result == TENTERHOOK_BAD_SECRET && fits_clean(r))
        return th_cli_fail(cli, TH_EXIT_DATA,
                           "the secret was copied together with other text: it fits dialect %s without %s",
                           r->dialect, fits_clean(r));
    if (result == TENTERHOOK_BAD_SECRET)
        return th_cli_fail(cli, TH_EXIT_DATA, "the secret does not fit dialect %s: it must be %s", r->dialect,
                           form_of(&r->scheme));
    return th_cli_fail(cli, TH_EXIT_DATA, "dialect %s: %s%s%s", r->dialect, tenterhook_text(result),
                       fault.what ? ": " : "", fault.what ? fault.what : "");
}

void th_receiver_fini(struct th_receiver *r)
{
    for (unsigned i = 0; i < TH_SECRETS; i++)
        th_buf_wipe(&r->secret[i]);
    th_buf_wipe(&r->old);
    th_buf_fini(&r->scheme_text);
    tenterhook_verifier_wipe(&r->verifier);
}

enum tenterhook_result th_receiver_check(struct th_cli *cli, const struct tenterhook_verifier *v,
                                         const struct th_saved_request *request, int64_t now,
                                         struct tenterhook_event *event, struct tenterhook_report *report)
{
    struct tenterhook_request r = {.headers = request->headers,
                                   .header_count = request->header_count,
                                   .body = request->body.p,
                                   .body_len = request->body.n,
                                   .url = {request->url.p, request->url.n},
                                   .method = {request->method.p, request->method.n},
                                   .scratch_len = request->body.n + TENTERHOOK_SCRATCH};
    enum tenterhook_result result;
    struct th_buf scratch;

    (void)cli;
    th_buf_init(&scratch, r.scratch_len);
    r.scratch = th_buf_room(&scratch, r.scratch_len);
    if (!r.scratch)
        r.scratch_len = 0;
    result =
        event ? tenterhook_construct_event(v, &r, now, event, report) : tenterhook_verify(v, &r, now, report);
    th_buf_fini(&scratch);
    return result;
}
