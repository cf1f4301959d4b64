//! The pieces of a bundle that come from the disk: no order content, no secrets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::audit::Record;
use crate::config::InForce;
use crate::disk::{Disk, DiskError, Kind};
use crate::journal::{Store, StoreError};
use crate::logs::{self, Found};
use crate::model::record::OrderState;
use crate::model::time::WallMs;
use crate::notices::hook;

/// At most this many bytes of logs, uncompressed, go into a bundle: the newest.
pub const LOGS_MAX: u64 = 20_000_000;
/// At most this many entries of the state folder are listed.
const LISTED: usize = 2000;
/// Listing depth below the state folder.
const DEEP: usize = 4;
/// At most this many failing orders are listed one by one.
const FAILING: usize = 200;
/// Config keys whose values name people or places that are no one else's business.
const PRIVATE: [&str; 7] = [
    "client_id",
    "notices.webhook.url",
    "notices.mail.user",
    "notices.mail.from",
    "notices.mail.to",
    "notices.hook.run",
    "client_secret",
];

/// Describes the program and the system it runs on.
pub fn versions(disk: &dyn Disk, version: &str, program: &Path, now: WallMs) -> String {
    let system = system(disk).unwrap_or_else(|| "unknown".to_owned());
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let zone = jiff::tz::TimeZone::system();
    let zone = zone.iana_name().unwrap_or("unknown").to_owned();
    format!(
        "casedrop {version} ({arch}-{os}{})\nprogram: {}\nsystem: {system}\nSQLite: {}\nmade at: {}\n\
         time zone: {zone}\n",
        if cfg!(debug_assertions) { ", with checks for tests" } else { "" },
        program.display(),
        rusqlite::version(),
        now.to_rfc3339(),
    )
}

/// The system's own name and version.
#[cfg(not(windows))]
fn system(disk: &dyn Disk) -> Option<String> {
    use crate::disk::read_limited;

    const MAX: u64 = 64 << 10;
    let read = |path: &str| {
        let bytes = read_limited(disk, Path::new(path), MAX).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let release = read("/etc/os-release")?;
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    let name = name.trim_matches('"');
    let kernel = read("/proc/sys/kernel/osrelease");
    Some(
        kernel
            .map_or_else(|| name.to_owned(), |kernel| format!("{name}, kernel {}", kernel.trim())),
    )
}

/// The system's own name and version.
#[cfg(windows)]
fn system(_disk: &dyn Disk) -> Option<String> {
    let key = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
    let key = windows_registry::LOCAL_MACHINE.open(key).ok()?;
    let name = key.get_string("ProductName").ok()?;
    let build = key.get_string("CurrentBuild").unwrap_or_default();
    Some(format!("{name}, build {build}"))
}

/// Lists every effective config key with its value and where it comes from.
pub fn config(keys: &[InForce]) -> String {
    let mut text = String::new();
    for key in keys {
        let is_private = PRIVATE.iter().any(|it| {
            key.key == *it || key.key.ends_with(it) || key.key.starts_with(&format!("{it}["))
        });
        let value = if is_private && key.value != "null" { "(set)" } else { key.value.as_str() };
        let locked = if key.locked { " (locked)" } else { "" };
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{} = {value}    # {}{locked}", key.key, key.place());
    }
    text
}

/// Summarizes the journal: whether it is intact, how much it holds, and which orders fail.
///
/// # Errors
/// It cannot be read, or its rows make no sense.
pub fn journal(store: &Store) -> Result<Value, StoreError> {
    let damage = store.quick_check()?;
    let orders = store.orders()?;
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failing = Vec::new();
    for order in &orders {
        *states.entry(order.state().as_str()).or_default() += 1;
        let Some(trouble) = &order.trouble else { continue };
        *codes.entry(&trouble.code).or_default() += 1;
        let wanted = [OrderState::Attention, OrderState::Retrying, OrderState::Regenerating];
        if wanted.contains(&order.state()) && failing.len() < FAILING {
            failing.push(json!({
                "lab": order.key.lab, "account": order.key.account, "order": order.key.order,
                "state": order.state(), "trouble": trouble,
                "first_seen": order.first_seen.to_rfc3339(),
                "published_revision": order.published.as_ref().map(|published| published.revision),
            }));
        }
    }
    let rows: BTreeMap<String, u64> = store.row_counts()?.into_iter().collect();
    Ok(json!({
        "whole": damage.is_none(), "damage": damage, "orders_by_state": states,
        "troubles_by_code": codes, "failing": failing, "rows": rows,
    }))
}

/// Counts the audited actions, without who performed them.
pub fn audit(records: &[Record]) -> Value {
    let mut deeds: BTreeMap<String, usize> = BTreeMap::new();
    for record in records {
        *deeds.entry(format!("{} {} ({})", record.what, record.result, record.via)).or_default() +=
            1;
    }
    json!({ "records": records.len(), "last": records.last().map(|it| &it.at), "deeds": deeds })
}

/// Lists names, sizes and times of a folder's content.
pub fn listing(disk: &dyn Disk, dir: &Path) -> Result<String, DiskError> {
    let mut text = format!("{}\n", dir.display());
    let mut left = LISTED;
    list(disk, dir, 1, &mut left, &mut text)?;
    if left == 0 {
        text.push_str("… and more\n");
    }
    Ok(text)
}

fn list(
    disk: &dyn Disk,
    dir: &Path,
    depth: usize,
    left: &mut usize,
    text: &mut String,
) -> Result<(), DiskError> {
    for entry in disk.list(dir)? {
        if *left == 0 {
            return Ok(());
        }
        *left -= 1;
        let name = entry.name.as_deref().unwrap_or("(not Unicode)");
        let indent = "  ".repeat(depth);
        // Writing to a `String` cannot fail.
        let _ = match (entry.kind, disk.stamp(&entry.path)) {
            (Kind::Dir, _) => writeln!(text, "{indent}{name}/"),
            (Kind::File, Ok(stamp)) => {
                let at = Timestamp::try_from(stamp.modified).unwrap_or(Timestamp::UNIX_EPOCH);
                let at = WallMs(at.as_millisecond()).to_rfc3339();
                writeln!(text, "{indent}{name}  {} bytes  {at}", stamp.len)
            }
            (Kind::File, Err(error)) => writeln!(text, "{indent}{name}  ({})", error.source),
            (Kind::Other, _) => writeln!(text, "{indent}{name}  (a link or device)"),
        };
        if entry.kind == Kind::Dir && depth < DEEP {
            match list(disk, &entry.path, depth + 1, left, text) {
                Ok(()) => {}
                Err(error) => {
                    let _ = writeln!(text, "{indent}  ({error}: {})", error.source);
                }
            }
        }
    }
    Ok(())
}

/// Returns the log files of the last days by name, oldest first, with at most `most` bytes in
/// total. If the oldest fits only in part, only its end is included. Hook output is left out: it
/// may contain anything.
pub fn logs(
    disk: &dyn Disk,
    dir: &Path,
    since: WallMs,
    most: u64,
) -> Result<Vec<(String, String)>, DiskError> {
    let first = Timestamp::from_millisecond(since.0).unwrap_or(Timestamp::UNIX_EPOCH);
    let first = first.to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
    let (mut left, mut found) = (most, Vec::new());
    for file in logs::found(disk, dir)?.iter().rev().filter(|file| file.day >= first) {
        if left == 0 {
            break;
        }
        let name = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = match tail(disk, file, left) {
            Ok(bytes) => {
                left = left.saturating_sub(bytes.len() as u64);
                without_hooks(&String::from_utf8_lossy(&bytes))
            }
            Err(error) => format!("cannot be read: {error}: {}\n", error.source),
        };
        found.push((name, text));
    }
    found.reverse();
    Ok(found)
}

/// Returns the end of a file, from the start of a line.
fn tail(disk: &dyn Disk, found: &Found, most: u64) -> Result<Vec<u8>, DiskError> {
    let fail = |source| DiskError { operation: "read", path: found.path.clone(), source };
    let mut file = disk.open(&found.path)?;
    let skip = found.len.saturating_sub(most);
    file.seek(SeekFrom::Start(skip)).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes).map_err(fail)?;
    if skip > 0 {
        let start = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes.drain(..start);
    }
    Ok(bytes)
}

