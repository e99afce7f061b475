/* QEMU's virt machine with a 32-bit ARM processor, as a Linux image. */
#include "boards/board.h"

const char qr_board_name[] = "virt-armhf";
