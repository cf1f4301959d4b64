//! The command line for the Windows service manager, always with the program in quotes. Without
//! them, Windows would try `C:\Program.exe` before `C:\Program Files\…`.

use std::path::Path;

pub(super) fn image_path(program: &Path, config: Option<&Path>) -> String {
    let mut line = format!("{} run", quoted(&program.to_string_lossy()));
    if let Some(config) = config {
        line.push_str(" --config ");
        line.push_str(&quoted(&config.to_string_lossy()));
    }
    line
}

/// Quotes an argument for `CommandLineToArgvW`: escapes quotes, and backslashes before them.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut backslashes = 0;
    for c in text.chars() {
        if c == '"' {
            out.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        out.push(c);
    }
    out.extend(std::iter::repeat_n('\\', backslashes));
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_always_quoted() {
        let line = |program: &str, config: Option<&str>| {
            image_path(Path::new(program), config.map(Path::new))
        };
        assert_eq!(
            line(r"C:\Program Files\Casedrop\casedrop.exe", None),
            r#""C:\Program Files\Casedrop\casedrop.exe" run"#
        );
        assert_eq!(line(r"C:\casedrop.exe", None), r#""C:\casedrop.exe" run"#);
        assert_eq!(
            line(r"C:\casedrop.exe", Some(r"D:\Zahnlabor Müller\casedrop.yaml")),
            r#""C:\casedrop.exe" run --config "D:\Zahnlabor Müller\casedrop.yaml""#
        );
    }

    #[test]
    fn backslashes_stay_what_they_are() {
        assert_eq!(quoted(r"C:\a b\"), r#""C:\a b\\""#);
        assert_eq!(quoted(r#"a"b"#), r#""a\"b""#);
        assert_eq!(quoted(r#"a\"b"#), r#""a\\\"b""#);
        assert_eq!(quoted(""), r#""""#);
    }
}
