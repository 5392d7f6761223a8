/* The table of commands, and finding a row of it. A row here is all that help, manual pages, completions and dispatch know of a
 * command; rows of one name stand together, the one that runs without a verb first. */
#include "app/serve.h"
#include "cli/cmd.h"

/* Rows of a table: laid out by hand. */
/* clang-format off */
#define API TH_CLI_API
#define CONFIG TH_CLI_CONFIG
#define ANY (TH_CLI_ARGS - 1)

/* Options that several rows have. */
#define NUMBER_(n) #n
#define NUMBER(n) NUMBER_(n)
#define LIMIT_OF(n) {"--limit", "N", "at most this many rows (default " NUMBER(n) ")"}
#define LIMIT LIMIT_OF(TH_LIST_ROWS)
#define ALL LIMIT_OF(TH_LIST_THINGS)
#define YES {"--yes", NULL, "do it without asking"}
#define DIALECT {"--dialect", "NAME", "the tenant's dialect, if the key may not read it"}
#define DIALECTS {"--dialects", "DIR", "dialect files that add to the built-in ones or replace them"}
#define SINCE {"--since", "TIME", "only from this time on: 14:00, yesterday, 2026-04-02T08:00:00Z, what tables print, or how long ago: 15m, 24h, 7d; UTC if no zone is given"}
#define OUTCOME {"--outcome", "OUTCOME", \
    "an attempt ended in this way: success, failed_status, timeout, connect_error, dns_error, tls_error, connection_reset, ...; may be repeated"}
#define STATUS_CODE {"--status-code", "N", "an attempt was answered with this HTTP status, or with one of a class such as 5xx; may be repeated"}
#define CURSOR {"--cursor", "CURSOR", "go on where an earlier list stopped; give the same filters, and no times such as 24h"}
#define UNTIL {"--until", "TIME", "only before this time, written as with --since"}
#define TESTS {"--include-tests", NULL, "show tests as well, which are otherwise left out"}
#define ENDPOINT_FIELDS \
    {"--event", "TYPE", "subscribe to this type; may be repeated; prefix.* and * where the dialect has them"}, \
    {"--description", "TEXT", "a text of your own; never sent"}, \
    {"--secret-file", "FILE", "bring your own secret; - is standard input"}, \
    {"--timeout", "SECONDS", "time limit of a whole attempt"}, \
    {"--max-in-flight", "N", "most requests at the same time"}, \
    {"--rate-limit", "N", "most attempts a second; null: no limit"}, \
    {"--variant", "NAME", "signature variant of the dialect"}, \
    {"--header", "NAME=VALUE", "send this header; may be repeated; an empty value removes it"}, \
    {"--metadata", "NAME=VALUE", "keep this pair with the endpoint; may be repeated; an empty value removes it"}, \
    {"--filter", "JSONPATH", "send it only events in which this finds something: '$[?@.data.amount >= 100]'; empty: all"}, \
    {"--template", "FILE", "send what this JSON document makes of an event, in place of the dialect's body; - is standard input; empty: no longer"}, \
    {"--retry", "JSON", "a schedule of its own: '{\"delays\": [5, \"5m\", \"2h\"]}'; also jitter_percent, final, respect_retry_after; null: the dialect's"}, \
    {"--reenable", "HOW", "when failures have disabled it: by_hand (default), or on_test: by a test that succeeds"}, \
    {"--method", "METHOD", "method of its requests: POST, PUT or PATCH; empty: the dialect's"}, \
    {"--source-address", "NAME", "reach it from this source address, of those that the installation offers; empty: from any"}, \
    {"--body-format", "FORMAT", "form: send the body as a form (application/x-www-form-urlencoded); json or empty: as JSON"}, \
    {"--trace-context", "WHETHER", "on: its requests carry traceparent and tracestate; off: they do not; empty: as traces.pass_on of the server says"}, \
    {"--payload-version", "VERSION", "write its data as this version of an event type did; empty: as the newest"}, \
    {"--channel", "NAME", "send it only events with one of these channels; may be repeated; empty: all"}, \
    {"--order", "JSONPATH", "deliver events with one value of this one after the other: '$.data.order_id'; all: all events; empty: no order"}, \
    {"--order-wait", "TIME", "how long one that has failed holds up the next of its key, such as 1h; empty: until it has ended"}, \
    {"--order-batch", "NUMBER", "send up to so many events of one key in one request, as a list, 2 to 100; 1: each alone"}, \
    {"--auth", "FILE", "how its requests show who sends them: JSON such as {\"type\": \"basic\", \"username\": \"u\", \"password\": \"p\"}; - is standard input; empty: nothing"}, \
    {"--tls-certificate", "FILE", "certificate that it shows to a server that asks for one, PEM with its chain; empty: none"}, \
    {"--tls-key", "FILE", "private key of that certificate, PEM without a passphrase; - is standard input; empty: none"}, \
    {"--tls-ca", "FILE", "trust these authorities for it and no others, PEM; empty: those of the installation"}, \
    {"--set", "NAME=JSON", "any other field of the dialect, by its name on the wire; may be repeated"}, \
    DIALECT

