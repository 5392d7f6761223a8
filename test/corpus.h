/* Test data that lives outside the tree: the folder in $TENTERHOOK_CORPORA, else beside the source tree.
 * Tests call skip() when corpus_read gives NULL. */
#ifndef TH_TEST_CORPUS_H
#define TH_TEST_CORPUS_H
#include "base/span.h"
#include <stdio.h>
#include <stdlib.h>

/* Full path of a file of the test data; static memory. */
static inline const char *corpus_path(const char *name)
{
    static char path[4096];
    const char *dir = getenv("TENTERHOOK_CORPORA"), *here = __FILE__, *cut = strstr(here, "test/corpus.h");

    if (dir)
        snprintf(path, sizeof path, "%s/%s", dir, name);
    else if (*here != '/')
        snprintf(path, sizeof path, "../shared/corpora/%s", name);
    else
        snprintf(path, sizeof path, "%.*s../shared/corpora/%s", (int)(cut - here), here, name);
    return path;
}

/* Full path of a file of the source tree; static memory. Where the compiler was told to forget where the tree is, as ccache does with
 * a base folder, tests have to run in it. */
static inline const char *corpus_tree(const char *name)
{
    static char path[4096];
    const char *here = __FILE__, *cut = strstr(here, "test/corpus.h");

    if (*here != '/')
        snprintf(path, sizeof path, "%s", name);
    else
        snprintf(path, sizeof path, "%.*s%s", (int)(cut - here), here, name);
    return path;
}

/* The whole file in fresh memory of exactly its size (so that a sanitizer sees one byte too far); .p is NULL
 * when it cannot be read. Free with free(). */
static inline struct th_span corpus_load(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *p = NULL;
    long n = 0;

    if (!f)
        return (struct th_span){NULL, 0};
    if (fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        p = malloc(n ? (size_t)n : 1);
        if (p && fread(p, 1, (size_t)n, f) != (size_t)n) {
            free(p);
            p = NULL;
        }
    }
    fclose(f);
    return (struct th_span){p, p ? (size_t)n : 0};
}
static inline struct th_span corpus_read(const char *name)
{
    return corpus_load(corpus_path(name));
}

/* Takes the next line off *rest, without its end. False at the end. */
static inline bool corpus_line(struct th_span *rest, struct th_span *line)
{
    const char *nl;

    if (rest->n == 0)
        return false;
    nl = memchr(rest->p, '\n', rest->n);
    line->p = rest->p;
    line->n = nl ? (size_t)(nl - rest->p) : rest->n;
    rest->p += line->n + (nl != NULL);
    rest->n -= line->n + (nl != NULL);
    return true;
}
#endif
