/* Configuration files of any bytes: read, or refused with a reason; numbers are within what the table allows. */
#include "fuzz.h"
#include "options/options.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory, and its path. */
static int file(char path[64])
{
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("config", 0);
    must(fd >= 0);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], flag[] = "--config", why[600] = "";
    int fd = file(path);
    char *argv[] = {flag, path, NULL};
    struct th_settings s;

    must(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    if (th_options_read(2, argv, &s, why, sizeof why)) {
        must(why[0] != 0);
        return 0;
    }
    for (unsigned i = 0; i < TH_O_COUNT; i++) {
        const struct th_option *o = &th_options[i];
        const struct th_value *v = &s.v[i];

        if ((o->kind == TH_OPT_NUMBER || o->kind == TH_OPT_DURATION) && v->text)
            must(v->number >= o->lowest && v->number <= o->highest);
        for (unsigned k = 0; k < v->count && o->kind == TH_OPT_LIST; k++)
            must(v->list[k] != NULL);
        for (unsigned k = 0; k < v->count && o->kind == TH_OPT_MAP; k++)
            must(v->map[k].name && v->map[k].value);
    }
    th_options_fini(&s);
    return 0;
}
