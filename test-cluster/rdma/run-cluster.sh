#!/usr/bin/env bash
# Runs 2 to 5 guests that are joined by a private hub. Needs no root.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage() {
  cat <<'USAGE'
Usage: run-cluster.sh [OPTION...] --seconds N -- COMMAND_1 -- COMMAND_2 [-- COMMAND_3 ...]

Boots one guest for each command, 2 to 5 of them, and shows their consoles with the guest's number before each line.
Guest N has the name guestN, the address 10.77.0.N, and a device rxe0 on that network. Each command is a line for the
shell of its guest, or words. Ends with the exit code of the first guest that failed: see run-guest.sh.

  --seconds N    how long the commands may take
  --drop P       the share of frames that the hub loses, 0 to 1 (default: 0)
  --delay MS     how long the hub keeps each frame, in milliseconds (default: 0)
  --seed S       decides which frames are lost; without it chosen, and shown
  --cpu N        the processor that all of them run on (default: the one with least to do)
  --as-shipped, --share DIR, --memory MB: as run-guest.sh has them, for every guest
USAGE
}

seconds='' drop=0 delay=0 seed='' cpu='' guest_options=() commands=()

is_number() { [[ "$1" =~ ^[0-9]{1,6}(\.[0-9]{1,9})?$ ]]; }

# parse WORD...: sets the variables above; `commands` is what follows the options, from the first -- on.
parse() {
  while (($# > 0)); do
    case $1 in
      --seconds | --drop | --delay | --seed | --cpu | --share | --memory)
        (($# > 1)) || refuse "$1 wants a value"
        case $1 in
          --share | --memory) guest_options+=("$1" "$2") ;;
          *) printf -v "${1#--}" '%s' "$2" ;;
        esac
        shift
        ;;
      --as-shipped) guest_options+=("$1") ;;
      -h | --help)
        usage
        exit 0
        ;;
      --) break ;;
      *) refuse "unknown word '$1'" ;;
    esac
    shift
  done
  [[ -n "$seed" ]] || seed=$RANDOM
  is_count "$seconds" || refuse "--seconds wants a number from 1 on, not '$seconds'"
  [[ "$drop" =~ ^(0(\.[0-9]{1,9})?|1(\.0+)?)$ ]] || refuse "--drop wants a number from 0 to 1, not '$drop'"
  is_number "$delay" || refuse "--delay wants milliseconds, not '$delay'"
  [[ "$seed" =~ ^[0-9]{1,9}$ ]] || refuse "--seed wants a number, not '$seed'"
  [[ "$cpu" =~ ^[0-9]*$ ]] || refuse "--cpu wants a number, not '$cpu'"
  commands=("$@")
}

# count_commands: refuses what is not 2 to 5 commands with something in each.
count_commands() {
  local word count=0 previous=''
  for word in ${commands[@]+"${commands[@]}"} --; do
    if [[ "$word" = -- ]]; then
      [[ "$previous" != -- ]] || refuse "a command is empty"
      if [[ -n "$previous" ]]; then count=$((count + 1)); fi
    fi
    previous=$word
  done
  ((count >= 2 && count <= 5)) || refuse "a cluster has 2 to 5 commands, each after a --; here are $count"
}

main() {
  parse "$@"
  count_commands
  # All on one processor, which has a quarter of the latency.
  guest_options+=(--seconds "$seconds" --cpu "${cpu:-$(least_busy_cpu)}")
  say "drop $drop, delay $delay ms, seed $seed"
  exec python3 "$rdma_dir/hub.py" --drop "$drop" --delay "$delay" --seed "$seed" \
    "$rdma_dir/run-guest.sh" "${guest_options[@]}" "${commands[@]}"
}

main "$@"
