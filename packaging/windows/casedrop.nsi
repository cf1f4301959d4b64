; The installer for PCs that update themselves: without a package manager's bookkeeping, but with
; the folder that holds updates. `makensis -DVERSION=… -DSTAGE=… -DOUT=… -DHERE=…`
;
; Silent: casedrop-…-setup.exe /S [/OUTPUT="…"] [/COMMANDS="…"] … [/D=C:\folder]   (/D last, without
; quotes)
Unicode true
Target amd64-unicode
SetCompressor /SOLID lzma
ManifestDPIAware true
RequestExecutionLevel admin

!include FileFunc.nsh
!include LogicLib.nsh
!include x64.nsh

Name "Casedrop ${VERSION}"
OutFile "${OUT}"
InstallDir "$PROGRAMFILES64\Casedrop"
Icon "${HERE}/casedrop.ico"
UninstallIcon "${HERE}/casedrop.ico"
BrandingText "Casedrop ${VERSION}"
VIProductVersion "${NUMBERS}.0"
VIAddVersionKey ProductName "Casedrop"
VIAddVersionKey ProductVersion "${VERSION}"
VIAddVersionKey FileVersion "${VERSION}"
VIAddVersionKey FileDescription "Casedrop setup"
VIAddVersionKey CompanyName "The Casedrop contributors"
VIAddVersionKey LegalCopyright "The Casedrop contributors. Licence: ${LICENSE}"

!define UNINSTALL "Software\Microsoft\Windows\CurrentVersion\Uninstall\Casedrop"

Page instfiles
UninstPage instfiles

Var Parameters
Function .onInit
  SetRegView 64
  SetShellVarContext all
  ${IfNot} ${RunningX64}
    MessageBox MB_ICONSTOP "Casedrop needs a 64-bit Windows." /SD IDOK
    SetErrorLevel 2
    Abort
  ${EndIf}
  ; Leave files that an MSI installed to the MSI.
  ${If} ${FileExists} "$INSTDIR\casedrop.managed"
    MessageBox MB_ICONSTOP "Casedrop was installed here by its MSI. Update it with a newer MSI, or uninstall it first: config, state and orders stay." /SD IDOK
    SetErrorLevel 3
    Abort
  ${EndIf}
FunctionEnd

Section
  ; Stops the service of an earlier installation, if there is one.
  ${If} ${FileExists} "$INSTDIR\casedrop.exe"
    nsExec::ExecToLog '"$INSTDIR\casedrop.exe" service stop'
    Pop $R0
  ${EndIf}
  SetOutPath "$INSTDIR"
  SetOverwrite on
  File "${STAGE}/casedrop.exe"
  File /r "${STAGE}/doc/*.*"
  CreateDirectory "$INSTDIR\versions"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  WriteRegStr HKLM "${UNINSTALL}" DisplayName "Casedrop"
  WriteRegStr HKLM "${UNINSTALL}" DisplayVersion "${VERSION}"
  WriteRegStr HKLM "${UNINSTALL}" DisplayIcon "$INSTDIR\casedrop.exe"
  WriteRegStr HKLM "${UNINSTALL}" Publisher "The Casedrop contributors"
  WriteRegStr HKLM "${UNINSTALL}" InstallLocation "$INSTDIR"
  WriteRegStr HKLM "${UNINSTALL}" UninstallString '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKLM "${UNINSTALL}" QuietUninstallString '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKLM "${UNINSTALL}" NoModify 1
  WriteRegDWORD HKLM "${UNINSTALL}" NoRepair 1

  ${GetParameters} $Parameters
  ; `setup` recognizes its own parameters.
  nsExec::ExecToLog '"$INSTDIR\casedrop.exe" setup --config "$APPDATA\Casedrop\casedrop.yaml" --report "$APPDATA\Casedrop\install.log" $Parameters'
  Pop $R0
  ${If} $R0 != 0
    MessageBox MB_ICONEXCLAMATION "The config could not be laid down: see $APPDATA\Casedrop\install.log." /SD IDOK
    SetErrorLevel 4
    Abort
  ${EndIf}
  ; Neither works with a config that is wrong; install.log says what is. One that is only incomplete is filled in
  ; on the page that the service shows.
  nsExec::ExecToLog '"$INSTDIR\casedrop.exe" service install --config "$APPDATA\Casedrop\casedrop.yaml"'
  Pop $R0
  ${If} $R0 == 0
    nsExec::ExecToLog '"$INSTDIR\casedrop.exe" service start'
    Pop $R0
  ${EndIf}
SectionEnd

Function un.onInit
  SetRegView 64
  SetShellVarContext all
FunctionEnd

Section Uninstall
  nsExec::ExecToLog '"$INSTDIR\casedrop.exe" service stop'
  Pop $R0
  nsExec::ExecToLog '"$INSTDIR\casedrop.exe" service uninstall'
  Pop $R0
  ; The program and its versions. Config, state and orders stay.
  Delete "$INSTDIR\casedrop.exe"
  RMDir /r "$INSTDIR\versions"
  Delete "$INSTDIR\*.md"
  Delete "$INSTDIR\*.png"
  Delete "$INSTDIR\*.txt"
  Delete "$INSTDIR\config.example.yaml"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  DeleteRegKey HKLM "${UNINSTALL}"
SectionEnd
