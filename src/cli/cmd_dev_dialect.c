/* The server of `dev` gets its dialect from a directory if the built-in one will not do: for a file of the
 * user's, and for a dialect that requires https everywhere. The receiver of `dev` speaks http on loopback, so
 * this requirement is left out of the copy; everything else stays unchanged. */
#include "cli/cli.h"
#include "cli/cmd_dev.h"
#include "options/embedded.h"
#include <sys/stat.h>

static struct th_span built_in(const char *name)
{
    for (const struct th_embedded *e = th_embedded_dialects; e->name; e++)
        if (strcmp(e->name, name) == 0)
            return th_span(e->text, e->len);
    return TH_LIT("");
}

static bool without_https(struct th_span text, struct th_buf *out)
{
    static const char wish[] = "https: always";
    const char *at;
    bool found = false;

    while ((at = memmem(text.p, text.n, wish, sizeof wish - 1)) != NULL) {
        size_t before = (size_t)(at - text.p);
        th_buf_span(out, th_span(text.p, before));
        th_buf_str(out, "https: any");
        text = th_span(at + sizeof wish - 1, text.n - before - (sizeof wish - 1));
        found = true;
    }
    th_buf_span(out, text);
    return found;
}

/* A file is known to the server by its base name. */
static const char *base_name(struct th_cli *cli, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);

    return th_cli_text(cli, th_span(name, n > 5 && strcmp(name + n - 5, ".yaml") == 0 ? n - 5 : n));
}

static int write_copy(struct th_cli *cli, const struct th_dev_dialect *dialect, const struct th_buf *text)
{
    const char *path = th_cli_printf(cli, "%s/%s.yaml", dialect->directory, dialect->name);
    FILE *f = !text->failed && mkdir(dialect->directory, 0700) == 0 ? fopen(path, "we") : NULL;
    bool ok = f && fwrite(text->p, 1, text->n, f) == text->n;

    ok = (!f || fclose(f) == 0) && ok;
    return ok ? TH_EXIT_OK : th_cli_fail(cli, TH_EXIT_OUTPUT, "%s: cannot be written", path);
}

const char *th_dev_quotable(struct th_cli *cli, const char *json)
{
    const char *text;
    struct th_buf out;

    th_buf_init(&out, strlen(json) * 6 + 16);
    for (; *json; json++)
        if (*json == '\'')
            th_buf_str(&out, "\\u0027");
        else
            th_buf_char(&out, *json);
    text = th_cli_text(cli, th_buf_view(&out));
    th_buf_fini(&out);
    return text;
}

int th_dev_dialect(struct th_cli *cli, const char *dir, struct th_span own, struct th_dev_dialect *dialect)
{
    struct th_buf text;
    int status = TH_EXIT_OK;

    th_buf_init(&text, 2u << 20);
    dialect->https_waived = without_https(own.n ? own : built_in(dialect->name), &text);
    dialect->own = own.n;
    if (own.n)
        dialect->name = base_name(cli, dialect->name);
    if (own.n || dialect->https_waived) {
        dialect->directory = th_cli_printf(cli, "%s/dialects", dir);
        status = write_copy(cli, dialect, &text);
    }
    th_buf_fini(&text);
    return status;
}
