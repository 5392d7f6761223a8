/* Limits how much one read transaction may do: see store_budget.h. */
#include "store/store_budget.h"
#include <time.h>

#define ST_ROWS_PER_READ 20000 /* rows examined in one read transaction */
#define ST_MS_PER_READ 50

int64_t st_budget_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void st_budget_start(struct st_budget *b)
{
    *b = (struct st_budget){.max = ST_ROWS_PER_READ, .deadline_ms = st_budget_now_ms() + ST_MS_PER_READ};
}

bool st_budget_spent(struct st_budget *b)
{
    b->examined++;
    /* the first row is always allowed, so that every call makes progress */
    return b->examined > b->max || (b->examined % 256 == 0 && st_budget_now_ms() > b->deadline_ms);
}
