/* sign, verify, explain: signatures without a server, for requests saved in a file. Secrets come from files,
 * standard input or TENTERHOOK_SECRET, never from arguments. */
#include "base/alloc.h"
#include "base/enc.h"
#include "cli/cli.h"
#include "cli/cli_field.h"
#include "cli/cli_member.h"
#include "cli/cli_message.h"
#include "cli/cli_out.h"
#include "cli/cli_request.h"
#include "cli/cmd.h"
#include "lib/crypto.h"
#include <time.h>

static int64_t unix_now(void)
{
    return (int64_t)time(NULL);
}

/* --now, for requests that were saved yesterday. False after a message. */
static bool moment_of(const struct th_cli *cli, const char *option, int64_t *out)
{
    const char *text = th_cli_option(cli, option);
    struct th_wall at;
    uint64_t unix_s;

    *out = unix_now();
    if (!text)
        return true;
    if (th_wall_parse(th_str(text), &at)) {
        *out = at.ms / 1000;
        return true;
    }
    if (th_span_u64(th_str(text), INT64_MAX / 1000, &unix_s)) {
        *out = (int64_t)unix_s;
        return true;
    }
    th_cli_fail(cli, TH_EXIT_USAGE, "%s \"%s\": is not a time; write 2026-04-02T08:00:00Z, or unix seconds",
                option, text);
    return false;
}

/* Standard input can give only one thing. */
static int one_input(const struct th_cli *cli, const char *what)
{
    const char *secret = th_cli_option(cli, "--secret-file"), *old = th_cli_option(cli, "--old-secret-file");
    bool wanted = (secret && strcmp(secret, "-") == 0) || (old && strcmp(old, "-") == 0);

    if (wanted && (cli->arg_count == 0 || strcmp(cli->args[0], "-") == 0))
        return th_cli_fail(
            cli, TH_EXIT_USAGE,
            "the secret and the %s cannot both come from standard input: name a file for one of them", what);
    return TH_EXIT_OK;
}

/* ---- verify and explain ---- */

static int check(struct th_cli *cli, bool explain)
{
    struct th_saved_request request;
    struct th_receiver r;
    struct th_buf json;
    struct th_json root;
    enum tenterhook_result result = TENTERHOOK_INVALID;
    int64_t now, window;
    int status = one_input(cli, "request");

    if (status)
        return status;
    status = th_receiver_init(cli, "--dialect", &r);
    th_buf_init(&json, (size_t)8 << 20);
    if (!status)
        status = th_request_read(cli, cli->arg_count ? cli->args[0] : "-", &request);
    if (!status && (!moment_of(cli, "--now", &now) ||
                    !th_cli_duration(cli, "--window", TENTERHOOK_WINDOW_S * 1000, &window)))
        status = TH_EXIT_USAGE;
    if (!status && window % 1000)
        status = th_cli_fail(cli, TH_EXIT_USAGE, "--window: whole seconds");
    if (!status) {
        r.window_s = window / 1000;
        if (tenterhook_verifier_window(&r.verifier, r.window_s, r.window_s) != TENTERHOOK_OK)
            status = TH_EXIT_USAGE;
    }
    if (!status)
        result = th_explain(cli, &r, &request, now, &json);
    if (!status && (json.failed || th_json_parse(th_buf_view(&json), TH_JSON_DEPTH, &root, NULL)))
        status = th_cli_nomem(cli);
    if (!status && cli->json) {
        (void)th_cli_print(cli, root);
    } else if (!status) {
        bool ok = result == TENTERHOOK_OK;
        printf("%s%s%s (%s)", ok ? th_green(cli) : th_red(cli), ok ? "verified" : "refused", th_plain(cli),
               r.dialect);
        if (!ok) {
            printf(": ");
            th_print_safe(stdout, th_str(th_cli_member(cli, root, "/detail")));
        }
        if (!ok && th_cli_member(cli, root, "/header")[0] != '-')
            printf(" (%s)", th_cli_member(cli, root, "/header"));
        putchar('\n');
        th_explain_print(cli, root, explain, "  ");
        if (ok && !tenterhook_verifier_protects(&r.verifier))
            printf("  note: this scheme signs no time, so an old request verifies too: keep event ids\n");
    }
    th_buf_fini(&json);
    th_receiver_fini(&r);
    return status ? status : result == TENTERHOOK_OK ? TH_EXIT_OK : TH_EXIT_NO;
}

int th_cmd_verify(struct th_cli *cli)
{
    return check(cli, false);
}

int th_cmd_explain(struct th_cli *cli)
{
    if (th_cli_has(cli, "--filter"))
        return th_cmd_explain_filter(cli);
    return check(cli, true);
}

/* ---- sign ---- */

struct signing {
    struct th_cli *cli;
    struct tenterhook_message message;
    int64_t now;
};

static const char *text_of(struct th_cli *cli, struct tenterhook_span s)
{
    return th_cli_text(cli, th_span(s.p, s.n));
}

/* A header's value from the variable it carries; NULL: not given. */
static const char *value_of(struct signing *s, struct tenterhook_span variable)
{
    static const struct {
        const char *variable;
        size_t at;
    } table[] = {{"{event.id}", offsetof(struct tenterhook_message, event_id)},
                 {"{event.type}", offsetof(struct tenterhook_message, event_type)},
                 {"{delivery.id}", offsetof(struct tenterhook_message, delivery_id)},
                 {"{endpoint.id}", offsetof(struct tenterhook_message, endpoint_id)},
                 {"{attempt.number}", offsetof(struct tenterhook_message, attempt_number)}};

    if (tenterhook_is(variable, "{ts}"))
        return th_cli_printf(s->cli, "%lld", (long long)s->message.ts);
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        if (tenterhook_is(variable, table[i].variable)) {
            const struct tenterhook_span *v =
                (const struct tenterhook_span *)(const void *)((const char *)&s->message + table[i].at);
            return v->n ? text_of(s->cli, *v) : NULL;
        }
    return NULL;
}

