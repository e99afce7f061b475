# Orange Pi PC: a single-board computer with Allwinner's H3, whose Ethernet is dwmac-sun8i. QEMU has
# one, too.
IMAGE_ARCH := armhf
IMAGE_KERNEL := linux-image-armmp
IMAGE_MODULES := dwmac-sun8i
IMAGE_CONSOLE := ttyS0
IMAGE_QEMU = qemu-system-arm -M orangepi-pc -dtb $(KERNEL_DIR)/dtb/sun8i-h3-orangepi-pc.dtb \
	-net nic,netdev=net
IMAGE_NEEDS := qemu-system-arm:qemu-system-arm
include boards/linux-image/image.mk
