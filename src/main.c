/* Where the program starts. The commands are rows of cli/cli_table.c. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return th_cli_main(argc, argv);
}
