#!/bin/bash
# The first process in the guest. Words NAME=VALUE of the kernel's command line are its environment.
: "${guest_id:?} ${guest_share:?} ${guest_seconds:?}"
# In the share: $guest_files.command is what to run, and $guest_files.code gets its exit code.
: "${guest_files:?}"
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

cat >$root/run/main <<'MAIN'
say() { echo "[guest $guest_id] $(cut -d' ' -f1 /proc/uptime) s: $*"; }

# One device on one network: the hub's, or one without a wire when the guest is alone.
network() {
  local interface=rdma0 mtu=4200
  ip link set lo up
  if [[ -e /sys/class/net/vec0 ]]; then
    interface=vec0 mtu=1500
  else
    ip link add rdma0 type dummy
  fi
  ip addr add "10.77.0.$guest_id/24" dev "$interface"
  ip link set "$interface" mtu "$mtu" up
  rdma link add rxe0 type rxe netdev "$interface" || say "there is no device rxe0"
}

hostname "guest$guest_id"
# By this a program knows where it is.
export LEASEHOLD_GUEST=$guest_id
printf '127.0.0.1 localhost\n' >/etc/hosts
for id in 1 2 3 4 5; do printf '10.77.0.%s guest%s\n' "$id" "$id" >>/etc/hosts; done
# Memory that a device may reach is locked, and the test is not about that limit.
ulimit -l unlimited
ulimit -n 65536
network
cd "$guest_share" || exit 1
say "up"
started=$SECONDS
timeout -k 5 "$guest_seconds" bash -c "$(<"$guest_files.command")" </dev/null
code=$?
# Who does not end when its time is over is killed, which looks like any other kill.
if ((code == 137 && SECONDS - started >= guest_seconds)); then code=124; fi
if ((code == 124)); then say "out of time: $guest_seconds s"; fi
say "exit code $code"
echo "$code" >"$guest_files.code"
sync
MAIN
chroot $root /bin/bash /run/main
power_off
