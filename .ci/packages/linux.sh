# Archives, .deb and .rpm. Sourced by .ci/packages.sh.
# shellcheck shell=bash disable=SC2154

test_linux() {
  test_archives
  test_deb
  test_rpm
}

test_archives() {
  local target archive dir=$work/unpacked
  mkdir "$dir"
  archive=$(compgen -G "$work/dist/casedrop-$first-x86_64-unknown-linux-*.zip")
  target=$(basename "$archive" .zip)
  check 'the archive for self-update has the program at its top' unzip -q "$archive" -d "$dir/zip"
  check 'it tells its version' holds "$("$dir/zip/casedrop" --version)" casedrop
  check 'Windows has the same' holds "$(unzip -Z1 "$work/dist/casedrop-$first-x86_64-pc-windows-gnu.zip")" casedrop.exe \
    LICENSE-MIT config.example.yaml
  check 'the tarball is one folder' tar -xzf "$work/dist/$target.tar.gz" -C "$dir"
  check 'with the pages and pictures of its documentation' packaging/documents.py --check "$dir/$target"
  check 'which works where it was unpacked' env -C "$dir" "$dir/$target/casedrop" demo --once --output "$dir/demo"
  check 'and publishes whole orders' test "$(find "$dir/demo" -name manifest.json -not -path '*/.*' | wc -l)" -ge 6
}

# A clean Debian, the smallest there is, without systemd.
test_deb() {
  local deb=$work/dist/casedrop_${first}_amd64.deb root=$work/chroot said
  said=$(lintian --fail-on none "$deb" 2>&1)
  check 'lintian finds no errors in the .deb' lacks $'\n'"$said" $'\nE: '
  check 'a clean Debian' mmdebstrap --quiet --variant=essential --include=passwd --dpkgopt=force-unsafe-io bookworm "$root"
  cp "$deb" "$root/casedrop.deb"
  in_root() { chroot "$root" "$@"; }
  said=$(in_root dpkg --install /casedrop.deb 2>&1) || fail "the .deb cannot be installed: $said"
  check 'the .deb is installed there and says what is to be done' holds "$said" '/etc/casedrop/casedrop.yaml'
  check 'its program runs' in_root casedrop --version
  check 'its documentation has its pages and pictures' packaging/documents.py --check "$root/usr/share/doc/casedrop"
  check 'its user owns the output' holds "$(in_root stat -c %U /srv/casedrop/orders)" casedrop
  check 'its config is for the service, whose page fills it in, and for nobody else' holds "$(in_root stat -c '%a %U %G' /etc/casedrop/casedrop.yaml)" \
    '640 casedrop casedrop'
  check 'its unit starts with the PC' test -L "$root/etc/systemd/system/multi-user.target.wants/casedrop.service"
  check 'its unit is valid and closed' .ci/unit.sh "$root/usr/lib/systemd/system/casedrop.service"
  check 'it is managed by dpkg' grep -q '^deb' "$root/usr/lib/casedrop/managed"
  check 'what is not filled in is told' bash -c "chroot '$root' casedrop check | grep -q 'labs\[0\].base_url'"

  mkdir -p "$root/srv/casedrop/orders/north/4711/1" "$root/var/lib/casedrop"
  echo scan >"$root/srv/casedrop/orders/north/4711/1/scan.stl"
  echo journal >"$root/var/lib/casedrop/journal.sqlite"
  echo '# mine' >>"$root/etc/casedrop/casedrop.yaml"
  check 'installed again, it keeps a config that was changed' in_root dpkg --install /casedrop.deb
  check 'it is' grep -q '^# mine' "$root/etc/casedrop/casedrop.yaml"
  sed -i -e 's|^\( *oauth_base:\).*|\1 https://oauth.iterocloud.com|' -e 's|^\( *base_url:\).*|\1 https://base.iterocloud.com|' \
    -e 's|^\( *client_id:\).*|\1 client|' -e 's|^\( *redirect_url:\).*|\1 https://lab.example/callback|' \
    -e 's|^\( *client_secret_file:\).*|\1 /tmp/secret|' "$root/etc/casedrop/casedrop.yaml"
  echo secret >"$root/tmp/secret"
  said=$(in_root dpkg --install /casedrop.deb 2>&1; in_root stat -c '%a %U %G' /etc/casedrop/casedrop.yaml)
  check 'once it is filled in, only root changes it' holds "$said" '640 root casedrop'
  check 'removed, it leaves config and state' in_root dpkg --remove casedrop
  check 'they are there' test -e "$root/etc/casedrop/casedrop.yaml" -a -e "$root/var/lib/casedrop/journal.sqlite"
  check 'purged, it leaves' in_root dpkg --purge casedrop
  check 'no config, state or unit' test ! -e "$root/etc/casedrop" -a ! -e "$root/var/lib/casedrop" -a \
    ! -L "$root/etc/systemd/system/multi-user.target.wants/casedrop.service"
  check 'but the orders' grep -q scan "$root/srv/casedrop/orders/north/4711/1/scan.stl"
}

# Its files and scripts. The scripts run in a root that has a shell and the programs that they call.
test_rpm() {
  local rpm=$work/dist/casedrop-$first-1.x86_64.rpm root=$work/chroot said
  said=$(rpm -qp --queryformat '%{NAME} %{VERSION} %{LICENSE} %{PAYLOADCOMPRESSOR} %{BUILDHOST}\n' "$rpm")
  check 'the .rpm tells name, version and licence' holds "$said" "casedrop $first MIT OR Apache-2.0 xz localhost"
  check 'it keeps a config that was changed' holds "$(rpm -qpc "$rpm")" /etc/casedrop/casedrop.yaml
  check 'and names it so' holds "$(rpm -qp --queryformat '[%{FILENAMES} %{FILEFLAGS:fflags}\n]' "$rpm")" \
    '/etc/casedrop/casedrop.yaml cn'
  check 'its payload can be unpacked' bash -c "mkdir '$work/rpm' && cd '$work/rpm' && rpm2cpio '$rpm' | cpio -idm --quiet"
  check 'with the program and the unit' test -x "$work/rpm/usr/bin/casedrop" -a -e "$work/rpm/usr/lib/systemd/system/casedrop.service"
  check 'it is managed by rpm' grep -q '^rpm' "$work/rpm/usr/lib/casedrop/managed"
  check 'it is installed into a root, with its scripts' rpm --root "$root" --nodeps --install "$rpm"
  check 'the program runs there' chroot "$root" casedrop --version
  check 'its config is for the service, whose page fills it in, and for nobody else' holds "$(chroot "$root" stat -c '%a %U %G' /etc/casedrop/casedrop.yaml)" \
    '640 casedrop casedrop'
  echo '# mine' >>"$root/etc/casedrop/casedrop.yaml"
  check 'it is removed again' rpm --root "$root" --nodeps --erase casedrop
  check 'the changed config and the orders stay' test -e "$root/etc/casedrop/casedrop.yaml.rpmsave" -a \
    -e "$root/srv/casedrop/orders/north/4711/1/scan.stl"
}
