# Linux images: a kernel, and an initramfs in which quitring is /init. A board.mk includes this
# after it has said
#   IMAGE_ARCH     the processor, as Debian calls it
#   IMAGE_KERNEL   the package that the kernel is taken from, unless KERNEL_DIR= is given
#   IMAGE_MODULES  the drivers of its network card; what these depend on is found
#   IMAGE_CONSOLE  its serial port's name
#   IMAGE_QEMU     the command that is such a machine, its card on the network "net"
#   IMAGE_NEEDS    packages for that
include boards/linux/board.mk

# A folder of one's own holds what get_kernel.sh lists.
KERNEL_DIR ?= build/kernel-$(IMAGE_ARCH)

BOARD_FOLDERS := boards/linux boards/linux-image
BOARD_WITHOUT += boards/linux/process.c
BOARD_NEEDS := gcc-$(triplet_$(IMAGE_ARCH)) libc6-dev-$(IMAGE_ARCH)-cross $(IMAGE_NEEDS)
BOARD_IMAGE := build/$(NAME)/initramfs.cpio
BOARD_RUN := boards/linux-image/run $(KERNEL_DIR) $(BOARD_IMAGE) $(IMAGE_CONSOLE) $(IMAGE_QEMU)

build/kernel-$(IMAGE_ARCH)/vmlinuz: | boards/linux-image/get_kernel.sh
	@boards/linux-image/get_kernel.sh $(IMAGE_ARCH) $(IMAGE_KERNEL) $(@D)

deps: $(KERNEL_DIR)/vmlinuz

build/$(NAME)/init: build/$(NAME)/quitring
	$(Q)$(triplet_$(IMAGE_ARCH))-strip -o $@ $<

$(BOARD_IMAGE): build/$(NAME)/init $(KERNEL_DIR)/vmlinuz boards/linux-image/initramfs.py
	$(call say,IMG,$@)
	$(Q)$(PYTHON) boards/linux-image/initramfs.py $@ $< $(KERNEL_DIR)/modules $(IMAGE_MODULES)
