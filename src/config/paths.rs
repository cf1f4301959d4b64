//! The folders of a config: how they are written, their defaults, and which of them may be inside
//! which.

use std::path::{Component, Path, PathBuf};

use super::survey::Survey;
use super::values::Bad;
use crate::disk::Disk;

/// Checks that a text can be a path on this system.
pub(super) fn check_text(text: &str) -> Result<(), Bad> {
    let bad = |reason: String, hint: &str| Err(Bad { reason, hint: hint.to_owned() });
    if text.trim().is_empty() {
        return bad("the path is empty".to_owned(), "write a path, or leave the key out");
    }
    if text.chars().any(char::is_control) {
        let hint = "in double quotes `\\t` or `\\n` is a control character; write Windows paths in single \
                    quotes: 'C:\\Casedrop\\new'";
        return bad("the path contains a control character".to_owned(), hint);
    }
    if text == "~" || text.starts_with("~/") || text.starts_with("~\\") {
        let hint = "write the full path; `~` is not expanded, because services have no home folder";
        return bad(format!("`{text}` begins with `~`"), hint);
    }
    if text.starts_with('$') || holds_percent_variable(text) {
        let hint = "write the full path; variables are not expanded";
        return bad(format!("`{text}` contains an environment variable"), hint);
    }
    if cfg!(windows) {
        if has_drive(text) && !text[2..].starts_with(['\\', '/']) {
            let hint = "write a `\\` after the colon, such as C:\\Casedrop";
            return bad(format!("`{text}` depends on the drive's current folder"), hint);
        }
        let rest = if has_drive(text) { &text[2..] } else { text };
        if rest.contains(['<', '>', ':', '"', '|', '?', '*']) && !text.starts_with("\\\\?\\") {
            let hint = "leave out the characters < > : \" | ? *";
            return bad(format!("`{text}` is not a valid path on Windows"), hint);
        }
    } else if has_drive(text) || text.starts_with("\\\\") {
        let hint = "write a path for this system, such as /srv/casedrop/orders";
        return bad(format!("`{text}` is a Windows path"), hint);
    }
    Ok(())
}

fn has_drive(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && (cfg!(windows) || bytes.get(2).is_some_and(|byte| matches!(byte, b'\\' | b'/')))
}

fn holds_percent_variable(text: &str) -> bool {
    let mut parts = text.split('%').skip(1);
    // Every second part is between two percent signs.
    while let (Some(name), Some(_)) = (parts.next(), parts.clone().next()) {
        let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '(' | ')'));
        if is_name && name.starts_with(char::is_alphabetic) {
            return true;
        }
    }
    false
}

/// Makes a path absolute, relative to the config file's folder, without `.` and `..`.
pub(super) fn resolve(base: &Path, path: impl AsRef<Path>) -> PathBuf {
    let mut out = PathBuf::new();
    for part in base.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// Looks up a variable. Ignores case in names, as Windows does.
pub(super) fn lookup<'e>(env: &'e [(String, String)], name: &str) -> Option<&'e str> {
    let found = env.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// The platform's default state folder.
pub(crate) fn platform_state(env: &[(String, String)]) -> PathBuf {
    if cfg!(windows) {
        program_data(env).join("Casedrop")
    } else {
        PathBuf::from("/var/lib/casedrop")
    }
}

/// The platform's location for the config file.
pub(super) fn platform_config(env: &[(String, String)]) -> PathBuf {
    if cfg!(windows) {
        program_data(env).join("Casedrop").join("casedrop.yaml")
    } else {
        PathBuf::from("/etc/casedrop/casedrop.yaml")
    }
}

fn program_data(env: &[(String, String)]) -> PathBuf {
    PathBuf::from(lookup(env, "ProgramData").unwrap_or("C:\\ProgramData"))
}

/// The staging folder if the config does not name one.
///
/// A sibling of the output, unless the output is a volume's root: then no sibling is on its volume.
pub(super) fn default_staging(output: &Path, is_root: bool) -> PathBuf {
    match (output.parent(), output.file_name()) {
        (Some(parent), Some(name)) if !is_root => {
            parent.join(format!(".{}.casedrop-staging", name.to_string_lossy()))
        }
        _ => output.join(".casedrop-staging"),
    }
}

/// Whether a folder's parent, if any, is on another volume: the folder is the root of a drive or
/// share, or a mount point. A folder that cannot be inspected is not a root.
pub(super) fn is_volume_root(disk: &dyn Disk, path: &Path) -> bool {
    match path.parent() {
        None => true,
        Some(parent) => disk.same_volume(path, parent).is_ok_and(|same| !same),
    }
}

/// Whether a folder exists and is writable, or could be created.
pub(crate) fn may_be_made(disk: &dyn Disk, path: &Path) -> bool {
    let nearest = path.ancestors().find(|dir| matches!(disk.kind(dir), Ok(Some(_))));
    nearest.is_some_and(|dir| disk.may_create_in(dir).is_ok())
}

/// Two folders that must not be where they are: the key to show, reason, hint.
pub(super) type Clash = (&'static str, String, String);

/// Finds folders that are named twice, or nested where that does harm.
pub(super) fn clashes(survey: &Survey, is_root: &dyn Fn(&Path) -> bool) -> Vec<Clash> {
    let folders: Vec<(&'static str, &Path)> = survey.folders().collect();
    let mut found = Vec::new();
    for (at, (key, path)) in folders.iter().enumerate() {
        for (other, outer) in &folders[..at] {
            if fold(path) == fold(outer) {
                let reason = format!("it is the same folder as `{other}`: {}", path.display());
                found.push((*key, reason, format!("use a separate folder for `{key}`")));
            }
        }
        for (other, outer) in &folders {
            if lies_in(path, outer)
                && let Some(why) = harm(key, path, other, is_root)
            {
                let reason =
                    format!("{} is inside `{other}` ({})", path.display(), outer.display());
                found.push((*key, reason, why.to_owned()));
            }
        }
    }
    found
}

/// Why one folder must not be inside the other.
fn harm(
    inner: &str,
    path: &Path,
    outer: &str,
    is_root: &dyn Fn(&Path) -> bool,
) -> Option<&'static str> {
    match (inner, outer) {
        ("staging", "output") => {
            let hidden =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            let at_root = path.parent().is_some_and(is_root);
            (!(hidden && at_root)).then_some(
                "programs that watch the output must not see unfinished orders; leave `staging` \
                 out, or use a folder next to the output (only if the output is a volume's root: a \
                 folder directly inside it, with a name that begins with a dot)",
            )
        }
        (_, "output") => Some("only orders may be in the output; use a folder outside it"),
        (_, "staging") => Some("the agent cleans up its staging folder; use a folder outside it"),
        (_, "commands") => {
            Some("every file there is treated as a command; use a folder outside it")
        }
        _ => None,
    }
}

fn lies_in(inner: &Path, outer: &Path) -> bool {
    let (inner, outer) = (fold(inner), fold(outer));
    inner != outer && inner.starts_with(&outer)
}

/// Normalizes the spellings of a path that are the same on this system.
fn fold(path: &Path) -> PathBuf {
    if cfg!(windows) {
        PathBuf::from(path.to_string_lossy().to_lowercase().replace('/', "\\"))
    } else {
        path.to_path_buf()
    }
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
