# Static programs for the Linux of other processors, with Debian's cross compilers: sets what differs
# for $(LINUX_ARCH). No net=user: libslirp is for this machine's processor only.
triplet_arm64 := aarch64-linux-gnu
triplet_armhf := arm-linux-gnueabihf
triplet_mipsel := mipsel-linux-gnu
triplet_riscv64 := riscv64-linux-gnu
triplet_s390x := s390x-linux-gnu

# qemu-user's names for them.
qemu_arm64 := aarch64
qemu_armhf := arm
qemu_mipsel := mipsel
qemu_riscv64 := riscv64
qemu_s390x := s390x

ifeq ($(triplet_$(LINUX_ARCH)),)
$(error ARCH=$(LINUX_ARCH): takes $(ALL_ARCHES))
endif
BOARD_CC := $(triplet_$(LINUX_ARCH))-gcc
BOARD_AR := $(triplet_$(LINUX_ARCH))-ar
# Seconds past 2038 where they have 32 bits by default.
BOARD_MACHINE := -static -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
# Not qemu-user-static, which would also have the machine run such programs by themselves.
BOARD_EMULATOR := qemu-$(qemu_$(LINUX_ARCH))
BOARD_RUN = $(BOARD_EMULATOR) build/$(NAME)/quitring --net host --publish $(PUBLISH) $(ARGS)
BOARD_NEEDS := gcc-$(triplet_$(LINUX_ARCH)) libc6-dev-$(LINUX_ARCH)-cross \
	qemu-user:$(BOARD_EMULATOR)
BOARD_DEFINES += -DQR_LINUX_WITHOUT_SLIRP
BOARD_WITHOUT += boards/linux/nic_user.c boards/linux-client/names.c
