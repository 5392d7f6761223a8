/* What export and import share: lists of the API that are kept, and which members are whose. */
#ifndef TH_CLI_CMD_TRANSFER_H
#define TH_CLI_CMD_TRANSFER_H
#include "cli/cli.h"
#include "core/dialect.h"

/** What a file may have; about 100,000 endpoints. Its tree of values may take TH_TRANSFER_TREE. */
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
/** The endpoints of a tenant; it is the acting one from then on. Oldest first. */
int th_rows_endpoints(struct th_cli *cli, const char *tenant, struct th_rows *out);

bool th_transfer_member(struct th_json v, const char *name, struct th_json *out);
/** A member that the server makes, or that is kept elsewhere. */
bool th_transfer_own(struct th_json key);

/** Members of `want` that `have` lacks or has otherwise, as an object in cli->mem; their names and number. Values
 * differ by what they mean: 2.50 is 2.5, and members may stand in any order. */
struct th_span th_transfer_differing(struct th_cli *cli, struct th_json want, struct th_json have,
                                     const char **names, unsigned *count);

/** Another arena for what follows, and back; what was made in it is gone then. */
struct th_arena th_transfer_begin(struct th_cli *cli, size_t max);
void th_transfer_end(struct th_cli *cli, struct th_arena saved);

/* ---- YAML (cli_yaml.c) ---- */

/** A JSON value as YAML on one line; any text comes back as it was. */
void th_yaml_write(struct th_buf *out, struct th_json v);
#endif
