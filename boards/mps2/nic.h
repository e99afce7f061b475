/* The network card's part in a sleep. Its frames are board.h's. */
#ifndef QR_NIC_H
#define QR_NIC_H

#include <stdbool.h>

/* Whether a frame is waiting. If not, the card's interrupt is pending from the next one on, until
 * qr_nic_awake(). */
bool qr_nic_arm(void);
void qr_nic_awake(void);

#endif
