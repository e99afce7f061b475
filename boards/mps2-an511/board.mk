# A microcontroller's real size: 256 KB for code, 128 KB for data. One callback with two IDs of the
# longest fits into QR_CONTENT_MAX, not with each byte written as a \u escape.
BOARD_DEFINES := -DQR_CONNS_MAX=12 -DQR_RING_MAX=16384 -DQR_CONTENT_MAX=2048 -DQR_TARGET_MAX=640 \
	-DQR_RX_SIZE=512 -DQR_TX_SIZE=640 -DTCP_MSS=536 -DLWIP_NOASSERT -DNDEBUG -DPBUF_POOL_SIZE=40
CFLAGS ?= -Os -g -flto
include boards/mps2/mps2.mk
