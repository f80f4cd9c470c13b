#!/usr/bin/env bash
# Compares the Java provider with perftest, the C programs that RDMA people compare their figures with, on one device.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
root=$(cd "$rdma_dir/../.." && pwd -P)
# shellcheck source=bin/lib/packages.sh
source "$root/bin/lib/packages.sh"
# shellcheck source=bin/lib/jdk.sh
source "$root/bin/lib/jdk.sh"

usage() {
  cat <<'USAGE'
Usage: perftest.sh [--rounds R] [--iterations N] [--check] [--here DEVICE[/PORT[/GID-INDEX]]]

Measures the same in C and in Java, in turns, and prints the medians over all rounds and their ratio. Without --here it
does so on Soft-RoCE in a guest: what is compared there are two ways to one software device, and no times are those of
RDMA.

  --rounds R      how often each row is measured in either language (default: 9)
  --iterations N  how many operations each time (default: 2000)
  --here DEVICE   not in a guest but on this machine, on that device, as mlx5_0/1/3
  --check         ends with 1 if a latency is more than 1.15 times that of perftest, a rate less than 0.9 times, or if
                  Java allocates 0.1 bytes for an operation or more
USAGE
}

needed_programs=(ib_read_lat ib_write_lat ib_atomic_lat ib_read_bw ib_write_bw)
guest_seconds=900
tries=12
# ib_write_lat is a game of ping-pong: both processes watch their memory, and never wait for a completion. The guest has
# one processor, so a turn takes as long as a time slice; a few turns are enough to show that.
ping_pong_iterations=30
# Another than the one the programs take by themselves, so that somebody else's run is not in the way.
port=18577
java_options=(-Xmx256m -XX:+UseSerialGC -XX:ActiveProcessorCount=2 --enable-native-access=ALL-UNNAMED)

# The rows: what Java calls it, what is compared with which bar, its name, and the program. A mean is perftest's t_avg; a
# pace is the mean that follows from its rate with one operation on the way; a half is the mean of half a round trip. Means,
# since in the guest Java has no clock that could be read for each operation.
rows=(
  'read      mean   READ 8 B|ib_read_lat -s 8'
  'read4096  mean   READ 4096 B|ib_read_lat -s 4096'
  'write     pace   WRITE 8 B|ib_write_bw -s 8 -t 1'
  'faa       mean   FETCH_AND_ADD|ib_atomic_lat -A FETCH_AND_ADD'
  'cas       mean   COMPARE_AND_SWAP|ib_atomic_lat -A CMP_AND_SWAP'
  'read16    rate   READ 8 B, posted by 16|ib_read_bw -s 8 -l 16'
  'write16   rate   WRITE 8 B, posted by 16|ib_write_bw -s 8 -l 16'
  'ping-pong half   WRITE 8 B ping-pong *|ib_write_lat -s 8'
)

# measure PROGRAM [OPTION...]: prints perftest's line of figures. It measures the clock first, and has no figures when that
# went wrong: then once more.
measure() {
  local server line='' try
  for ((try = 1; try <= tries; try++)); do
    "$@" "${device_options[@]}" >/dev/null 2>&1 &
    server=$!
    wait_for_listener
    line=$("$@" "${device_options[@]}" localhost 2>&1 | grep -A1 '#bytes' | tail -n 1) || true
    wait "$server" || true
    if [[ "$line" =~ ^[[:space:]]*[0-9] && "$line" != *inf* && "$line" != *nan* ]]; then
      printf '%s\n' "$line"
      return 0
    fi
  done
  say "$* gave no figures in $tries tries; the last was: ${line:-nothing}" >&2
  return 1
}

# wait_for_listener: until perftest's server listens, for 10 s at most.
wait_for_listener() {
  local left hex
  printf -v hex '%04X' "$port"
  for ((left = 200; left > 0; left--)); do
    if grep -q ":$hex 0*:0000 0A" /proc/net/tcp /proc/net/tcp6; then return 0; fi
    sleep 0.05
  done
  say "the server of perftest does not listen" >&2
  return 1
}

# in_c KIND COUNT PROGRAM [OPTION...]: microseconds, or thousands of operations in a second.
in_c() {
  local figures
  figures=$(measure "${@:3}" -n "$2") || return 1
  case $1 in
    mean | half) awk '{ print $6 }' <<<"$figures" ;;
    pace) awk '{ print 1 / $5 }' <<<"$figures" ;;
    rate) awk '{ print $5 * 1000 }' <<<"$figures" ;;
  esac
}

# in_java NAME COUNT: the same and the bytes allocated for each, by the Java program that waits for us.
in_java() {
  local answer
  printf '%s %s\n' "$1" "$2" >&"${speed[1]}"
  IFS= read -r answer <&"${speed[0]}" || return 1
  printf '%s\n' "$answer"
}

