//! Command lines for users to paste into a terminal. They mean the same in every shell of the
//! system: bash and zsh, or cmd and PowerShell.

use std::path::Path;

/// Creates one more scan. In Windows PowerShell `curl` is not `curl.exe`.
pub(super) fn one_more_scan(admin_url: &str) -> String {
    let curl = if cfg!(windows) { "curl.exe" } else { "curl" };
    format!("{curl} -X POST {admin_url}/orders")
}

/// Runs a command of this program with a config.
pub(super) fn on_config(command: &str, config: &Path) -> String {
    format!("{} {command} --config {}", program(), quoted(&config.display().to_string()))
}

/// How to call this program: by name, if it was found on the search path.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let is_path = Path::new(&called).components().count() > 1;
    let whole = is_path.then(std::env::current_exe).and_then(Result::ok);
    let whole = whole.map(|path| path.display().to_string());
    // PowerShell takes a quoted program for a string.
    let whole = whole.filter(|path| cfg!(unix) || is_plain(path));
    whole.map_or_else(|| "casedrop".to_owned(), |path| quoted(&path))
}

fn quoted(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else if cfg!(windows) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Whether no shell gives any of these characters a special meaning.
fn is_plain(text: &str) -> bool {
    let own = if cfg!(windows) { "\\" } else { "" };
    let harmless = |c: char| c.is_alphanumeric() || "/._-:".contains(c) || own.contains(c);
    !text.is_empty() && text.chars().all(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shell_sees_more_than_words_in_what_makes_a_scan() {
        let line = one_more_scan("http://127.0.0.1:4711/admin");
        assert!(line.ends_with(" -X POST http://127.0.0.1:4711/admin/orders"), "{line}");
        // Quotes, variables, escapes and lists in cmd, PowerShell and sh.
        assert!(!line.contains(['\'', '"', '$', '%', '^', '&', '`', '\\', ';', '{', '(', '|']));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_stays_one_word() {
        for path in ["/tmp/plain-1.yaml", "/tmp/a b/it's $HOME.yaml"] {
            let line = format!("printf %s {}", quoted(path));
            let said = std::process::Command::new("sh").arg("-c").arg(line).output().expect("sh");
            assert_eq!(String::from_utf8_lossy(&said.stdout), path);
        }
        assert_eq!(quoted("/tmp/plain-1.yaml"), "/tmp/plain-1.yaml");
    }
}
