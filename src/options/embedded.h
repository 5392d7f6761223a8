/* Files built into the binary. Made by cmake/embed_script.cmake from dialects/. */
#ifndef TH_OPTIONS_EMBEDDED_H
#define TH_OPTIONS_EMBEDDED_H
#include <stddef.h>

/** A built-in file: its base name without ".yaml", its text (NUL after the end), its length in bytes. */
struct th_embedded {
    const char *name;
    const char *text;
    size_t len;
};

/** Ends with a row whose name is NULL. */
extern const struct th_embedded th_embedded_dialects[];
#endif
