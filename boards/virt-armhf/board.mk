# QEMU's virt machine, with Debian's kernel for 32-bit ARM boards.
IMAGE_ARCH := armhf
IMAGE_KERNEL := linux-image-armmp
IMAGE_MODULES := virtio_mmio virtio_net
IMAGE_CONSOLE := ttyAMA0
IMAGE_QEMU := qemu-system-arm -M virt -cpu cortex-a15 -m 256 -device virtio-net-device,netdev=net
IMAGE_NEEDS := qemu-system-arm:qemu-system-arm
include boards/linux-image/image.mk
