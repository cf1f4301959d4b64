#!/usr/bin/env bash
# Feeds generated archives to Python's zipfile, Info-ZIP's unzip and 7-Zip, and compares what they
# read with what the agent reads.
#
#   .ci/archives.sh install         install the programs that are missing (as root)
#   .ci/archives.sh test [COUNT]    install, then compare COUNT honest packages [default: 1000] and a
#                                   quarter as many damaged ones
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

install() {
  if ! command -v unzip >/dev/null || ! command -v 7z >/dev/null || ! command -v python3 >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends unzip p7zip-full python3
  fi
}

case ${1:-} in
  install)
    install
    ;;
  test)
    install
    place=$PWD/target/archives
    rm -rf "$place"
    mkdir -p "$place"
    CASEDROP_ARCHIVES=${2:-1000} CASEDROP_ARCHIVES_DIR=$place \
      cargo test --locked --test archives -- --skip no_byte
    python3 .ci/archives/compare.py "$place"
    rm -rf "$place"
    ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
