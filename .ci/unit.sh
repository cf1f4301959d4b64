#!/usr/bin/env bash
# Checks the systemd unit without a running systemd: that it is valid, and how much of the PC it
# exposes to the agent.
#
#   .ci/unit.sh [UNIT]     check this unit file [default: packaging/linux/casedrop.service]
#
# The unit is copied to a separate root with a stub for each program that it starts. Nothing is
# installed except systemd itself, if it is missing (as root).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

unit=${1:-packaging/linux/casedrop.service}
# systemd's exposure level in tenths: 0 is nothing, 100 is everything.
threshold=20

if ! command -v systemd-analyze >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update
  apt-get install -y --no-install-recommends systemd
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/etc/systemd/system" "$root/usr/lib/systemd/system"
cp "$unit" "$root/etc/systemd/system/casedrop.service"
# The targets that it refers to come with systemd.
cp -a /lib/systemd/system/*.target /lib/systemd/system/*.slice "$root/usr/lib/systemd/system/"
for setting in ExecStart ExecStartPre; do
  program=$(sed -n "s/^$setting=[-@:+!]*\"\{0,1\}\([^ \"]*\).*/\1/p" "$unit")
  [[ -n $program ]] || {
    echo "error: $unit has no $setting" >&2
    exit 1
  }
  mkdir -p "$root$(dirname "$program")"
  printf '#!/bin/sh\n' >"$root$program"
  chmod 755 "$root$program"
done

echo "==> valid?"
# Unknown settings are only printed; the exit status is still 0.
systemd-analyze verify --root="$root" --man=no --recursive-errors=no casedrop.service 2>&1 |
  tee "$root/said" || {
  echo "error: $unit is not valid" >&2
  exit 1
}
[[ ! -s $root/said ]] || {
  echo "error: systemd has something to say of $unit" >&2
  exit 1
}
echo "yes"

echo "==> exposed?"
systemd-analyze security --root="$root" --offline=true --no-pager --threshold="$threshold" \
  casedrop.service
