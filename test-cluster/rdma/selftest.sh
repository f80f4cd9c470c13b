#!/usr/bin/env bash
# Tests the scripts of the guest: that a run tells the truth about how it ended, and that the hub does what it is told.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'USAGE'
Usage: selftest.sh

Boots some guests, for about half a minute, and says which of run-guest.sh's and run-cluster.sh's promises do not hold.
USAGE
}

failed=0

# expect CODE WHAT COMMAND...: COMMAND must end with CODE.
expect() {
  local wanted=$1 what=$2 code=0
  "${@:3}" >"$share/log" 2>&1 </dev/null || code=$?
  if ((code == wanted)); then
    say "ok: $what"
  else
    say "FAILED: $what: exit code $code and not $wanted; it printed:"
    cat "$share/log"
    failed=$((failed + 1))
  fi
}

guest() { "$rdma_dir/run-guest.sh" --share "$share" --seconds "${seconds:-30}" "$@"; }

cluster() { "$rdma_dir/run-cluster.sh" --share "$share" --seconds 30 "$@"; }

# Waits for a connection, or makes one and prints how long that took in milliseconds; 9 if there is none within 3 s.
# The address is announced by the other guest, so it is tried until it listens.
listener='import socket
server = socket.create_server(("10.77.0.1", 4000))
server.settimeout(10)
server.accept()'
caller='import socket, sys, time
end = time.monotonic() + 3
while time.monotonic() < end:
    start = time.monotonic()
    try:
        socket.create_connection(("10.77.0.1", 4000), timeout=2).close()
    except OSError:
        time.sleep(0.05)
        continue
    sys.exit(0 if (time.monotonic() - start) * 1000 >= float(sys.argv[1]) else 8)
sys.exit(9)'

# changes_nothing: the guest may write outside of the share, and the host must not see it.
changes_nothing() {
  guest -- touch "$rdma_dir/written-by-a-guest" && [[ ! -e "$rdma_dir/written-by-a-guest" ]]
}

# ends_when_told: a guest whose script is told to end must end, and leave no file and no process.
ends_when_told() {
  local script ended=0
  "$rdma_dir/run-guest.sh" --share "$share" --seconds 60 -- 'echo >booted; sleep 60' &
  script=$!
  until [[ -e "$share/booted" ]]; do
    kill -0 "$script" || return 1
    sleep 0.1
  done
  kill "$script"
  wait "$script" || ended=$?
  echo "exit code $ended; left behind: $(find "$share" -name '.guest-*') $(pgrep -fa "guest_share=$share")"
  ((ended == 143)) && [[ -z "$(find "$share" -name '.guest-*')" ]] && ! pgrep -f "guest_share=$share"
}

main() {
  case ${1:-} in
    '') ;;
    -h | --help)
      usage
      return 0
      ;;
    *) refuse "unknown word '$1'" ;;
  esac
  share=$(mktemp -d)
  trap 'rm -rf "$share"' EXIT
  expect 2 "an unknown word is refused" guest --nonsense
  expect 2 "a cluster of one is refused" cluster -- true
  expect 7 "the exit code is the command's" guest -- 'exit 7'
  expect 137 "a killed command is not out of time" guest -- 'kill -9 $$'
  expect 0 "the guest has the device, active" guest -- 'grep ACTIVE /sys/class/infiniband/rxe0/ports/1/state'
  expect 0 "the kernel as shipped boots, too" guest --as-shipped -- 'rdma link show rxe0/1'
  # shellcheck disable=SC2016
  expect 0 "words are passed on as they are" guest -- test 'a  $b' = 'a  $b'
  expect 0 "what the guest writes to the share comes back" bash -c "$(declare -f guest); $(declare -p rdma_dir share)
    guest -- 'echo report >written' && grep report $share/written"
  expect 0 "nothing else on the host changes" changes_nothing
  seconds=1 expect 124 "a command that takes too long" guest -- 'sleep 60'
  seconds=1 expect 124 "a command that does not want to end" guest -- 'trap "" TERM; while :; do :; done'
  expect 125 "a guest that dies" guest -- "perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc)'"
  expect 0 "a guest that is told to end" ends_when_told
  expect 3 "the exit code of a cluster is its first failure's" cluster -- true -- 'exit 3' -- 'exit 4'
  expect 0 "guests reach each other" cluster -- python3 -c "$listener" -- python3 -c "$caller" 0
  expect 0 "the hub delays: there and back" cluster --delay 40 -- python3 -c "$listener" -- python3 -c "$caller" 80
  expect 9 "the hub drops" cluster --drop 1 -- true -- python3 -c "$caller" 0
  if ((failed > 0)); then
    say "$failed FAILED"
    return 1
  fi
  say "all hold"
}

main "$@"
