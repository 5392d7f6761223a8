/* The VFS of the server's own connections: the system's, with fewer system calls for each commit.
 *
 * The log is written in one piece. SQLite writes the head of each frame and its page apart, a dozen writes for a small commit.
 * Here they are gathered in memory and written with one call when SQLite asks for the sync, reads, or writes elsewhere. Nobody
 * can miss them before: other connections look at frames only when the log's index has them, and that is after the sync.
 *
 * Locks of the log's index are kept. SQLite locks and unlocks five times for each transaction, each a system call, to tell other
 * processes what happens. Here the connections of this process agree among themselves in memory, and the process's lock is that
 * of the writer's connection, which keeps what it needs again at once (KEPT) until somebody of this process needs it otherwise
 * or the writer rests (sq_vfs_rest). What a reader of this process still uses then is let go when that reader ends. Other
 * processes see the same locks as before, but longer: they can read at any time, since the marks of readers beyond the first are
 * never kept, and they can write or checkpoint only while the writer rests.
 *
 * Refuses: memory mapped files (an I/O error must be a result, not a signal). Invariants: 1. a sync returns only after all that was
 * gathered has been written and synced; a write that fails is reported by the call that caused it, as SQLite expects. 2. The lock that the
 * process has is at least what any of its connections has. 3. Connections without a writer in this process lock
 * for themselves: the commands that look at a file from outside do not come here at all. On failure of memory: writes are not
 * gathered. */
#include "store/sqlite/sqlite_vfs.h"
#include "base/alloc.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define GATHER                                                                                               \
    0x1ffffu /* bytes of the log that are written at once: SQLite's own file takes no more (unixWrite cuts it off) */
#define REST 0x74680001 /* file control: sq_vfs_rest */

/* SQLite's write lock, its checkpoint lock, and the lock of the first reader's mark, which the writer uses. */
#define KEPT (1u << 0 | 1u << 1 | 1u << 4)

enum level { NOTHING, SHARED, EXCLUSIVE };

struct file;

/* The locks of one file's log, as the connections of this process have them. */
struct locks {
    struct locks *next;
    struct file *writer; /* this connection holds the locks of the process */
    unsigned users;
    bool resting; /* the writer sleeps: what becomes free is let go, since the writer will not do it */
    unsigned shared[SQLITE_SHM_NLOCK];
    bool exclusive[SQLITE_SHM_NLOCK];
    enum level level[SQLITE_SHM_NLOCK]; /* of the process */
    char path[];
};

struct file {
    sqlite3_file base;
    sqlite3_file *real; /* in the memory behind this struct */
    /* a log */
    char *gathered;
    size_t n;
    sqlite3_int64 at;
    /* the shared locks of its database; NULL: it locks for itself */
    struct locks *locks;
    unsigned shared; /* a bit for each lock that it has */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* all locks, and the list of them */
static struct locks *all;

static struct file *of(sqlite3_file *f)
{
    return (struct file *)f;
}

/* ---- the log ---- */

static int write_gathered(struct file *f)
{
    size_t n = f->n;

    f->n = 0;
    return n ? f->real->pMethods->xWrite(f->real, f->gathered, (int)n, f->at) : SQLITE_OK;
}

static int log_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at)
{
    struct file *f = of(file);

    if (f->n && (at != f->at + (sqlite3_int64)f->n || f->n + (size_t)n > GATHER)) {
        int rc = write_gathered(f);

        if (rc != SQLITE_OK)
            return rc;
    }
    if (!f->gathered)
        f->gathered = th_malloc(GATHER);
    if (!f->gathered || (size_t)n > GATHER)
        return f->real->pMethods->xWrite(f->real, p, n, at);
    if (!f->n)
        f->at = at;
    memcpy(f->gathered + f->n, p, (size_t)n);
    f->n += (size_t)n;
    return SQLITE_OK;
}

static int log_read(sqlite3_file *file, void *p, int n, sqlite3_int64 at)
{
    struct file *f = of(file);
    int rc = write_gathered(f);

    return rc == SQLITE_OK ? f->real->pMethods->xRead(f->real, p, n, at) : rc;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct file *f = of(file);
    int rc = write_gathered(f);

    return rc == SQLITE_OK ? f->real->pMethods->xTruncate(f->real, size) : rc;
}

