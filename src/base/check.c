/* Ends a process whose state is not what its code relies on: writes one line to the log that can be reported,
 * then aborts. */
#include "base/check.h"
#include "base/log.h"
#include <stdlib.h>

/* The build may have passed the compiler an absolute path; the report names the file within the source tree. */
static const char *within_tree(const char *file)
{
    const char *found = strstr(file, "/src/");

    return found ? found + 1 : file;
}

void th_check_failed(const char *file, int line, const char *function, const char *condition)
{
    th_log(TH_LOG_ERROR,
           "an internal check failed, which is a fault of this program; it stops here. What was acknowledged "
           "is stored: "
           "start it again, and please report this line",
           TH_KC("check", condition), TH_KC("file", within_tree(file)), TH_KI("line", line),
           TH_KC("function", function), TH_KC("version", TH_VERSION));
    abort();
}
