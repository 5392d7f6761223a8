/* Time for commands: how long something takes, and waiting. */
#include "cli/cli_clock.h"
#include <stdio.h>
#include <time.h>

int64_t th_cli_clock_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void th_cli_clock_sleep(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    fflush(stdout);
    nanosleep(&t, NULL);
}
