//! The status snapshot as text for people.

use std::fmt;

use super::Stage;
use super::reasons::Reason;
use super::report::{LabStatus, NotificationsStatus, Status, WishKind};
use crate::model::local_time::local;
use crate::model::size::size;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "casedrop {}: ", self.version)?;
        match (&self.agent.since, self.agent.running) {
            (Some(since), _) => writeln!(f, "running since {}", local(since))?,
            (None, true) => writeln!(f, "running")?,
            (None, false) => writeln!(f, "not running")?,
        }
        self.page.iter().try_for_each(|url| writeln!(f, "status page: {url}"))?;
        let code = self.set_up_code.as_ref().filter(|_| self.page.is_some());
        code.iter()
            .try_for_each(|file| writeln!(f, "set-up code for that page: in {}", file.display()))?;
        self.reasons().iter().try_for_each(|reason| reason_lines(reason, f))?;
        for lab in &self.labs {
            lab_line(lab, f)?;
        }
        self.wishes.iter().try_for_each(|wish| {
            let when = match (self.agent.running, wish.what) {
                (false, _) => "when Casedrop runs",
                (true, WishKind::Fetch) => "when its turn comes",
                (true, WishKind::Poll) => "as soon as Align allows it",
            };
            writeln!(f, "requested: {wish}; starts {when}")
        })?;
        self.notifications.iter().try_for_each(|told| notifications(told, f))?;
        orders(self, f)?;
        output(self, f)
    }
}

/// The codes are those of `/health`.
fn reason_lines(reason: &Reason, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "{}: {} ({})", reason.severity.as_str(), reason.message, reason.code.as_str())?;
    reason.hint.as_ref().map_or(Ok(()), |hint| writeln!(f, "  what to do: {hint}"))
}

fn lab_line(lab: &LabStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "lab {}", lab.lab)?;
    if let Some(account) = &lab.account {
        write!(f, " (account {account}")?;
        lab.account_name.as_ref().map_or(Ok(()), |name| write!(f, ", {name}"))?;
        f.write_str(")")?;
    }
    match &lab.paused {
        Some(paused) => {
            write!(f, ": PAUSED since {}", local(&paused.since))?;
            paused.by.as_ref().map_or(Ok(()), |by| write!(f, " by {by}"))?;
        }
        None => write!(f, ": {}", lab.state.as_str())?,
    }
    match &lab.good_poll {
        Some(at) => write!(f, "; last successful poll {}", local(at))?,
        None => f.write_str("; no successful poll yet")?,
    }
    if let Some(at) = &lab.next_poll {
        write!(f, "; next poll {}", local(at))?;
    }
    writeln!(f)?;
    // If it is not paused, the fault is already among the reasons.
    match (&lab.paused, &lab.fault) {
        (Some(_), Some(fault)) => writeln!(f, "  {fault}"),
        _ => Ok(()),
    }
}

fn notifications(told: &NotificationsStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "scan notifications: {} received", told.received)?;
    told.last.as_ref().map_or(Ok(()), |at| write!(f, " (last {})", local(at)))?;
    write!(f, ", {} waiting for Align, {} missed", told.waiting, told.missed)?;
    told.last_missed.as_ref().map_or(Ok(()), |at| write!(f, " (last {})", local(at)))?;
    if told.unreadable > 0 {
        write!(f, ", {} unreadable", told.unreadable)?;
    }
    writeln!(f)
}

fn orders(status: &Status, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if status.fault.is_some() && status.orders.is_empty() {
        return Ok(());
    }
    let counts: Vec<_> =
        status.orders.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let counts = if counts.is_empty() { "none yet".to_owned() } else { counts.join(", ") };
    writeln!(f, "orders: {counts}")?;
    for download in &status.downloads {
        if download.stage != Stage::Downloading.as_str() {
            writeln!(f, "  {}: {}", download.key, download.stage)?;
            continue;
        }
        write!(f, "  {}: downloading {}, {}", download.key, download.asset, size(download.done))?;
        download.total.map_or(Ok(()), |total| write!(f, " of {}", size(total)))?;
        writeln!(f)?;
    }
    for pause in &status.pauses {
        writeln!(f, "  {}", pause.message())?;
    }
    for order in &status.failing {
        write!(f, "  {} ({}): {}", order.key, order.state, order.message)?;
        order.next_try.as_ref().map_or(Ok(()), |at| write!(f, "; next try {}", local(at)))?;
        writeln!(f)?;
        order.hint.as_ref().map_or(Ok(()), |hint| writeln!(f, "    what to do: {hint}"))?;
    }
    if status.failing_more > 0 {
        writeln!(f, "  … and {} more; `casedrop orders` lists them", status.failing_more)?;
    }
    Ok(())
}

fn output(status: &Status, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let output = &status.output;
    write!(f, "output {}", output.path.display())?;
    if let Some(free) = output.free {
        let (free, stops) = (size(free), size(output.min_free));
        write!(f, ": {free} free (Casedrop stops at {stops})")?;
    }
    writeln!(f)
}
