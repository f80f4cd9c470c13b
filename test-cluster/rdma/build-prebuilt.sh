#!/usr/bin/env bash
# Prepares the distribution's own kernel as a guest under QEMU: nothing is compiled, nothing is edited.
set -euo pipefail

# shellcheck source=test-cluster/rdma/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=bin/lib/packages.sh
source "$rdma_dir/../../bin/lib/packages.sh"

usage() {
  cat <<USAGE
Usage: build-prebuilt.sh

Downloads the distribution's kernel (70 MB), unpacks it without installing it, and puts what run-guest.sh --prebuilt
needs into $cache/prebuilt: the kernel, and a small file system with the modules for Soft-RoCE.
It takes seconds. The guest takes longer: it boots in 5 to 10 s, and a JVM in it is 10 to 25 times slower than outside.
USAGE
}

# With what they need. Soft-RoCE asks for "crc32" by that name, which only the generic module has.
modules=(virtio_pci 9p 9pnet_virtio overlay dummy ib_uverbs rdma_ucm rdma_rxe crc32_generic)

need_packages() {
  local missing=() pair
  for pair in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio depmod:kmod xz:xz-utils \
      python3:python3 rdma:iproute2; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  compgen -G '/etc/libibverbs.d/rxe.driver' >/dev/null || missing+=(libibverbs1 ibverbs-providers)
  ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
}

# kernel_package: the package that the distribution's kernel of today is in.
kernel_package() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1; }

# uncompressed BZIMAGE RESULT: the kernel itself, which QEMU starts three seconds sooner than the compressed one.
uncompressed() {
  python3 - "$1" "$2" <<'PYTHON'
import lzma, sys

image = open(sys.argv[1], "rb").read()
start = image.find(b"\xfd7zXZ\x00")
if start < 0:
    sys.exit("the kernel is not compressed by xz")
with open(sys.argv[2], "wb") as result:
    result.write(lzma.LZMADecompressor().decompress(image[start:]))
PYTHON
}

# copy_modules KERNEL_DIR VERSION RESULT: the modules, and those that they need, unpacked.
copy_modules() {
  local module file target
  depmod -b "$1" "$2"
  mkdir -p "$3/lib/modules/$2"
  for module in "${modules[@]}"; do
    modprobe -d "$1" -S "$2" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | sort -u | while read -r file; do
    target=$3/${file#"$1"/}
    mkdir -p "$(dirname "$target")"
    case $file in
      *.xz) xz -dc "$file" >"${target%.xz}" ;;
      *) cp "$file" "$target" ;;
    esac
  done
  cp "$1/lib/modules/$2"/modules.{order,builtin,builtin.modinfo} "$3/lib/modules/$2/"
  depmod -b "$3" "$2"
}

# build PACKAGE: all of it, into a new directory that then takes the old one's place.
build() {
  local package=$1 version=${1#linux-image-} work
  work=$(mktemp -d "$cache/prebuilt.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  say "downloading $package"
  (cd "$work" && apt-get download -qq -o "APT::Sandbox::User=root" "$package")
  say "unpacking $package"
  dpkg -x "$work/${package}"_*.deb "$work/kernel"
  mkdir -p "$work/files/bin" "$work/files/sbin" "$work/files/dev" "$work/files/proc" "$work/files/sys" "$work/new"
  uncompressed "$work/kernel/boot/vmlinuz-$version" "$work/new/kernel"
  cp "$(command -v busybox)" "$work/files/bin/busybox"
  # The kernel itself calls this when it wants a module.
  ln -s /bin/busybox "$work/files/sbin/modprobe"
  copy_modules "$work/kernel" "$version" "$work/files"
  install -m 755 "$rdma_dir/prebuilt-init.sh" "$work/files/init"
  (cd "$work/files" && find . -print0 | cpio --null -o -H newc --quiet -R 0:0) | gzip -1 >"$work/new/files"
  printf '%s\n' "$version" >"$work/new/version"
  rm -rf "$cache/prebuilt"
  mv "$work/new" "$cache/prebuilt"
}

main() {
  local package
  case ${1:-} in
    '') ;;
    -h | --help)
      usage
      return 0
      ;;
    *) refuse "unknown word '$1'" ;;
  esac
  PATH=$PATH:/usr/sbin:/sbin
  need_packages
  package=$(kernel_package)
  if [[ -z "$package" ]]; then
    update_package_lists linux-image-amd64
    package=$(kernel_package)
  fi
  if [[ -z "$package" ]]; then
    say "this system offers no package 'linux-image-amd64', as Debian does" >&2
    return 1
  fi
  mkdir -p "$cache"
  build "$package"
  say "prebuilt kernel $(<"$cache/prebuilt/version"): $cache/prebuilt"
}

main "$@"
