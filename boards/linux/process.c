/* A process among others: somebody else started the machine, and looks after it. */
#include "machine.h"

#include <stdlib.h>

#include "boards/board.h"
#include "boards/linux-client/client.h"

const char qr_board_name[] = "linux";
const char qr_machine_settings[] = "";
const bool qr_machine_is_ours = false;
const char qr_board_usage[] = "       quitring status [--help] ...\n"
                              "       quitring tail [--help] ...\n";

void qr_machine_command(int argc, char **argv)
{
    if (qr_client_asked(argc, argv)) {
        exit(qr_client_run(argc, argv));
    }
}

void qr_machine_start(void)
{
}

void qr_machine_interface(const char *name)
{
    (void)name;
}

_Noreturn void qr_machine_exit(int status)
{
    exit(status);
}

_Noreturn void qr_machine_restart(void)
{
    exit(1); /* whoever started the process knows whether to do it again */
}
