# Memory is plentiful: 4 MB for code, 4 MB for data.
BOARD_DEFINES := -DQR_CONNS_MAX=24 -DQR_RING_MAX=262144
CFLAGS ?= -O3 -g -flto=auto -ffat-lto-objects
include boards/mps2/mps2.mk
