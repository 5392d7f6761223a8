/* Files of the pages built into the binary. Made by cmake/embed_ui_script.cmake from ui/. */
#ifndef TH_UI_EMBEDDED_H
#define TH_UI_EMBEDDED_H
#include <stddef.h>

/** One file: its path below ui/, its bytes in gzip and where they end, how many they are when decoded, and the beginning of the
 * SHA-256 of the latter in hex. */
struct th_ui_file {
    const char *path;
    const char *bytes, *end;
    size_t whole;
    const char *hash;
};

/** Ends with a row whose path is NULL. */
extern const struct th_ui_file th_ui_files[];
#endif
