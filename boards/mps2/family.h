/* What differs between the boards of this family: each board's folder defines it. */
#ifndef QR_FAMILY_H
#define QR_FAMILY_H

/* The network card's line to the NVIC. */
extern const unsigned qr_nic_irq;

#endif
