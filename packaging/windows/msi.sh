# The MSI. Sourced by packaging/build.
# shellcheck shell=bash disable=SC2154  # variables of packaging/build

# Answers of a silent installation, which outlast an upgrade. Secrets are not among them: a secret is named
# by its file.
msi_answers=(OUTPUT COMMANDS LABNAME OAUTHBASE BASEURL CLIENTID CLIENTSECRETFILE REDIRECTURL ACCOUNT
  NOTIFICATIONS NOTIFICATIONSLISTEN NOTIFICATIONSURL SERVICEACCOUNT INSTALLDIR)

# Those that hold for one run.
msi_once=(CONFIGFILE SERVICEPASSWORD STARTSERVICE)

# msi_sql STATEMENT: changes a table, with all the others in the end.
msi_sql() {
  msi_statements+=("$1")
}

# msi_action NAME TYPE SOURCE TARGET: a custom action that wixl cannot write.
msi_action() {
  msi_sql "INSERT INTO \`CustomAction\` (\`Action\`, \`Type\`, \`Source\`, \`Target\`) VALUES ('$1', $2, '$3', '$4')"
}

# msi_step NAME SEQUENCE CONDITION: when it runs.
msi_step() {
  msi_sql "INSERT INTO \`InstallExecuteSequence\` (\`Action\`, \`Condition\`, \`Sequence\`) VALUES ('$1', '$3', $2)"
}

# msi_set NAME PROPERTY VALUE SEQUENCE CONDITION: sets a property at some step.
msi_set() {
  msi_action "$1" 51 "$2" "$3"
  msi_step "$1" "$4" "$5"
}

# msi_saved NAME KEY VALUE: looks for a value of the registry, into the property SAVEDNAME.
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
  # wixl takes no whole paths.
  (cd "$work" && still wixl -a x64 -o "$out" casedrop.wxs)

  msi_statements=()
  # Looks for answers in the 64-bit part of the registry, where they are kept; wixl cannot say so.
  msi_step AppSearch 50 ''
  number=0
  for name in "${msi_answers[@]}"; do
    case $name in
      # The account that the service has, whoever gave it that.
      SERVICEACCOUNT) msi_saved "$name" "$service_key" ObjectName ;;
      *) msi_saved "$name" 'Software\Casedrop' "$name" ;;
    esac
    # What is given now goes before what was given then. (A search into the property itself would not.) But
    # whoever is no administrator may ask for a repair, which is done as the system: nothing that is given
    # for that counts.
    msi_set "Keep$name" "$name" "[SAVED$name]" $((51 + number)) "SAVED$name AND (NOT $name OR Installed)"
    number=$((number + 1))
  done
  # A service that somebody disabled stays so.
  msi_saved START "$service_key" Start
  msi_set StartType STARTTYPE delayed-auto 72 'SAVEDSTART <> "#4"'
  msi_set StartTypeDisabled STARTTYPE disabled 73 'SAVEDSTART = "#4"'
  msi_set DefaultAccount SERVICEACCOUNT 'NT AUTHORITY\LocalService' 70 'NOT SERVICEACCOUNT'
  # Scan notifications come from outside if the firewall is to let them in.
  msi_set DefaultListen NOTIFICATIONSLISTEN '0.0.0.0:8787' 71 'NOTIFICATIONS = "1" AND NOTIFICATIONSURL AND NOT NOTIFICATIONSLISTEN'
  # A password is not kept, and an upgrade makes the service anew.
  msi_action PasswordMissing 19 '' 'The service runs as [SERVICEACCOUNT]. An upgrade needs the password of that account: give SERVICEPASSWORD again. (A group managed service account needs none.) Nothing was changed.'
  msi_step PasswordMissing 1401 'WIX_UPGRADE_DETECTED AND NOT SERVICEPASSWORD AND NOT (SERVICEACCOUNT >> "$") AND NOT (SERVICEACCOUNT ~<< "NT ") AND NOT (SERVICEACCOUNT ~= "LocalSystem")'
  # What goes wrong after this brings the old version back.
  msi_sql "UPDATE \`InstallExecuteSequence\` SET \`Sequence\` = 1501 WHERE \`Action\` = 'RemoveExistingProducts'"
  # A candidate and the release after it have one number in an MSI.
  # (A key cannot be updated by a statement: the table is written anew.)
  msiinfo export "$out" Upgrade | sed 's/1\(\t[^\t]*\tWIX_UPGRADE_DETECTED\)/513\1/' >"$work/Upgrade.idt"
  grep -q 513 "$work/Upgrade.idt" || fail 'the MSI has no row for upgrades'
  still msibuild "$out" -i "$work/Upgrade.idt"

  # The config. The space behind each value keeps a `\` at its end from hiding the quote.
  msi_set SetupArgs1 SETUPARGS1 'setup --config "[CommonAppDataFolder]Casedrop\casedrop.yaml" --report "[CommonAppDataFolder]Casedrop\install.log" --account "[SERVICEACCOUNT]" "CONFIGFILE=[CONFIGFILE] " "OUTPUT=[OUTPUT] " "COMMANDS=[COMMANDS] "' 1002 'NOT Installed'
  msi_set SetupArgs2 SETUPARGS2 '"LABNAME=[LABNAME] " "OAUTHBASE=[OAUTHBASE] " "BASEURL=[BASEURL] " "CLIENTID=[CLIENTID] " "CLIENTSECRETFILE=[CLIENTSECRETFILE] " "REDIRECTURL=[REDIRECTURL] "' 1003 'NOT Installed'
  msi_set SetupArgs3 SETUPARGS3 '"ACCOUNT=[ACCOUNT] " "NOTIFICATIONSLISTEN=[NOTIFICATIONSLISTEN] " "NOTIFICATIONSURL=[NOTIFICATIONSURL] "' 1004 'NOT Installed'

  # 3170: a program, deferred, as the system, whose failure does not matter.
  msi_action CloseFirewall 3170 System64Folder '"[System64Folder]netsh.exe" advfirewall firewall delete rule name="Casedrop scan notifications"'
  msi_step CloseFirewall 3499 'REMOVE ~= "ALL"'
  msi_action OpenFirewall 3170 System64Folder '"[System64Folder]netsh.exe" advfirewall firewall add rule name="Casedrop scan notifications" dir=in action=allow protocol=TCP program="[INSTALLDIR]casedrop.exe"'
  msi_step OpenFirewall 5803 'NOT Installed AND NOTIFICATIONS = "1"'

  # What an MSI's own service tables cannot say, for a service whose config is not complete yet; else
  # `casedrop service install` sets this and more. Quotes: `C:\Program.exe` shall not be tried first.
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
  # The code of this very file follows from all that went into it.
  still msibuild "$out" -s "Casedrop $version" 'The Casedrop contributors' 'x64;1033' \
    "{$(uuid "package $version $(sha256sum "$stage"/casedrop.exe "$wxs" "$here/windows/msi.sh" | cut -d' ' -f1 | tr '\n' ' ')")}"
}
