#!/usr/bin/env bash
# Builds the packages and tests them as installed: the MSI and the setup program under Wine, the
# .deb in a clean Debian, the .rpm in a separate root, the archives unpacked.
#
#   .ci/packages.sh install       install what this needs (as root)
#   .ci/packages.sh test [--windows-exe FILE] [--linux-exe FILE]
#                                 use programs that are already built [default: the debug builds]
#   .ci/packages.sh test-windows|test-linux […]     only one half
#
# Prints one line per check and stops at the first failure. Everything is below target/packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

here=$PWD
work=$here/target/packages
first=0.1.0 second=0.1.1
checks=0
# A commit made during the run must not change the times and the commit in the packages.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
SOURCE_COMMIT=${SOURCE_COMMIT:-$(git rev-parse HEAD)}
export SOURCE_DATE_EPOCH SOURCE_COMMIT

fail() {
  echo "error: $*" >&2
  exit 1
}

# check WHAT COMMAND…: a check that passes if the command succeeds.
check() {
  local what=$1
  shift
  "$@" >"$work/said" 2>&1 || {
    cat "$work/said" >&2
    fail "not so: $what"
  }
  checks=$((checks + 1))
  printf 'ok %2d (%3d s) %s\n' "$checks" "$SECONDS" "$what"
}

# holds TEXT WORD…: whether a text contains all of these.
holds() {
  local text=$1 word
  shift
  for word in "$@"; do
    [[ $text == *"$word"* ]] || {
      printf '%s\n--- does not hold: %s\n' "$text" "$word"
      return 1
    }
  done
}

# lacks TEXT WORD…: whether a text contains none of these.
lacks() {
  local text=$1 word
  shift
  for word in "$@"; do
    [[ $text != *"$word"* ]] || {
      printf '%s\n--- holds: %s\n' "$text" "$word"
      return 1
    }
  done
}

# soon SECONDS COMMAND…: whether the command succeeds within that time.
soon() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    [[ $SECONDS -lt $until ]] || return 1
    sleep 0.2
  done
}

. .ci/packages/build.sh
. .ci/packages/windows.sh
. .ci/packages/linux.sh

command=${1:-}
[[ $# -eq 0 ]] || shift
windows_exe=target/windows/x86_64-pc-windows-gnu/debug/casedrop.exe
linux_exe=target/debug/casedrop
while [[ $# -gt 0 ]]; do
  case $1 in
    --windows-exe) windows_exe=$2 ;;
    --linux-exe) linux_exe=$2 ;;
    *) fail "unknown option $1" ;;
  esac
  shift 2
done

case $command in
  install)
    packaging/build --install
    apt-get install -y --no-install-recommends curl
    .ci/windows.sh install
    ;;
  test | test-windows | test-linux)
    [[ $(id -u) -eq 0 ]] || fail 'this installs packages: run it as root'
    rm -rf "$work"
    mkdir -p "$work"
    processes=()
    trap 'clean_up' EXIT
    test_build
    [[ $command == test-linux ]] || test_windows
    [[ $command == test-windows ]] || test_linux
    test_same
    echo "$checks passed, 0 failed"
    ;;
  *)
    sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
