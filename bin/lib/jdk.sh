# shellcheck shell=bash
# Finds a JDK 25; sourced by the scripts in bin.

# jdk_is_25 DIR: whether DIR holds a JDK (not a mere JRE) of version 25.
jdk_is_25() {
  [[ -x "$1/bin/java" && -x "$1/bin/javac" && -r "$1/release" ]] && grep -q '^JAVA_VERSION="25[".+]' "$1/release"
}

# jdk_on_path: the home of the javac on PATH, behind its links.
jdk_on_path() {
  local javac
  javac=$(command -v javac) && javac=$(readlink -f "$javac") && dirname "$(dirname "$javac")"
}

# find_jdk25: prints the home of a JDK 25; otherwise says on stderr how to get one, and fails.
find_jdk25() {
  local candidate
  for candidate in "${JAVA_HOME:-}" "${JAVA25_HOME:-}" /usr/lib/jvm/*25* "$(jdk_on_path)" \
      "${SDKMAN_DIR:-${HOME:-}/.sdkman}"/candidates/java/25*; do
    if [[ -n "$candidate" ]] && jdk_is_25 "$candidate"; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  cat >&2 <<'MESSAGE'
Leasehold needs a JDK 25, and none was found in JAVA_HOME, JAVA25_HOME, /usr/lib/jvm, PATH or SDKMAN.
Install one, for example Eclipse Temurin 25 (https://adoptium.net) or `sdk install java 25-tem`,
or set JAVA_HOME to the directory of one that you have.
MESSAGE
  return 1
}

# prepare_maven JDK: checks that mvn is there and lets its toolchain plugin see that JDK.
prepare_maven() {
  if ! command -v mvn >/dev/null; then
    echo "Leasehold is built by Maven 3.8.7 or newer, and there is no mvn on PATH: install the package 'maven'." >&2
    return 1
  fi
  export JAVA25_HOME=$1
  # mvn itself runs on any JDK from 17 on; without another one it gets ours.
  if [[ -z "${JAVA_HOME:-}" ]] && ! command -v java >/dev/null; then
    export JAVA_HOME=$1
  fi
}