static int serve(int argc, char **argv)
{
    return th_serve(argc, argv, NULL);
}

#define SECRET {"--secret-file", "FILE", \
    "the secret; - is standard input; may be repeated, newest first [TENTERHOOK_SECRET]"}
#define OLD_SECRET {"--old-secret-file", "FILE", "a secret that has ended, to say so when a request still uses it"}
#define AS_DIALECT {"--dialect", "NAME", "a built-in dialect, or a file: ./my.yaml (default standard)"}
#define AT_TIME {"--now", "TIME", "verify as if it were this time: RFC 3339, or unix seconds"}
#define WINDOW {"--window", "TIME", "how far the signed time may be away (default 300s; 0: any)"}
#define ENDPOINT_URL {"--endpoint-url", "URL", "the URL as registered, for dialects that sign it"}
#define REQUEST_TEXT \
    "The request is raw HTTP (a request line, headers, an empty line, the body), or JSON with \"headers\" and \"body\" " \
    "or \"body_base64\", or what `tenterhook attempts ID --json` prints. Also: what `curl -v` shows (with the body put " \
    "behind it), a HAR file, ngrok's inspector, a Lambda event."
#define EXPLAIN_TEXT REQUEST_TEXT \
    "\n\nWith --filter it says of each part of the filter whether it is true of the event, and what its paths find; the exit status " \
    "is 0 where the filter matches, 1 where it does not. A file needs no server; of an id the server's event is taken."
#define LISTEN_TEXT \
    "Prints each request. With --verify each is checked against the secret; what fails is explained as " \
    "`tenterhook explain` does and answered with 401 or 400. An event that came before is marked as a repetition. " \
    "--status, --delay, --drip and --fail make it a bad endpoint on purpose."

/* ---- options of single rows ---- */

#define NONE {NULL, NULL, NULL}

