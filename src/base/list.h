/* Intrusive doubly linked list with a sentinel. A link that is on no list points to itself. */
#ifndef TH_BASE_LIST_H
#define TH_BASE_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct th_list {
    struct th_list *prev, *next;
};

#define TH_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void th_list_init(struct th_list *l)
{
    l->prev = l->next = l;
}
static inline bool th_list_empty(const struct th_list *l)
{
    return l->next == l;
}
static inline void th_list_remove(struct th_list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    th_list_init(l);
}
/** Inserts `l`, which must be on no list, before `at`; with `at` a sentinel: at the end. */
static inline void th_list_append(struct th_list *at, struct th_list *l)
{
    l->prev = at->prev;
    l->next = at;
    at->prev->next = l;
    at->prev = l;
}
static inline void th_list_prepend(struct th_list *at, struct th_list *l)
{
    th_list_append(at->next, l);
}
/** Takes the first link off, or NULL. */
static inline struct th_list *th_list_pop(struct th_list *head)
{
    struct th_list *l = head->next;

    if (l == head)
        return NULL;
    th_list_remove(l);
    return l;
}
#endif
