/* Orange Pi PC (Allwinner H3), as a Linux image. */
#include "boards/board.h"

const char qr_board_name[] = "orangepi-pc";
