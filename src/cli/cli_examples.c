/* The groups in the list of commands, and an example of each command. These are separate tables because the
 * rows of commands are long already. A test checks that each command has a row. */
#include "cli/cli.h"
#include "cli/cli_help.h"

/* clang-format off */
const struct th_group th_groups[] = {
    {"start here", "dev send listen doctor help"},
    {"endpoints, and what they got", "endpoints secrets events deliveries attempts tail replay"},
    {"for a receiver's developer", "sign verify explain template"},
    {"tenants and keys", "tenants keys portal-link event-types"},
    {"running the server", "serve init config nodes sql inbox backup restore migrate export import"},
    {"vendors' forms", "dialect version"},
    {NULL, NULL},
};

static const struct {
    const char *command, *example;
} examples[] = {
    {"serve", "tenterhook serve --environment development --data ./data"},
    {"init", "tenterhook init --data /var/lib/tenterhook"},
    {"config check", "tenterhook config check --config /etc/tenterhook/tenterhook.yaml"},
    {"config show", "tenterhook config show --origin"},
    {"dev", "tenterhook dev --dialect standard"},
    {"send", "tenterhook send order.created '{\"order\":17}' --wait"},
    {"endpoints list", "tenterhook endpoints"},
    {"endpoints create", "tenterhook endpoints create https://shop.example/hook --event 'order.*'"},
    {"endpoints show", "tenterhook endpoints show we_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"endpoints update", "tenterhook endpoints update we_01M7X22X2G2RSS9YF9GYP3Z53C --url https://shop.example/new --timeout 10"},
    {"endpoints delete", "tenterhook endpoints delete we_01M7X22X2G2RSS9YF9GYP3Z53C --yes"},
    {"endpoints pause", "tenterhook endpoints pause we_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"endpoints resume", "tenterhook endpoints resume we_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"endpoints test", "tenterhook endpoints test we_01M7X22X2G2RSS9YF9GYP3Z53C --verbose"},
    {"endpoints health", "tenterhook endpoints health --state failing"},
    {"endpoints retry", "tenterhook endpoints retry we_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"events list", "tenterhook events --type order.paid --since yesterday"},
    {"events show", "tenterhook events show msg_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"events matches", "tenterhook events matches msg_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"events cancel", "tenterhook events cancel msg_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"events erase", "tenterhook events erase msg_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"deliveries list", "tenterhook deliveries --status failed --status retrying --since 14:00"},
    {"deliveries show", "tenterhook deliveries show dlv_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"deliveries cancel", "tenterhook deliveries cancel dlv_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"deliveries retry", "tenterhook deliveries retry dlv_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"attempts", "tenterhook attempts --outcome timeout --limit 100"},
    {"tail", "tenterhook tail --endpoint we_01M7X22X2G2RSS9YF9GYP3Z53C --outcome failed_status"},
    {"endpoints backfill", "tenterhook endpoints backfill we_01M7X22X2G2RSS9YF9GYP3Z53C --since 7d --dry-run"},
    {"replay start", "tenterhook replay we_01M7X22X2G2RSS9YF9GYP3Z53C --since 24h --status failed"},
    {"replay show", "tenterhook replay show rpl_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"replay cancel", "tenterhook replay cancel rpl_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"secrets show", "tenterhook secrets show we_01M7X22X2G2RSS9YF9GYP3Z53C --field secret"},
    {"secrets rotate", "tenterhook secrets rotate we_01M7X22X2G2RSS9YF9GYP3Z53C --overlap 24h"},
    {"secrets revoke", "tenterhook secrets revoke we_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"nodes", "tenterhook nodes"},
    {"migrate", "tenterhook migrate --from /var/lib/tenterhook --to 'postgres://tenterhook@db.internal/tenterhook'"},
    {"sql", "tenterhook sql > inbox.sql"},
    {"inbox list", "tenterhook inbox"},
    {"inbox rejected", "tenterhook inbox rejected"},
    {"inbox retry", "tenterhook inbox retry 1-4711"},
    {"inbox drop", "tenterhook inbox drop 1-4711 --yes"},
    {"event-types list", "tenterhook event-types"},
    {"event-types show", "tenterhook event-types show order.paid"},
    {"event-types put", "tenterhook event-types put order.paid --schema order.json --validate refuse"},
    {"event-types delete", "tenterhook event-types delete order.paid"},
    {"event-types usage", "tenterhook event-types usage order.paid"},
    {"tenants list", "tenterhook tenants"},
    {"tenants show", "tenterhook tenants show acme"},
    {"tenants put", "tenterhook tenants put acme --name \"Acme Inc.\" --dialect standard"},
    {"tenants delete", "tenterhook tenants delete acme"},
    {"keys list", "tenterhook keys list acme"},
    {"keys create", "tenterhook keys create acme --scope events:publish > acme.key"},
    {"keys delete", "tenterhook keys delete acme key_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"portal-link", "tenterhook portal-link acme --scope webhooks:manage"},
    {"listen", "tenterhook listen --port 8421 --verify standard --secret-file secret"},
    {"sign", "tenterhook sign body.json --secret-file secret"},
    {"verify", "tenterhook verify request --secret-file secret"},
    {"explain", "tenterhook attempts dlv_01M7X22X2G2RSS9YF9GYP3Z53C --json | tenterhook explain --secret-file secret"},
    {"template", "tenterhook template thin.json --event msg_01M7X22X2G2RSS9YF9GYP3Z53C"},
    {"doctor", "tenterhook doctor we_01M7X22X2G2RSS9YF9GYP3Z53C --send"},
    {"backup", "tenterhook backup /backup/tenterhook.db --data /var/lib/tenterhook"},
    {"restore", "tenterhook restore /backup/tenterhook.db --data ./restored --secret-key-file secret.key"},
    {"export", "tenterhook export --to all.yaml"},
    {"import", "tenterhook import all.yaml --dry-run"},
    {"dialect list", "tenterhook dialect list"},
    {"dialect show", "tenterhook dialect show standard"},
    {"dialect check", "tenterhook dialect check ./my.yaml"},
    {"dialect vectors", "tenterhook dialect vectors my-vectors.json --dialects ."},
    {"dialect diff", "tenterhook dialect diff standard ./my.yaml"},
    {"version", "tenterhook version --json"},
    {"help", "tenterhook help endpoints create"},
};
/* clang-format on */

const char *th_help_example(const struct th_command *c)
{
    char name[80];

    snprintf(name, sizeof name, "%s%s%s", c->name, c->verb ? " " : "", c->verb ? c->verb : "");
    for (unsigned i = 0; i < sizeof examples / sizeof examples[0]; i++)
        if (strcmp(examples[i].command, name) == 0)
            return examples[i].example;
    return NULL;
}
