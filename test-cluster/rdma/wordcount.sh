#!/usr/bin/env bash
# Runs the example WordCount across two guests, over RDMA: the memory node in one, producers and consumers in both.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
root=$(cd "$rdma_dir/../.." && pwd -P)
# shellcheck source=bin/lib/jdk.sh
source "$root/bin/lib/jdk.sh"
# shellcheck source=bin/lib/packages.sh
source "$root/bin/lib/packages.sh"

usage() {
  cat <<'USAGE'
Usage: wordcount.sh [--lines N] [--device DEVICE] [OPTION...]

Counts the words of the first N lines of a book (default: 500) in two guests, each with a producer and a consumer. The
guests find the memory node by a memcached in the first. Ends with 0 if in both every count is right.

  --device DEVICE  verbs, the RDMA device of each guest, or soft, the software fabric over TCP (default: verbs)

The other options are those of run-cluster.sh: --drop P, --delay MS, --seed S, --cpu N,
--as-shipped.
The programs are those that Maven compiled: run bin/leasehold demo or bin/test first.
USAGE
}

seconds=400
node_megabytes=256
poll_seconds=0.2
first=10.77.0.1
memcached_port=11211
text=$root/examples/data/king-james-bible.txt
# Short runs on one processor: compiling code well would take longer than it saves.
java_options=(-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ActiveProcessorCount=2 --enable-native-access=ALL-UNNAMED)

# run_class CLASS ARGUMENT...: in the guest.
run_class() {
  "$JAVA25_HOME/bin/java" "${java_options[@]}" -cp "$root/examples/target/classes:$(<"$class_path_file")" "$@"
}

# await_file FILE: until it is there. The run has a limit of its own.
await_file() { until [[ -e "$1" ]]; do sleep "$poll_seconds"; done; }

# count HOST DEVICE: the processes of one guest. The node's address is in the memcached.
count() {
  run_class io.leasehold.examples.WordCount --conf memcached.conf --hosts 2 --host "$1" --device "$2" --producers 1 \
    --consumers 1 text
}

# serve DEVICE: the first guest, with the memcached and the node. The node ends when its standard input does, and that is
# when both guests are done.
serve() {
  local code=0
  printf '%s\n' "$first" "$memcached_port" >memcached.conf
  PATH=$PATH:/usr/sbin:/usr/local/sbin memcached -u "$(id -un)" -l "$first" -p "$memcached_port" &
  until (exec 3<>"/dev/tcp/$first/$memcached_port") 2>/dev/null; do sleep "$poll_seconds"; done
  { await_file over; } | run_class io.leasehold.lease.NodeMain --memory "${node_megabytes}m" --device "$1" --host "$first" \
    --conf memcached.conf --until-stdin-closes >node &
  # Not all at once: the guests share a processor.
  until [[ -s node ]]; do
    kill -0 %2
    sleep "$poll_seconds"
  done
  cat node
  touch served
  count 1 "$1" || code=$?
  await_file over
  # The node takes its name out of the memcached before it ends.
  wait %2 || code=$?
  kill %1
  return "$code"
}

# join DEVICE: the second guest.
join() {
  local code=0
  await_file served
  count 2 "$1" || code=$?
  touch over
  return "$code"
}

main() {
  local lines=500 device=verbs options=()
  class_path_file=$root/examples/target/rdma-classpath
  [[ -s "$class_path_file" ]] || class_path_file=$root/examples/target/classpath
  while (($# > 0)); do
    case $1 in
      --serve | --join)
        "${1#--}" "$2"
        return
        ;;
      --lines)
        is_count "${2:-}" || refuse "--lines wants a number from 1 on, not '${2:-}'"
        lines=$2
        shift
        ;;
      --device)
        [[ "${2:-}" =~ ^(verbs|soft)$ ]] || refuse "--device wants 'verbs' or 'soft', not '${2:-}'"
        device=$2
        shift
        ;;
      -h | --help)
        usage
        return 0
        ;;
      *) options+=("$1") ;;
    esac
    shift
  done
  if [[ ! -s "$class_path_file" ]]; then
    say "the examples are not compiled: run bin/leasehold demo, or bin/test" >&2
    return 1
  fi
  PATH=$PATH:/usr/sbin:/usr/local/sbin command -v memcached >/dev/null || install_packages memcached
  JAVA25_HOME=$(find_jdk25)
  share=$(mktemp -d)
  trap 'rm -rf "$share"' EXIT
  head -n "$lines" "$text" >"$share/text"
  run_attached "$rdma_dir/run-cluster.sh" ${options[@]+"${options[@]}"} --share "$share" --seconds "$seconds" -- \
    env JAVA25_HOME="$JAVA25_HOME" "$rdma_dir/wordcount.sh" --serve "$device" -- \
    env JAVA25_HOME="$JAVA25_HOME" "$rdma_dir/wordcount.sh" --join "$device"
}

main "$@"
