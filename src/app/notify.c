/* Notifications for systemd and whatever speaks its protocol: AF_UNIX, SOCK_DGRAM, a path or an abstract name
 * ("@...").
 *
 * Why by hand: the protocol is one sendto; a library for it would be the only reason to link libsystemd.
 *
 * Refuses: names that do not begin with '/' or '@', other address families (vsock:). Failure: silently
 * nothing, as the protocol asks: a service must run without a manager. The variables are left alone: no child
 * is ever started. */
#include "app/notify.h"
#include "base/span.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void th_notify(const char *lines)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    int fd;

    if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = 0;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&to, size);
    (void)close(fd);
}

void th_notify_reloading(void)
{
    struct timespec now;
    char text[96];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    th_notify(text);
}

uint64_t th_notify_watchdog_ms(void)
{
    const char *pid = getenv("WATCHDOG_PID"), *us = getenv("WATCHDOG_USEC");
    uint64_t v;

    if (pid && (!th_span_u64(th_str(pid), INT64_MAX, &v) || v != (uint64_t)getpid()))
        return 0;
    if (!us || !th_span_u64(th_str(us), INT64_MAX, &v))
        return 0;
    return v == 0 ? 0 : v / 2000 ? v / 2000 : 1;
}
