/* Invariants that are checked while the program runs, in release builds too.
 *
 * A check is for what only a fault of ours can break: state that our own code keeps. What comes from outside (a request, a
 * file, a customer's answer) gets an error and never a check. Each check costs one branch that the processor predicts. */
#ifndef TH_BASE_CHECK_H
#define TH_BASE_CHECK_H

/** Does nothing when the condition holds; otherwise it logs what failed and where, and aborts the process. Everything acknowledged is
 * on disk, and the next start recovers it; going on with broken state could send or store something wrong. Any thread. */
#define TH_CHECK(condition)                                                                                  \
    (__builtin_expect(!!(condition), 1) ? (void)0 : th_check_failed(__FILE__, __LINE__, __func__, #condition))

/** What TH_CHECK calls; nobody else does. The strings are constants. */
_Noreturn void th_check_failed(const char *file, int line, const char *function, const char *condition)
    __attribute__((cold));
#endif
