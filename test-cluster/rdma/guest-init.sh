#!/bin/bash
# The first process in a guest that is user-mode Linux: makes its file system, and goes on with $guest_main. Words
# NAME=VALUE of the kernel's command line are its environment.
: "${guest_id:?} ${guest_share:?} ${guest_main:?}"
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8

# Ends the guest; by the system call itself (reboot, RB_POWER_OFF), since nothing here runs as the host's init does.
power_off() { perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc)'; }

fail() {
  echo "[guest $guest_id] $*"
  power_off
}

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /mnt || fail "the host's root has no directory /mnt"
mkdir /mnt/upper /mnt/work /mnt/root
root=/mnt/root
# The host's root is below and is never written; what is written is above, in memory.
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay $root || fail "no root"
mount -t devtmpfs dev $root/dev
mkdir -p $root/dev/pts $root/dev/shm
# As on every Linux, but devtmpfs leaves them to others.
ln -s /proc/self/fd $root/dev/fd
ln -s fd/0 $root/dev/stdin
ln -s fd/1 $root/dev/stdout
ln -s fd/2 $root/dev/stderr
mount -t devpts devpts $root/dev/pts
mount -t tmpfs shm $root/dev/shm
mount -t tmpfs tmpfs $root/run
mount -t proc proc $root/proc
mount -t sysfs sys $root/sys
# The one directory of the host that the guest can write to, at the same path.
mkdir -p "$root$guest_share"
mount -t hostfs none "$root$guest_share" -o "$guest_share" || fail "cannot reach $guest_share"

chroot $root "$guest_main"
power_off
