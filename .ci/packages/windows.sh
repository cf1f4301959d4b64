# The MSI and the setup program, inspected and installed under Wine. Sourced by .ci/packages.sh.
# shellcheck shell=bash disable=SC2154

test_windows() {
  test_msi_tables
  use_wine
  test_msi
  test_msi_account
  test_setup
}

# A separate prefix: everything installed goes away with it.
use_wine() {
  export WINEPREFIX=$work/wine WINEDEBUG=${WINEDEBUG:--all}
  export WINEDLLOVERRIDES='mscoree=;mshtml=;winemenubuilder.exe='
  unset DISPLAY WAYLAND_DISPLAY
  mkdir -p "$WINEPREFIX"
  timeout 5m wine wineboot -i </dev/null >/dev/null 2>&1
  wineserver -w
  # Wine 8 claims to be Windows 7, and gives services another %ProgramData% than programs.
  wine reg add 'HKLM\Software\Microsoft\Windows NT\CurrentVersion\ProfileList' /v Public /t REG_EXPAND_SZ \
    /d 'C:\ProgramData' /f >/dev/null
  wine reg add 'HKCU\Software\Wine' /v Version /d win10 /f >/dev/null
  local shim=$WINEPREFIX/drive_c/windows/system32/bcryptprimitives.dll
  [[ -e $shim ]] || x86_64-w64-mingw32-gcc -shared -O2 -Wall -Werror -o "$shim" .ci/prng-shim.c -ladvapi32
  # Wine ends services soon after the last ordinary process. A server that is still running would
  # prevent a new one from starting.
  wineserver -w
  wineserver -p
  tail --pid=$$ -f /dev/null | wine cmd >/dev/null 2>&1 &
  processes+=($!)
  drive=$WINEPREFIX/drive_c
  program="$drive/Program Files/Casedrop/casedrop.exe"
  data=$drive/ProgramData/Casedrop
}

# rows FILE TABLE: prints a table of an MSI, without its head.
rows() {
  msiinfo export "$1" "$2" | tail -n +4 | tr -d '\r'
}

test_msi_tables() {
  local msi=$work/dist/casedrop-$first-x86_64.msi next=$work/next/casedrop-$second-x86_64.msi all table
  local properties names
  properties=$(rows "$msi" Property)
  check 'the MSI is for the whole PC, with version and maker' holds "$properties" $'ALLUSERS\t1' \
    $'ProductVersion\t'"$first" 'Manufacturer' 'UpgradeCode'
  names='OUTPUT;COMMANDS;LABNAME;OAUTHBASE;BASEURL;CLIENTID;CLIENTSECRETFILE;REDIRECTURL;ACCOUNT;NOTIFICATIONS'
  check 'answers reach an installation that an administrator agrees to' holds "$properties" "$names"
  check 'but those of a repair, which anybody may ask for, do not count' holds "$(rows "$msi" InstallExecuteSequence)" \
    $'KeepSERVICEACCOUNT\tSAVEDSERVICEACCOUNT AND (NOT SERVICEACCOUNT OR Installed)' $'SetupArgs1\tNOT Installed' \
    $'Setup\tNOT Installed' $'SetUpService\tNOT Installed'
  check 'the account of the service is looked for at the service' holds "$(rows "$msi" RegLocator)" \
    $'Services\\Casedrop\tObjectName\t18'
  check 'the password is hidden from logs' holds "$properties" $'MsiHiddenProperties\tSERVICEPASSWORD'
  check 'the service gets the account that was asked for' holds \
    "$(rows "$msi" ServiceInstall)" $'Casedrop\tCasedrop\t16\t2\t1' $'[SERVICEACCOUNT]\t[SERVICEPASSWORD]\trun\tProgram'
  check 'its path is quoted, its start delayed, its restart planned' holds "$(rows "$msi" CustomAction)" \
    'binPath= "\"[#casedrop.exe]\" run" start= [STARTTYPE]' 'restart/5000/restart/60000/restart/300000'
  check 'a running service is stopped, and waited for, before its files go' holds "$(rows "$msi" ServiceControl)" \
    $'Casedrop\t162\t\t1\tProgram'
  check 'answers are looked for in the 64-bit registry' holds "$(rows "$msi" RegLocator)" \
    $'Software\\Casedrop\tOUTPUT\t18'
  check 'no secret is kept' lacks "$(rows "$msi" Registry)" PASSWORD CONFIGFILE
  check 'the firewall is opened only where that was asked for' holds "$(rows "$msi" InstallExecuteSequence)" \
    $'OpenFirewall\tNOT Installed AND NOTIFICATIONS = "1"\t5803' $'CloseFirewall\tREMOVE ~= "ALL"'
  check 'the old version goes within the transaction' holds "$(rows "$msi" InstallExecuteSequence)" \
    $'RemoveExistingProducts\t\t1501'
  check 'an older version is refused' holds "$(rows "$msi" LaunchCondition)" 'NOT WIX_DOWNGRADE_DETECTED'
  check 'the next version has another product code' bash -c \
    "! diff -q <(msiinfo export '$msi' Property | grep ProductCode) <(msiinfo export '$next' Property | grep ProductCode)"
  check 'and the same upgrade code' diff <(rows "$msi" Property | grep UpgradeCode) <(rows "$next" Property | grep UpgradeCode)
  # Icons are exported as files.
  all=$(cd "$work" && for table in $(msiinfo tables "$msi"); do msiinfo export "$msi" "$table" 2>/dev/null; done)
  check 'no path of this machine is in it' lacks "$all" "$here" /tmp/ "$HOME/"
  check 'the program has icon, version, licence and a manifest' holds \
    "$(wrestool_list "$windows_exe")" icon version manifest
}

