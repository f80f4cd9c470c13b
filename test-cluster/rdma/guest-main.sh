#!/bin/bash
# What happens in a guest once its file system is there: network, device, command. Words NAME=VALUE of the kernel's
# command line are its environment.
: "${guest_id:?} ${guest_share:?} ${guest_seconds:?}"
# In the share: $guest_files.command is what to run, and $guest_files.code gets its exit code.
: "${guest_files:?}"

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
