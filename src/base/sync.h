/* Makes the names of files durable. */
#ifndef TH_BASE_SYNC_H
#define TH_BASE_SYNC_H
#include <stdbool.h>

/** Syncs the folder that holds `path`, so that a file made or renamed in it is found after a power cut. False: it may not
 * be found, and errno says why. A file system that cannot sync folders is taken for one that does not need it. */
bool th_sync_folder_of(const char *path);
#endif