static const struct th_cli_option config_show_options[] = {
    {"--origin", NULL, "say for each value where it comes from: flag, environment, file and line, default"},
    NONE,
};
static const struct th_cli_option dev_options[] = {
    AS_DIALECT,
    {"--listen", "ADDR:PORT", "address of the API (default 127.0.0.1:8420, or a free port)"},
    {"--port", "N", "port of the receiver (default: a free one)"},
    {"--data", "DIR", "keep the data here"},
    {"--once", NULL, "end after the first verified delivery"},
    NONE,
};
static const struct th_cli_option send_options[] = {
    {"--sample", NULL, "take the dialect's sample data for this type"},
    {"--set", "PATH=VALUE", "set a member of the data: customer.name=Zoe, items.0.count=2; may be repeated"},
    {"--id", "ID", "your own id for the event; a repetition is refused"},
    {"--idempotency-key", "KEY", "the same key and data again give the first answer and no second event"},
    {"--time", "TIME", "when the event happened (RFC 3339); default: now"},
    {"--resource-type", "TYPE", "the type of the thing that the event is about"},
    {"--resource-id", "ID", "the id of the thing that the event is about"},
    {"--channel", "NAME", "send it to endpoints with this channel, and to endpoints without channels; may be repeated"},
    {"--deliver-at", "TIME", "send it first at this time (RFC 3339), or after so long: 15m, 2h, 3d"},
    {"--expires-at", "TIME", "do not send it any more from this time on, or after so long"},
    {"--wait", NULL, "follow its deliveries until they have ended"},
    {"--timeout", "TIME", "how long --wait waits (default 30s)"},
    DIALECT,
    NONE,
};
static const struct th_cli_option all_options[] = {
    ALL,
    NONE,
};
static const struct th_cli_option endpoints_create_options[] = {
    ENDPOINT_FIELDS,
    NONE,
};
static const struct th_cli_option endpoints_update_options[] = {
    {"--url", "URL", "send to this URL from now on"},
    {"--set-url", "URL", "the former name of --url"},
    ENDPOINT_FIELDS,
    NONE,
};
static const struct th_cli_option yes_options[] = {
    YES,
    NONE,
};
static const struct th_cli_option dialect_options[] = {
    DIALECT,
    NONE,
};
static const struct th_cli_option endpoints_test_options[] = {
    {"--type", "TYPE", "the sample's type; default: the first that the endpoint takes"},
    {"--verbose", NULL, "show request and answer"},
    NONE,
};
static const struct th_cli_option endpoints_health_options[] = {
    {"--state", "STATE", "only endpoints in this state: failing, paused, disabled or active"},
    ALL,
    NONE,
};
static const struct th_cli_option events_list_options[] = {
    {"--type", "TYPE", "only events of this type"},
    OUTCOME,
    STATUS_CODE,
    SINCE,
    UNTIL,
    TESTS,
    CURSOR,
    LIMIT,
    NONE,
};
static const struct th_cli_option events_erase_options[] = {
    {"--cancel", NULL, "cancel the deliveries that have not ended"},
    YES,
    NONE,
};
static const struct th_cli_option deliveries_list_options[] = {
    {"--endpoint", "ID", "only deliveries to this endpoint"},
    {"--event", "ID", "only deliveries of this event"},
    {"--type", "TYPE", "only deliveries of this type"},
    {"--status", "STATUS", "only deliveries in this state: scheduled, pending, retrying, held, delivered, failed or cancelled; may be repeated"},
    OUTCOME,
    STATUS_CODE,
    SINCE,
    UNTIL,
    TESTS,
    CURSOR,
    LIMIT,
    NONE,
};
static const struct th_cli_option attempts_options[] = {
    {"--endpoint", "ID", "only attempts to this endpoint"},
    {"--event", "ID", "only attempts of this event"},
    {"--type", "TYPE", "only attempts of this type"},
    OUTCOME,
    STATUS_CODE,
    TESTS,
    CURSOR,
    LIMIT,
    NONE,
};
static const struct th_cli_option tail_options[] = {
    {"--endpoint", "ID", "only attempts to this endpoint"},
    OUTCOME,
    STATUS_CODE,
    {"--status", "STATUS", "only attempts of deliveries that are now in this state; may be repeated"},
    {"--type", "TYPE", "only attempts of this type"},
    {"--last", "N", "begin with this many earlier attempts (default 10, at most 200)"},
    {"--every", "TIME", "while the server cannot be reached, try again this often (default 1s)"},
    {"--for", "TIME", "end after this time"},
    NONE,
};
static const struct th_cli_option backfill_options[] = {
    {"--since", "TIME", "only events accepted from this time on, as in `tenterhook events` (default: all)"},
    {"--until", "TIME", "only events accepted before this time (default: when the endpoint was made, which is the latest)"},
    {"--type", "TYPE", "only events of this type; may be repeated"},
    {"--dry-run", NULL, "only count, and show the first ones"},
    {"--no-wait", NULL, "start it and return"},
    YES,
    NONE,
};
static const struct th_cli_option replay_start_options[] = {
    {"--since", "TIME", "only from this time on, as in `tenterhook events` (default 24h)"},
    UNTIL,
    {"--status", "STATUS", "only deliveries in this state: delivered, failed or cancelled; may be repeated; default: all three, after a question"},
    {"--type", "TYPE", "only deliveries of this type; may be repeated"},
    {"--dry-run", NULL, "only count"},
    {"--no-wait", NULL, "start it and return"},
    YES,
    NONE,
};
static const struct th_cli_option secrets_rotate_options[] = {
    {"--overlap", "TIME", "how long the old secret stays in use: 0, 24h, until-revoked; default: the dialect's"},
    {"--variant", "NAME", "sign in this variant, such as v1a, from now on; the old secret signs in its own"},
    {"--secret-file", "FILE", "bring your own secret; - is standard input"},
    NONE,
};
static const struct th_cli_option tenants_put_options[] = {
    {"--name", "TEXT", "its name"},
    {"--dialect", "NAME", "the form in which its customers get events"},
    {"--attribute", "NAME=VALUE", "an attribute, for envelope fields of the dialect; may be repeated; replaces all attributes"},
    {"--retention", "TIME", "how long its events are kept, where that is shorter than the installation keeps them: 7d, 36h; 0: as long"},
    {"--allow", "NAME=N", "a limit of its own (`tenants show` names them; 0: no limit); may be repeated; replaces all its own limits"},
    {"--allow-default", NULL, "take away its own limits: those of the installation hold"},
    NONE,
};
static const struct th_cli_option tenants_delete_options[] = {
    {"--erase", NULL, "erase the content of its events at once, too; otherwise it stays until their retention ends"},
    YES,
    NONE,
};
#define OF_TENANT {"--of", "TENANT", "the catalogue of this tenant in place of the installation's"}
static const struct th_cli_option types_list_options[] = {
    OF_TENANT,
    ALL,
    NONE,
};
static const struct th_cli_option types_options[] = {
    OF_TENANT,
    NONE,
};
static const struct th_cli_option types_put_options[] = {
    OF_TENANT,
    {"--description", "TEXT", "what it says; empty: nothing"},
    {"--group", "TEXT", "what it belongs to; empty: nothing"},
    {"--schema", "FILE", "the JSON Schema of its data; - is standard input; empty: none"},
    {"--example", "FILE", "data as an event of this type has it, JSON; empty: none"},
    {"--versions", "FILE", "the list of its versions, the newest first, JSON"},
    {"--validate", "WHAT", "what publishing does with data that does not fit: off, warn, refuse or default"},
    {"--archived", "YES", "yes: not for new subscriptions any more; or no"},
    {"--deprecated", "YES", "yes: nobody should begin to rely on it; or no"},
    NONE,
};
static const struct th_cli_option types_delete_options[] = {
    OF_TENANT,
    YES,
    NONE,
};
static const struct th_cli_option keys_create_options[] = {
    {"--scope", "SCOPE", "of a tenant's key: events:publish, webhooks:read, answers:read or webhooks:manage; may be repeated"},
    {"--description", "TEXT", "of a tenant's key: what it is for"},
    {"--role", "ROLE", "of an operator's key: admin (everything), support (read, retry, replay, test; no secrets, no settings) or read-only"},
    {"--name", "TEXT", "of an operator's key: whose it is; the audit log shows it"},
    {"--expires", "TIME", "when the key ends (RFC 3339)"},
    NONE,
};
static const struct th_cli_option portal_link_options[] = {
    {"--scope", "SCOPE", "what it may do: webhooks:read (default), webhooks:manage or webhooks:secrets; each includes the ones before"},
    {"--expires-in", "TIME", "how long the link waits to be opened (default 15m, at most 7d)"},
    {"--theme", "JSON", "how the portal looks: accent, ground, radius, logo, name, lang, mode"},
    {"--return-url", "URL", "where the portal leads back to, of an origin of the configuration (portal_origins)"},
    NONE,
};
static const struct th_cli_option listen_options[] = {
    {"--port", "N", "listen on this port of loopback (default 8421; 0 takes a free one)"},
    {"--address", "ADDR", "listen on this numeric address (default 127.0.0.1)"},
    {"--verify", "DIALECT", "verify as this dialect, built in or a file, with --secret-file"},
    SECRET,
    OLD_SECRET,
    {"--forward", "URL", "pass each request on to this URL, and answer as that answers"},
    {"--forward-refused", NULL, "pass requests on that do not verify, too"},
    {"--ca-file", "FILE", "PEM certificates to trust for an https --forward"},
    ENDPOINT_URL,
    {"--status", "N", "answer with this status (default 200)"},
    {"--delay", "TIME", "wait before the answer: 500ms, 10s"},
    {"--drip", "TIME", "send the answer byte by byte, this far apart"},
    {"--fail", "PERCENT", "answer 500 to this share of the requests: 30%"},
    {"--count", "N", "end after this many requests; the exit status says whether all verified"},
    {"--headers", NULL, "print all headers"},
    {"--no-body", NULL, "do not print bodies"},
    NONE,
};
static const char sign_text[] =
    "In a dialect that signs whole requests (RFC 9421), --endpoint-url says where the request goes, and all lines of its head are printed: the signature covers "
    "some of them.";
