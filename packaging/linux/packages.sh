# The Linux packages. Sourced by packaging/build.
# shellcheck shell=bash disable=SC2154  # variables of packaging/build

# needed_glibc BINARY: prints the newest glibc version that it needs; nothing for a static one.
needed_glibc() {
  { objdump -T "$1" 2>/dev/null || true; } | sed -n 's/.*GLIBC_\([0-9][0-9.]*\).*/\1/p' | sort -Vu | tail -n 1
}

# lay_out ROOT KIND: lays out the files of a package of that kind (deb or rpm) below ROOT.
lay_out() {
  local root=$1 kind=$2 zsh
  case $kind in
    deb) zsh=/usr/share/zsh/vendor-completions ;;
    rpm) zsh=/usr/share/zsh/site-functions ;;
  esac
  install -D -m 755 "$linux_exe" "$root/usr/bin/casedrop"
  install -d "$root/usr/lib/casedrop" "$root/etc/casedrop" "$root/usr/share/doc/casedrop"
  printf '%s\nUpdate this installation with your package manager.\n' "$kind" >"$root/usr/lib/casedrop/managed"
  install -D -m 644 "$here/linux/casedrop.service" "$root/usr/lib/systemd/system/casedrop.service"
  install -D -m 644 "$here/linux/sysusers.conf" "$root/usr/lib/sysusers.d/casedrop.conf"
  install -D -m 644 "$here/linux/tmpfiles.conf" "$root/usr/lib/tmpfiles.d/casedrop.conf"
  install -D -m 644 "$work/completions/bash" "$root/usr/share/bash-completion/completions/casedrop"
  install -D -m 644 "$work/completions/fish" "$root/usr/share/fish/vendor_completions.d/casedrop.fish"
  install -D -m 644 "$work/completions/zsh" "$root$zsh/_casedrop"
  install -m 644 "$work/casedrop.yaml" "$root/etc/casedrop/casedrop.yaml"
  "$here/documents.py" "$root/usr/share/doc/casedrop"
  install -m 644 config.example.yaml policy.example.yaml "$root/usr/share/doc/casedrop/"
}

pack_deb() {
  local out=$1 root=$work/deb glibc depends script
  lay_out "$root" deb
  glibc=$(needed_glibc "$linux_exe")
  depends=passwd
  [[ -z $glibc ]] || depends+=", libc6 (>= $glibc), libgcc-s1"
  {
    printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: Casedrop\n\n'
    printf 'Files: *\nCopyright: %s\nLicense: Expat or Apache-2.0\n\nLicense: Expat\n' "$copyright"
    # Without title and copyright holder.
    tail -n +5 LICENSE-MIT | sed 's/^$/./; s/^/ /'
    printf '\nLicense: Apache-2.0\n On Debian systems, the text is in /usr/share/common-licenses/Apache-2.0.\n'
  } >"$root/usr/share/doc/casedrop/copyright"
  {
    printf 'casedrop (%s) stable; urgency=medium\n\n  * See /usr/share/doc/casedrop/CHANGELOG.md.\n\n' "$deb_version"
    printf ' -- %s  %s\n' "$maintainer" "$(date -u -d "@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %H:%M:%S +0000')"
  } | gzip -9n >"$root/usr/share/doc/casedrop/changelog.gz"
  if [[ -z $glibc ]]; then
    # A single file that runs on any distribution is the point of it.
    install -d "$root/usr/share/lintian/overrides"
    echo 'casedrop: statically-linked-binary [usr/bin/casedrop]' >"$root/usr/share/lintian/overrides/casedrop"
  fi
  install -d "$root/DEBIAN"
  # Every user has to edit it, and dpkg would ask whenever the example changed in an upgrade. So the
  # program creates it if there is none.
  rm "$root/etc/casedrop/casedrop.yaml"
  SUBST_DEB_VERSION=$deb_version SUBST_MAINTAINER=$maintainer SUBST_DEPENDS=$depends \
    SUBST_SIZE=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1) \
    substitute "$here/linux/control" >"$root/DEBIAN/control"
  for script in postinst prerm postrm; do
    {
      printf '#!/bin/sh\nset -e\n\n'
      if [[ $script == postinst ]]; then
        cat "$here/linux/scripts.sh"
        echo
      fi
      cat "$here/linux/deb.$script"
    } >"$root/DEBIAN/$script"
    chmod 755 "$root/DEBIAN/$script"
  done
  (cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
  settle "$root"
  dpkg-deb --root-owner-group --uniform-compression -Zxz --build "$root" "$out" >/dev/null
}

pack_rpm() {
  local out=$1 root=$work/rpm top=$work/rpmbuild requires='' glibc
  lay_out "$root" rpm
  install -m 644 LICENSE-MIT LICENSE-APACHE "$root/usr/share/doc/casedrop/"
  settle "$root"
  glibc=$(needed_glibc "$linux_exe")
  [[ -z $glibc ]] || requires="Requires: libc.so.6(GLIBC_$glibc)(64bit)"
  SUBST_RPM_VERSION=$rpm_version SUBST_REQUIRES=$requires SUBST_SCRIPTS=$(cat "$here/linux/scripts.sh") \
    substitute "$here/linux/casedrop.spec" >"$work/casedrop.spec"
  rm -rf "$top"
  # xz: readable by every rpm in use. Contains neither the build host nor the build time.
  still rpmbuild -bb --target x86_64 --define "_topdir $top" --define "stage $root" \
    --define '_buildhost localhost' --define 'use_source_date_epoch_as_buildtime 1' \
    --define 'clamp_mtime_to_source_date_epoch 1' --define '_binary_payload w6.xzdio' \
    --define '__os_install_post %{nil}' --define '_build_id_links none' --define 'debug_package %{nil}' \
    "$work/casedrop.spec" >"$work/rpm.log" 2>&1 || { cat "$work/rpm.log" >&2; fail 'rpmbuild failed'; }
  mv "$top"/RPMS/x86_64/*.rpm "$out"
}

# pack_tar FILE: packs one folder with the program and the documentation.
pack_tar() {
  local out=$1 name
  name=$(basename "$out" .tar.gz)
  install -D -m 755 "$linux_exe" "$work/tar/$name/casedrop"
  "$here/documents.py" "$work/tar/$name"
  install -m 644 LICENSE-MIT LICENSE-APACHE config.example.yaml policy.example.yaml "$work/tar/$name/"
  settle "$work/tar"
  tar --create --directory "$work/tar" --sort=name --owner=0 --group=0 --numeric-owner --format=gnu \
    "$name" | gzip -9n >"$out"
}
