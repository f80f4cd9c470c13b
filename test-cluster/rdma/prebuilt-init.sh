#!/bin/busybox sh
# The first process in a guest under QEMU, in the small file system that build-prebuilt.sh made: mounts the host's root
# and goes on with $guest_main. Words NAME=VALUE of the kernel's command line are its environment.
# shellcheck shell=sh
: "${guest_id:?} ${guest_share:?} ${guest_main:?}"
export PATH=/bin:/sbin
/bin/busybox --install -s /bin

fail() {
  echo "[guest $guest_id] $*"
  /bin/busybox poweroff -f
}

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in virtio_pci 9pnet_virtio 9p overlay rdma_rxe ib_uverbs rdma_ucm; do
  modprobe "$module" || fail "no module $module"
done
modprobe dummy numdummies=0
options=trans=virtio,version=9p2000.L,msize=512000
root=/mnt/root
mkdir -p /mnt/lower /mnt/above $root
mount -t 9p -o "ro,cache=loose,$options" host /mnt/lower || fail "no root"
# The host's root is below and is never written; what is written is above, in memory.
mount -t tmpfs -o mode=755 tmpfs /mnt/above
mkdir /mnt/above/upper /mnt/above/work
mount -t overlay -o lowerdir=/mnt/lower,upperdir=/mnt/above/upper,workdir=/mnt/above/work overlay $root || fail "no root"
mount -t proc proc $root/proc
mount -t sysfs sys $root/sys
mount -o move /dev $root/dev
mkdir -p $root/dev/pts $root/dev/shm
ln -s /proc/self/fd $root/dev/fd
mount -t devpts devpts $root/dev/pts
mount -t tmpfs shm $root/dev/shm
mount -t tmpfs tmpfs $root/run
# The one directory of the host that the guest can write to, at the same path.
mkdir -p "$root$guest_share"
mount -t 9p -o "rw,cache=mmap,$options" share "$root$guest_share" || fail "cannot reach $guest_share"

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8
/bin/busybox chroot $root "$guest_main"
/bin/busybox sync
/bin/busybox poweroff -f
