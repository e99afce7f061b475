# The family of Arm's MPS2 boards with a Cortex-M3, as QEMU has them: bare metal, picolibc.
BOARD_CC := arm-none-eabi-gcc
# Without moving stores out of loops: gcc 12 then stores to a FIFO once more behind the loop.
BOARD_MACHINE := -mcpu=cortex-m3 -mthumb --specs=picolibc.specs -fno-tree-loop-im
BOARD_FOLDERS := boards/mps2
# One thread: errno need not be thread-local.
BOARD_DEFINES += -DQR_WITH_HELP=0 -D__PICOLIBC_ERRNO_FUNCTION=qr_errno
BOARD_LDFLAGS := -nostartfiles -L boards/mps2 -T boards/$(BOARD)/memory.ld \
	-Wl,--orphan-handling=error,-Map=build/$(NAME)/quitring.map
BOARD_WITHOUT := port/net_kernel.c
BOARD_RUN = boards/mps2/run $(NAME) $(ARGS)
BOARD_BENCH = $(PYTHON) tests/bench/icount.py $(BOARD)
BOARD_NEEDS := gcc-arm-none-eabi picolibc-arm-none-eabi qemu-system-arm
