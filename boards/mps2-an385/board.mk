# Memory is plentiful: 4 MB for code, 4 MB for data. The backlog takes a burst of four times as many
# callers as there are connections, each of which may have sent two frames that nobody has read yet;
# and all connections may read nothing at once. lwIP wants the C library's fd_set, which nobody uses,
# to have room for all of them.
BOARD_DEFINES := -DQR_CONNS_MAX=24 -DQR_DESKS_MAX=24 -DQR_LWIP_SENDERS=24 -DQR_LWIP_BACKLOG=96 \
	-DPBUF_POOL_SIZE=288 -DFD_SETSIZE=256 -DQR_RING_MAX=262144
CFLAGS ?= -O3 -g -flto=auto -ffat-lto-objects
include boards/mps2/mps2.mk
