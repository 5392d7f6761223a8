/* The SQLite store as a whole: its members besides those of every store. */
#ifndef TH_STORE_SQLITE_STATE_H
#define TH_STORE_SQLITE_STATE_H
#include "store/sqlite/sqlite_file.h"
#include "store/store_state.h"

struct sq_store {
    struct st_store base;
    struct sq_path path;
    struct sq_db db; /* the writer's */
    uint32_t ballast_mib;
    int lock_fd;
    /* owner: writer thread */
    enum th_error broken; /* TH_IO or TH_CORRUPT: takes no further writes */
    bool full, has_ballast;
    int wal_frames;
    int restart_frames; /* length of the log at which its restart is forced */
};
#endif