static int log_sync(sqlite3_file *file, int flags)
{
    struct file *f = of(file);
    int rc = write_gathered(f);

    return rc == SQLITE_OK ? f->real->pMethods->xSync(f->real, flags) : rc;
}

static int log_size(sqlite3_file *file, sqlite3_int64 *size)
{
    struct file *f = of(file);
    int rc = write_gathered(f);

    return rc == SQLITE_OK ? f->real->pMethods->xFileSize(f->real, size) : rc;
}

static int log_close(sqlite3_file *file)
{
    struct file *f = of(file);

    (void)write_gathered(f); /* none of it was committed, because committed bytes have been synced */
    th_free(f->gathered);
    return f->real->pMethods->xClose(f->real);
}

/* ---- the locks of the log's index; all of it under `lock` ---- */

static int real_lock(struct file *f, int i, int flags)
{
    return f->real->pMethods->xShmLock(f->real, i, 1, flags);
}

/* Lowers what the process has to nothing. */
static void let_go(struct locks *l, int i)
{
    if (l->level[i] != NOTHING)
        (void)real_lock(l->writer, i,
                        SQLITE_SHM_UNLOCK |
                            (l->level[i] == SHARED ? SQLITE_SHM_SHARED : SQLITE_SHM_EXCLUSIVE));
    l->level[i] = NOTHING;
}

/* Raises it; nobody of this process has the lock when it has to be exclusive. */
static int obtain(struct locks *l, int i, enum level wanted)
{
    int rc;

    if (l->level[i] >= wanted)
        return SQLITE_OK;
    let_go(l, i);
    rc = real_lock(l->writer, i,
                   SQLITE_SHM_LOCK | (wanted == SHARED ? SQLITE_SHM_SHARED : SQLITE_SHM_EXCLUSIVE));
    if (rc == SQLITE_OK)
        l->level[i] = wanted;
    return rc;
}

static bool is_free(const struct locks *l, int i)
{
    return !l->exclusive[i] && !l->shared[i];
}

static void give_back(struct locks *l, int i)
{
    if (is_free(l, i) && (l->resting || !(KEPT >> i & 1)))
        let_go(l, i);
}

static int take_shared(struct file *f, int i)
{
    struct locks *l = f->locks;
    int rc;

    if (f->shared >> i & 1)
        return SQLITE_OK;
    if (l->exclusive[i])
        return SQLITE_BUSY;
    rc = obtain(l, i, SHARED);
    if (rc == SQLITE_OK) {
        l->shared[i]++;
        f->shared |= 1u << i;
    }
    return rc;
}

static int take_exclusive(struct locks *l, int from, int n)
{
    int rc = SQLITE_OK, i;

    for (i = from; i < from + n; i++)
        if (!is_free(l, i))
            return SQLITE_BUSY;
    for (i = from; rc == SQLITE_OK && i < from + n; i++)
        rc = obtain(l, i, EXCLUSIVE);
    for (i = from; i < from + n; i++) {
        l->exclusive[i] = rc == SQLITE_OK;
        give_back(l, i);
    }
    return rc;
}

static void drop(struct file *f, int from, int n, bool shared)
{
    struct locks *l = f->locks;

    for (int i = from; i < from + n; i++) {
        if (!shared) {
            l->exclusive[i] = false;
        } else if (f->shared >> i & 1) {
            l->shared[i]--;
            f->shared &= ~(1u << i);
        }
        give_back(l, i);
    }
}

static int db_shm_lock(sqlite3_file *file, int from, int n, int flags)
{
    struct file *f = of(file);
    int rc = SQLITE_OK;

    if (!f->locks)
        return f->real->pMethods->xShmLock(f->real, from, n, flags);
    pthread_mutex_lock(&lock);
    if (f == f->locks->writer)
        f->locks->resting = false;
    if (flags & SQLITE_SHM_UNLOCK)
        drop(f, from, n, flags & SQLITE_SHM_SHARED);
    else if (flags & SQLITE_SHM_SHARED)
        rc = take_shared(f, from); /* always of one */
    else
        rc = take_exclusive(f->locks, from, n);
    pthread_mutex_unlock(&lock);
    return rc;
}

static void rest(struct locks *l)
{
    l->resting = true;
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++)
        if (is_free(l, i))
            let_go(l, i);
}

