# The programs themselves. Sourced by packaging/build.
# shellcheck shell=bash disable=SC2154,SC2034  # variables of packaging/build

# flags TARGET FLAG…: sets the flags of rustc and of the C compiler for a target. The location of
# the sources on this PC must not end up in a program.
flags() {
  local target=$1 home=${CARGO_HOME:-$HOME/.cargo} list='' flag
  shift
  set -- "--remap-path-prefix=$PWD=/casedrop" "--remap-path-prefix=$home=/cargo" "$@"
  for flag in "$@"; do list+="${list:+,}'$flag'"; done
  export "CFLAGS_${target//-/_}=-ffile-prefix-map=$PWD=/casedrop -ffile-prefix-map=$home=/cargo"
  rustflags="target.$target.rustflags=[$list]"
}

# The program for Windows, built with mingw.
build_for_windows() {
  local rustflags
  flags x86_64-pc-windows-gnu -Clink-arg=-Wl,--no-insert-timestamp
  .ci/windows.sh build --bin casedrop --profile "$profile" --config "$rustflags"
  windows_exe=target/windows/x86_64-pc-windows-gnu/${profile/dev/debug}/casedrop.exe
}

# The program for Linux, which needs no library and no interpreter, so that it runs on any
# distribution and kernel of the last ten years: with musl, whose name resolution, unlike glibc's,
# also works in a static program. As for Windows, std is built from the source of Debian's compiler.
build_for_linux() (
  local rustflags unwind=$PWD/target/musl/unwind
  local target=x86_64-unknown-linux-musl
  command -v musl-gcc >/dev/null || fail 'musl-gcc is missing; run: packaging/build --install'
  [[ -x /usr/bin/cargo && -x /usr/bin/rustc ]] ||
    fail "Debian's rustc-web is missing; run: .ci/windows.sh install"
  # What std calls libunwind is gcc's unwinder here, plus what that lacks with musl.
  mkdir -p "$unwind"
  cp "$(gcc -print-file-name=libgcc_eh.a)" "$unwind/libunwind.a"
  musl-gcc -O2 -Wall -Wextra -Werror -fPIC -c "$here/linux/find-object.c" -o "$unwind/find-object.o"
  ar rD "$unwind/libunwind.a" "$unwind/find-object.o"

  unset RUSTUP_TOOLCHAIN RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER RUSTFLAGS CARGO_BUILD_TARGET
  export CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
  export RUSTC_BOOTSTRAP=1 CARGO_UNSTABLE_BUILD_STD=std,panic_unwind
  export CARGO_TARGET_DIR=$PWD/target/musl
  export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=gcc CC_x86_64_unknown_linux_musl=musl-gcc
  flags "$target" -Clink-self-contained=no "-Lnative=$unwind" "-Clink-arg=-specs=$here/linux/musl-static.specs"
  /usr/bin/cargo build --locked --features keyring --bin casedrop --profile "$profile" --target "$target" --config "$rustflags"
)

# stripped EXE STRIP: prints the path of EXE without debug information and symbols, which dev builds have.
stripped() {
  "$2" --strip-all -o "$work/$(basename "$1")" "$1"
  echo "$work/$(basename "$1")"
}

# sign: signs the archives for self-update, and writes the channel's signed manifest next to them.
sign() {
  cargo run --quiet --locked --example sign-release -- sign --key "$key" --channel "$channel" \
    --version "$version" "$out"
}
