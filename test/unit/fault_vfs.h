/* An SQLite VFS over the system's own that fails chosen writes and syncs, for tests. One at a time. */
#ifndef TH_TEST_FAULT_VFS_H
#define TH_TEST_FAULT_VFS_H
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum fault_on { FAULT_NOTHING, FAULT_WRITE, FAULT_SYNC };

static struct {
    atomic_int on;        /* enum fault_on */
    atomic_int countdown; /* the call that makes it 0 fails, and all after it */
    atomic_int code;      /* result of a failing call */
    atomic_int hits;
    atomic_int once;        /* only that one call fails */
    atomic_int kills;       /* that call does not fail: the process dies before it */
    const char *only_while; /* fails only while this file exists; NULL: always */
} fault;

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real; /* in the memory behind this struct */
};

#define FAULT_REAL(f) (((struct fault_file *)(f))->real)

static int fault_due(enum fault_on what)
{
    if (atomic_load(&fault.on) != (int)what || (fault.only_while && access(fault.only_while, F_OK) != 0))
        return 0;
    if (atomic_load(&fault.countdown) > 1) {
        atomic_fetch_sub(&fault.countdown, 1);
        return 0;
    }
    atomic_fetch_add(&fault.hits, 1);
    if (atomic_load(&fault.kills))
        kill(getpid(), SIGKILL);
    if (atomic_load(&fault.once))
        atomic_store(&fault.on, FAULT_NOTHING);
    return 1;
}

static int fault_close(sqlite3_file *f)
{
    return FAULT_REAL(f)->pMethods->xClose(FAULT_REAL(f));
}
static int fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return FAULT_REAL(f)->pMethods->xRead(FAULT_REAL(f), p, n, at);
}
static int fault_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    if (fault_due(FAULT_WRITE))
        return atomic_load(&fault.code);
    return FAULT_REAL(f)->pMethods->xWrite(FAULT_REAL(f), p, n, at);
}
static int fault_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return FAULT_REAL(f)->pMethods->xTruncate(FAULT_REAL(f), size);
}
static int fault_sync(sqlite3_file *f, int flags)
{
    if (fault_due(FAULT_SYNC))
        return atomic_load(&fault.code);
    return FAULT_REAL(f)->pMethods->xSync(FAULT_REAL(f), flags);
}
static int fault_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return FAULT_REAL(f)->pMethods->xFileSize(FAULT_REAL(f), size);
}
static int fault_lock(sqlite3_file *f, int level)
{
    return FAULT_REAL(f)->pMethods->xLock(FAULT_REAL(f), level);
}
static int fault_unlock(sqlite3_file *f, int level)
{
    return FAULT_REAL(f)->pMethods->xUnlock(FAULT_REAL(f), level);
}
static int fault_reserved(sqlite3_file *f, int *out)
{
    return FAULT_REAL(f)->pMethods->xCheckReservedLock(FAULT_REAL(f), out);
}
static int fault_control(sqlite3_file *f, int op, void *arg)
{
    return FAULT_REAL(f)->pMethods->xFileControl(FAULT_REAL(f), op, arg);
}
static int fault_sector(sqlite3_file *f)
{
    return FAULT_REAL(f)->pMethods->xSectorSize(FAULT_REAL(f));
}
static int fault_traits(sqlite3_file *f)
{
    return FAULT_REAL(f)->pMethods->xDeviceCharacteristics(FAULT_REAL(f));
}
static int fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
    return FAULT_REAL(f)->pMethods->xShmMap(FAULT_REAL(f), page, size, extend, out);
}
static int fault_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return FAULT_REAL(f)->pMethods->xShmLock(FAULT_REAL(f), offset, n, flags);
}
static void fault_shm_barrier(sqlite3_file *f)
{
    FAULT_REAL(f)->pMethods->xShmBarrier(FAULT_REAL(f));
}
static int fault_shm_unmap(sqlite3_file *f, int del)
{
    return FAULT_REAL(f)->pMethods->xShmUnmap(FAULT_REAL(f), del);
}

static const sqlite3_io_methods fault_methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_reserved,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_traits,
    .xShmMap = fault_shm_map,
    .xShmLock = fault_shm_lock,
    .xShmBarrier = fault_shm_barrier,
    .xShmUnmap = fault_shm_unmap,
};

static sqlite3_vfs fault_vfs, *fault_system;

static int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct fault_file *f = (struct fault_file *)file;
    int rc;

    (void)vfs;
    f->real = (sqlite3_file *)(f + 1);
    rc = fault_system->xOpen(fault_system, name, f->real, flags, out);
    f->base.pMethods = rc == SQLITE_OK ? &fault_methods : NULL;
    return rc;
}

/** Becomes the VFS of every database that is opened from now on. */
static void fault_install(void)
{
    if (fault_system)
        return;
    fault_system = sqlite3_vfs_find(NULL);
    fault_vfs = *fault_system;
    fault_vfs.zName = "fault";
    fault_vfs.szOsFile = (int)sizeof(struct fault_file) + fault_system->szOsFile;
    fault_vfs.xOpen = fault_open;
    sqlite3_vfs_register(&fault_vfs, 1);
}

static void fault_set(enum fault_on on, int countdown, int code)
{
    atomic_store(&fault.on, FAULT_NOTHING);
    atomic_store(&fault.countdown, countdown);
    atomic_store(&fault.code, code);
    atomic_store(&fault.hits, 0);
    atomic_store(&fault.once, 0);
    atomic_store(&fault.on, (int)on);
}
#endif