static const struct th_cli_option sign_options[] = {
    AS_DIALECT,
    SECRET,
    {"--id", "ID", "the event's id (default: a new one)"},
    {"--type", "TYPE", "the event's type"},
    {"--delivery-id", "ID", "the delivery's id, if the dialect sends one"},
    {"--endpoint-id", "ID", "the endpoint's id, if the dialect sends one"},
    ENDPOINT_URL,
    {"--method", "METHOD", "of the request, if the dialect signs it (RFC 9421; default: the dialect's)"},
    {"--at", "TIME", "signed at this time: RFC 3339, or unix seconds (default: now)"},
    {"--variant", "N", "which form of signature, from 0"},
    NONE,
};
static const struct th_cli_option verify_options[] = {
    AS_DIALECT,
    SECRET,
    OLD_SECRET,
    AT_TIME,
    WINDOW,
    ENDPOINT_URL,
    NONE,
};
static const char template_text[] =
    "Nothing is stored or sent. `tenterhook endpoints update ID --template FILE` makes an endpoint use it; docs/templates.md describes it.";
static const struct th_cli_option template_options[] = {
    {"--event", "ID", "of this event"},
    {"--data", "FILE", "of data from a file instead"},
    {"--type", "TYPE", "with --data: type of the event"},
    NONE,
};
static const struct th_cli_option events_matches_options[] = {
    {"--endpoint", "ID", "of this endpoint alone"},
    NONE,
};
static const struct th_cli_option explain_options[] = {
    AS_DIALECT,
    SECRET,
    OLD_SECRET,
    AT_TIME,
    WINDOW,
    ENDPOINT_URL,
    {"--filter", "JSONPATH", "say what this filter makes of an event instead: a file with {\"type\":..., \"data\":...}, or an event's id"},
    NONE,
};
static const struct th_cli_option doctor_options[] = {
    {"--send", NULL, "send the endpoint one test delivery, of type webhook.test, also while it is paused or disabled"},
    {"--ready", NULL, "only ask the server whether it accepts events, without a key: status 0 when it does. For health checks of containers"},
    {"--resolve", "NAME", "a name to try the name service with (default example.com)"},
    NONE,
};
static const struct th_cli_option restore_options[] = {
    {"--secret-key-file", "FILE", "the old server's secret.key, to put beside it"},
    NONE,
};
static const struct th_cli_option export_options[] = {
    {"--to", "FILE", "write this file (mode 0600); default: standard output"},
    {"--secrets", NULL, "write the newest secret of each endpoint, too"},
    NONE,
};
static const struct th_cli_option import_options[] = {
    {"--dry-run", NULL, "only say what would be done"},
    NONE,
};
static const struct th_cli_option dialect_list_options[] = {
    DIALECTS,
    NONE,
};
static const struct th_cli_option dialect_show_options[] = {
    DIALECTS,
    {"--yaml", NULL, "print it as a dialect file, with all that it extends"},
    NONE,
};
static const struct th_cli_option migrate_options[] = {
    {"--from", "DIR|URL", "the store that there is: a data directory, or postgres://USER@HOST/DATABASE"},
    {"--to", "URL|DIR", "where it goes: an empty database, or a data directory without one"},
    NONE,
};
static const struct th_cli_option help_options[] = {
    {"--man", NULL, "print a manual page"},
    {"--completion", "SHELL", "print the completion for bash, zsh or fish"},
    {"--write", "DIR", "write all manual pages and completions below this directory"},
    NONE,
};

