#!/usr/bin/env bash
# Runs the example WordCount across two guests: the memory node in one, the processes that count in the other.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
root=$(cd "$rdma_dir/../.." && pwd -P)
# shellcheck source=bin/lib/jdk.sh
source "$root/bin/lib/jdk.sh"

usage() {
  cat <<'USAGE'
Usage: wordcount.sh [--lines N] [OPTION...]

Counts the words of the first N lines of a book (default: 1500), and ends with 0 if every count is right. The other
options are those of run-cluster.sh: --drop P, --delay MS, --seed S, --as-shipped.
The programs are those that Maven compiled: run bin/leasehold demo or bin/test first.
USAGE
}

seconds=240
node_megabytes=256
poll_seconds=0.2
text=$root/examples/data/king-james-bible.txt
# Short runs on one processor: compiling code well would take longer than it saves.
java_options=(-Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ActiveProcessorCount=2 --enable-native-access=ALL-UNNAMED)

# run_class CLASS ARGUMENT...: in the guest.
run_class() {
  "$JAVA25_HOME/bin/java" "${java_options[@]}" -cp "$root/examples/target/classes:$(<"$class_path_file")" "$@"
}

# await_file FILE: until it is there. The run has a limit of its own.
await_file() { until [[ -s "$1" ]]; do sleep "$poll_seconds"; done; }

# serve: the first guest. The node ends when its standard input does, and that is when the others are done.
serve() {
  { await_file over; } | run_class io.leasehold.lease.NodeMain --memory "${node_megabytes}m" --host 10.77.0.1 \
    --until-stdin-closes | {
    IFS= read -r greeting
    echo "$greeting"
    # "leasehold node 0 at ADDRESS, 256 MiB"
    greeting=${greeting#* at }
    echo "${greeting%%,*}" >address.new
    mv address.new address
    cat
  }
}

# use: the second guest.
use() {
  local code=0
  await_file address
  run_class io.leasehold.examples.WordCount --node "$(<address)" --producers 1 --consumers 2 text || code=$?
  echo "$code" >over
  return "$code"
}

main() {
  local lines=1500 options=()
  class_path_file=$root/examples/target/rdma-classpath
  [[ -s "$class_path_file" ]] || class_path_file=$root/examples/target/classpath
  case ${1:-} in
    --serve)
      serve
      return
      ;;
    --use)
      use
      return
      ;;
    -h | --help)
      usage
      return 0
      ;;
  esac
  if [[ "${1:-}" = --lines ]]; then
    is_count "${2:-}" || refuse "--lines wants a number from 1 on, not '${2:-}'"
    lines=$2
    shift 2
  fi
  options=("$@")
  if [[ ! -s "$class_path_file" ]]; then
    say "the examples are not compiled: run bin/leasehold demo, or bin/test" >&2
    return 1
  fi
  JAVA25_HOME=$(find_jdk25)
  share=$(mktemp -d)
  trap 'rm -rf "$share"' EXIT
  head -n "$lines" "$text" >"$share/text"
  "$rdma_dir/run-cluster.sh" ${options[@]+"${options[@]}"} --share "$share" --seconds "$seconds" -- \
    env JAVA25_HOME="$JAVA25_HOME" "$rdma_dir/wordcount.sh" --serve -- \
    env JAVA25_HOME="$JAVA25_HOME" "$rdma_dir/wordcount.sh" --use
}

main "$@"
