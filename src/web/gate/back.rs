//! Where to go after the sign-in: to a path of this page, and nowhere else.

use url::Url;

/// Returns the path with its query if it is on this page, else `/`. Rejects anything that leads
/// elsewhere in any browser: `//evil.example`, `/\evil.example`, `https:…`.
pub fn local_path(to: Option<&str>) -> &str {
    to.filter(|to| is_local(to)).unwrap_or("/")
}

fn is_local(to: &str) -> bool {
    // Before they parse a URL, browsers drop tabs and line ends and read `\` as `/`.
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '#');
    if !to.starts_with('/') || to.starts_with("//") || !to.chars().all(is_plain) {
        return false;
    }
    let Ok(base) = Url::parse("http://casedrop.invalid/") else { return false };
    let Ok(url) = base.join(to) else { return false };
    // A path back to the sign-in would loop.
    url.origin() == base.origin()
        && !url.path().starts_with("//")
        && !matches!(url.path(), "/login" | "/logout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_page_are_gone_back_to() {
        for to in ["/", "/orders", "/orders?search=a%20b&page=2", "/orders/17/model.stl", "/a//b"] {
            assert_eq!(local_path(Some(to)), to);
        }
        for to in [
            "",
            "orders",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r\nSet-Cookie: a=b",
            " //evil.example",
            "https://evil.example/",
            "https:evil.example",
            "http:/evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "/.//evil.example",
            "/x/..//evil.example",
            "/%2e//evil.example",
            "/login",
            "/login?to=/",
            "/logout",
            "/ä",
            "/a b",
            "@evil.example",
            ".evil.example",
        ] {
            assert_eq!(local_path(Some(to)), "/", "{to:?}");
        }
        assert_eq!(local_path(None), "/");
    }
}
