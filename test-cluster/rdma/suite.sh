#!/usr/bin/env bash
# Runs the tests tagged `rdma` in guests. They are compiled already, with Maven's profile `rdma`: see bin/test.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'USAGE'
Usage: bin/test --rdma [--kernel corrected|as-shipped | --cluster] [CLASS...]

Runs the test classes that are tagged `rdma` in a guest on the corrected kernel and in one on the kernel as shipped, and
then WordCount across two guests, once on a good link and once on one that loses 1 % of the frames. The reports are in
target/rdma-reports. A class is tagged by a line @Tag("rdma") of its own.

  CLASS            only these test classes
  --kernel KERNEL  only test classes, and only on that kernel
  --cluster        only WordCount; it wants processors that have little else to do
USAGE
}

root=$(cd "$rdma_dir/../.." && pwd -P)
# shellcheck source=bin/lib/jdk.sh
source "$root/bin/lib/jdk.sh"
reports=$root/target/rdma-reports
guest_seconds=1200
guest_megabytes=4096
# As Surefire has them, but for the guest's one processor: two for the JVM, so that it runs as it does elsewhere.
java_options=(-Xmx2g -XX:+UseSerialGC -XX:ActiveProcessorCount=2 --enable-native-access=ALL-UNNAMED
  -Djqwik.reporting.onlyfailures=true)

# tagged_sources: the files of the test classes that carry the tag.
tagged_sources() {
  grep -rlE --include='*.java' '^@(net\.jqwik\.api\.|org\.junit\.jupiter\.api\.)?Tag\("rdma"\)' "$root"/*/src/test/java |
    sort
}

# chosen_classes CLASS...: prints `module class` for each tagged class that is named, or for all of them.
chosen_classes() {
  local file module class name
  while read -r file; do
    module=${file#"$root"/}
    module=${module%%/*}
    class=${file#"$root/$module/src/test/java/"}
    class=${class%.java}
    class=${class//\//.}
    if (($# == 0)); then printf '%s %s\n' "$module" "$class"; fi
    for name in "$@"; do
      if [[ "$class" = "$name" || "${class##*.}" = "$name" ]]; then printf '%s %s\n' "$module" "$class"; fi
    done
  done < <(tagged_sources)
}

# inside KERNEL JAVA REPORTS CHOSEN: the part that runs in the guest. One JVM for the classes of a module, in its directory.
inside() {
  local java=$2 directory=$3 chosen=$4 device=rxe module class code=0 select
  # What Soft-RoCE does otherwise than the specification, the tests know by its name.
  if [[ "$1" = as-shipped ]]; then device=rxe-as-shipped; fi
  for module in $(cut -d' ' -f1 <<<"$chosen" | uniq); do
    select=()
    while read -r _ class; do select+=(--select-class "$class"); done < <(grep "^$module " <<<"$chosen")
    cd "$root/$module"
    "$java" "${java_options[@]}" "-Djqwik.database=$directory/$module.jqwik-database" "-Dleasehold.test.device=$device" \
      -cp "target/test-classes:target/classes:$(<target/rdma-classpath)" org.junit.platform.console.ConsoleLauncher execute \
      "${select[@]}" --details tree --disable-banner --disable-ansi-colors --fail-if-no-tests \
      --reports-dir "$directory/$module" || code=1
  done
  return "$code"
}

# count DIRECTORY ATTRIBUTE: the sum of an attribute over the reports in a directory.
count() {
  find "$1" -name 'TEST-*.xml' -exec grep -m1 -ho '<testsuite [^>]*' {} + |
    sed -n "s/.* $2=\"\([0-9]*\)\".*/\1/p" | awk '{ sum += $1 } END { print sum + 0 }'
}

# require_compiled CHOSEN: the guest cannot compile, and would find that out late.
require_compiled() {
  local module
  for module in $(cut -d' ' -f1 <<<"$1" | uniq); do
    if [[ ! -s "$root/$module/target/rdma-classpath" ]]; then
      say "the tests of $module are not compiled for the guest: run bin/test --rdma, which does that first" >&2
      return 1
    fi
  done
}

# run_on KERNEL CPU CHOSEN: runs the classes in a guest, and counts; a run that skipped everything has failed.
run_on() {
  local kernel=$1 cpu=$2 chosen=$3 directory=$reports/$1 options=() code=0 tests skipped failed started=$SECONDS
  rm -rf "$directory"
  mkdir -p "$directory"
  if [[ "$kernel" = as-shipped ]]; then options=(--as-shipped); fi
  say "test classes in a guest with the $kernel kernel: $(wc -l <<<"$chosen")"
  "$rdma_dir/run-guest.sh" ${options[@]+"${options[@]}"} --cpu "$cpu" --share "$directory" --seconds "$guest_seconds" \
    --memory "$guest_megabytes" -- "$rdma_dir/suite.sh" --inside "$kernel" "$jdk/bin/java" "$directory" "$chosen" ||
    code=$?
  tests=$(count "$directory" tests)
  skipped=$(count "$directory" skipped)
  failed=$(($(count "$directory" failures) + $(count "$directory" errors)))
  if ((code == 0 && tests == skipped)); then
    say "none of $tests tests ran" >&2
    code=1
  fi
  if ((code == 0 && failed > 0)); then code=1; fi
  printf '%s kernel: %s tests, %s failed, %s skipped, exit code %s, %s s\n' "$kernel" "$tests" "$failed" "$skipped" "$code" \
    $((SECONDS - started)) >"$directory/summary"
  return "$code"
}