/* ---- paragraphs of manual pages ---- */

static const char serve_text[] =
    "Runs until SIGTERM or Ctrl-C. SIGHUP reloads configuration and dialects.";
static const char init_text[] =
    "A directory that is there already stays as it is. The key is printed once, and never when you gave one.";
static const char dev_text[] =
    "No account and no configuration: starts a server on a temporary directory, registers an endpoint, "
    "verifies what arrives and prints a curl that works. Everything is removed at the end, unless --data names a "
    "directory.";
static const char send_text[] =
    "The data is the argument, standard input (-), a file (@FILE), or a sample of the dialect's (--sample); "
    "without any it is {}. With --wait the exit status says whether every endpoint got it.";
static const char endpoints_retry_text[] =
    "For the time after an outage: deliveries that wait for another attempt go out now, as fast as the "
    "endpoint's limits allow, and each begins its schedule anew. `tenterhook replay` sends those again that have ended.";
static const char events_erase_text[] =
    "Erases the event's data, the requests and answers of its attempts, and what is kept for repetitions of its "
    "publish. It cannot come back. Earlier backups still have it.";
static const char attempts_text[] =
    "With a delivery: its attempts with request and answer. Without: the attempts of all deliveries, newest "
    "first.";
static const char tail_text[] =
    "Each attempt is one line: first ones, retries, replays and tests, in the order in which they ended, and "
    "none is left out, however many there are and even if the server is restarted meanwhile. On a terminal Enter shows request and "
    "answer of the newest, up and down choose another one, r sends it again, q ends.";
static const char backfill_text[] =
    "For a new endpoint: sends what had been accepted before it was made, as far as its types, channels and "
    "filter take it, oldest first and behind its fresh events, under the ids that the events have. Counts first, asks, then "
    "shows progress; `tenterhook replay show` and `cancel` know the job, too. Once more sends nothing twice.";
static const char replay_start_text[] =
    "Counts first, says how many of the matches had been delivered, asks, then shows progress and the time "
    "that is left. If no state is given, it asks whether those that had been delivered go out again, too. "
    "Deliveries that have not ended are left out: `tenterhook endpoints retry` is for them. Ctrl-C ends the "
    "watching, not the replay.";
static const char doctor_text[] =
    "Without an argument: configuration, permissions, database, disk, clock, name service and the server. With"
    " an endpoint: why it does not receive webhooks, in five checks (accessible, answers 2xx, https, firewall,"
    " active). Nothing is sent to it: its last answer is looked up. With --send it gets one test delivery, "
    "of type webhook.test. With a URL: reachability and certificates only.";
static const char portal_link_text[] =
    "Whoever opens the link first sees the tenant's endpoints, events and deliveries, and may do what its scopes allow. Give it to somebody "
    "who has signed in with you, over https.";
