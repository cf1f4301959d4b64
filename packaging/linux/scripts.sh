# What both kinds of package do on installation and removal: packaging/build puts these functions in
# front of the maintainer scripts. Plain sh, for any distribution.

# Whether systemd is running; in a chroot or a container it is not.
runs() { [ -d /run/systemd/system ]; }

# Create the user, and the folders that it writes to.
make_user() {
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers casedrop.conf && return
  fi
  getent group casedrop >/dev/null || groupadd --system casedrop
  getent passwd casedrop >/dev/null ||
    useradd --system --gid casedrop --home-dir /var/lib/casedrop --no-create-home \
      --shell /usr/sbin/nologin --comment 'Casedrop agent' casedrop
}

make_folders() {
  if command -v systemd-tmpfiles >/dev/null; then
    systemd-tmpfiles --create casedrop.conf && return
  fi
  install -d -m 0755 -o casedrop -g casedrop /srv/casedrop
  install -d -m 2775 -o casedrop -g casedrop /srv/casedrop/orders /srv/casedrop/commands
  chown root:casedrop /etc/casedrop
  chmod 0750 /etc/casedrop
  if [ -e /etc/casedrop/casedrop.yaml ]; then
    chown root:casedrop /etc/casedrop/casedrop.yaml
    chmod 0640 /etc/casedrop/casedrop.yaml
  fi
}

# Starts the agent, and says what to do if its config is incomplete.
start_or_tell() {
  if ! told=$(/usr/bin/casedrop setup --config /etc/casedrop/casedrop.yaml --account casedrop --json 2>/dev/null); then
    echo 'casedrop: /usr/bin/casedrop does not run on this system' >&2
  elif echo "$told" | grep -q '"complete": true'; then
    restart
  else
    if echo "$told" | grep -q '"for_page": true'; then
      let_page_fill_in
      restart
    fi
    cat <<'EOF'
casedrop is installed. Before it can work, it needs what Align gave the lab. Either
  - open http://127.0.0.1:8780/ in a browser on this PC; the code that the page asks for:
    sudo cat /var/lib/casedrop/set-up-code.txt
or
  1. fill in /etc/casedrop/casedrop.yaml until `sudo casedrop check` finds no errors
  2. sudo systemctl restart casedrop
  3. sudo -u casedrop casedrop login LAB, then sudo -u casedrop casedrop pair LAB
EOF
  fi
}

# Let the agent's page fill in the config: the agent may replace this one file, and nothing else in the
# folder (sticky). make_folders, at each installation and each start of the system, takes it back.
let_page_fill_in() {
  chown casedrop:casedrop /etc/casedrop/casedrop.yaml && chmod 1770 /etc/casedrop
}

# If an admin stopped and disabled it, leave it so.
restart() {
  if runs && { systemctl --quiet is-enabled casedrop.service || systemctl --quiet is-active casedrop.service; }; then
    systemctl restart casedrop.service ||
      echo 'casedrop: the service did not start; `journalctl -u casedrop` tells why' >&2
  fi
}