/* The first connection that may write locks for the process. */
static void join(struct file *f, const char *path, bool writes)
{
    struct locks *l;
    size_t n = strlen(path) + 1;

    pthread_mutex_lock(&lock);
    for (l = all; l && strcmp(l->path, path) != 0; l = l->next)
        ;
    if (!l && writes) {
        l = th_calloc(1, sizeof *l + n);
        if (l) {
            memcpy(l->path, path, n);
            l->writer = f;
            l->next = all;
            all = l;
        }
    }
    if (l)
        l->users++;
    f->locks = l;
    pthread_mutex_unlock(&lock);
}

/* The store closes its writer last. */
static void leave(struct file *f)
{
    struct locks *l = f->locks, **at;

    if (!l)
        return;
    pthread_mutex_lock(&lock);
    if (l->writer == f)
        rest(l);
    if (--l->users == 0) {
        for (at = &all; *at != l; at = &(*at)->next)
            ;
        *at = l->next;
        th_free(l);
    }
    pthread_mutex_unlock(&lock);
    f->locks = NULL;
}

static int db_shm_unmap(sqlite3_file *file, int delete)
{
    struct file *f = of(file);

    if (f->locks && f->locks->writer == f) {
        pthread_mutex_lock(&lock);
        rest(f->locks);
        pthread_mutex_unlock(&lock);
    }
    return f->real->pMethods->xShmUnmap(f->real, delete);
}

static int db_control(sqlite3_file *file, int op, void *arg)
{
    struct file *f = of(file);

    if (op != REST)
        return f->real->pMethods->xFileControl(f->real, op, arg);
    if (f->locks) {
        pthread_mutex_lock(&lock);
        rest(f->locks);
        pthread_mutex_unlock(&lock);
    }
    return SQLITE_OK;
}

void sq_vfs_rest(sqlite3 *db)
{
    (void)sqlite3_file_control(db, "main", REST, NULL);
}

static int db_close(sqlite3_file *file)
{
    leave(of(file));
    return of(file)->real->pMethods->xClose(of(file)->real);
}

/* ---- what is as the system has it ---- */

static int plain_close(sqlite3_file *f)
{
    return of(f)->real->pMethods->xClose(of(f)->real);
}

static int plain_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
    return of(f)->real->pMethods->xRead(of(f)->real, p, n, at);
}

static int plain_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
    return of(f)->real->pMethods->xWrite(of(f)->real, p, n, at);
}

static int plain_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return of(f)->real->pMethods->xTruncate(of(f)->real, size);
}

static int plain_sync(sqlite3_file *f, int flags)
{
    return of(f)->real->pMethods->xSync(of(f)->real, flags);
}

static int plain_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return of(f)->real->pMethods->xFileSize(of(f)->real, size);
}

static int plain_lock(sqlite3_file *f, int level)
{
    return of(f)->real->pMethods->xLock(of(f)->real, level);
}

static int plain_unlock(sqlite3_file *f, int level)
{
    return of(f)->real->pMethods->xUnlock(of(f)->real, level);
}

static int plain_reserved(sqlite3_file *f, int *out)
{
    return of(f)->real->pMethods->xCheckReservedLock(of(f)->real, out);
}

static int plain_control(sqlite3_file *f, int op, void *arg)
{
    return of(f)->real->pMethods->xFileControl(of(f)->real, op, arg);
}

static int plain_sector(sqlite3_file *f)
{
    return of(f)->real->pMethods->xSectorSize(of(f)->real);
}

static int plain_traits(sqlite3_file *f)
{
    return of(f)->real->pMethods->xDeviceCharacteristics(of(f)->real);
}

static int plain_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
    return of(f)->real->pMethods->xShmMap(of(f)->real, page, size, extend, p);
}

static void plain_shm_barrier(sqlite3_file *f)
{
    of(f)->real->pMethods->xShmBarrier(of(f)->real);
}