static const char backup_text[] =
    "The copy gets its name when it is on the disk and has been read back whole. The secret key is not in it: keep "
    "that in another place.";
static const char migrate_text[] =
    "Settings, events, deliveries, attempts, keys of repetitions: every table, row by row. No server may use either side, which is "
    "checked. What is stopped or killed goes on where it was when the same command is given again. At the end both sides are read and "
    "compared, and only then can a server use the copy.";
static const char sql_text[] =
    "For the application's database or the one in which the server stores: tenterhook sql | psql DATABASE. It makes the function "
    "tenterhook.publish(), says which rights roles need, and can be run again.";
static const char restore_text[] =
    "Reads all of the file first (pages, tables, what must hold between rows) and tries the secret key on what"
    " is encrypted in it. When it refuses, nothing has been changed.";
static const char export_text[] =
    "For version control, for a second installation, for moving. Values of custom headers are in it; secrets "
    "only with --secrets.";
static const char import_text[] =
    "Tenants are found by id, endpoints by URL. What differs is changed, what is missing is created, and what the "
    "file does not name is left alone. Running it again changes nothing, or finishes what was cut short. With "
    "--dry-run the server checks every row and nothing is changed. At most 64 MiB.";
static const char dialect_show_text[] =
    "With --yaml it is printed as a dialect file that extends nothing: to copy from, and for programs that read one file only.";
static const char dialect_check_text[] =
    "Faults are printed as FILE:LINE: KEY: what.";
static const char dialect_vectors_text[] =
    "docs/dialects.md describes the file. Exit status 1 when a case fails.";
static const char dialect_diff_text[] =
    "Exit status 1 when they differ.";

/* ---- the table ---- */

