//! `audit`: who did what on this PC, and whether that record is intact.

use std::sync::Arc;

use clap::Args;

use crate::audit::{Audit, FILE_NAME, Record, Verified};
use crate::config::Config;
use crate::disk::RealDisk;

use super::{CliError, Exit, Streams};

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Check that no record was changed, removed or inserted.
    #[arg(long)]
    pub verify: bool,
    /// Show only the last N records.
    #[arg(long, value_name = "N", conflicts_with = "verify")]
    pub last: Option<usize>,
}

/// Prints the audit log, or checks its chain.
pub fn run(config: &Config, args: &AuditArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let audit = Audit::new(Arc::new(RealDisk), &config.state);
    if args.verify {
        return verify(config, &audit.verify()?, streams);
    }
    let mut records = audit.read(1)?;
    if let Some(last) = args.last {
        records.drain(..records.len().saturating_sub(last));
    }
    if streams.json {
        streams.json(&records)?;
        return Ok(Exit::Ok);
    }
    if records.is_empty() {
        streams.note("no records yet");
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
        record.at,
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
