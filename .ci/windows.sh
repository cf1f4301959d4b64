#!/usr/bin/env bash
# Builds for Windows on Debian and runs the result under Wine.
#
#   .ci/windows.sh install         install the packages this needs (as root)
#   .ci/windows.sh build [args]    cargo build, with clippy's lints; warnings are errors
#   .ci/windows.sh clippy [args]   cargo clippy on all targets, for a quick look
#   .ci/windows.sh test [args]     cargo test under Wine, as in: test --test platform -- --nocapture
#   .ci/windows.sh run PROGRAM [args]   run a Windows program in the tests' Wine prefix
#
# rustup's toolchain may come without a Windows std. Debian's rust-web-src has the source of std
# that matches rustc-web, so std is built along with the crate; that needs a nightly switch on a
# stable compiler. Everything made here is below target/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=x86_64-pc-windows-gnu
packages=(rustc-web cargo-web rust-web-src rust-web-clippy gcc-mingw-w64-x86-64 wine wine64)

fail() {
  echo "error: $*" >&2
  exit 1
}

install_packages() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update
  apt-get install -y --no-install-recommends "${packages[@]}"
}

# Sets up the compiler, after checking that it can build this crate.
use_toolchain() {
  local package compiler source wanted release
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      fail "the package $package is missing; run: .ci/windows.sh install"
  done
  compiler=$(dpkg-query -W -f='${Version}' rustc-web)
  source=$(dpkg-query -W -f='${Version}' rust-web-src)
  [[ $compiler == "$source" ]] ||
    fail "rustc-web is $compiler, but rust-web-src is $source: std cannot be built from it"
  wanted=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  [[ -n $wanted ]] || fail "Cargo.toml has no rust-version"
  release=$(/usr/bin/rustc --version | cut -d' ' -f2)
  dpkg --compare-versions "$release" ge "$wanted" ||
    fail "rustc-web is $release, but Cargo.toml asks for Rust $wanted"

  # rustup's choice of toolchain would otherwise override the paths below.
  unset RUSTUP_TOOLCHAIN RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTFLAGS CARGO_BUILD_TARGET
  export CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
  export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_unwind
  export CARGO_TARGET_DIR=$PWD/target/windows
  export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
  export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=wine
}

# Builds our crates with clippy's driver, as `cargo clippy` does, but with programs as the result. A
# separate pass would check std and every dependency again, which takes as long as the build.
lint_while_building() {
  export RUSTC_WORKSPACE_WRAPPER=/usr/bin/clippy-driver
  export CLIPPY_ARGS=-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__
}

# Creates the Wine prefix once, and keeps its server alive while this script runs: starting it for
# each test program takes seconds.
use_wine() {
  export WINEPREFIX=$PWD/target/wine WINEDEBUG=${WINEDEBUG:--all}
  # Without .NET and browser, which Wine would offer to download, and without its menu entries,
  # which it would write to the user's home.
  export WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe='
  unset DISPLAY WAYLAND_DISPLAY
  trap 'wineserver -k || true' EXIT
  if [[ ! -e $WINEPREFIX/.complete ]]; then
    rm -rf "$WINEPREFIX"
    mkdir -p "$WINEPREFIX"
    timeout 5m wine wineboot -i </dev/null
    wineserver -w
    local shim=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
    [[ -e $shim ]] ||
      x86_64-w64-mingw32-gcc -shared -O2 -Wall -Werror -o "$shim" .ci/prng-shim.c -ladvapi32
    touch "$WINEPREFIX/.complete"
  fi
  # Status 2: one is already running, which is fine. When killed, it lists what it still holds.
  wineserver -p 2>/dev/null || [[ $? -eq 2 ]]
}

command=${1:-}
[[ $# -eq 0 ]] || shift
case $command in
  install)
    install_packages
    ;;
  build)
    use_toolchain
    lint_while_building
    /usr/bin/cargo build --locked --target "$target" "$@"
    ;;
  clippy)
    use_toolchain
    # Not through `cargo clippy`, which would find rustup's.
    /usr/bin/cargo-clippy clippy --locked --all-targets --target "$target" "$@" -- -D warnings
    ;;
  test)
    use_toolchain
    lint_while_building
    use_wine
    /usr/bin/cargo test --locked --target "$target" "$@"
    ;;
  run)
    use_wine
    wine "$@"
    ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