/* Makes a new id in the form of our ids. */
static const char *new_id(struct th_cli *cli)
{
    struct th_buf out;
    uint8_t raw[12];
    const char *id;

    if (!th_random(raw, sizeof raw))
        return "msg_0";
    th_buf_init(&out, 64);
    th_buf_str(&out, "msg_");
    th_hex(&out, raw, sizeof raw);
    id = th_cli_text(cli, th_buf_view(&out));
    th_buf_fini(&out);
    return id;
}

static void print_header(struct th_cli *cli, struct th_jw *w, const char *name, const char *value)
{
    if (cli->json) {
        th_jw_key(w, th_str(name));
        th_jw_string(w, th_str(value));
    } else {
        printf("%s: %s\n", name, value);
    }
}

static int print_signed(struct signing *s, const struct th_receiver *r, unsigned form, struct th_buf *json)
{
    struct tenterhook_span secrets[TH_SECRETS];
    struct th_jw w = th_jw(json);
    enum tenterhook_result result;
    char value[4096];
    size_t n;

    for (unsigned i = 0; i < r->secret_count; i++)
        secrets[i] = (struct tenterhook_span){r->secret[i].p, r->secret[i].n};
    result =
        tenterhook_sign(&r->scheme, form, secrets, r->secret_count, &s->message, value, sizeof value, &n);
    if (result != TENTERHOOK_OK)
        return th_cli_fail(s->cli, TH_EXIT_DATA, "cannot be signed in dialect %s: %s", r->dialect,
                           tenterhook_text(result));
    th_jw_object(&w);
    for (unsigned i = 0; i < r->scheme.source_count; i++) {
        const char *v = value_of(s, r->scheme.source[i].variable);
        if (v)
            print_header(s->cli, &w, text_of(s->cli, r->scheme.source[i].header), v);
    }
    print_header(
        s->cli, &w,
        text_of(s->cli, r->scheme.signature_count ? r->scheme.signature[form].header : r->scheme.auth_header),
        value);
    th_jw_end_object(&w);
    th_wipe(value, sizeof value);
    return TH_EXIT_OK;
}

/* A whole request is signed: all lines of its head. */
static int print_head(struct signing *s, const struct th_receiver *r, unsigned form, struct th_buf *json)
{
    const char *method = th_cli_option(s->cli, "--method");
    struct th_jw w = th_jw(json);
    struct th_span left;
    struct th_buf head;
    int status;

    th_buf_init(&head, 1u << 20);
    status = th_message_head(s->cli, r, &s->message, th_str(method), form, &head);
    th_jw_object(&w);
    for (left = th_buf_view(&head); !status && left.n;) {
        struct th_span value = th_span_cut(&left, '\n'), name = th_span_cut(&value, ':');

        print_header(s->cli, &w, th_cli_text(s->cli, name),
                     th_cli_text(s->cli, th_span_trim(th_span(value.p, value.n - 1))));
    }
    th_jw_end_object(&w);
    th_buf_wipe(&head);
    return status;
}

static struct tenterhook_span option_span(const struct th_cli *cli, const char *option)
{
    const char *text = th_cli_option(cli, option);

    return (struct tenterhook_span){text, text ? strlen(text) : 0};
}

int th_cmd_sign(struct th_cli *cli)
{
    struct signing s = {.cli = cli};
    struct th_buf body, json, scratch;
    struct th_json root;
    struct th_receiver r;
    int64_t form;
    int status = one_input(cli, "body");

    if (status)
        return status;
    status = th_receiver_init(cli, "--dialect", &r);
    th_buf_init(&body, 1);
    th_buf_init(&json, 1u << 20);
    if (!status)
        status = th_cli_read_file(cli, cli->arg_count ? cli->args[0] : "-", (size_t)64 << 20, &body);
    if (!status &&
        (!moment_of(cli, "--at", &s.now) ||
         !th_cli_number(cli, "--variant", 0,
                        (int64_t)r.scheme.signature_count - (r.scheme.signature_count > 0), 0, &form)))
        status = TH_EXIT_USAGE;
    if (!status) {
        bool whole = r.scheme.signature_count && r.scheme.signature[form].encoding == TENTERHOOK_HTTP_MESSAGE;

        th_buf_init(&scratch, body.n + TENTERHOOK_SCRATCH);
        s.message = (struct tenterhook_message){.body = {body.p ? body.p : "", body.n},
                                                .event_id = option_span(cli, "--id"),
                                                .event_type = option_span(cli, "--type"),
                                                .delivery_id = option_span(cli, "--delivery-id"),
                                                .endpoint_id = option_span(cli, "--endpoint-id"),
                                                .endpoint_url = option_span(cli, "--endpoint-url"),
                                                .ts = s.now,
                                                .scratch = th_buf_room(&scratch, body.n + TENTERHOOK_SCRATCH),
                                                .scratch_len = body.n + TENTERHOOK_SCRATCH};
        if (!s.message.event_id.n)
            s.message.event_id = tenterhook_str(new_id(cli));
        status = !s.message.scratch ? th_cli_nomem(cli)
                 : whole            ? print_head(&s, &r, (unsigned)form, &json)
                                    : print_signed(&s, &r, (unsigned)form, &json);
        th_buf_fini(&scratch);
    }
    if (!status && cli->json && !th_json_parse(th_buf_view(&json), 8, &root, NULL))
        (void)th_cli_print(cli, root);
    th_buf_wipe(&json);
    th_buf_fini(&body);
    th_receiver_fini(&r);
    return status;
}