# wrestool_list EXE: prints the kinds of resources that a program contains.
wrestool_list() {
  x86_64-w64-mingw32-objdump -p "$1" | sed -n 's/.*Entry: ID: 0x0*3[^0-9].*/icon/p; s/.*Entry: ID: 0x0*10[^0-9].*/version/p; s/.*Entry: ID: 0x0*18[^0-9].*/manifest/p' | sort -u
}

# casedrop ARG…: runs the installed program.
casedrop() {
  wine "$program" "$@" </dev/null | tr -d '\r'
}

# msi ARG…: runs the installer silently; its log is msi.log.
msi() {
  local status=0
  timeout 3m wine msiexec "$@" /qn '/l*v' "Z:${work//\//\\}\\msi.log" </dev/null || status=$?
  [[ $status -eq 0 ]] || {
    printf 'msiexec %s ended with %d; its log ends so:\n' "$*" "$status"
    tail -n 20 "$work/msi.log" | tr -d '\0\r' | sed 's/SERVICEPASSWORD=[^ ]*/SERVICEPASSWORD=…/'
  }
  return "$status"
}

# service_is STATE: whether Windows reports this service state. (Not by `grep -q`: it ends the pipe
# early.)
service_is() {
  local said
  said=$(wine sc query Casedrop 2>/dev/null | tr -d '\r') || true
  [[ $said =~ STATE\ *:\ [0-9]\ *$1 ]]
}

# stop_service: stops the service and waits for its end, which Wine's `net stop` does not. Nor does
# Wine's installer, as Windows Installer does where an MSI asks for it: under Wine, the program of a
# service that still runs stays in its place, so the service is stopped before its MSI is replaced
# or removed.
stop_service() {
  timeout 60 wine net stop Casedrop >/dev/null
  soon 60 service_is STOPPED
}

# want_little_room: lets the agent work on a nearly full disk, as a machine that tests may have.
want_little_room() {
  stop_service || return 1
  printf '\nretention: { min_free: 1MB }\n' >>"$data/casedrop.yaml"
  timeout 60 wine net start Casedrop >/dev/null
  soon 60 service_is RUNNING
}

# published ORDER: whether a whole order is in the output folder.
published() {
  compgen -G "$drive/Lab Orders/Hot/north/$account/$1/manifest.json" >/dev/null
}

