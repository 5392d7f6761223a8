/* Limits how much one read transaction may do, because an open reader keeps the write-ahead log from starting
 * over. */
#ifndef TH_STORE_BUDGET_H
#define TH_STORE_BUDGET_H
#include <stdbool.h>
#include <stdint.h>

struct st_budget {
    uint32_t examined, max;
    int64_t deadline_ms;
};
void st_budget_start(struct st_budget *b);
/** Counts one examined row; true when it is time to stop. */
bool st_budget_spent(struct st_budget *b);
/** Milliseconds of a steady clock. */
int64_t st_budget_now_ms(void);
#endif