# measure_all ROUNDS COUNT RESULTS: a line `name kind c java bytes` for each row and round.
measure_all() {
  local rounds=$1 row round name kind program count c java
  coproc speed { exec "$java_program" "${java_options[@]}" -cp "$class_path" io.leasehold.rdma.VerbsSpeed "$device"; }
  IFS= read -r java <&"${speed[0]}"
  [[ "$java" = ready ]]
  for ((round = 1; round <= rounds; round++)); do
    for row in "${rows[@]}"; do
      read -r name kind _ <<<"$row"
      read -ra program <<<"${row#*|}"
      count=$(($2 / 16 * 16))
      if [[ "$kind" = half ]]; then count=$ping_pong_iterations; fi
      c=$(in_c "$kind" "$count" "${program[@]}")
      java=$(in_java "$name" "$count")
      printf '%s %s %s %s\n' "$name" "$kind" "$c" "$java" >>"$3"
    done
    say "round $round of $rounds" >&2
  done
  eval "exec ${speed[1]}>&-"
}

# report RESULTS CHECK: the table; fails if the bars are to be checked and one is missed.
report() {
  local row name kind rest
  for row in "${rows[@]}"; do
    read -r name kind rest <<<"${row%%|*}"
    printf '%s|%s|%s|%s\n' "$name" "$kind" "$rest" "${row#*|}"
  done | awk -F '|' -v check="$2" -v results="$1" '
    function median(list, text, n, i, j, t, v) {
      n = split(list, v, " ")
      for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j - 1] + 0 > v[j] + 0; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
      return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
    }
    BEGIN {
      while ((getline line < results) > 0) {
        split(line, f, " ")
        c[f[1]] = c[f[1]] " " f[3]; java[f[1]] = java[f[1]] " " f[4]; bytes[f[1]] = bytes[f[1]] " " f[5]
      }
      printf "%-26s %-34s %10s %10s %7s %10s\n", "", "perftest", "perftest", "Java", "ratio", "allocated"
    }
    {
      a = median(c[$1]); b = median(java[$1]); ratio = b / a; allocated = median(bytes[$1])
      unit = $2 == "rate" ? "k/s" : "us "
      missed = $2 == "half" ? "" : $2 == "rate" ? (ratio < 0.9 ? "  less than 0.9" : "") : (ratio > 1.15 ? "  more than 1.15" : "")
      if ($2 != "half" && allocated >= 0.1) missed = missed "  allocates"
      if (missed != "") failed++
      printf "%-26s %-34s %6.1f %s %6.1f %s %7.2f %7.2f B%s\n", $3, $4, a, unit, b, unit, ratio, allocated, missed
    }
    END {
      print "* both sides watch their memory: on one processor, as in the guest, that is the length of a time slice; no bar"
      if (failed > 0) print failed " rows miss their bar"
      exit (check == "yes" && failed > 0) ? 1 : 0
    }'
}

# inside ROUNDS COUNT CHECK DEVICE JAVA CLASS_PATH RESULTS CLOCK_RATE: on the machine with the device.
inside() {
  local name port_number gid
  IFS=/ read -r name port_number gid <<<"$4"
  device=$4 java_program=$5 class_path=$6
  device_options=(-d "$name" -F -p "$port")
  if [[ -n "$port_number" ]]; then device_options+=(-i "$port_number"); fi
  if [[ -n "$gid" ]]; then device_options+=(-x "$gid"); fi
  if [[ -n "$8" ]]; then
    # perftest wants a clock rate in /proc/cpuinfo, and the guest's has none.
    printf '%s\n' "$8" >/run/cpuinfo
    mount --bind /run/cpuinfo /proc/cpuinfo
  fi
  measure_all "$1" "$2" "$7"
  report "$7" "$3"
}

# compile: the Java program is among the tests of rdma-core.
compile() {
  prepare_maven "$1"
  (cd "$root" && mvn -q -B -ntp -Prdma -pl rdma-core test-compile </dev/null)
}

main() {
  local rounds=9 iterations=2000 check=no here='' program missing=no jdk arguments
  if [[ "${1:-}" = --inside ]]; then
    inside "${@:2}"
    return
  fi
  while (($# > 0)); do
    case $1 in
      --rounds | --iterations | --here)
        (($# > 1)) || refuse "$1 wants a value"
        printf -v "${1#--}" '%s' "$2"
        shift
        ;;
      --check) check=yes ;;
      -h | --help)
        usage
        return 0
        ;;
      *) refuse "unknown word '$1'" ;;
    esac
    shift
  done
  is_count "$rounds" || refuse "--rounds wants a number from 1 on, not '$rounds'"
  if ! is_count "$iterations" || ((iterations < 16)); then
    refuse "--iterations wants a number from 16 on, not '$iterations'"
  fi
  for program in "${needed_programs[@]}"; do
    command -v "$program" >/dev/null || missing=yes
  done
  if [[ "$missing" = yes ]]; then install_packages perftest; fi
  jdk=$(find_jdk25)
  compile "$jdk"
  share=$(mktemp -d)
  trap 'rm -rf "$share"' EXIT
  arguments=("$rounds" "$iterations" "$check" "${here:-rxe0/1/1}" "$jdk/bin/java"
    "$root/rdma-core/target/test-classes:$root/rdma-core/target/classes:$(<"$root/rdma-core/target/rdma-classpath")"
    "$share/results")
  if [[ -n "$here" ]]; then
    inside "${arguments[@]}" ''
  else
    "$rdma_dir/run-guest.sh" --share "$share" --seconds "$guest_seconds" -- "$rdma_dir/perftest.sh" --inside \
      "${arguments[@]}" "$(grep -m1 '^cpu MHz' /proc/cpuinfo)"
  fi
}

main "$@"
