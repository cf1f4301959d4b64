//! `audit`: who did what on this PC, and whether that record is intact.

use std::sync::Arc;

use clap::Args;

use crate::audit::{Audit, FILE_NAME, Record, Verified};
use crate::config::Config;
use crate::disk::RealDisk;
use crate::model::local_time::local_seconds;
use crate::model::time::WallMs;

use super::orders::parse_since;
use super::{CliError, Exit, Streams};

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Check that no record was changed, removed or inserted.
    #[arg(long)]
    pub verify: bool,
    /// Show only the last N records.
    #[arg(long, value_name = "N", conflicts_with = "verify")]
    pub last: Option<usize>,
    /// Show only records about this lab.
    #[arg(long, value_name = "LAB", conflicts_with = "verify")]
    pub lab: Option<String>,
    /// Show only records about this order.
    #[arg(long, value_name = "ORDER", conflicts_with = "verify")]
    pub order: Option<String>,
    /// Show only what this user did.
    #[arg(long, value_name = "USER", conflicts_with = "verify")]
    pub who: Option<String>,
    /// Show only records since then: a day such as 2026-11-29, `today`, `yesterday`, or how long
    /// ago, such as 12h or 7d.
    #[arg(long, value_name = "DAY|DURATION", value_parser = parse_since, conflicts_with = "verify")]
    pub since: Option<WallMs>,
}

impl AuditArgs {
    fn wants(&self, record: &Record) -> bool {
        let is = |wanted: &Option<String>, found: &Option<String>| {
            let found = found.as_deref().unwrap_or_default();
            wanted.as_ref().is_none_or(|wanted| found.eq_ignore_ascii_case(wanted))
        };
        is(&self.lab, &record.lab)
            && self.order.as_ref().is_none_or(|order| is_about(record, order))
            && self.who.as_ref().is_none_or(|who| is_user(record, who))
            && self.since.is_none_or(|since| {
                // A time that cannot be read may be anything.
                WallMs::from_rfc3339(&record.at).is_none_or(|at| at >= since)
            })
    }
}

/// Whether a record is about an order: alone, or among several.
fn is_about(record: &Record, order: &str) -> bool {
    let several = record.details.get("orders").and_then(serde_json::Value::as_array);
    record.order.as_deref() == Some(order)
        || several.is_some_and(|orders| orders.iter().any(|one| one.as_str() == Some(order)))
}

/// Whether a user did it; the domain, which Windows puts in front, may be left out.
fn is_user(record: &Record, who: &str) -> bool {
    let user = record.user.as_deref().unwrap_or_default();
    let name = user.rsplit('\\').next().unwrap_or_default();
    [user, name].iter().any(|known| !known.is_empty() && known.eq_ignore_ascii_case(who))
}

/// Prints the audit log, or checks its chain.
pub fn run(config: &Config, args: &AuditArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let audit = Audit::new(Arc::new(RealDisk), &config.state);
    if args.verify {
        return verify(config, &audit.verify()?, streams);
    }
    let mut records = audit.read(1)?;
    let all = records.len();
    records.retain(|record| args.wants(record));
    if let Some(last) = args.last {
        records.drain(..records.len().saturating_sub(last));
    }
    if streams.json {
        streams.json(&records)?;
        return Ok(Exit::Ok);
    }
    if records.is_empty() {
        streams.note(match all {
            0 => "no records yet".to_owned(),
            1 => "no record matches (1 in total)".to_owned(),
            all => format!("no record matches ({all} in total)"),
        });
        return Ok(Exit::Ok);
    }
    streams.line(format!(
        "{:>6}  {:<20} {:<16} {:<14} {:<16} {:<8} {}",
        "NO", "WHEN", "WHO", "VIA", "WHAT", "RESULT", "DETAILS"
    ))?;
    for record in &records {
        streams.line(row(record))?;
    }
    Ok(Exit::Ok)
}

fn row(record: &Record) -> String {
    let about = [&record.lab, &record.account, &record.order];
    let about: Vec<&str> = about.into_iter().flatten().map(String::as_str).collect();
    let mut text = format!(
        "{:>6}  {:<20} {:<16} {:<14} {:<16} {:<8} {}",
        record.seq,
        local_seconds(&record.at),
        record.user.as_deref().unwrap_or("-"),
        record.via,
        record.what,
        record.result,
        about.join("/"),
    );
    for (name, value) in &record.details {
        let value = match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        // One record is one line, whatever a name contains.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        text.extend([" ", name, "=", &value]);
    }
    text.trim_end().to_owned()
}

fn verify(config: &Config, found: &Verified, streams: &mut Streams) -> Result<Exit, CliError> {
    if streams.json {
        streams.json(&serde_json::json!({
            "whole": found.is_whole(),
            "records": found.records,
            "torn": found.torn,
            "problems": found.problems,
        }))?;
    } else {
        let file = config.state.join(FILE_NAME);
        for problem in &found.problems {
            streams.line(format!("{}, line {}: {}", file.display(), problem.line, problem.what))?;
        }
        let torn = match found.torn {
            0 => String::new(),
            1 => ", plus one left incomplete by a power cut".to_owned(),
            torn => format!(", plus {torn} left incomplete by power cuts"),
        };
        streams.line(match found.problems.len() {
            0 => format!("{} records, the chain is intact{torn}", found.records),
            1 => format!("{} records, 1 problem{torn}", found.records),
            many => format!("{} records, {many} problems{torn}", found.records),
        })?;
    }
    Ok(if found.is_whole() { Exit::Ok } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(user: &str, order: Option<&str>, details: &serde_json::Value) -> Record {
        let record = serde_json::json!({
            "seq": 1, "at": "2026-11-29T04:43:26Z", "user": user, "via": "command-line",
            "what": "refetch", "lab": "north", "account": "1", "order": order,
            "details": details, "result": "done", "prev": "", "hash": "",
        });
        serde_json::from_value(record).expect("a record")
    }

    fn all() -> AuditArgs {
        AuditArgs { verify: false, last: None, lab: None, order: None, who: None, since: None }
    }

    #[test]
    fn records_are_chosen_by_lab_order_user_and_time() {
        let text = |text: &str| Some(text.to_owned());
        let one = record("LAB\\anna", Some("17"), &serde_json::json!({}));
        let many = record("root", None, &serde_json::json!({ "orders": ["17", "18"] }));
        assert!(all().wants(&one) && all().wants(&many));
        let order = AuditArgs { order: text("17"), ..all() };
        assert!(order.wants(&one) && order.wants(&many));
        assert!(!AuditArgs { order: text("1"), ..all() }.wants(&many));
        let anna = AuditArgs { who: text("Anna"), ..all() };
        assert!(anna.wants(&one) && !anna.wants(&many));
        assert!(AuditArgs { lab: text("North"), ..all() }.wants(&one));
        assert!(!AuditArgs { lab: text("south"), ..all() }.wants(&one));
        let at = WallMs::from_rfc3339(&one.at).expect("a time");
        assert!(AuditArgs { since: Some(at), ..all() }.wants(&one));
        assert!(!AuditArgs { since: Some(WallMs(at.0 + 1)), ..all() }.wants(&one));
    }
}
