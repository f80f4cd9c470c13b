#!/usr/bin/env bash
# Measures Soft-RoCE in the guest with perftest, the C programs that RDMA people compare their figures with.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=bin/lib/packages.sh
source "$rdma_dir/../../bin/lib/packages.sh"

usage() {
  cat <<'USAGE'
Usage: perftest.sh [--iterations N]

Prints a table of latencies and rates between two processes in one guest. They are times of a software device: what
another program takes in the same guest may be compared with them, and nothing else.

  --iterations N  how many operations each row measures (default: 5000)
USAGE
}

# ib_write_lat is a game of ping-pong: both processes watch their memory, and never wait for a completion. The guest has
# one processor, so a turn takes as long as a time slice; a few turns are enough to show that.
ping_pong_iterations=30
needed_programs=(ib_read_lat ib_write_lat ib_atomic_lat ib_read_bw ib_write_bw)
guest_seconds=240
tries=4

# measure PROGRAM [OPTION...]: prints the line of figures. perftest measures the clock first, and has no figures when
# that went wrong: then once more.
measure() {
  local server line='' try
  for ((try = 1; try <= tries; try++)); do
    "$@" -d rxe0 -x 1 -F >/dev/null 2>&1 &
    server=$!
    wait_for_listener
    line=$("$@" -d rxe0 -x 1 -F localhost 2>&1 | grep -A1 '#bytes' | tail -n 1) || true
    wait "$server" || true
    if [[ "$line" =~ ^[[:space:]]*[0-9] && "$line" != *inf* && "$line" != *nan* ]]; then
      printf '%s\n' "$line"
      return 0
    fi
  done
  say "$* gave no figures in $tries tries; the last was: ${line:-nothing}" >&2
  return 1
}

# wait_for_listener: until the server listens on perftest's port, 18515 (4853 in hexadecimal), for 10 s at most.
wait_for_listener() {
  local left
  for ((left = 200; left > 0; left--)); do
    if grep -q ':4853 00000000:0000 0A' /proc/net/tcp /proc/net/tcp6; then return 0; fi
    sleep 0.05
  done
  say "the server of perftest does not listen" >&2
  return 1
}

# latency LABEL PROGRAM OPTION...: a row with t_typical (the median), 99 % and 99.9 %.
latency() {
  local figures
  figures=$(measure "${@:2}") || return 1
  awk -v label="$1" '{ printf "%-42s %10.1f %10.1f %10.1f us\n", label, $5, $8, $9 }' <<<"$figures"
}

# one_at_a_time LABEL PROGRAM OPTION...: a row with the mean time of an operation, from the rate with one on the way.
one_at_a_time() {
  local figures
  figures=$(measure "${@:2}" -t 1) || return 1
  awk -v label="$1" '{ printf "%-42s %10.1f us (mean)\n", label, 1 / $5 }' <<<"$figures"
}

# rate LABEL PROGRAM OPTION...: a row with the average rate.
rate() {
  local figures
  figures=$(measure "${@:2}") || return 1
  awk -v label="$1" '{ printf "%-42s %10.1f thousand/s %7.1f MiB/s\n", label, $5 * 1000, $4 }' <<<"$figures"
}

# inside ITERATIONS CLOCK_RATE: the part that runs in the guest.
inside() {
  local n=$1
  # perftest wants a clock rate in /proc/cpuinfo, and the guest's has none.
  printf '%s\n' "$2" >/run/cpuinfo
  mount --bind /run/cpuinfo /proc/cpuinfo
  printf '%-42s %10s %10s %10s\n' operation median '99 %' '99.9 %'
  latency 'READ 8 B (ib_read_lat)' ib_read_lat -s 8 -n "$n"
  latency 'READ 4096 B (ib_read_lat)' ib_read_lat -s 4096 -n "$n"
  latency 'FETCH_AND_ADD (ib_atomic_lat)' ib_atomic_lat -A FETCH_AND_ADD -n "$n"
  latency 'COMPARE_AND_SWAP (ib_atomic_lat)' ib_atomic_lat -A CMP_AND_SWAP -n "$n"
  one_at_a_time 'WRITE 8 B, one on the way (ib_write_bw)' ib_write_bw -s 8 -n "$n"
  one_at_a_time 'READ 8 B, one on the way (ib_read_bw)' ib_read_bw -s 8 -n "$n"
  rate 'READ 8 B, posted by 16 (ib_read_bw)' ib_read_bw -s 8 -l 16 -n "$((n / 16 * 16))"
  rate 'WRITE 8 B, posted by 16 (ib_write_bw)' ib_write_bw -s 8 -l 16 -n "$((n / 16 * 16))"
  rate 'READ 64 KiB (ib_read_bw)' ib_read_bw -s 65536 -n "$n"
  latency 'WRITE 8 B ping-pong (ib_write_lat), see *' ib_write_lat -s 8 -n "$ping_pong_iterations"
  printf '* both sides watch their memory on one processor: the length of a time slice, and not of a WRITE\n'
}

main() {
  local iterations=5000 program missing=no
  if [[ "${1:-}" = --inside ]]; then
    inside "$2" "$3"
    return
  fi
  while (($# > 0)); do
    case $1 in
      --iterations)
        (($# > 1)) || refuse "$1 wants a value"
        iterations=$2
        shift
        ;;
      -h | --help)
        usage
        return 0
        ;;
      *) refuse "unknown word '$1'" ;;
    esac
    shift
  done
  if ! is_count "$iterations" || ((iterations < 16)); then
    refuse "--iterations wants a number from 16 on, not '$iterations'"
  fi
  for program in "${needed_programs[@]}"; do
    command -v "$program" >/dev/null || missing=yes
  done
  if [[ "$missing" = yes ]]; then install_packages perftest; fi
  share=$(mktemp -d)
  trap 'rm -rf "$share"' EXIT
  "$rdma_dir/run-guest.sh" --share "$share" --seconds "$guest_seconds" -- "$rdma_dir/perftest.sh" --inside "$iterations" \
    "$(grep -m1 '^cpu MHz' /proc/cpuinfo)"
}

main "$@"
