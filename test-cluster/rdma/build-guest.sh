#!/usr/bin/env bash
# Builds the guest's kernel: Linux as an ordinary program (user-mode Linux) with Soft-RoCE, from Debian's kernel source.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=test-cluster/rdma/kernel-edits.sh
source "$rdma_dir/kernel-edits.sh"
# shellcheck source=bin/lib/packages.sh
source "$rdma_dir/../../bin/lib/packages.sh"

linux_version=6.1
source_package=linux-source-$linux_version
progress_seconds=20
needed_megabytes=2500
lock_wait_seconds=1200
# The exit code for a system that cannot have the guest.
impossible=3
# What the kernel must have in the end; Kconfig drops in silence what it cannot give.
must_have=(INFINIBAND INFINIBAND_USER_ACCESS RDMA_RXE HOSTFS OVERLAY_FS DEVTMPFS CRYPTO_CRC32 UML_NET_VECTOR)

usage() {
  cat <<USAGE
Usage: build-guest.sh [--as-shipped] [--rebuild]

Builds two kernels for run-guest.sh and run-cluster.sh, from one tree:
  $cache/linux-rxe             corrected: a window's own bounds are checked
  $cache/linux-rxe-as-shipped  as shipped: only those of the region below are
What is already built is kept. The first build takes about 4 minutes on 2 cores, and $needed_megabytes MB while it runs.
Packages that it needs are installed if it may (root, or sudo without a password). Nothing else needs root.
Ends with 3 on a system that cannot have the guest: not x86-64, or without the package $source_package.

  --as-shipped  is content if the kernel as shipped is there (it builds both in any case)
  --rebuild     builds even if they are there: after an update of the package $source_package, say
USAGE
}

# need_host: user-mode Linux of this version runs on x86-64 only.
need_host() {
  if [[ "$(uname -sm)" != "Linux x86_64" ]]; then
    say "the guest needs Linux on x86-64; this is $(uname -sm)" >&2
    exit "$impossible"
  fi
}

