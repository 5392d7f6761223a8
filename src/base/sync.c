/* Makes the names of files durable: a synced file whose folder was not synced may be gone after a power cut. */
#include "base/sync.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool th_sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];
    int n = slash == path ? snprintf(folder, sizeof folder, "/")
            : slash       ? snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path)
                          : snprintf(folder, sizeof folder, ".");
    int fd, error;

    if (n < 0 || (size_t)n >= sizeof folder) {
        errno = ENAMETOOLONG;
        return false;
    }
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    error = fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP ? 0 : errno;
    close(fd);
    errno = error;
    return !error;
}