# published_soon ORDER: the same within the agent's poll interval and a minute more; otherwise prints
# what the agent says.
published_soon() {
  soon 180 published "$1" && return
  casedrop status || true
  tail -n 40 "$data"/logs/*.log
  return 1
}

# log_in: logs in as a user at this PC would, whose browser comes back to the program.
log_in() {
  local url
  wine "$program" login north --no-browser </dev/null >"$work/login" 2>"$work/login.err" &
  local login=$!
  soon 60 grep -q '^http' "$work/login" || { cat "$work/login.err"; return 1; }
  url=$(tr -d '\r' <"$work/login" | head -n 1)
  curl -sS --fail --noproxy '*' --location --retry 20 --retry-connrefused --retry-delay 1 "$url" || return 1
  wait "$login" || { cat "$work/login.err"; return 1; }
  casedrop pair north
}

test_msi() {
  local order before config
  start_simulator windows-align
  printf '%s\n' "$secret" >"$drive/client.secret"

  msi /i "$work/dist/casedrop-$first-x86_64.msi" || fail "the installation failed: $?"
  check 'installed without answers, the service runs and serves the page that asks for them' soon 60 service_is RUNNING
  check 'what is wrong can be said in the event log' holds \
    "$(wine reg query 'HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\Casedrop' | tr -d '\r')" EventCreate.exe
  check 'its config is the example, with the comments' grep -q '# --- Labs' "$data/casedrop.yaml"
  check 'what is to be done is told' grep -q 'CHANGE-ME\|placeholder' "$data/install.log"
  check 'it is uninstalled silently' msi /x "$work/dist/casedrop-$first-x86_64.msi"
  check 'the program is gone' test ! -e "$program"
  check 'the config stays' test -e "$data/casedrop.yaml"
  rm -r "$data"

  check 'installed with answers' msi /i "$work/dist/casedrop-$first-x86_64.msi" \
    'OUTPUT=C:\Lab Orders\Hot' 'COMMANDS=C:\Lab Orders\Commands\' LABNAME=north "OAUTHBASE=$oauth" "BASEURL=$api" \
    "CLIENTID=$client" 'CLIENTSECRETFILE=C:\client.secret' REDIRECTURL=http://127.0.0.1:18789/callback \
    "ACCOUNT=$account"
  config=$(cat "$data/casedrop.yaml")
  check 'the answers are the config' holds "$config" "output: 'C:\\Lab Orders\\Hot'" "base_url: '$api'" "account: '$account'"
  check 'the config holds no secret' lacks "$config" "$secret"
  check 'the program is managed by the MSI' grep -q '^msi' "${program%.exe}.managed"
  check 'its documentation has its pages and pictures' packaging/documents.py --check "$drive/Program Files/Casedrop"
  check 'the service runs' soon 60 service_is RUNNING
  check 'its path is quoted' holds "$(wine reg query 'HKLM\SYSTEM\CurrentControlSet\Services\Casedrop' /v ImagePath | tr -d '\r')" \
    '"C:\Program Files\Casedrop\casedrop.exe" run'
  check 'it runs under the account with the least rights' holds \
    "$(wine reg query 'HKLM\SYSTEM\CurrentControlSet\Services\Casedrop' /v ObjectName | tr -d '\r')" 'NT AUTHORITY\LocalService'
  check 'it takes a config that was changed' want_little_room
  order=$(create_order)
  check 'somebody logs in and pairs' log_in
  check 'the running service publishes an order that was scanned meanwhile' published_soon "$order"
  check 'it is whole' casedrop verify "$order"
  check 'it stops gracefully' stop_service
  check 'the record tells of a proper end' holds "$(casedrop audit --json | tail -n 60)" agent-stopped

  config=$(sha256sum <"$data/casedrop.yaml")
  check 'a newer MSI takes its place' msi /i "$work/next/casedrop-$second-x86_64.msi"
  check 'its version is the newer one' holds \
    "$(wine reg query 'HKLM\Software\Casedrop' /v Version | tr -d '\r')" "$second"
  check 'the config is as it was' test "$config" = "$(sha256sum <"$data/casedrop.yaml")"
  check 'the answers outlast the upgrade' holds \
    "$(wine reg query 'HKLM\Software\Casedrop' | tr -d '\r')" 'C:\Lab Orders\Hot' "$api"
  check 'the service runs again' soon 60 service_is RUNNING
  check 'login and pairing are kept' holds "$(casedrop accounts north --json)" '"paired": true'
  order=$(create_order)
  check 'an order comes without a new login' casedrop refetch "$order" --kind ortho
  check 'and is published by the new version' published_soon "$order"
  before=$(rows_of_orders)

  if msi /i "$work/dist/casedrop-$first-x86_64.msi"; then fail 'an older MSI was installed over a newer one'; fi
  check 'an older MSI changes nothing' service_is RUNNING
  check 'it says why' grep -aq 'WIX_DOWNGRADE_DETECTED' "$work/msi.log"

  check 'it stops before it goes' stop_service
  check 'uninstalled' msi /x "$work/next/casedrop-$second-x86_64.msi"
  check 'no service is left' soon 60 bash -c '! wine sc query Casedrop >/dev/null 2>&1'
  check 'no program is left' test ! -e "$program"
  check 'orders, config and state are left' test -e "$data/casedrop.yaml" -a -e "$data/journal.sqlite" -a "$before" = "$(rows_of_orders)"
}

# A service under an account with a password, which must not be stored anywhere. (Wine writes hidden
# properties into its log anyway; that the MSI hides it is checked in its tables.)
test_msi_account() {
  local reg
  check 'installed with an account of its own' msi /i "$work/dist/casedrop-$first-x86_64.msi" \
    'SERVICEACCOUNT=.\scans' SERVICEPASSWORD=open-sesame STARTSERVICE=0
  reg=$(wine reg query 'HKLM\Software\Casedrop' | tr -d '\r')
  check 'the account is kept, the password is not' holds "$reg" '.\scans'
  check 'nowhere' lacks "$reg" open-sesame
  if msi /i "$work/next/casedrop-$second-x86_64.msi"; then fail 'upgraded without the password of the account'; fi
  check 'an upgrade without the password changes nothing' holds \
    "$(wine reg query 'HKLM\Software\Casedrop' /v Version | tr -d '\r')" "$first"
  check 'with it, it goes on' msi /i "$work/next/casedrop-$second-x86_64.msi" SERVICEPASSWORD=open-sesame STARTSERVICE=0
  check 'and the account is the same' holds \
    "$(wine reg query 'HKLM\SYSTEM\CurrentControlSet\Services\Casedrop' /v ObjectName | tr -d '\r')" '.\scans'
  check 'it goes too' msi /x "$work/next/casedrop-$second-x86_64.msi"
}

# Lists every file of the output with its hash.
rows_of_orders() {
  (cd "$drive/Lab Orders/Hot" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}

test_setup() {
  local versions="$drive/Program Files/Casedrop/versions"
  rm -rf "$data"
  # As an administrator's script would call it, quotes and all.
  printf 'start /wait "" "%s" /S %s /LABNAME=north /OAUTHBASE=%s /BASEURL=%s /CLIENTID=%s %s /ACCOUNT=%s\r\nexit /b %%errorlevel%%\r\n' \
    "Z:${work//\//\\}\\dist\\casedrop-$first-setup.exe" '/OUTPUT="C:\Lab Orders\Hot" /COMMANDS="C:\Lab Orders\Commands"' \
    "$oauth" "$api" "$client" '/CLIENTSECRETFILE=C:\client.secret /REDIRECTURL=http://127.0.0.1:18789/callback' \
    "$account" >"$work/setup.bat"
  check 'the setup program installs silently' timeout 3m wine cmd /c "Z:${work//\//\\}\\setup.bat"
  check 'it makes the folder for updates and is managed by nobody' test -d "$versions" -a ! -e "${program%.exe}.managed"
  check 'its answers are the config' grep -q "output: 'C:.Lab Orders.Hot'" "$data/casedrop.yaml"
  check 'its service runs' soon 60 service_is RUNNING
  check 'it goes silently' timeout 3m wine "$drive/Program Files/Casedrop/uninstall.exe" /S
  check 'with program and service' soon 60 bash -c "! wine sc query Casedrop >/dev/null 2>&1 && [[ ! -e '$program' ]]"
  check 'and leaves the config' test -e "$data/casedrop.yaml"
}
