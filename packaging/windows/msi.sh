# The MSI. Sourced by packaging/build.
# shellcheck shell=bash disable=SC2154  # variables of packaging/build

# Answers of a silent installation that are kept across upgrades. No secret is among them: a secret
# is given as the path of its file.
msi_answers=(OUTPUT COMMANDS LABNAME OAUTHBASE BASEURL CLIENTID CLIENTSECRETFILE REDIRECTURL ACCOUNT
  NOTIFICATIONS NOTIFICATIONSLISTEN NOTIFICATIONSURL SERVICEACCOUNT INSTALLDIR)

# Those that apply to one run only.
msi_once=(CONFIGFILE SERVICEPASSWORD STARTSERVICE)

# msi_sql STATEMENT: queues a change to a table; all are applied at the end.
msi_sql() {
  msi_statements+=("$1")
}

# msi_action NAME TYPE SOURCE TARGET: adds a custom action that wixl cannot express.
msi_action() {
  msi_sql "INSERT INTO \`CustomAction\` (\`Action\`, \`Type\`, \`Source\`, \`Target\`) VALUES ('$1', $2, '$3', '$4')"
}

# msi_step NAME SEQUENCE CONDITION: sets when an action runs.
msi_step() {
  msi_sql "INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Condition\`, \`Sequence\`) VALUES ('$1', '$3', $2)"
}

# msi_set NAME PROPERTY VALUE SEQUENCE CONDITION: sets a property at some step.
msi_set() {
  msi_action "$1" 51 "$2" "$3"
  msi_step "$1" "$4" "$5"
}

# msi_saved NAME KEY VALUE: reads a registry value into the property SAVEDNAME.
msi_saved() {
  msi_sql "INSERT INTO \`RegLocator\` (\`Signature_\`, \`Root\`, \`Key\`, \`Name\`, \`Type\`) VALUES ('Saved$1', 2, '$2', '$3', 18)"
  msi_sql "INSERT INTO \`AppSearch\` (\`Property\`, \`Signature_\`) VALUES ('SAVED$1', 'Saved$1')"
}