# run_in_cluster NAME CPU SCRIPT [OPTION...]: runs a script that boots a cluster, and reports on it.
run_in_cluster() {
  local name=$1 cpu=$2 script=$3 directory=$reports/$1 code=0 failures=0 failure='' started=$SECONDS
  rm -rf "$directory"
  mkdir -p "$directory"
  say "two guests: $script ${*:4}"
  "$rdma_dir/$script" "${@:4}" --cpu "$cpu" >"$directory/log" 2>&1 || code=$?
  cat "$directory/log"
  if ((code != 0)); then
    failures=1
    failure="<failure message=\"exit code $code; see $directory/log\"/>"
  fi
  cat >"$directory/TEST-$name.xml" <<REPORT
<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="$name" tests="1" failures="$failures" errors="0" skipped="0" time="$((SECONDS - started))">
<testcase name="$script ${*:4}" classname="$name" time="$((SECONDS - started))">$failure</testcase>
</testsuite>
REPORT
  printf '%s: exit code %s, %s s\n' "$name" "$code" $((SECONDS - started)) >"$directory/summary"
  return "$code"
}

# run_job JOB CPU CHOSEN: a kernel for the test classes, or what runs across two guests.
run_job() {
  case $1 in
    wordcount) run_in_cluster "$1" "$2" wordcount.sh ;;
    lossy-wordcount) run_in_cluster "$1" "$2" wordcount.sh --drop 0.01 ;;
    *) run_on "$@" ;;
  esac
}

# run_lane CPU CHOSEN JOB...: one after the other, though one fails.
run_lane() {
  local job code=0
  for job in "${@:3}"; do run_job "$job" "$1" "$2" || code=1; done
  return "$code"
}

# run_lanes CHOSEN LANE...: at the same time, each on its processor; a lane is a list of jobs. The first is shown as it
# goes, the others later.
run_lanes() {
  local chosen=$1 lanes=("${@:2}") cpus code=0 runs=() i jobs
  mapfile -t cpus < <(usable_cpus)
  mkdir -p "$reports"
  for ((i = 0; i < ${#lanes[@]}; i++)); do
    read -ra jobs <<<"${lanes[i]}"
    if ((i == 0)); then
      run_lane "${cpus[0]}" "$chosen" "${jobs[@]}" &
    else
      run_lane "${cpus[i % ${#cpus[@]}]}" "$chosen" "${jobs[@]}" >"$reports/lane-$i.log" 2>&1 &
    fi
    runs+=($!)
  done
  # When this script is told to end, so are the guests: a lane's child is the script that boots them.
  # shellcheck disable=SC2064,SC2154
  trap "for run in ${runs[*]}; do kill \$run \$(pgrep -P \$run) 2>/dev/null || true; done" EXIT
  for ((i = 0; i < ${#lanes[@]}; i++)); do
    wait "${runs[i]}" || code=$?
    if ((i > 0)); then cat "$reports/lane-$i.log"; fi
  done
  trap - EXIT
  return "$code"
}

main() {
  local lanes=(corrected as-shipped) programs=('wordcount lossy-wordcount') jobs job chosen jdk code=0
  if [[ "${1:-}" = --inside ]]; then
    inside "${@:2}"
    return
  fi
  while (($# > 0)); do
    case $1 in
      --kernel)
        [[ "${2:-}" = corrected || "${2:-}" = as-shipped ]] || refuse "--kernel wants 'corrected' or 'as-shipped'"
        lanes=("$2")
        programs=()
        shift
        ;;
      --cluster) lanes=() ;;
      -h | --help)
        usage
        return 0
        ;;
      -*) refuse "unknown word '$1'" ;;
      *) break ;;
    esac
    shift
  done
  if (($# > 0)); then
    ((${#lanes[@]} > 0)) || refuse "--cluster runs no test classes"
    programs=()
  fi
  chosen=$(chosen_classes "$@")
  [[ -n "$chosen" ]] || refuse "no test class tagged 'rdma'${*:+ is named $*}"
  require_compiled "$chosen"
  jdk=$(find_jdk25)
  if ((${#lanes[@]} > 0)); then run_lanes "$chosen" "${lanes[@]}" || code=$?; fi
  # Afterwards, with all processors for themselves: six JVMs on one keep each other waiting as it is.
  if ((${#programs[@]} > 0)); then run_lanes "$chosen" "${programs[@]}" || code=$?; fi
  read -ra jobs <<<"${lanes[*]} ${programs[*]}"
  for job in "${jobs[@]}"; do say "$(<"$reports/$job/summary")"; done
  say "reports in $reports"
  return "$code"
}

main "$@"
