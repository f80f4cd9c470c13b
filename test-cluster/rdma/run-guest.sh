#!/usr/bin/env bash
# Runs one command in one guest, on the kernel that build-guest.sh built. Needs no root.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'USAGE'
Usage: run-guest.sh [OPTION...] -- COMMAND [ARGUMENT...]

Boots a guest with a device rxe0, runs COMMAND there, shows its console, and ends with COMMAND's exit code; with 124
when it was out of time, and with 125 when the guest died without a result. A single COMMAND of several words is a
line for the shell. The guest sees the host's files and cannot change them, save those in the share, where it starts.

  --as-shipped   the kernel as shipped, which does not check a window's own bounds
  --prebuilt     the distribution's own kernel, under QEMU; several times slower. See build-prebuilt.sh
  --share DIR    the directory that the guest may write to, at the same path (default: the current one)
  --seconds N    how long COMMAND may take (default: 300)
  --memory MB    the guest's memory (default: 3072)
  --id N         its number, 1 to 5: its address is 10.77.0.N (default: 1)
  --cpu N        the processor that it runs on (default: the one with least to do)
  --network FD   an open socket for its frames; run-cluster.sh uses this
USAGE
}

# Seconds for booting and for ending, beyond those for the command.
grace_seconds=30

kernel=corrected share=$PWD seconds=300 memory=3072 id=1 cpu='' network=''

# parse WORD...: sets the variables above, and `command`.
parse() {
  local single=no
  while (($# > 0)); do
    case $1 in
      --as-shipped) kernel=as-shipped ;;
      --prebuilt) kernel=prebuilt ;;
      --share | --seconds | --memory | --id | --cpu | --network)
        (($# > 1)) || refuse "$1 wants a value"
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
      -h | --help)
        usage
        exit 0
        ;;
      --)
        shift
        break
        ;;
      *) refuse "unknown word '$1'" ;;
    esac
    shift
  done
  (($# > 0)) || refuse "no command"
  is_count "$seconds" || refuse "--seconds wants a number from 1 on, not '$seconds'"
  is_count "$memory" || refuse "--memory wants a number of megabytes, not '$memory'"
  [[ "$id" =~ ^[1-5]$ ]] || refuse "--id wants a number from 1 to 5, not '$id'"
  [[ "$cpu" =~ ^[0-9]*$ && "$network" =~ ^[0-9]*$ ]] || refuse "--cpu and --network want a number"
  [[ "$kernel" != prebuilt || -z "$network" ]] || refuse "--prebuilt has no --network: it runs one guest"
  [[ -d "$share" && -w "$share" ]] || refuse "--share wants a directory that can be written to, not '$share'"
  share=$(cd "$share" && pwd -P)
  # Words of the kernel's command line, and an option of a mount, end at these.
  [[ "$share" != *[[:space:],]* ]] || refuse "the path of the share has a space or a comma in it: '$share'"
  (($# > 1)) || single=yes
  if [[ "$single" = yes ]]; then command=$1; else command=$(printf '%q ' "$@"); fi
}

# find_kernel: prints the path of the kernel, or says how to get it.
find_kernel() {
  local builder=build-guest.sh
  if [[ "$kernel" = prebuilt ]]; then builder=build-prebuilt.sh; fi
  if ! guest_kernel "$kernel"; then
    say "the guest's $kernel kernel is not built, or from other edits: run test-cluster/rdma/$builder" >&2
    return 1
  fi
}

# memory_place: prints the directory for the file that is the guest's memory. In a container /dev/shm is often small,
# and a guest that finds no room dies in the middle.
memory_place() {
  local directory room
  for directory in /dev/shm "${TMPDIR:-/tmp}"; do
    if [[ -d "$directory" && -w "$directory" && ",$(findmnt -no OPTIONS -T "$directory")," != *,noexec,* ]]; then
      room=$(df -Pm "$directory" | awk 'NR == 2 { print $4 }')
      if ((room >= memory)); then
        printf '%s\n' "$directory"
        return 0
      fi
    fi
  done
  say "neither /dev/shm nor ${TMPDIR:-/tmp} allows execution and has room for the guest's $memory MB:" \
    "set TMPDIR to a directory that does, or give --memory less" >&2
  return 1
}

# Words that both kinds of first process read.
guest_words() {
  printf '%s\n' "guest_main=$rdma_dir/guest-main.sh" "guest_id=$id" "guest_share=$share" "guest_files=$1" \
    "guest_seconds=$seconds"
}

# linux_program KERNEL FILES: sets `program` to the kernel, which is one.
linux_program() {
  mapfile -t program < <(guest_words "$2")
  program=(taskset -c "$cpu" "$1" "mem=${memory}M" "root=/dev/root" "rootfstype=hostfs" "rootflags=/" "ro" "quiet"
    "panic=-1" "umid=leasehold-$$-$id" "uml_dir=${TMPDIR:-/tmp}/.leasehold-guests-$EUID/" "con=null" "con0=null,fd:1"
    "ssl=null" "init=$rdma_dir/guest-init.sh" "${program[@]}")
  if [[ -n "$network" ]]; then
    program+=("vec0:transport=fd,fd=$network,mac=52:54:00:00:00:0$id,depth=64,gro=0")
  fi
}

# qemu_program KERNEL FILES: sets `program` to QEMU. One processor: with two, JVMs crash in its emulation.
qemu_program() {
  local words
  mapfile -t words < <(guest_words "$2")
  program=(qemu-system-x86_64 -M q35 -accel "tcg,thread=single,tb-size=1024" -cpu max -m "$memory" -smp 1 -nodefaults
    -no-user-config -no-reboot -display none -chardev "stdio,id=console,signal=off" -serial chardev:console
    -device virtio-rng-pci
    -fsdev "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"
    -device "virtio-9p-pci,fsdev=host,mount_tag=host"
    -fsdev "local,id=share,path=$share,security_model=none" -device "virtio-9p-pci,fsdev=share,mount_tag=share"
    -kernel "$1" -initrd "${1%/*}/files"
    -append "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable random.trust_cpu=on ${words[*]}")
}

# boot KERNEL FILES: runs the guest to its end, in the background so that a signal to us reaches it.
boot() {
  local guest program=()
  if [[ "$kernel" = prebuilt ]]; then qemu_program "$@"; else linux_program "$@"; fi
  TMPDIR=$place timeout -k 5 $((seconds + grace_seconds)) "${program[@]}" </dev/null 2>&1 &
  guest=$!
  # The names are needed when a trap runs, and this function has returned.
  # shellcheck disable=SC2064
  trap "kill $guest 2>/dev/null || true; wait $guest || true; exit 143" TERM INT HUP
  wait "$guest"
}

main() {
  local path place files code=0 started
  parse "$@"
  path=$(find_kernel)
  place=$(memory_place)
  [[ -n "$cpu" ]] || cpu=$(least_busy_cpu)
  files=$share/.guest-$$-$id
  # shellcheck disable=SC2064
  trap "rm -f '$files.command' '$files.code'" EXIT
  printf '%s\n' "$command" >"$files.command"
  started=$SECONDS
  boot "$path" "$files" || code=$?
  if [[ -s "$files.code" ]]; then
    code=$(<"$files.code")
  elif ((SECONDS - started >= seconds + grace_seconds)); then
    say "the guest did not end within $((seconds + grace_seconds)) s" >&2
    code=124
  else
    say "the guest died without a result (exit code $code)" >&2
    code=125
  fi
  exit "$code"
}

main "$@"
