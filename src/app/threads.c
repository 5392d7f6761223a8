/* The number of threads: the configured one, else one less than there are processors for this process.
 *
 * One processor is left to the store's writer, which takes about a third of the process's time at saturation: where both share one,
 * more threads only wake each other (docs/decisions/0003-threads.md).
 *
 * The processors are those that the process may be scheduled on, which `taskset`, a container and systemd's CPUAffinity= set;
 * and no more than the quota of its control group allows (docker's --cpus, systemd's CPUQuota=), since more threads than that would
 * only wait for each other. Only the quota of the group itself counts, which a container sees at the root of
 * its own file system, and not those of the groups above. A quota of half a processor is one thread. */
#include "app/threads.h"
#include "base/span.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>

static unsigned allowed(void)
{
    cpu_set_t set;
    int n;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    n = CPU_COUNT(&set);
    return n > 0 ? (unsigned)n : 1;
}

unsigned th_app_threads_quota(struct th_span cpu_max, unsigned all)
{
    struct th_span period = th_span_trim(cpu_max), quota = th_span_cut(&period, ' ');
    uint64_t us, every_us, whole;

    if (!th_span_u64(quota, INT64_MAX, &us) || !th_span_u64(th_span_trim(period), INT64_MAX, &every_us) ||
        !every_us)
        return all;
    whole = us / every_us;
    return whole < 1 ? 1 : whole < all ? (unsigned)whole : all;
}

/* The line of a file; false: there is none. */
static bool first_line(const char *path, char *line, size_t size)
{
    FILE *f = fopen(path, "re");
    bool ok = f && fgets(line, (int)size, f);

    if (f)
        fclose(f);
    if (ok)
        line[strcspn(line, "\n")] = 0;
    return ok;
}

/* The quota of this process's group: "0::/PATH" in /proc/self/cgroup is below /sys/fs/cgroup. */
static unsigned within_quota(unsigned all)
{
    char group[512], path[600], line[64];

    if (!first_line("/proc/self/cgroup", group, sizeof group) || strncmp(group, "0::/", 4) != 0)
        return all;
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", strcmp(group + 3, "/") == 0 ? "" : group + 3);
    return first_line(path, line, sizeof line) ? th_app_threads_quota(th_str(line), all) : all;
}

unsigned th_app_threads(const struct th_settings *settings)
{
    const struct th_value *v = &settings->v[TH_O_THREADS];
    unsigned n;

    if (settings->v[TH_O_STORE].text && strcmp(settings->v[TH_O_STORE_SHARE].text, "on") == 0)
        return 1; /* th_app_wait_for_store refuses more */
    if (v->number)
        return (unsigned)v->number;
    n = within_quota(allowed());
    if (n > 1)
        n--;
    return n < TH_APP_THREADS_DEFAULT ? n : TH_APP_THREADS_DEFAULT;
}
