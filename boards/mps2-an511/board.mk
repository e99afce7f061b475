# A microcontroller's real size: 256 KB for code, 128 KB for data. QR_CONTENT_MAX holds two IDs of the
# longest, but not when each of their bytes is written as a \u escape.
BOARD_DEFINES := -DQR_CONNS_MAX=12 -DQR_RING_MAX=16384 -DQR_CONTENT_MAX=1024 -DQR_TARGET_MAX=640 \
	-DQR_RX_SIZE=256 -DQR_TX_SIZE=640 -DQR_JSON_TOKENS_MAX=64 \
	-DTCP_MSS=536 -DMEM_SIZE=28672 -DQR_LWIP_CLOSING=4 -DLWIP_NOASSERT -DNDEBUG
CFLAGS ?= -Os -g -flto=auto
include boards/mps2/mps2.mk
