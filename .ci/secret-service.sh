#!/usr/bin/env bash
# Stores logins in a real keyring: GNOME Keyring, in the tests' own sessions. No other is touched.
#
#   .ci/secret-service.sh install       install the keyring and D-Bus (as root)
#   .ci/secret-service.sh test [args]   run the tests; arguments as for cargo test
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

packages=(dbus-bin dbus-daemon dbus-session-bus-common gnome-keyring)

command=${1:-}
[[ $# -eq 0 ]] || shift
case $command in
  install)
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends "${packages[@]}"
    ;;
  test)
    for program in dbus-daemon dbus-send gnome-keyring-daemon; do
      command -v "$program" >/dev/null || {
        echo "error: $program is missing; run: .ci/secret-service.sh install" >&2
        exit 1
      }
    done
    cargo test --locked --features keyring --test secret_service "$@"
    ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
