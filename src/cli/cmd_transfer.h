/* Functions that export and import share: lists of the API that are kept in memory, and which members are compared. */
#ifndef TH_CLI_CMD_TRANSFER_H
#define TH_CLI_CMD_TRANSFER_H
#include "cli/cli.h"
#include "core/dialect.h"

/** Most bytes of a file; enough for about 100,000 endpoints. Its tree of values may take TH_TRANSFER_TREE. */
#define TH_TRANSFER_MAX ((size_t)64 << 20)
#define TH_TRANSFER_TREE ((size_t)1 << 30)
/** Memory for the rows of one tenant, and for the work on one object. */
#define TH_TRANSFER_ROWS ((size_t)1 << 30)
#define TH_TRANSFER_WORK ((size_t)64 << 20)

/** Rows of a list, copied into cli->mem. */
struct th_rows {
    struct th_cli *cli;
    struct th_json *v;
    unsigned count, cap;
    bool failed;
};
int th_rows_read(struct th_cli *cli, const char *path, struct th_rows *out);
/** Reads the endpoints of a tenant, oldest first. It is the acting tenant from then on. */
int th_rows_endpoints(struct th_cli *cli, const char *tenant, struct th_rows *out);

bool th_transfer_member(struct th_json v, const char *name, struct th_json *out);
/** True for a member that the server makes, or that is kept elsewhere. */
bool th_transfer_own(struct th_json key);

/** Returns the members of `want` that `have` lacks or has with another value, as an object in cli->mem, with
 * their names and number. Values are compared by meaning: 2.50 equals 2.5, and members may stand in any
 * order. */
struct th_span th_transfer_differing(struct th_cli *cli, struct th_json want, struct th_json have,
                                     const char **names, unsigned *count);

/** `begin` uses another arena for what follows; `end` goes back to the saved one and frees what was made in
 * the other. */
struct th_arena th_transfer_begin(struct th_cli *cli, size_t max);
void th_transfer_end(struct th_cli *cli, struct th_arena saved);

/* ---- YAML (cli_yaml.c) ---- */

/** A JSON value as YAML on one line; any text comes back as it was. */
void th_yaml_write(struct th_buf *out, struct th_json v);
#endif
