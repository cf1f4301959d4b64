//! `casedrop check`: who can read what should be secret, and which folders a service cannot reach.

use std::path::Path;

use super::check::Findings;
use crate::config::Survey;
use crate::disk::{Disk, Mapped, remote_of};

/// Checks access rights. Only warns: none of this stops an agent now.
pub(super) fn check(disk: &dyn Disk, survey: &Survey, findings: &mut Findings) {
    if let Some(state) = &survey.state {
        folder(disk, state, findings);
        folder(disk, &crate::secrets::folder(state), findings);
        let shared = [("output", &survey.output), ("commands", &survey.commands)];
        for (key, path) in shared {
            if path.as_ref().is_some_and(|path| path.starts_with(state)) {
                inside_state(key, state, findings);
            }
        }
    }
    for (key, path) in &survey.secret_files {
        if let Ok(readers) = disk.readers(path)
            && !readers.is_empty()
        {
            let reason = format!("{} can be read by {}", path.display(), readers.join(", "));
            findings.warning(key, reason, HOW);
        }
    }
    for (key, path) in survey.folders() {
        drive(key, remote_of(path).as_ref(), findings);
    }
}

const HOW: &str = if cfg!(windows) {
    "allow only the agent's account and administrators to read it: Properties, Security, Advanced, \
     Disable inheritance; or icacls FILE /inheritance:r /grant *S-1-5-32-544:F *S-1-5-18:F \
     ACCOUNT:R"
} else {
    "allow only the agent's user to read it: chmod o-rwx"
};

/// Warns if others can read a folder. A missing one is fine: the agent creates it closed to others.
fn folder(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    if let Ok(readers) = disk.readers(path)
        && !readers.is_empty()
    {
        let reason = format!("{} can be read by {}", path.display(), readers.join(", "));
        let hint = if cfg!(windows) {
            "the agent restricts access when it starts; if this warning stays, allow the agent's \
             account to change the folder's permissions"
        } else {
            HOW
        };
        findings.warning("state", reason, hint);
    }
}

fn inside_state(key: &str, state: &Path, findings: &mut Findings) {
    if cfg!(windows) {
        let reason = format!(
            "the folder is inside `state` ({}), which the agent creates closed to all but its own \
             account and administrators",
            state.display()
        );
        findings.warning(key, reason, "choose a folder outside it, such as C:\\Casedrop\\Orders");
    }
}

/// Warns of folders that the user running the check can reach but a service cannot.
fn drive(key: &str, mapped: Option<&Mapped>, findings: &mut Findings) {
    if let Some(mapped) = mapped {
        let (reason, hint) = mapped.refusal();
        findings.warning(key, reason, hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_drive_is_told_with_the_path_of_the_share() {
        let mapped = Mapped { letter: 'Z', path: Some(r"\\server\lab\orders".into()) };
        let mut findings = Findings::default();
        drive("output", Some(&mapped), &mut findings);
        drive("staging", None, &mut findings);
        assert_eq!(findings.warnings.len(), 1);
        let warning = &findings.warnings[0];
        assert_eq!(warning.key, "output");
        assert!(warning.reason.contains("mapped drives do not exist for services"), "{warning:?}");
        assert_eq!(warning.hint.as_deref(), Some(r"write \\server\lab\orders"));
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_everybody_may_read_is_told() {
        use std::os::unix::fs::PermissionsExt as _;

        use crate::disk::RealDisk;

        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("secret");
        std::fs::write(&file, "x").expect("written");
        let survey = Survey {
            state: Some(dir.path().join("state")),
            secret_files: vec![("labs[0].client_secret_file".to_owned(), file.clone())],
            ..Survey::default()
        };
        let found = |mode| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("set");
            let mut findings = Findings::default();
            check(&RealDisk, &survey, &mut findings);
            findings.warnings
        };
        assert_eq!(found(0o640).len(), 0);
        let told = found(0o644);
        assert!(told.len() == 1 && told[0].reason.contains("can be read by everybody"), "{told:?}");
        // The state folder itself, which holds journal and logs.
        std::fs::create_dir(dir.path().join("state")).expect("made");
        let state = |mode| {
            let path = dir.path().join("state");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
            found(0o600).into_iter().map(|warning| warning.key).collect::<Vec<_>>()
        };
        assert_eq!(state(0o700), [""; 0]);
        assert_eq!(state(0o755), ["state"]);
    }
}