/* Version 2: without memory mapped files. */
static const sqlite3_io_methods db_methods = {
    .iVersion = 2,
    .xClose = db_close,
    .xRead = plain_read,
    .xWrite = plain_write,
    .xTruncate = plain_truncate,
    .xSync = plain_sync,
    .xFileSize = plain_size,
    .xLock = plain_lock,
    .xUnlock = plain_unlock,
    .xCheckReservedLock = plain_reserved,
    .xFileControl = db_control,
    .xSectorSize = plain_sector,
    .xDeviceCharacteristics = plain_traits,
    .xShmMap = plain_shm_map,
    .xShmLock = db_shm_lock,
    .xShmBarrier = plain_shm_barrier,
    .xShmUnmap = db_shm_unmap,
};

static const sqlite3_io_methods log_methods = {
    .iVersion = 1,
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = plain_lock,
    .xUnlock = plain_unlock,
    .xCheckReservedLock = plain_reserved,
    .xFileControl = plain_control,
    .xSectorSize = plain_sector,
    .xDeviceCharacteristics = plain_traits,
};

static const sqlite3_io_methods other_methods = {
    .iVersion = 1,
    .xClose = plain_close,
    .xRead = plain_read,
    .xWrite = plain_write,
    .xTruncate = plain_truncate,
    .xSync = plain_sync,
    .xFileSize = plain_size,
    .xLock = plain_lock,
    .xUnlock = plain_unlock,
    .xCheckReservedLock = plain_reserved,
    .xFileControl = plain_control,
    .xSectorSize = plain_sector,
    .xDeviceCharacteristics = plain_traits,
};

static sqlite3_vfs *system_of(const sqlite3_vfs *v)
{
    return v->pAppData;
}

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    struct file *f = of(file);
    int rc;

    memset(f, 0, sizeof *f);
    f->real = (sqlite3_file *)(void *)(f + 1);
    rc = system_of(v)->xOpen(system_of(v), name, f->real, flags, out_flags);
    if (!f->real->pMethods)
        return rc; /* nothing is to be closed */
    if (flags & SQLITE_OPEN_MAIN_DB && name && f->real->pMethods->iVersion >= 2) {
        f->base.pMethods = &db_methods;
        if (rc == SQLITE_OK)
            join(f, name, flags & SQLITE_OPEN_READWRITE);
    } else {
        f->base.pMethods = flags & SQLITE_OPEN_WAL ? &log_methods : &other_methods;
    }
    return rc;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync_folder)
{
    return system_of(v)->xDelete(system_of(v), name, sync_folder);
}

static int vfs_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
    return system_of(v)->xAccess(system_of(v), name, flags, out);
}

static int vfs_full_name(sqlite3_vfs *v, const char *name, int n, char *out)
{
    return system_of(v)->xFullPathname(system_of(v), name, n, out);
}

static int vfs_random(sqlite3_vfs *v, int n, char *out)
{
    return system_of(v)->xRandomness(system_of(v), n, out);
}

static int vfs_sleep(sqlite3_vfs *v, int us)
{
    return system_of(v)->xSleep(system_of(v), us);
}

static int vfs_time(sqlite3_vfs *v, double *out)
{
    return system_of(v)->xCurrentTime(system_of(v), out);
}

static int vfs_last_error(sqlite3_vfs *v, int n, char *out)
{
    return system_of(v)->xGetLastError(system_of(v), n, out);
}

/* One for each default there has been, for as long as the process lives: connections refer to it. */
static const char *make(sqlite3_vfs *system)
{
    size_t n = strlen(system->zName) + sizeof "tenterhook-";
    sqlite3_vfs *v = sqlite3_malloc64(sizeof *v + n);
    char *name = (char *)(v + 1);

    if (!v)
        return NULL;
    snprintf(name, n, "tenterhook-%s", system->zName);
    *v = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(struct file) + system->szOsFile,
        .mxPathname = system->mxPathname,
        .zName = name,
        .pAppData = system,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_name,
        .xRandomness = vfs_random,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
    };
    if (sqlite3_vfs_register(v, 0) == SQLITE_OK)
        return name;
    sqlite3_free(v);
    return NULL;
}

const char *sq_vfs(void)
{
    static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
    sqlite3_vfs *system = sqlite3_vfs_find(NULL), *mine;
    const char *found = NULL;
    char name[64];

    if (!system)
        return NULL;
    snprintf(name, sizeof name, "tenterhook-%s", system->zName);
    pthread_mutex_lock(&once);
    mine = sqlite3_vfs_find(name);
    found = mine ? mine->zName : make(system);
    pthread_mutex_unlock(&once);
    return found;
}
