//! The text of the systemd unit: the one that packages ship, with the paths of this PC.

use std::path::{Component, Path, PathBuf};

use super::Plan;
use crate::model::fault::Fault;

/// The unit that packages ship.
pub(super) const SHIPPED: &str = include_str!("../../../packaging/linux/casedrop.service");

/// The default user and group of the service.
pub(super) const USER: &str = "casedrop";

/// Home folders, which are otherwise hidden from the service.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// Returns the unit for a plan.
///
/// # Errors
/// A folder cannot be made writable for the service alone.
pub(super) fn unit(plan: &Plan, user: &str, group: &str) -> Result<String, Fault> {
    let writable = writable(plan)?;
    let program = argument(&plan.program);
    let config = plan.config.as_deref().map(argument);
    let config = config.map(|config| format!(" --config {config}")).unwrap_or_default();
    let read = [Some(plan.program.as_path()), plan.config.as_deref()];
    let used = writable.iter().map(PathBuf::as_path).chain(read.into_iter().flatten());
    let home = if used.into_iter().any(is_in_a_home) { "read-only" } else { "yes" };
    let writable: Vec<_> = writable.iter().map(|path| listed(path)).collect();
    let mut text = String::new();
    let rest = SHIPPED.lines().skip_while(|line| line.starts_with('#'));
    text.push_str(
        "# Written by `casedrop service install`, which overwrites it. Change it with a drop-in:\n\
         # `systemctl edit casedrop` (docs/operators.md, \"Running as a service\").\n",
    );
    for line in rest {
        let changed = match line.split_once('=') {
            Some(("ExecStartPre", _)) => {
                format!("ExecStartPre=-{program} check --offline{config}")
            }
            Some(("ExecStart", _)) => format!("ExecStart={program} run{config}"),
            Some(("User", _)) => format!("User={user}"),
            Some(("Group", _)) => format!("Group={group}"),
            Some(("ReadWritePaths", _)) => format!("ReadWritePaths={}", writable.join(" ")),
            Some(("ProtectHome", _)) => format!("ProtectHome={home}"),
            _ => line.to_owned(),
        };
        text.push_str(&changed);
        text.push('\n');
    }
    Ok(text)
}

/// Returns the folders that the service may write to, none inside another.
///
/// Each becomes a mount of its own, and nothing can be renamed across mounts: so output and staging
/// need one that contains both.
pub(super) fn writable(plan: &Plan) -> Result<Vec<PathBuf>, Fault> {
    let [output, staging] = &plan.output;
    let both = common(output, staging);
    if both.parent().is_none() {
        let message = format!(
            "{} and {} are directly in /, and the service must not get write access to the whole \
             PC",
            output.display(),
            staging.display()
        );
        return Err(super::fault("output-at-root", message)
            .hint("put the output one level deeper, such as /srv/casedrop/orders"));
    }
    let others = plan.commands.iter().chain(&plan.logs).chain(&plan.versions).chain([&plan.state]);
    let mut all: Vec<PathBuf> = std::iter::once(both).chain(others.cloned()).collect();
    all.sort();
    all.dedup_by(|inner, outer| inner.starts_with(outer));
    Ok(all)
}

/// Returns the deepest folder that contains both, or is one of them.
fn common(a: &Path, b: &Path) -> PathBuf {
    a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(part, _)| part).collect()
}

fn is_in_a_home(path: &Path) -> bool {
    HOMES.iter().any(|home| path.starts_with(home))
}

/// A path as an argument of a unit's command line.
fn argument(path: &Path) -> String {
    let text = escaped(path).replace('$', "$$");
    if text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '\\')) {
        format!("\"{text}\"")
    } else {
        text
    }
}

/// A path in a list of paths; the dash means that it may be missing.
fn listed(path: &Path) -> String {
    let text = escaped(path);
    if text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\')) {
        format!("\"-{text}\"")
    } else {
        format!("-{text}")
    }
}

