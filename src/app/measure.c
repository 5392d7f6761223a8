/* Size of the database, room on its disk, the certificate's end, and the process itself. What cannot be measured keeps its
 * last value. */
#include "app/measure.h"
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static int64_t size_of(const char *dir, const char *name)
{
    char path[4096];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);

    return n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void measure_data(struct th_metrics *m, const char *dir)
{
    struct statvfs fs;

    th_gauge_set(m, TH_G_STORE_BYTES, size_of(dir, "tenterhook.db") + size_of(dir, "tenterhook.db-wal"));
    if (statvfs(dir, &fs) == 0)
        th_gauge_set(m, TH_G_STORE_FREE, (int64_t)(fs.f_bavail * fs.f_frsize));
}

static void measure_process(struct th_metrics *m)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long size, resident;

    if (!f)
        return;
    if (fscanf(f, "%llu %llu", &size, &resident) == 2)
        th_gauge_set(m, TH_G_RESIDENT_BYTES, (int64_t)resident * sysconf(_SC_PAGESIZE));
    fclose(f);
}

void th_measure_start(struct th_metrics *m)
{
    th_gauge_set(m, TH_G_BUILD, 1);
    th_gauge_set(m, TH_G_START_TIME, (int64_t)time(NULL));
}

void th_measure(struct th_metrics *m, const struct th_live *live)
{
    int64_t now_s = (int64_t)time(NULL);

    measure_data(m, live->settings.v[TH_O_DATA].text);
    measure_process(m);
    th_gauge_set(m, TH_G_TLS_EXPIRY,
                 live->identity ? now_s + th_tls_identity_left_s(live->identity, now_s) : 0);
}