# need_packages: to build, and to run: the guest uses the host's programs and libraries.
need_packages() {
  local missing=() pair
  for pair in gcc:gcc make:make flex:flex bison:bison bc:bc xz:xz-utils perl:perl rdma:iproute2 ibv_devinfo:ibverbs-utils; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [[ -e /usr/include/stdio.h ]] || missing+=(libc6-dev)
  compgen -G '/etc/libibverbs.d/rxe.driver' >/dev/null || missing+=(libibverbs1 ibverbs-providers)
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

# candidate_version: of the source package, as it would be installed; nothing if it is not known.
candidate_version() { apt-cache policy "$source_package" 2>/dev/null | sed -n 's/^ *Candidate: \([0-9].*\)/\1/p'; }

# package_version: of the source package, as it is installed or as it would be.
package_version() {
  local version
  version=$(dpkg-query -W -f '${Version}' "$source_package" 2>/dev/null || true)
  if [[ -z "$version" ]]; then version=$(candidate_version); fi
  if [[ -z "$version" ]] && update_package_lists "$source_package" >&2; then version=$(candidate_version); fi
  if [[ -z "$version" ]]; then
    say "this system offers no package '$source_package', as Debian 12 does: see test-cluster/README.md" >&2
    exit "$impossible"
  fi
  # An epoch has a colon; a path had better not.
  printf '%s\n' "${version//:/_}"
}

# download_sources: as root, apt-get would drop its rights and then not be able to write here. Lists may be out of date.
download_sources() {
  local download=(apt-get download -qq -o "APT::Sandbox::User=root" "$source_package")
  "${download[@]}" 2>/dev/null || { update_package_lists "$source_package" && "${download[@]}"; }
}

# unpack_sources DIR: from the installed package, otherwise from one that is only downloaded.
unpack_sources() {
  local archive=/usr/src/$source_package.tar.xz
  if [[ ! -r "$archive" ]]; then
    say "downloading $source_package (130 MB)"
    (cd "$1" && download_sources)
    dpkg-deb --fsys-tarfile "$1/$source_package"_*.deb | tar -xOf - "./usr/src/$source_package.tar.xz" >"$1/source.tar.xz"
    rm "$1/$source_package"_*.deb
    archive=$1/source.tar.xz
  fi
  say "unpacking $source_package"
  tar -C "$1" -xJf "$archive" --exclude='*/drivers/gpu/*.[ch]' --exclude='*/sound/*.[ch]' --exclude="$source_package/tools/testing"
  rm -f "$1/source.tar.xz"
}

configure() {
  local option
  make O="$1" ARCH=um KCONFIG_ALLCONFIG="$rdma_dir/guest.config" allnoconfig >>"$2" 2>&1 || return 1
  for option in "${must_have[@]}"; do
    if ! grep -qx "CONFIG_$option=y" "$1/.config"; then
      say "the kernel's option $option cannot be had" >&2
      return 1
    fi
  done
}

# compile OBJECTS LOG RESULT: shows that it is alive.
compile() {
  local objects=$1 log=$2 result=$3 compiler
  make O="$objects" ARCH=um -j"$(nproc)" linux >>"$log" 2>&1 &
  compiler=$!
  while kill -0 "$compiler" 2>/dev/null; do
    # Ends at once when the compiler does.
    timeout "$progress_seconds" tail --pid="$compiler" -s 0.2 -f /dev/null || true
    say "compiled $(grep -c '^  CC ' "$log") files in $SECONDS s"
  done
  if ! wait "$compiler"; then
    say "the kernel does not compile; the end of $log:" >&2
    tail -n 30 "$log" >&2
    return 1
  fi
  strip -o "$result.new" "$objects/linux"
  mv "$result.new" "$result"
}

# build NAME: both kernels from one tree; the second is one file more and another link.
build() {
  local name=$1 work log=$cache/build.log
  if (($(df -Pm "$cache" | awk 'NR == 2 { print $4 }') < needed_megabytes)); then
    say "too little room in $cache: the build needs $needed_megabytes MB while it runs" >&2
    return 1
  fi
  work=$(mktemp -d "$cache/build.XXXXXX")
  # The name is needed when the trap runs, and this function has returned.
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  : >"$log"
  unpack_sources "$work"
  mkdir "$work/objects"
  cd "$work/$source_package"
  edit_for_this_host
  edit_window_bounds
  say "compiling the corrected kernel; log in $log"
  configure "$work/objects" "$log"
  compile "$work/objects" "$log" "$cache/$name-corrected"
  say "compiling the kernel as shipped"
  undo_window_bounds
  compile "$work/objects" "$log" "$cache/$name-as-shipped"
  # Both or none, for whoever finds one takes the guest for built.
  ln -sfn "$name-as-shipped" "$cache/linux-rxe-as-shipped"
  ln -sfn "$name-corrected" "$cache/linux-rxe"
}

main() {
  local wanted=corrected rebuild=no version
  while (($# > 0)); do
    case $1 in
      --as-shipped) wanted=as-shipped ;;
      --rebuild) rebuild=yes ;;
      -h | --help)
        usage
        return 0
        ;;
      *) refuse "unknown word '$1'" ;;
    esac
    shift
  done
  need_host
  need_packages
  mkdir -p "$cache"
  exec 9>"$cache/build.lock"
  flock -n 9 || say "another build is running; waiting for it"
  if ! flock -w "$lock_wait_seconds" 9; then
    say "another build has been running for $lock_wait_seconds s" >&2
    return 1
  fi
  if [[ "$rebuild" = yes ]] || ! guest_kernel "$wanted" >/dev/null; then
    version=$(package_version)
    build "linux-rxe-$version-$(edits_key)" 9>&-
  fi
  say "$wanted kernel: $(guest_kernel "$wanted")"
}

main "$@"
