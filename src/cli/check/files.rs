//! Whether the files that a config names are usable.

use std::path::Path;
use std::time::SystemTime;

use super::Findings;
use crate::config::TlsFiles;
use crate::disk::{Disk, Kind, read_limited};
use crate::http::server::{Listener, check_certificate};

/// A policy binds only as long as no one but administrators can change it.
pub(super) fn rights(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    // An unreadable file is reported elsewhere.
    let Ok(Some(others)) = disk.others_who_write(path) else { return };
    let path = path.display();
    let reason = format!("the policy {path} can be changed by {others}");
    let hint = "allow only administrators to write to it and to its folder; others could remove it";
    findings.warning("", reason, hint);
}

pub(super) fn authorities(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    const MOST: u64 = 4 << 20;
    let hint = "give a PEM file, with lines such as -----BEGIN CERTIFICATE-----";
    match read_limited(disk, path, MOST) {
        Ok(bytes) => {
            let mark = b"-----BEGIN CERTIFICATE-----";
            if !bytes.windows(mark.len()).any(|window| window == mark) {
                let reason = format!("{} contains no certificate", path.display());
                findings.fault("api.ca_file", reason, hint);
            }
        }
        Err(error) => {
            findings.fault("api.ca_file", format!("{error}: {}", error.source), hint);
        }
    }
}

pub(super) fn certificate(
    disk: &dyn Disk,
    listener: Listener,
    files: &TlsFiles,
    findings: &mut Findings,
) {
    let key = &format!("{}.certificate", listener.key);
    match check_certificate(disk, listener, files, SystemTime::now()) {
        Ok(None) => {}
        Ok(Some(0)) => {
            let reason =
                format!("{} has expired, or expires within a day", files.certificate.display());
            findings.warning(key, reason, "renew the certificate");
        }
        Ok(Some(days)) => {
            let reason = format!("{} expires in {days} days", files.certificate.display());
            findings.warning(key, reason, "renew the certificate");
        }
        Err(fault) => {
            let hint = fault.hint.clone().unwrap_or_default();
            findings.fault(key, fault.brief(), hint);
        }
    }
}

pub(super) fn hook(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    let hint = "give the full path of a program that the agent's user may run";
    let shown = path.display();
    if cfg!(windows) && !starts_on_windows(path) {
        let reason = format!("Windows cannot run {shown} as a program");
        let hint = "give the interpreter's full path first, then the script as its argument";
        findings.fault("notices.hook.run[0]", reason, hint);
        return;
    }
    let reason = match disk.kind(path) {
        Ok(Some(Kind::File)) => return,
        // Running a program follows links; some systems store their programs that way.
        Ok(Some(Kind::Other)) if disk.open(path).is_ok() => return,
        Ok(Some(_)) => format!("{shown} is not a file"),
        Ok(None) => format!("there is no program at {shown}"),
        Err(error) => format!("{error}: {}", error.source),
    };
    findings.fault("notices.hook.run[0]", reason, hint);
}

/// Whether Windows starts such a file directly, without an interpreter.
pub(super) fn starts_on_windows(path: &Path) -> bool {
    let extension = path.extension().map(|it| it.to_string_lossy().to_lowercase());
    extension.is_some_and(|it| ["exe", "com", "bat", "cmd"].contains(&it.as_str()))
}
