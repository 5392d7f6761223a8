/* The functions of the commands, for the table, and functions that the files of commands share. Each th_cmd_*
 * of the table returns an exit status. */
#ifndef TH_CLI_CMD_H
#define TH_CLI_CMD_H
#include "cli/cli.h"

int th_cmd_help(struct th_cli *cli);
int th_cmd_send(struct th_cli *cli);
int th_cmd_events(struct th_cli *cli);
int th_cmd_event(struct th_cli *cli);
int th_cmd_deliveries(struct th_cli *cli);
int th_cmd_delivery(struct th_cli *cli);
int th_cmd_delivery_retry(struct th_cli *cli);
int th_cmd_attempts(struct th_cli *cli);
int th_cmd_endpoints(struct th_cli *cli);
int th_cmd_endpoint_health(struct th_cli *cli);
int th_cmd_endpoint_create(struct th_cli *cli);
int th_cmd_endpoint_show(struct th_cli *cli);
int th_cmd_endpoint_update(struct th_cli *cli);
int th_cmd_endpoint_delete(struct th_cli *cli);
int th_cmd_endpoint_pause(struct th_cli *cli);
int th_cmd_endpoint_resume(struct th_cli *cli);
int th_cmd_endpoint_test(struct th_cli *cli);
int th_cmd_endpoint_retry(struct th_cli *cli);
int th_cmd_event_erase(struct th_cli *cli);
int th_cmd_event_cancel(struct th_cli *cli);
int th_cmd_delivery_cancel(struct th_cli *cli);
int th_cmd_secrets(struct th_cli *cli);
int th_cmd_secret_rotate(struct th_cli *cli);
int th_cmd_secret_revoke(struct th_cli *cli);
int th_cmd_nodes(struct th_cli *cli);
int th_cmd_sql(struct th_cli *cli);
int th_cmd_migrate(struct th_cli *cli);
int th_cmd_inboxes(struct th_cli *cli);
int th_cmd_inbox_rejected(struct th_cli *cli);
int th_cmd_inbox_retry(struct th_cli *cli);
int th_cmd_inbox_drop(struct th_cli *cli);
int th_cmd_types(struct th_cli *cli);
int th_cmd_type_show(struct th_cli *cli);
int th_cmd_type_put(struct th_cli *cli);
int th_cmd_type_delete(struct th_cli *cli);
int th_cmd_type_usage(struct th_cli *cli);
int th_cmd_tenants(struct th_cli *cli);
int th_cmd_tenant_show(struct th_cli *cli);
int th_cmd_tenant_put(struct th_cli *cli);
int th_cmd_tenant_delete(struct th_cli *cli);
int th_cmd_keys(struct th_cli *cli);
int th_cmd_key_create(struct th_cli *cli);
int th_cmd_key_delete(struct th_cli *cli);
int th_cmd_portal_link(struct th_cli *cli);
int th_cmd_replay(struct th_cli *cli);
int th_cmd_backfill(struct th_cli *cli);
int th_cmd_replay_show(struct th_cli *cli);
int th_cmd_replay_cancel(struct th_cli *cli);
int th_cmd_dev(struct th_cli *cli);
int th_cmd_tail(struct th_cli *cli);
int th_cmd_backup(struct th_cli *cli);
int th_cmd_restore(struct th_cli *cli);
int th_cmd_init(struct th_cli *cli);
int th_cmd_config_check(struct th_cli *cli);
int th_cmd_config_show(struct th_cli *cli);
int th_cmd_doctor(struct th_cli *cli);
int th_cmd_export(struct th_cli *cli);
int th_cmd_import(struct th_cli *cli);
int th_cmd_listen(struct th_cli *cli);
int th_cmd_sign(struct th_cli *cli);
int th_cmd_verify(struct th_cli *cli);
int th_cmd_explain(struct th_cli *cli);
int th_cmd_explain_filter(struct th_cli *cli); /* explain --filter */
int th_cmd_event_matches(struct th_cli *cli);
int th_cmd_template(struct th_cli *cli);
int th_cmd_dialect_list(struct th_cli *cli);
int th_cmd_dialect_show(struct th_cli *cli);
int th_cmd_dialect_check(struct th_cli *cli);
int th_cmd_dialect_vectors(struct th_cli *cli);
int th_cmd_dialect_diff(struct th_cli *cli);
int th_cmd_version(struct th_cli *cli);

/** Reads the dialect of the acting tenant, as GET /v1/dialects/{name} shows it: --dialect, else (with
 * the operator's key) the tenant's own, else "standard". Exit status; `answer` is the caller's to free. */
int th_cmd_dialect_of(struct th_cli *cli, struct th_answer *answer);
/** Does the same for the tenant that has the endpoint `id`. Without --tenant this tenant is found by the id,
 * and is the acting one for the requests that follow. */
int th_cmd_dialect_at(struct th_cli *cli, const char *id, struct th_answer *answer);
/** Wire name of a native endpoint field in a dialect ("url" -> "callbackUrl"). */
const char *th_cmd_wire(struct th_cli *cli, struct th_json dialect, const char *native);
/** Prints a delivery (as the API shows it) with its attempts: requests and answers. */
void th_cmd_print_delivery(struct th_cli *cli, struct th_json delivery, bool bodies);
/** With --json: prints the JSON value of an answer. Returns false without it. */
bool th_cmd_json(struct th_cli *cli, const struct th_answer *answer);
#define TH_LIST_ROWS 20     /* default --limit for lists of events and deliveries */
#define TH_LIST_THINGS 1000 /* default --limit for lists of endpoints, tenants and keys */
/** A list that is printed: as a table, or with --json as {"data": [...]}. */
struct th_cmd_list {
    const char *path;
    const char *const *heads; /* of `columns` */
    unsigned columns;
    void (*row)(void *ctx, struct th_json row); /* adds the cells of one; ctx is the struct th_columns */
    const char *none;                           /* printed when the list is empty */
    int64_t most;                               /* number of rows when --limit is not given */
};
int th_cmd_list(struct th_cli *cli, const struct th_cmd_list *list);
#endif