fn without_hooks(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.contains(hook::SAID)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn only_the_newest_logs_of_the_wanted_days_are_taken() {
        let dir = tempfile::tempdir().expect("tempdir");
        let write = |day: u32, text: &str| {
            let name = format!("casedrop-2026-11-{day}.log");
            std::fs::write(dir.path().join(name), text).expect("written");
        };
        write(20, "too old\n");
        write(24, "one line\nanother line\n");
        write(25, &format!("INFO a\nDEBUG {}: output of the hook: Anna\nINFO b\n", hook::SAID));
        // 2026-11-24, noon.
        let since = WallMs(1_795_521_600_000);
        let all = logs(&RealDisk, dir.path(), since, 1000).expect("read");
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["casedrop-2026-11-24.log", "casedrop-2026-11-25.log"]);
        assert_eq!(all[1].1, "INFO a\nINFO b\n", "nobody knows what a hook prints");
        let newest = std::fs::metadata(dir.path().join(names[1])).expect("there").len();
        let few = logs(&RealDisk, dir.path(), since, newest + 15).expect("read");
        assert_eq!(few[0].1, "another line\n", "whole lines, the newest");
        let fewer = logs(&RealDisk, dir.path(), since, newest).expect("read");
        assert_eq!(fewer.len(), 1);
        assert!(logs(&RealDisk, &dir.path().join("gone"), since, 1).is_err());
    }

    #[test]
    fn a_listing_tells_names_and_sizes_and_no_content() {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::create_dir(dir.path().join("secrets")).expect("made");
        std::fs::write(dir.path().join("secrets/smile-lab.json"), "hush").expect("written");
        let text = listing(&RealDisk, dir.path()).expect("listed");
        assert!(text.contains("  secrets/\n    smile-lab.json  4 bytes  20"), "{text}");
        assert!(!text.contains("hush"), "{text}");
    }

    #[test]
    fn the_config_names_no_people() {
        let key = |key: &str, value: &str| InForce {
            key: key.to_owned(),
            value: value.to_owned(),
            from: crate::config::From::File,
            source: Some("/etc/casedrop.yaml".to_owned()),
            line: Some(3),
            locked: false,
        };
        let text = config(&[
            key("labs[0].client_id", "hidden"),
            key("notices.mail.to", "hidden"),
            key("notices.hook.run[1]", "hidden"),
            key("notices.mail.from", "null"),
            key("names", "vendor"),
        ]);
        assert!(!text.contains("hidden"), "{text}");
        assert!(text.contains("labs[0].client_id = (set)    # casedrop.yaml:3\n"), "{text}");
        assert!(text.contains("notices.mail.from = null") && text.contains("names = vendor"));
    }
}
