#include "boards/board.h"
#include "boards/mps2/family.h"

const char qr_board_name[] = "mps2-an511";
const unsigned qr_nic_irq = 47;
