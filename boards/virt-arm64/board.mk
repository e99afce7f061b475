# QEMU's virt machine, with the kernel that Debian makes for such machines.
IMAGE_ARCH := arm64
IMAGE_KERNEL := linux-image-cloud-arm64
IMAGE_MODULES := virtio_mmio virtio_net
IMAGE_CONSOLE := ttyAMA0
IMAGE_QEMU := qemu-system-aarch64 -M virt -cpu cortex-a53 -m 256 \
	-device virtio-net-device,netdev=net
IMAGE_NEEDS := qemu-system-arm:qemu-system-aarch64
include boards/linux-image/image.mk
