//! The picture in words, for people.

use std::fmt;

use super::report::{LabStatus, Note, NotificationsStatus, Status};
use crate::sync::notice::size;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "casedrop {}: ", self.version)?;
        match (&self.agent.since, self.agent.running) {
            (Some(since), _) => writeln!(f, "the agent runs since {since}")?,
            (None, true) => writeln!(f, "an agent runs")?,
            (None, false) => writeln!(f, "no agent runs; `casedrop run` starts one")?,
        }
        self.page.iter().try_for_each(|url| writeln!(f, "status page: {url}"))?;
        for lab in &self.labs {
            lab_line(lab, f)?;
        }
        self.notifications.iter().try_for_each(|told| notifications(told, f))?;
        orders(self, f)?;
        output(self, f)?;
        self.fault.iter().chain(&self.notes).try_for_each(|note| note_lines(note, f))
    }
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
            write!(f, ": PAUSED since {}", paused.since)?;
            paused.by.as_ref().map_or(Ok(()), |by| write!(f, " by {by}"))?;
        }
        None => write!(f, ": {}", lab.state.as_str())?,
    }
    match &lab.good_poll {
        Some(at) => write!(f, "; last good poll {at}")?,
        None => f.write_str("; no good poll yet")?,
    }
    if let Some(at) = &lab.next_poll {
        write!(f, "; next poll {at}")?;
    }
    writeln!(f)?;
    if let Some(fault) = &lab.fault {
        writeln!(f, "  {fault}")?;
    }
    match (&lab.todo, &lab.hint) {
        (Some(todo), _) => writeln!(f, "  what to do: {todo}"),
        (None, Some(hint)) => writeln!(f, "  what to do: {hint}"),
        (None, None) => Ok(()),
    }
}

fn notifications(told: &NotificationsStatus, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "scan notifications: {} received", told.received)?;
    told.last.as_ref().map_or(Ok(()), |at| write!(f, " (the last {at})"))?;
    write!(f, ", {} waiting for Align, {} missed", told.waiting, told.missed)?;
    told.last_missed.as_ref().map_or(Ok(()), |at| write!(f, " (the last {at})"))?;
    writeln!(f)?;
    told.trouble.as_ref().map_or(Ok(()), |why| writeln!(f, "  the listener does not work: {why}"))
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
        write!(f, "  {}: downloading {}, {}", download.key, download.asset, size(download.done))?;
        download.total.map_or(Ok(()), |total| write!(f, " of {}", size(total)))?;
        writeln!(f)?;
    }
    for order in &status.failing {
        write!(f, "  {} ({}): {}", order.key, order.state, order.message)?;
        order.next_try.as_ref().map_or(Ok(()), |at| write!(f, "; next try {at}"))?;
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
        write!(f, ": {} free, {} of them stay free", size(free), size(output.min_free))?;
        if output.is_full() {
            f.write_str(": TOO LITTLE, nothing is fetched before there is more room")?;
        }
    }
    writeln!(f)?;
    output.waits.as_ref().map_or(Ok(()), |why| writeln!(f, "  the agent waits for it: {why}"))
}

fn note_lines(note: &Note, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "note: {}", note.message)?;
    note.hint.as_ref().map_or(Ok(()), |hint| writeln!(f, "  what to do: {hint}"))
}
