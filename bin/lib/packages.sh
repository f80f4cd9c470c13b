# shellcheck shell=bash
# Installs packages of the distribution; sourced by scripts that have a function `say`.

# package_rights NAME...: sets `as_root` to what makes a command root's; otherwise says what to do for these packages.
package_rights() {
  as_root=()
  if ! command -v apt-get >/dev/null; then
    say "no apt-get to install packages with: please install what corresponds to Debian's '$*'" >&2
    return 1
  fi
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
      say "no right to install packages: please run 'sudo apt-get install --no-install-recommends $*'" >&2
      return 1
    fi
    as_root=(sudo -n)
  fi
}

# install_packages NAME...: by apt-get, as root or by a sudo that asks for no password; otherwise says what to do.
install_packages() {
  local as_root
  package_rights "$@" || return 1
  say "installing $*"
  "${as_root[@]}" apt-get update -qq &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# update_package_lists NAME: for when this package is not known.
update_package_lists() {
  local as_root
  package_rights "$1" && "${as_root[@]}" apt-get update -qq
}
