# shellcheck shell=bash
# What the scripts of the guest share; sourced, after `set -euo pipefail`.

rdma_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/leasehold

say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }

# refuse MESSAGE: for words on the command line that make no sense.
refuse() {
  say "$*" >&2
  say "see $(basename "$0") --help" >&2
  exit 2
}

# is_count TEXT: whether it is a positive whole number that fits.
is_count() { [[ "$1" =~ ^[1-9][0-9]{0,8}$ ]]; }

# edits_key: names the configuration and edits of the kernel (not their comments); another key is another kernel.
edits_key() { grep -hv '^ *\(#\|$\)' "$rdma_dir/guest.config" "$rdma_dir/kernel-edits.sh" | sha256sum | cut -c1-10; }

# guest_kernel corrected|as-shipped|prebuilt: prints the path of that kernel; fails if it was not built from these edits.
guest_kernel() {
  local link=$cache/linux-rxe
  if [[ "$1" = prebuilt ]]; then
    [[ -s "$cache/prebuilt/version" ]] && printf '%s\n' "$cache/prebuilt/kernel"
    return
  fi
  if [[ "$1" = as-shipped ]]; then link=$cache/linux-rxe-as-shipped; fi
  [[ -x "$link" && "$(readlink "$link")" = *-"$(edits_key)-$1" ]] && printf '%s\n' "$link"
}

# usable_cpus: prints the numbers of the processors that we may use, one on each line.
usable_cpus() {
  taskset -cp $$ | sed 's/.*: //' | tr ',' '\n' | while IFS=- read -r first last; do seq "$first" "${last:-$first}"; done
}

# least_busy_cpu: of those that we may use. Kernel and program of a guest are two processes that hand over to each
# other at every system call: spread over two processors they are four times slower.
least_busy_cpu() {
  local before after
  before=$(grep '^cpu[0-9]' /proc/stat)
  sleep 0.2
  after=$(grep '^cpu[0-9]' /proc/stat)
  awk '
    BEGIN { most = -1 }
    NF == 1 { usable["cpu" $1]; next }
    !($1 in idle) { idle[$1] = $5; next }
    ($1 in usable) && $5 - idle[$1] > most { most = $5 - idle[$1]; best = substr($1, 4) }
    END { print best }' < <(usable_cpus; printf '%s\n' "$before" "$after")
}

# run_attached COMMAND...: runs it to its end, and ends it when we are told to end.
run_attached() {
  local child
  "$@" </dev/null &
  child=$!
  # shellcheck disable=SC2064
  trap "kill $child 2>/dev/null || true; wait $child || true; exit 143" TERM INT HUP
  wait "$child"
}
