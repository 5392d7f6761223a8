/* The lock of a data directory. Only the kernel's lock counts; the number in the file is for people. */
#include "store/store_lock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum th_error st_lock_take(const char *path, int *fd, char *why, size_t why_size)
{
    char text[32];
    ssize_t n;

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*fd < 0) {
        snprintf(why, why_size, "cannot open %s: %s; the data directory must be writable", path,
                 strerror(errno));
        return errno == ENOSPC || errno == EDQUOT ? TH_FULL : TH_IO;
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        n = pread(*fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        snprintf(why, why_size, "%s is held by process %s; stop that process or use another data directory",
                 path, text[0] ? text : "(unknown)");
        close(*fd);
        *fd = -1;
        return TH_CONFLICT;
    }
    n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(*fd, 0) != 0 || pwrite(*fd, text, (size_t)n, 0) != n) {
        /* the lock holds without the text: a full disk must not keep the process from starting */
        text[0] = '\0';
    }
    return TH_OK;
}
