/* What ends a run that went wrong. */
#ifndef QR_FAULT_H
#define QR_FAULT_H

/* Starts the board anew, as if by its reset button; what is not loaded anew stays in RAM. */
_Noreturn void qr_restart(void);

#endif
