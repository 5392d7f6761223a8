/* An SQLite VFS over the system's own that knows what a power cut would leave, for tests. Of each file it keeps what was
 * there at its last sync and what was written since; power_cut() makes the files that are found afterwards: each write that
 * was not synced is there, is not, or is there in part, and a file whose deletion was not synced may be there again. The log's index is in memory and never found. */
#ifndef TH_TEST_POWER_VFS_H
#define TH_TEST_POWER_VFS_H
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POWER_FILES 8
#define POWER_SECTOR 512

struct power_write {
    struct power_write *next;
    sqlite3_int64 at;
    int n; /* -1: truncated to `at` */
    char bytes[];
};

static struct power_file { /* by name: connections share it */
    char name[256];
    char *synced; /* contents at the last sync */
    size_t n;
    struct power_write *first, **last; /* since then */
    unsigned syncs;
    int deleted; /* 1: perhaps, its folder was not synced; 2: for sure */
} power_files[POWER_FILES];
static pthread_mutex_t power_lock = PTHREAD_MUTEX_INITIALIZER;

struct power_handle {
    sqlite3_file base;
    struct power_file *file; /* NULL: not kept */
    sqlite3_file *real;
};

/* The power goes right after so many writes from now on, and what it leaves is put into that folder; 0: not by itself. */
static struct {
    unsigned writes;
    const char *folder;
    uint64_t random;
} power_next_cut;
static void power_cut(const char *folder, uint64_t random);

#define POWER_REAL(f) (((struct power_handle *)(f))->real)

static struct power_file *power_find(const char *name)
{
    for (struct power_file *f = power_files; f < power_files + POWER_FILES; f++) {
        if (!f->name[0])
            snprintf(f->name, sizeof f->name, "%s", name);
        if (strcmp(f->name, name) == 0) {
            if (!f->last)
                f->last = &f->first;
            return f;
        }
    }
    abort();
}

static void power_apply(char **bytes, size_t *n, const struct power_write *w, size_t from, size_t to)
{
    size_t end = (size_t)w->at + to;

    if (w->n < 0) {
        if ((size_t)w->at < *n)
            *n = (size_t)w->at;
        return;
    }
    if (end > *n) {
        *bytes = realloc(*bytes, end);
        memset(*bytes + *n, 0, end - *n);
        *n = end;
    }
    memcpy(*bytes + w->at + from, w->bytes + from, to - from);
}

static void power_note(struct power_file *f, const void *p, int n, sqlite3_int64 at)
{
    struct power_write *w;

    if (!f)
        return;
    w = malloc(sizeof *w + (n > 0 ? (size_t)n : 0));
    *w = (struct power_write){.at = at, .n = n};
    if (n > 0)
        memcpy(w->bytes, p, (size_t)n);
    pthread_mutex_lock(&power_lock);
    f->deleted = 0;
    *f->last = w;
    f->last = &w->next;
    pthread_mutex_unlock(&power_lock);
    if (power_next_cut.writes && --power_next_cut.writes == 0)
        power_cut(power_next_cut.folder, power_next_cut.random);
}

static int power_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    int rc = POWER_REAL(f)->pMethods->xWrite(POWER_REAL(f), p, n, at);

    if (rc == SQLITE_OK)
        power_note(((struct power_handle *)f)->file, p, n, at);
    return rc;
}
static int power_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = POWER_REAL(f)->pMethods->xTruncate(POWER_REAL(f), size);

    if (rc == SQLITE_OK)
        power_note(((struct power_handle *)f)->file, NULL, -1, size);
    return rc;
}
static int power_sync(sqlite3_file *f, int flags)
{
    struct power_file *file = ((struct power_handle *)f)->file;
    int rc = POWER_REAL(f)->pMethods->xSync(POWER_REAL(f), flags);

    if (rc != SQLITE_OK || !file)
        return rc;
    pthread_mutex_lock(&power_lock);
    file->syncs++;
    while (file->first) {
        struct power_write *w = file->first;

        power_apply(&file->synced, &file->n, w, 0, w->n < 0 ? 0 : (size_t)w->n);
        file->first = w->next;
        free(w);
    }
    file->last = &file->first;
    pthread_mutex_unlock(&power_lock);
    return rc;
}

static int power_close(sqlite3_file *f)
{
    return POWER_REAL(f)->pMethods->xClose(POWER_REAL(f));
}
static int power_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return POWER_REAL(f)->pMethods->xRead(POWER_REAL(f), p, n, at);
}
static int power_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return POWER_REAL(f)->pMethods->xFileSize(POWER_REAL(f), size);
}
static int power_lock_file(sqlite3_file *f, int level)
{
    return POWER_REAL(f)->pMethods->xLock(POWER_REAL(f), level);
}
static int power_unlock(sqlite3_file *f, int level)
{
    return POWER_REAL(f)->pMethods->xUnlock(POWER_REAL(f), level);
}
static int power_reserved(sqlite3_file *f, int *out)
{
    return POWER_REAL(f)->pMethods->xCheckReservedLock(POWER_REAL(f), out);
}
static int power_control(sqlite3_file *f, int op, void *arg)
{
    return POWER_REAL(f)->pMethods->xFileControl(POWER_REAL(f), op, arg);
}
static int power_sector(sqlite3_file *f)
{
    return POWER_REAL(f)->pMethods->xSectorSize(POWER_REAL(f));
}
static int power_traits(sqlite3_file *f)
{
    return POWER_REAL(f)->pMethods->xDeviceCharacteristics(POWER_REAL(f));
}
static int power_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return POWER_REAL(f)->pMethods->xShmMap(POWER_REAL(f), page, size, extend, out);
}
static int power_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return POWER_REAL(f)->pMethods->xShmLock(POWER_REAL(f), offset, n, flags);
}
static void power_shm_barrier(sqlite3_file *f)
{
    POWER_REAL(f)->pMethods->xShmBarrier(POWER_REAL(f));
}
static int power_shm_unmap(sqlite3_file *f, int del)
{
    return POWER_REAL(f)->pMethods->xShmUnmap(POWER_REAL(f), del);
}

