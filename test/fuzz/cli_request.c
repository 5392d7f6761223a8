/* Saved requests of any bytes, as `verify` and `explain` take them, against every dialect: read or refused with
 * a message, and what is explained is JSON that agrees with the verdict. */
#include "cli/cli_request.h"
#include "fuzz.h"
#include <sys/mman.h>
#include <unistd.h>

static struct th_receiver receivers[32];
static unsigned count;

static void prepare(void)
{
    static const char *const secrets[] = {"MDEyMzQ1Njc4OWFiY2RlZg==",
                                          "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"};
    const char *name;

    stderr = fopen("/dev/null", "w"); /* where messages go; libFuzzer has its own stream */
    must(stderr != NULL);
    for (; (name = tenterhook_dialect_at(count)) != NULL; count++) {
        struct th_receiver *r = &receivers[count];
        bool ok = false;

        must(count < 32 && tenterhook_scheme_find(name, &r->scheme) == TENTERHOOK_OK);
        r->dialect = name;
        r->secret_count = 1;
        for (unsigned i = 0; i < 2 && !ok; i++) {
            struct tenterhook_span secret = tenterhook_str(secrets[i]);

            th_buf_init(&r->secret[0], 256);
            th_buf_str(&r->secret[0], secrets[i]);
            ok = tenterhook_verifier_init(&r->verifier, &r->scheme, &secret, 1, NULL) == TENTERHOOK_OK;
            if (!ok)
                th_buf_fini(&r->secret[0]);
        }
        must(ok);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static struct th_saved_request request; /* large */
    static const struct th_command command = {.name = "explain"};
    struct fuzz f = fuzz_begin(data, size);
    unsigned which = fuzz_byte(&f);
    struct th_cli cli = {.command = &command};
    struct th_buf json;
    struct th_json root, ok;
    char path[64];

    if (fd < 0) {
        prepare();
        fd = memfd_create("request", 0);
        must(fd >= 0);
    }
    must(ftruncate(fd, 0) == 0 && pwrite(fd, f.p, f.n, 0) == (ssize_t)f.n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    th_arena_init(&cli.mem, 64u << 20);
    th_buf_init(&json, 16u << 20);
    if (th_request_read(&cli, path, &request) == TH_EXIT_OK && is_sample(data, size, 16)) {
        enum tenterhook_result result =
            th_explain(&cli, &receivers[which % count], &request, 1700000000, &json);

        must(!json.failed && th_json_parse(th_buf_view(&json), TH_JSON_DEPTH, &root, NULL) == TH_OK);
        must(th_json_member(root, TH_LIT("ok"), &ok));
        must(ok.type == (result == TENTERHOOK_OK ? TH_JSON_TRUE : TH_JSON_FALSE));
    }
    th_buf_fini(&json);
    th_arena_fini(&cli.mem);
    return 0;
}
