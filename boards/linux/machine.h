/*
 * What differs between a process on a Linux machine and the only process of one: process.c or an
 * image's init.c has it, whichever is linked.
 */
#ifndef QR_LINUX_MACHINE_H
#define QR_LINUX_MACHINE_H

#include <stdbool.h>

/* Lines of name=value that all other settings overrule; "" for none. */
extern const char qr_machine_settings[];

/* Whether the machine is there for us alone: its card's own MAC address is then ours. */
extern const bool qr_machine_is_ours;

/* Ends the program where its arguments ask for something else than serving. */
void qr_machine_command(int argc, char **argv);

/* Makes the machine ready to be used, once, before settings are read. */
void qr_machine_start(void);

/* Waits for a network interface, and brings it up, where nobody else does. */
void qr_machine_interface(const char *name);

/* As qr_board_exit(), and after a fault of ours: a machine that is ours starts anew. */
_Noreturn void qr_machine_exit(int status);
_Noreturn void qr_machine_restart(void);

#endif