# pack_msi STAGE FILE: STAGE is a folder in $work with casedrop.exe and the folder doc.
pack_msi() {
  local service_key='SYSTEM\CurrentControlSet\Services\Casedrop'
  local stage=$1 out=$2 wxs=$work/casedrop.wxs documents='' answers='' file id name at secure number
  for file in "$stage"/doc/*; do
    name=$(basename "$file")
    id=doc.${name//-/_}
    documents+="            <File Id=\"$id\" Name=\"$name\" Source=\"$(basename "$stage")/doc/$name\"/>"$'\n'
  done
  # A component has one key: its first file.
  documents=${documents/\/>/ KeyPath=\"yes\"\/>}
  for name in "${msi_answers[@]}"; do
    answers+="            <RegistryValue Root=\"HKLM\" Key=\"Software\\Casedrop\" Name=\"$name\" Type=\"string\" Value=\"[$name]\"/>"$'\n'
  done
  printf 'msi\nUpdate this installation with a newer MSI.\n' >"$stage/casedrop.managed"
  settle "$stage"
  SUBST_DOCUMENTS=$documents SUBST_ANSWERS=$answers SUBST_STAGE=$(basename "$stage") \
    SUBST_PRODUCT_CODE=$(uuid "product $version") SUBST_MSI_VERSION=${version%%-*} \
    substitute "$here/windows/casedrop.wxs" >"$wxs"
  cp "$here/windows/casedrop.ico" "$work/"
  rm -f "$out"
  # wixl takes no absolute paths.
  (cd "$work" && still wixl -a x64 -o "$out" casedrop.wxs)

  msi_statements=()
  # Look for answers in the 64-bit registry, where they are stored; wixl cannot express that.
  msi_step AppSearch 50 ''
  number=0
  for name in "${msi_answers[@]}"; do
    case $name in
      # The account that the service has, whoever set it.
      SERVICEACCOUNT) msi_saved "$name" "$service_key" ObjectName ;;
      *) msi_saved "$name" 'Software\Casedrop' "$name" ;;
    esac
    # New answers override stored ones. (A search into the property itself would not.) But a user
    # without admin rights may request a repair, which runs as the system: answers given to a repair
    # do not count.
    msi_set "Keep$name" "$name" "[SAVED$name]" $((51 + number)) "SAVED$name AND (NOT $name OR Installed)"
    number=$((number + 1))
  done
  # A disabled service stays disabled.
  msi_saved START "$service_key" Start
  msi_set StartType STARTTYPE delayed-auto 72 'SAVEDSTART <> "#4"'
  msi_set StartTypeDisabled STARTTYPE disabled 73 'SAVEDSTART = "#4"'
  msi_set DefaultAccount SERVICEACCOUNT 'NT AUTHORITY\LocalService' 70 'NOT SERVICEACCOUNT'
  # Listen on all interfaces if the firewall is opened for scan notifications.
  msi_set DefaultListen NOTIFICATIONSLISTEN '0.0.0.0:8787' 71 'NOTIFICATIONS = "1" AND NOTIFICATIONSURL AND NOT NOTIFICATIONSLISTEN'
  # The password is not stored, and an upgrade reinstalls the service.
  msi_action PasswordMissing 19 '' 'The service runs as [SERVICEACCOUNT]. An upgrade needs the password of that account: give SERVICEPASSWORD again. (A group managed service account needs none.) Nothing was changed.'
  msi_step PasswordMissing 1401 'WIX_UPGRADE_DETECTED AND NOT SERVICEPASSWORD AND NOT (SERVICEACCOUNT >> "$") AND NOT (SERVICEACCOUNT ~<< "NT ") AND NOT (SERVICEACCOUNT ~= "LocalSystem")'
  # A failure after this point rolls back to the old version.
  msi_sql "UPDATE \`InstallExecuteSequence\` SET \`Sequence\` = 1501 WHERE \`Action\` = 'RemoveExistingProducts'"
  # A candidate and its release have the same version number in an MSI.
  # (A statement cannot update a key: the table is rewritten.)
  msiinfo export "$out" Upgrade | sed 's/1\(\t[^\t]*\tWIX_UPGRADE_DETECTED\)/513\1/' >"$work/Upgrade.idt"
  grep -q 513 "$work/Upgrade.idt" || fail 'the MSI has no row for upgrades'
  still msibuild "$out" -i "$work/Upgrade.idt"

  # The config. The space after each value keeps a trailing `\` from escaping the quote.
  msi_set SetupArgs1 SETUPARGS1 'setup --config "[CommonAppDataFolder]Casedrop\casedrop.yaml" --report "[CommonAppDataFolder]Casedrop\install.log" --account "[SERVICEACCOUNT]" "CONFIGFILE=[CONFIGFILE] " "OUTPUT=[OUTPUT] " "COMMANDS=[COMMANDS] "' 1002 'NOT Installed'
  msi_set SetupArgs2 SETUPARGS2 '"LABNAME=[LABNAME] " "OAUTHBASE=[OAUTHBASE] " "BASEURL=[BASEURL] " "CLIENTID=[CLIENTID] " "CLIENTSECRETFILE=[CLIENTSECRETFILE] " "REDIRECTURL=[REDIRECTURL] "' 1003 'NOT Installed'
  msi_set SetupArgs3 SETUPARGS3 '"ACCOUNT=[ACCOUNT] " "NOTIFICATIONSLISTEN=[NOTIFICATIONSLISTEN] " "NOTIFICATIONSURL=[NOTIFICATIONSURL] "' 1004 'NOT Installed'

  # 3170: a program, deferred, as the system, whose failure is ignored.
  msi_action CloseFirewall 3170 System64Folder '"[System64Folder]netsh.exe" advfirewall firewall delete rule name="Casedrop scan notifications"'
  msi_step CloseFirewall 3499 'REMOVE ~= "ALL"'
  msi_action OpenFirewall 3170 System64Folder '"[System64Folder]netsh.exe" advfirewall firewall add rule name="Casedrop scan notifications" dir=in action=allow protocol=TCP program="[INSTALLDIR]casedrop.exe"'
  msi_step OpenFirewall 5803 'NOT Installed AND NOTIFICATIONS = "1"'

  # What an MSI's own service tables cannot express, for a service whose config is not complete yet;
  # otherwise `casedrop service install` sets this and more. Quotes, so that `C:\Program.exe` is not
  # tried first.
  msi_action QuotePath 3170 System64Folder '"[System64Folder]sc.exe" config Casedrop binPath= "\"[#casedrop.exe]\" run" start= [STARTTYPE]'
  msi_step QuotePath 5804 'NOT REMOVE'
  msi_action Recovery 3170 System64Folder '"[System64Folder]sc.exe" failure Casedrop reset= 86400 actions= restart/5000/restart/60000/restart/300000'
  msi_step Recovery 5805 'NOT REMOVE'
  msi_action RecoveryOnError 3170 System64Folder '"[System64Folder]sc.exe" failureflag Casedrop 1'
  msi_step RecoveryOnError 5806 'NOT REMOVE'

  secure='WIX_DOWNGRADE_DETECTED;WIX_UPGRADE_DETECTED'
  for name in "${msi_answers[@]}" "${msi_once[@]}"; do secure+=";$name"; done
  msi_sql "UPDATE \`Property\` SET \`Value\` = '$secure' WHERE \`Property\` = 'SecureCustomProperties'"
  msi_sql "INSERT INTO \`Property\` (\`Property\`, \`Value\`) VALUES ('MsiHiddenProperties', 'SERVICEPASSWORD')"
  still msibuild "$out" -q "${msi_statements[@]}"
  # The package code is derived from everything that went into the file.
  still msibuild "$out" -s "Casedrop $version" 'The Casedrop contributors' 'x64;1033' \
    "{$(uuid "package $version $(sha256sum "$stage"/casedrop.exe "$wxs" "$here/windows/msi.sh" | cut -d' ' -f1 | tr '\n' ' ')")}"
}