/// Escapes what systemd would interpret.
fn escaped(path: &Path) -> String {
    let whole: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    let text = whole.to_string_lossy();
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            program: "/usr/bin/casedrop".into(),
            config: None,
            sources: vec!["/etc/casedrop/casedrop.yaml".into()],
            account: None,
            password: None,
            state: "/var/lib/casedrop".into(),
            output: [
                "/srv/casedrop/orders".into(),
                "/srv/casedrop/.orders.casedrop-staging".into(),
            ],
            commands: Some("/srv/casedrop/commands".into()),
            logs: None,
            versions: None,
        }
    }

    fn line<'a>(text: &'a str, setting: &str) -> &'a str {
        let mut found = text.lines().filter(|line| line.starts_with(&format!("{setting}=")));
        let line = found.next().unwrap_or_else(|| panic!("no {setting}"));
        assert_eq!(found.next(), None, "{setting} stands there once");
        line
    }

    #[test]
    fn the_shipped_unit_is_that_of_the_usual_paths() {
        let text = unit(&plan(), USER, USER).expect("a unit");
        for setting in ["ExecStart", "ExecStartPre", "User", "Group", "ProtectHome"] {
            assert_eq!(line(&text, setting), line(SHIPPED, setting));
        }
        assert_eq!(
            line(&text, "ReadWritePaths"),
            "ReadWritePaths=-/srv/casedrop -/var/lib/casedrop"
        );
        let settings = |text: &str| {
            let lines = text
                .lines()
                .filter(|line| !line.starts_with('#') && !line.starts_with("ReadWritePaths"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(settings(&text), settings(SHIPPED));
    }

    #[test]
    fn what_systemd_would_take_apart_is_kept_together() {
        let plan = Plan {
            program: "/opt/100% $HOME/case drop".into(),
            config: Some("/etc/casedrop/a \"b\".yaml".into()),
            output: ["/mnt/scans of 5%/orders".into(), "/mnt/scans of 5%/.staging".into()],
            ..plan()
        };
        let text = unit(&plan, "scans", "lab").expect("a unit");
        assert_eq!(
            line(&text, "ExecStart"),
            "ExecStart=\"/opt/100%% $$HOME/case drop\" run --config \"/etc/casedrop/a \\\"b\\\".yaml\""
        );
        assert_eq!(
            line(&text, "ExecStartPre"),
            "ExecStartPre=-\"/opt/100%% $$HOME/case drop\" check --offline --config \
             \"/etc/casedrop/a \\\"b\\\".yaml\""
        );
        assert_eq!(
            line(&text, "ReadWritePaths"),
            "ReadWritePaths=\"-/mnt/scans of 5%%\" -/srv/casedrop/commands -/var/lib/casedrop"
        );
        assert_eq!((line(&text, "User"), line(&text, "Group")), ("User=scans", "Group=lab"));
    }

    #[test]
    fn orders_can_be_renamed_from_staging_to_the_output() {
        let folders = |output: &str, staging: &str| {
            let output = [output.into(), staging.into()];
            writable(&Plan { output, commands: None, ..plan() })
        };
        let both = folders("/mnt/a/orders", "/mnt/a/staging").expect("folders");
        assert_eq!(both, [Path::new("/mnt/a"), Path::new("/var/lib/casedrop")]);
        let inside = folders("/mnt/share", "/mnt/share/.casedrop-staging").expect("folders");
        assert_eq!(inside, [Path::new("/mnt/share"), Path::new("/var/lib/casedrop")]);
        let fault = folders("/orders", "/.orders.casedrop-staging").expect_err("the whole PC");
        assert!(fault.hint.is_some_and(|hint| hint.contains("/srv/casedrop/orders")));
    }

    #[test]
    fn homes_are_shown_only_to_a_service_that_needs_them() {
        let plan = Plan { config: Some("/home/anna/casedrop.yaml".into()), ..plan() };
        let text = unit(&plan, USER, USER).expect("a unit");
        assert_eq!(line(&text, "ProtectHome"), "ProtectHome=read-only");
    }
}
