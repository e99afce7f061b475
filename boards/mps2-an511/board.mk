# A microcontroller's real size: 256 KB for code, 128 KB for data. QR_CONTENT_MAX holds two IDs of the
# longest, but not when each of their bytes is written as a \u escape; a full segment fits into two
# buffers for frames. The backlog is as long as there is memory for. All 16 connections that OpenIM
# keeps may stay.
BOARD_DEFINES := -DQR_CONNS_MAX=20 -DQR_CONNS_SPARE=4 -DQR_DESKS_MAX=10 -DQR_RING_MAX=16384 \
	-DQR_CONTENT_MAX=1024 -DQR_TARGET_MAX=512 -DQR_RX_SIZE=256 -DQR_TX_SIZE=536 \
	-DQR_JSON_TOKENS_MAX=48 -DQR_LWIP_CLOSING=4 -DQR_LWIP_BACKLOG=13 -DTCP_MSS=536 \
	-DTCP_SND_QUEUELEN=6 -DPBUF_POOL_BUFSIZE=304 -DQR_LWIP_HEAP_BASE=4096 -DLWIP_NOASSERT -DNDEBUG
# Without those steps of -Os that make this program longer, tried one by one, and linked as one piece:
# 2 % in all. Objects have their code, too, where tests/check/size.py looks into them.
CFLAGS ?= -Os -fno-section-anchors -fno-schedule-insns2 -fno-thread-jumps -fno-move-loop-invariants \
	-fno-tree-dominator-opts -fno-tree-tail-merge -fno-if-conversion -fno-reorder-blocks \
	-fno-tree-loop-distribute-patterns -fira-algorithm=priority -g -flto=auto -flto-partition=one \
	$(if $(WITHOUT),,-ffat-lto-objects)
include boards/mps2/mps2.mk
