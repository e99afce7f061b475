/* How a Linux process is given its settings: a file, the environment, the command line. */
#ifndef QR_LINUX_CMDLINE_H
#define QR_LINUX_CMDLINE_H

/* Makes the texts that qr_board_text() returns. Returns how many there are, or -1 after printing
 * why not. Ends the program with status 2 when it was called wrongly. */
int qr_cmdline_read(int argc, char **argv);

#endif
