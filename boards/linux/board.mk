# A Linux process; images (IMAGE_ARCH) are made of it, too. Memory is plentiful, so the ring may be
# large and the table of connections long, and all of them may be busy, and read nothing, at once; all
# who wait in the backlog may have sent two frames that nobody has read yet, and as many connections
# may be closing as there are. Frames: a TAP device with offloads and AF_PACKET under GRO deliver
# merged ones, of up to 64 KiB.
BOARD_DEFINES := -DQR_RING_MAX=16777216 -DQR_RING_DEFAULT=1048576 \
	-DQR_CONNS_MAX=64 -DQR_DESKS_MAX=64 -DQR_LWIP_SENDERS=64 -DQR_LWIP_BACKLOG=200 \
	-DQR_LWIP_CLOSING=64 -DPBUF_POOL_SIZE=672 -DQR_BOARD_FRAME_MAX=65550
BOARD_CFLAGS := -D_GNU_SOURCE
# All files are optimized as one, by gcc: a quarter fewer instructions. Objects have their code, too,
# where tests/check/memory.py looks into them. lwIP's warnings, which only come then, are not ours.
ifeq ($(findstring clang,$(CC)),)
CFLAGS ?= -O3 -g -flto=auto $(if $(ARCH)$(IMAGE_ARCH),,-ffat-lto-objects)
BOARD_LDFLAGS := -Wno-stringop-overflow
endif
BOARD_FOLDERS := boards/linux-client
BOARD_WITHOUT := port/net_no_kernel.c
BOARD_RUN = build/$(NAME)/quitring --net user --publish $(PUBLISH) $(ARGS)

LINUX_ARCH := $(or $(IMAGE_ARCH),$(ARCH))
ifeq ($(LINUX_ARCH),)
SLIRP_CFLAGS ?= -isystem /usr/include/slirp
SLIRP_LIBS ?= -lslirp
BOARD_CFLAGS += $(SLIRP_CFLAGS)
BOARD_LIBS := $(SLIRP_LIBS)
BOARD_NEEDS := libslirp-dev
BOARD_WITHOUT += boards/linux-client/no_names.c
define BOARD_BENCH
port/deps.sh install bench || echo 'quitring: what is missing is skipped' >&2
tests/e2e/get_tools.sh bench
$(MAKE) $(PARALLEL) build-bench
$(PYTHON) tests/bench/bench.py --rounds $(ROUNDS)
$(PYTHON) tests/bench/readers.py
$(MAKE) -s build/unit/ring_scaling
$(PYTHON) tests/bench/ring_scaling.py build/unit/ring_scaling
endef
else
include boards/linux/cross.mk
endif