/* One row a line: name, verb, arguments, help, text; flags, fewest and most arguments; options, functions. */
const struct th_command th_commands[] = {
    {"serve", NULL, "", "run the server", serve_text, CONFIG | TH_CLI_RAW, 0, 0, NULL, NULL, serve},
    {"init", NULL, "", "make the data directory, its keys and the operator's API key, and stop", init_text, CONFIG, 0, 0, NULL, th_cmd_init, NULL},
    {"config", "check", "", "say whether the configuration is valid, without starting", NULL, CONFIG, 0, 0, NULL, th_cmd_config_check, NULL},
    {"config", "show", "", "show the configuration that a server would use", NULL, CONFIG, 0, 0, config_show_options, th_cmd_config_show, NULL},
    {"dev", NULL, "", "try it all on one terminal: server, endpoint, verifying receiver, live tail", dev_text, 0, 0, 0, dev_options, th_cmd_dev, NULL},
    {"send", NULL, "TYPE [JSON|-|@FILE]", "publish one event", send_text, API, 1, 2, send_options, th_cmd_send, NULL},
    {"endpoints", "list", "", "list the tenant's endpoints", NULL, API, 0, 0, all_options, th_cmd_endpoints, NULL},
    {"endpoints", "create", "URL", "register an endpoint and show its secret", NULL, API, 1, 1, endpoints_create_options, th_cmd_endpoint_create, NULL},
    {"endpoints", "show", "ID", "show one endpoint", NULL, API, 1, 1, NULL, th_cmd_endpoint_show, NULL},
    {"endpoints", "update", "ID", "change an endpoint; what is not given stays", NULL, API, 1, 1, endpoints_update_options, th_cmd_endpoint_update, NULL},
    {"endpoints", "delete", "ID", "delete an endpoint and cancel what waits for it", NULL, API, 1, 1, yes_options, th_cmd_endpoint_delete, NULL},
    {"endpoints", "pause", "ID", "hold an endpoint's deliveries", NULL, API, 1, 1, dialect_options, th_cmd_endpoint_pause, NULL},
    {"endpoints", "resume", "ID", "send an endpoint's deliveries again, oldest first; also enables a disabled endpoint", NULL, API, 1, 1, dialect_options, th_cmd_endpoint_resume, NULL},
    {"endpoints", "test", "ID", "send a sample to this endpoint only, and show the result", NULL, API, 1, 1, endpoints_test_options, th_cmd_endpoint_test, NULL},
    {"endpoints", "retry", "ID", "make all deliveries due now that wait for another attempt", endpoints_retry_text, API, 1, 1, NULL, th_cmd_endpoint_retry, NULL},
    {"endpoints", "backfill", "ID", "send events to an endpoint that were accepted before it was made", backfill_text, API, 1, 1, backfill_options, th_cmd_backfill, NULL},
    {"endpoints", "health", "", "show the health of endpoints and how much waits for them; with the operator's key, for all tenants", NULL, API, 0, 0, endpoints_health_options, th_cmd_endpoint_health, NULL},
    {"events", "list", "", "list events, newest first", NULL, API, 0, 0, events_list_options, th_cmd_events, NULL},
    {"events", "show", "ID", "show an event with its data and its deliveries", NULL, API, 1, 1, NULL, th_cmd_event, NULL},
    {"events", "matches", "ID", "say of each endpoint whether an event goes to it, and why not", NULL, API, 1, 1, events_matches_options, th_cmd_event_matches, NULL},
    {"events", "cancel", "ID", "cancel the deliveries of an event that have not ended, also before they are due", NULL, API, 1, 1, NULL, th_cmd_event_cancel, NULL},
    {"events", "erase", "ID", "erase an event's content; the record that it was delivered stays", events_erase_text, API, 1, 1, events_erase_options, th_cmd_event_erase, NULL},
    {"deliveries", "list", "", "list deliveries, newest first", NULL, API, 0, 0, deliveries_list_options, th_cmd_deliveries, NULL},
    {"deliveries", "show", "ID", "show a delivery and the result of each attempt", NULL, API, 1, 1, NULL, th_cmd_delivery, NULL},
    {"deliveries", "retry", "ID", "make one attempt now, whatever the state", NULL, API, 1, 1, NULL, th_cmd_delivery_retry, NULL},
    {"deliveries", "cancel", "ID", "cancel a delivery that has not ended", NULL, API, 1, 1, NULL, th_cmd_delivery_cancel, NULL},
    {"attempts", NULL, "[DELIVERY]", "show a delivery's attempts with requests and answers, or list attempts", attempts_text, API, 0, 1, attempts_options, th_cmd_attempts, NULL},
    {"tail", NULL, "", "show every attempt as it ends", tail_text, API, 0, 0, tail_options, th_cmd_tail, NULL},
    {"replay", "start", "ENDPOINT", "send finished deliveries of an endpoint again", replay_start_text, API, 1, 1, replay_start_options, th_cmd_replay, NULL},
    {"replay", "show", "ID", "show the progress of a replay", NULL, API, 1, 1, NULL, th_cmd_replay_show, NULL},
    {"replay", "cancel", "ID", "stop a replay; what it has queued still goes out", NULL, API, 1, 1, NULL, th_cmd_replay_cancel, NULL},
    {"secrets", "show", "ENDPOINT", "show the active secrets of an endpoint, newest first", NULL, API, 1, 1, NULL, th_cmd_secrets, NULL},
    {"secrets", "rotate", "ENDPOINT", "make a new secret beside the old one", NULL, API, 1, 1, secrets_rotate_options, th_cmd_secret_rotate, NULL},
    {"secrets", "revoke", "ENDPOINT", "end the previous secret now", NULL, API, 1, 1, yes_options, th_cmd_secret_revoke, NULL},
    {"nodes", NULL, "", "list the nodes that share the store, and which of them works", NULL, API, 0, 0, all_options, th_cmd_nodes, NULL},
    {"sql", NULL, "", "print the SQL with which applications publish within their own transactions", sql_text, 0, 0, 0, NULL, th_cmd_sql, NULL},
    {"inbox", "list", "", "list the inboxes, and what waits in them", NULL, API, 0, 0, all_options, th_cmd_inboxes, NULL},
    {"inbox", "rejected", "", "list events of inboxes that could not be accepted, and why", NULL, API, 0, 0, all_options, th_cmd_inbox_rejected, NULL},
    {"inbox", "retry", "ID...", "put rejected events into their inbox again", NULL, API, 1, ANY, NULL, th_cmd_inbox_retry, NULL},
    {"inbox", "drop", "ID...", "delete rejected events for good", NULL, API, 1, ANY, yes_options, th_cmd_inbox_drop, NULL},
    {"tenants", "list", "", "list tenants", NULL, API, 0, 0, all_options, th_cmd_tenants, NULL},
    {"tenants", "show", "ID", "show one tenant, with what it uses and its limits", NULL, API, 1, 1, NULL, th_cmd_tenant_show, NULL},
    {"tenants", "put", "ID", "create or change a tenant under your own id", NULL, API, 1, 1, tenants_put_options, th_cmd_tenant_put, NULL},
    {"tenants", "delete", "ID", "delete a tenant with its endpoints and keys", NULL, API, 1, 1, tenants_delete_options, th_cmd_tenant_delete, NULL},
    {"event-types", "list", "", "list the event types of the catalogue", NULL, API, 0, 0, types_list_options, th_cmd_types, NULL},
    {"event-types", "show", "TYPE", "show one event type, with schema, example and versions", NULL, API, 1, 1, types_options, th_cmd_type_show, NULL},
    {"event-types", "put", "TYPE", "create or change an event type; what is left out keeps its value", NULL, API, 1, 1, types_put_options, th_cmd_type_put, NULL},
    {"event-types", "delete", "TYPE", "take an event type out of the catalogue", NULL, API, 1, 1, types_delete_options, th_cmd_type_delete, NULL},
    {"event-types", "usage", "TYPE", "list the endpoints that take an event type, each with the version that it gets", NULL, API, 1, 1, all_options, th_cmd_type_usage, NULL},
    {"keys", "list", "[TENANT]", "list a tenant's keys, or without TENANT operators' keys; never their text", NULL, API, 0, 1, all_options, th_cmd_keys, NULL},
    {"keys", "create", "[TENANT]", "make a key for a tenant, or without TENANT for an operator; printed once, on standard output only", NULL, API, 0, 1, keys_create_options, th_cmd_key_create, NULL},
    {"keys", "delete", "[TENANT] KEY", "end a tenant's key now, or without TENANT an operator's", NULL, API, 1, 2, yes_options, th_cmd_key_delete, NULL},
    {"portal-link", NULL, "TENANT", "make a link that opens the portal for a tenant, once; printed on standard output only", portal_link_text, API, 1, 1, portal_link_options, th_cmd_portal_link, NULL},
    {"template", NULL, "FILE|-", "show the body that a template makes of an event", template_text, API, 1, 1, template_options, th_cmd_template, NULL},
    {"listen", NULL, "", "receive webhooks here, verify them, and say why when one does not verify", LISTEN_TEXT, 0, 0, 0, listen_options, th_cmd_listen, NULL},
    {"sign", NULL, "[BODY-FILE|-]", "sign a body and print the headers that go with it", sign_text, 0, 0, 1, sign_options, th_cmd_sign, NULL},
    {"verify", NULL, "[REQUEST-FILE|-]", "verify a saved request; the exit status is the answer", REQUEST_TEXT, 0, 0, 1, verify_options, th_cmd_verify, NULL},
    {"explain", NULL, "[REQUEST-FILE|EVENT|-]", "say why a saved request does not verify, step by step, with the bytes; or what a filter makes of an event", EXPLAIN_TEXT, API, 0, 1, explain_options, th_cmd_explain, NULL},
    {"doctor", NULL, "[ENDPOINT|URL]", "look for what is wrong, and say what to do", doctor_text, API | CONFIG, 0, 1, doctor_options, th_cmd_doctor, NULL},
    {"backup", NULL, "FILE", "copy the database as it is at one moment, while the server runs", backup_text, CONFIG, 1, 1, NULL, th_cmd_backup, NULL},
    {"restore", NULL, "FILE", "put a backup into a data directory that has no database", restore_text, CONFIG, 1, 1, restore_options, th_cmd_restore, NULL},
    {"migrate", NULL, "", "move everything from a data directory into a PostgreSQL database, or back", migrate_text, CONFIG, 0, 0, migrate_options, th_cmd_migrate, NULL},
    {"export", NULL, "[TENANT...]", "write tenants and endpoints as YAML", export_text, API, 0, ANY, export_options, th_cmd_export, NULL},
    {"import", NULL, "FILE|-", "create and change tenants and endpoints as a YAML file says", import_text, API, 1, 1, import_options, th_cmd_import, NULL},
    {"dialect", "list", "", "list the dialects that would be loaded", NULL, 0, 0, 0, dialect_list_options, th_cmd_dialect_list, NULL},
    {"dialect", "show", "NAME|FILE", "show every value of a dialect, defaults included", dialect_show_text, 0, 1, 1, dialect_show_options, th_cmd_dialect_show, NULL},
    {"dialect", "check", "FILE...", "say whether dialect files are valid", dialect_check_text, 0, 1, ANY, NULL, th_cmd_dialect_check, NULL},
    {"dialect", "vectors", "FILE...", "run vectors: check that inputs give exactly the expected requests", dialect_vectors_text, 0, 1, ANY, dialect_list_options, th_cmd_dialect_vectors, NULL},
    {"dialect", "diff", "A B", "compare the values of two dialects, by name or file", dialect_diff_text, 0, 2, 2, dialect_list_options, th_cmd_dialect_diff, NULL},
    {"version", NULL, "", "print the version", NULL, 0, 0, 0, NULL, th_cmd_version, NULL},
    {"help", NULL, "[COMMAND [VERB]]", "list the commands, or describe one", NULL, 0, 0, 2, help_options, th_cmd_help, NULL},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, NULL},
};
/* clang-format on */

const struct th_command *th_command_find(const char *name, const char *verb)
{
    for (const struct th_command *c = th_commands; c->name; c++)
        if (strcmp(c->name, name) == 0 && (!verb || (c->verb && strcmp(c->verb, verb) == 0)))
            return c;
    return NULL;
}
