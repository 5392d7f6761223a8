/* Where the program starts. The commands are rows of app/cli_table.c. */
#include "app/cli.h"

int main(int argc, char **argv)
{
    return th_cli_main(argc, argv);
}