static const sqlite3_io_methods power_methods = {
    .iVersion = 2,
    .xClose = power_close,
    .xRead = power_read,
    .xWrite = power_write,
    .xTruncate = power_truncate,
    .xSync = power_sync,
    .xFileSize = power_size,
    .xLock = power_lock_file,
    .xUnlock = power_unlock,
    .xCheckReservedLock = power_reserved,
    .xFileControl = power_control,
    .xSectorSize = power_sector,
    .xDeviceCharacteristics = power_traits,
    .xShmMap = power_shm_map,
    .xShmLock = power_shm_lock,
    .xShmBarrier = power_shm_barrier,
    .xShmUnmap = power_shm_unmap,
};

static sqlite3_vfs power_vfs, *power_system;

static int power_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct power_handle *f = (struct power_handle *)file;
    int rc;

    (void)vfs;
    f->real = (sqlite3_file *)(f + 1);
    rc = power_system->xOpen(power_system, name, f->real, flags, out);
    f->base.pMethods = rc == SQLITE_OK ? &power_methods : NULL;
    pthread_mutex_lock(&power_lock);
    f->file = name && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL))
                  ? power_find(name)
                  : NULL;
    pthread_mutex_unlock(&power_lock);
    return rc;
}

static int power_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
    int rc = power_system->xDelete(power_system, name, sync_folder);
    struct power_file *f;

    (void)vfs;
    if (rc != SQLITE_OK)
        return rc;
    pthread_mutex_lock(&power_lock);
    f = power_find(name);
    f->deleted = sync_folder ? 2 : 1;
    if (f->deleted == 2)
        f->n = 0;
    pthread_mutex_unlock(&power_lock);
    return rc;
}

/* Instead of the C library's: a synced folder has lost for good what was deleted in it. */
int fsync(int fd)
{
    struct stat st;
    int rc = (int)syscall(SYS_fsync, fd);

    if (rc != 0 || fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
        return rc;
    pthread_mutex_lock(&power_lock);
    for (struct power_file *f = power_files; f < power_files + POWER_FILES; f++)
        if (f->deleted) {
            f->deleted = 2;
            f->n = 0;
        }
    pthread_mutex_unlock(&power_lock);
    return rc;
}

/** Becomes the VFS of every database that is opened from now on. */
static void power_install(void)
{
    if (power_system)
        return;
    power_system = sqlite3_vfs_find(NULL);
    power_vfs = *power_system;
    power_vfs.zName = "power";
    power_vfs.szOsFile = (int)sizeof(struct power_handle) + power_system->szOsFile;
    power_vfs.xOpen = power_open;
    power_vfs.xDelete = power_delete;
    sqlite3_vfs_register(&power_vfs, 1);
}

/** The system's own VFS again: for looking at what a cut has left. */
static void power_on(void)
{
    sqlite3_vfs_register(power_system, 1);
}
static void power_off(void)
{
    sqlite3_vfs_register(&power_vfs, 1);
}

static void power_forget(void)
{
    for (struct power_file *f = power_files; f < power_files + POWER_FILES; f++) {
        while (f->first) {
            struct power_write *w = f->first;

            f->first = w->next;
            free(w);
        }
        free(f->synced);
        memset(f, 0, sizeof *f);
    }
}

/* A write that was not synced: all of it, some of its sectors, or nothing. */
static void power_leave(char **bytes, size_t *n, const struct power_write *w, uint64_t *random)
{
    unsigned luck = (unsigned)((*random = *random * 6364136223846793005u + 1442695040888963407u) >> 60);

    if (luck < 5)
        return;
    if (luck < 10 || w->n < 0) {
        power_apply(bytes, n, w, 0, w->n < 0 ? 0 : (size_t)w->n);
        return;
    }
    for (size_t at = 0; at < (size_t)w->n; at += POWER_SECTOR) {
        size_t end = at + POWER_SECTOR < (size_t)w->n ? at + POWER_SECTOR : (size_t)w->n;

        *random = *random * 6364136223846793005u + 1442695040888963407u;
        if (*random >> 63)
            power_apply(bytes, n, w, at, end);
    }
}

/** Writes the files as they are found when the power goes now into another folder, by their own names. */
static void power_cut(const char *folder, uint64_t random)
{
    pthread_mutex_lock(&power_lock);
    for (struct power_file *f = power_files; f < power_files + POWER_FILES && f->name[0]; f++) {
        size_t n = f->n;
        char *bytes = malloc(n + 1), path[512];
        int fd;

        random = random * 6364136223846793005u + 1442695040888963407u;
        if (f->deleted == 2 || (f->deleted && random >> 63)) {
            free(bytes);
            continue;
        }
        memcpy(bytes, f->synced ? f->synced : "", n);
        for (struct power_write *w = f->first; w; w = w->next)
            power_leave(&bytes, &n, w, &random);
        snprintf(path, sizeof path, "%s/%s", folder, strrchr(f->name, '/') + 1);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
            abort();
        close(fd);
        free(bytes);
    }
    pthread_mutex_unlock(&power_lock);
}
#endif
