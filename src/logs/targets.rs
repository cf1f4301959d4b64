//! Log filters name parts of the program, such as `casedrop::align`, whichever crate they are in.
//! Names that earlier versions used keep working, so that no config has to change.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// What a part is called in filters, and the targets of its lines.
const PARTS: [(&str, &[&str]); 14] = [
    ("align", &["casedrop_align"]),
    ("disk", &["casedrop_disk"]),
    ("engine", &["casedrop_engine"]),
    ("hotfolder", &["casedrop_hotfolder"]),
    ("http", &["casedrop_http"]),
    ("journal", &["casedrop_journal"]),
    ("secrets", &["casedrop_secrets"]),
    ("simulator", &["casedrop_simulator"]),
    ("app", &["casedrop::agent"]),
    ("incoming", &["casedrop_http::server"]),
    ("local", &["casedrop_hotfolder"]),
    ("outgoing", &["casedrop_http::client"]),
    ("store", &["casedrop_journal"]),
    ("sync", &["casedrop_engine", "casedrop::execute", super::notices::TARGET]),
];

/// Reads a level or filter of the config; `info` if it is neither, which the config's check reports.
pub(super) fn filter(text: &str) -> Targets {
    let read = targets(text).parse();
    read.unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO))
}

fn targets(text: &str) -> String {
    let directives = text.split(',').flat_map(|directive| {
        let part = directive.trim().strip_prefix("casedrop::").and_then(|rest| {
            let end = rest.find([':', '=', '[']).unwrap_or(rest.len());
            let (name, rest) = rest.split_at(end);
            let (_, targets) = PARTS.iter().find(|(part, _)| *part == name)?;
            Some(targets.iter().map(|target| format!("{target}{rest}")).collect())
        });
        part.unwrap_or_else(|| vec![directive.to_owned()])
    });
    directives.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_by_its_name_and_by_its_former_one() {
        assert_eq!(targets("info,casedrop::align=debug"), "info,casedrop_align=debug");
        assert_eq!(targets("casedrop::store::check=trace"), "casedrop_journal::check=trace");
        assert_eq!(targets("casedrop::incoming"), "casedrop_http::server");
        assert_eq!(
            targets("warn, casedrop::sync=debug"),
            "warn,casedrop_engine=debug,casedrop::execute=debug,casedrop::notice=debug"
        );
        assert_eq!(targets("casedrop::web=debug,hyper=info"), "casedrop::web=debug,hyper=info");
        assert_eq!(targets("debug"), "debug");
        assert!(filter("info,casedrop::align=debug").to_string().contains("casedrop_align=debug"));
    }
}
