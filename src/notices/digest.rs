//! The mail digest: when to send it, and its text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::{WallMs, remaining};

/// How long an order, or anything but a lab, must need attention before it gets a mail of its own.
const GRACE_ORDER: Duration = Duration::from_mins(15);
/// The same for a lab that needs a login: nothing arrives until someone logs in.
const GRACE_LAB: Duration = Duration::from_mins(1);
/// Minimum time between two mails, apart from the digest.
const BETWEEN: Duration = Duration::from_hours(1);
/// At most this many problems are listed; the rest is given as a number.
const MOST_LISTED: usize = 50;

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    Order {
        /// `<lab>/<account>/<order>`.
        order: String,
        message: String,
        /// What the user can do.
        hint: Option<String>,
    },
    /// A lab that cannot work until someone logs in or pairs it.
    Lab {
        /// As named in the config.
        lab: String,
        message: String,
        /// What the user can do.
        hint: Option<String>,
    },
    /// Anything else, with its code from `/health`.
    Other {
        code: &'static str,
        /// The lab, if it concerns one.
        lab: Option<String>,
        message: String,
        /// What the user can do.
        hint: Option<String>,
    },
}

/// What was published for one lab since the last digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub lab: String,
    /// Number of orders.
    pub orders: u64,
    /// Number of revisions of these orders.
    pub revisions: u64,
}

/// The state kept between mails.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestState {
    /// When the last digest was sent or skipped.
    digest_at: WallMs,
    /// When the last mail of any kind was sent.
    mail_at: Option<WallMs>,
    /// What needed attention at the last check.
    problems: BTreeMap<String, Watched>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Watched {
    since: WallMs,
    told: bool,
}

/// What to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Digest,
    /// A mail for problems that cannot wait for the digest.
    Soon,
    /// The digest is due, but there is nothing to report.
    Nothing,
    /// Nothing yet; check again after this time at the latest.
    NotYet(Duration),
}

impl Problem {
    fn name(&self) -> String {
        match self {
            Self::Order { order, .. } => format!("order {order}"),
            Self::Lab { lab, .. } => format!("lab {lab}"),
            Self::Other { code, lab, .. } => {
                format!("{code} {}", lab.as_deref().unwrap_or_default())
            }
        }
    }

    fn grace(&self) -> Duration {
        match self {
            Self::Order { .. } | Self::Other { .. } => GRACE_ORDER,
            Self::Lab { .. } => GRACE_LAB,
        }
    }
}

impl DigestState {
    /// The state at the first start: the first digest comes after a full interval.
    pub fn first(now: WallMs) -> Self {
        Self { digest_at: now, ..Self::default() }
    }

    /// Updates the problems that need attention. Resolved ones are forgotten.
    pub fn look(&mut self, now: WallMs, problems: &[Problem]) {
        let mut before = std::mem::take(&mut self.problems);
        let watched = |problem: &Problem| {
            let name = problem.name();
            let known = before.remove(&name);
            (name, known.unwrap_or(Watched { since: now, told: false }))
        };
        self.problems = problems.iter().map(watched).collect();
    }

    /// Returns what is due now. Call `look` first.
    pub fn due(&self, now: WallMs, every: Duration, problems: &[Problem], news: bool) -> Due {
        let wait = remaining(self.digest_at, every, now);
        if wait.is_zero() {
            return if news || !problems.is_empty() { Due::Digest } else { Due::Nothing };
        }
        let soonest = problems.iter().filter_map(|problem| {
            let watched = self.problems.get(&problem.name()).filter(|watched| !watched.told)?;
            Some(remaining(watched.since, problem.grace(), now))
        });
        let rest = self.mail_at.map_or(Duration::ZERO, |at| remaining(at, BETWEEN, now));
        match soonest.min().map(|soonest| soonest.max(rest)) {
            Some(Duration::ZERO) => Due::Soon,
            Some(soonest) => Due::NotYet(wait.min(soonest)),
            None => Due::NotYet(wait),
        }
    }

    /// Records that a mail with all problems was sent, or that the digest was skipped.
    pub fn done(&mut self, now: WallMs, due: Due) {
        if due != Due::Soon {
            self.digest_at = now;
        }
        if due != Due::Nothing {
            self.mail_at = Some(now);
            for watched in self.problems.values_mut() {
                watched.told = true;
            }
        }
    }
}

/// Returns the subject of a mail.
pub fn subject(problems: &[Problem], published: &[Published]) -> String {
    let count_of = |is: fn(&Problem) -> bool| problems.iter().filter(|one| is(one)).count();
    let labs = count_of(|problem| matches!(problem, Problem::Lab { .. }));
    let orders = count_of(|problem| matches!(problem, Problem::Order { .. }));
    let mut parts = Vec::new();
    if labs > 0 {
        parts.push(if labs == 1 {
            "1 lab needs a login".to_owned()
        } else {
            format!("{labs} labs need a login")
        });
    }
    match orders {
        0 => {}
        1 => parts.push("1 order needs attention".to_owned()),
        orders => parts.push(format!("{orders} orders need attention")),
    }
    let others = problems.iter().filter_map(|problem| match problem {
        Problem::Other { code, .. } => Some((*code).to_owned()),
        Problem::Lab { .. } | Problem::Order { .. } => None,
    });
    let others: std::collections::BTreeSet<_> = others.collect();
    parts.extend(others);
    let orders: u64 = published.iter().map(|lab| lab.orders).sum();
    if orders > 0 {
        parts.push(format!("{} published", count(orders, "order")));
    }
    format!("Casedrop: {}", parts.join(", "))
}

/// Returns the text of a mail.
pub fn text(problems: &[Problem], published: &[Published]) -> String {
    let mut text = String::new();
    let of = |is: fn(&Problem) -> bool| problems.iter().filter(|one| is(one)).collect::<Vec<_>>();
    // Writing to a `String` cannot fail.
    for (title, list) in [
        ("Labs that need a login:", of(|one| matches!(one, Problem::Lab { .. }))),
        ("Orders that need attention:", of(|one| matches!(one, Problem::Order { .. }))),
        ("Other problems:", of(|one| matches!(one, Problem::Other { .. }))),
    ] {
        if list.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{title}\n");
        for problem in list.iter().take(MOST_LISTED) {
            let (name, message, hint) = match problem {
                Problem::Order { order: name, message, hint }
                | Problem::Lab { lab: name, message, hint } => (name.as_str(), message, hint),
                Problem::Other { code, message, hint, .. } => (*code, message, hint),
            };
            let _ = writeln!(text, "  {name}: {message}");
            if let Some(hint) = hint {
                let _ = writeln!(text, "    what to do: {hint}");
            }
        }
        if list.len() > MOST_LISTED {
            let more = list.len() - MOST_LISTED;
            let _ = writeln!(text, "  and {more} more, listed on the status page");
        }
        text.push('\n');
    }
    if !published.is_empty() {
        text.push_str("Published since the last digest:\n\n");
        for lab in published {
            let Published { lab, orders, revisions } = lab;
            let _ = write!(text, "  {lab}: {}", count(*orders, "order"));
            let _ = match revisions {
                more if more > orders => writeln!(text, " in {more} revisions"),
                _ => writeln!(text),
            };
        }
        text.push('\n');
    }
    text.push_str("-- \nSent by Casedrop. Its status page has the details.\n");
    text
}

fn count(number: u64, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn order(id: &str) -> Problem {
        Problem::Order {
            order: format!("lab/1/{id}"),
            message: "broken".to_owned(),
            hint: Some("look".to_owned()),
        }
    }

    fn lab() -> Problem {
        let message = "not logged in".to_owned();
        Problem::Lab { lab: "lab".to_owned(), message, hint: None }
    }

    fn minutes(minutes: i64) -> WallMs {
        WallMs(minutes * 60_000)
    }

    #[test]
    fn a_digest_comes_at_its_time_if_there_is_something_to_tell() {
        let mut kept = DigestState::first(minutes(0));
        assert_eq!(kept.due(minutes(60), DAY, &[], true), Due::NotYet(Duration::from_hours(23)));
        assert_eq!(kept.due(minutes(1440), DAY, &[], true), Due::Digest);
        assert_eq!(kept.due(minutes(1440), DAY, &[], false), Due::Nothing);
        kept.done(minutes(1440), Due::Nothing);
        assert_eq!(kept.due(minutes(1441), DAY, &[], true), Due::NotYet(Duration::from_mins(1439)));
        kept.look(minutes(2880), &[order("1")]);
        assert_eq!(kept.due(minutes(2880), DAY, &[order("1")], false), Due::Digest);
    }

    #[test]
    fn an_order_that_goes_on_needing_a_person_is_told_soon_and_once() {
        let mut kept = DigestState::first(minutes(0));
        let problems = [order("1")];
        kept.look(minutes(10), &problems);
        assert_eq!(
            kept.due(minutes(20), DAY, &problems, false),
            Due::NotYet(Duration::from_mins(5))
        );
        kept.look(minutes(25), &problems);
        assert_eq!(kept.due(minutes(25), DAY, &problems, false), Due::Soon);
        kept.done(minutes(25), Due::Soon);
        kept.look(minutes(200), &problems);
        assert!(matches!(kept.due(minutes(200), DAY, &problems, false), Due::NotYet(_)));
        // The digest comes as if nothing had happened.
        assert_eq!(kept.due(minutes(1440), DAY, &problems, false), Due::Digest);
    }

    #[test]
    fn an_order_that_heals_in_time_is_told_to_nobody_and_begins_anew_later() {
        let mut kept = DigestState::first(minutes(0));
        kept.look(minutes(1), &[order("1")]);
        kept.look(minutes(10), &[]);
        kept.look(minutes(17), &[order("1")]);
        assert_eq!(
            kept.due(minutes(17), DAY, &[order("1")], false),
            Due::NotYet(Duration::from_mins(15))
        );
    }

    #[test]
    fn there_is_at_most_one_mail_in_an_hour_beside_the_digest() {
        let mut kept = DigestState::first(minutes(0));
        kept.look(minutes(0), &[lab()]);
        assert_eq!(kept.due(minutes(1), DAY, &[lab()], false), Due::Soon);
        kept.done(minutes(1), Due::Soon);
        let both = [lab(), order("1"), order("2")];
        kept.look(minutes(2), &both);
        assert_eq!(kept.due(minutes(30), DAY, &both, false), Due::NotYet(Duration::from_mins(31)));
        assert_eq!(kept.due(minutes(61), DAY, &both, false), Due::Soon);
        kept.done(minutes(61), Due::Soon);
        assert!(matches!(kept.due(minutes(500), DAY, &both, false), Due::NotYet(_)));
    }

    #[test]
    fn a_clock_that_is_set_back_silences_no_digest() {
        let mut kept = DigestState::first(minutes(10_000));
        kept.look(minutes(0), &[lab()]);
        assert!(
            matches!(kept.due(minutes(0), DAY, &[lab()], true), Due::NotYet(wait) if wait <= DAY)
        );
    }

    #[test]
    fn what_is_kept_survives_a_restart() {
        let mut kept = DigestState::first(minutes(1));
        kept.look(minutes(2), &[order("1"), lab()]);
        kept.done(minutes(90), Due::Soon);
        let text = serde_json::to_string(&kept).expect("JSON");
        assert_eq!(serde_json::from_str::<DigestState>(&text).expect("JSON"), kept);
    }

    #[test]
    fn a_mail_names_each_problem_with_the_way_out_and_counts_the_rest() {
        let published = [Published { lab: "lab".to_owned(), orders: 2, revisions: 3 }];
        let problems = [order("1"), lab()];
        assert_eq!(
            subject(&problems, &published),
            "Casedrop: 1 lab needs a login, 1 order needs attention, 2 orders published"
        );
        let mail = text(&problems, &published);
        assert!(mail.contains("  lab/1/1: broken\n    what to do: look\n"), "{mail}");
        assert!(mail.contains("  lab: not logged in\n"), "{mail}");
        assert!(mail.contains("  lab: 2 orders in 3 revisions\n"), "{mail}");
        let many: Vec<_> = (0..60).map(|number| order(&number.to_string())).collect();
        let mail = text(&many, &[]);
        assert!(mail.contains("and 10 more, "), "{mail}");
        assert!(!mail.contains("Published"), "{mail}");
        assert_eq!(subject(&many, &[]), "Casedrop: 60 orders need attention");
    }

    #[test]
    fn whatever_lasts_is_told_by_its_code_and_once() {
        let silence = || Problem::Other {
            code: "no-orders",
            lab: Some("lab".to_owned()),
            message: "lab: nothing was published for 9 h of working time".to_owned(),
            hint: Some("ask a dentist".to_owned()),
        };
        let mut kept = DigestState::first(minutes(0));
        kept.look(minutes(0), &[silence()]);
        let soon = kept.due(minutes(14), DAY, &[silence()], false);
        assert_eq!(soon, Due::NotYet(Duration::from_mins(1)));
        assert_eq!(kept.due(minutes(15), DAY, &[silence()], false), Due::Soon);
        kept.done(minutes(15), Due::Soon);
        assert!(matches!(kept.due(minutes(500), DAY, &[silence()], false), Due::NotYet(_)));
        assert_eq!(subject(&[silence()], &[]), "Casedrop: no-orders");
        let mail = text(&[silence()], &[]);
        assert!(mail.contains("  no-orders: lab: nothing was published"), "{mail}");
        assert!(mail.contains("    what to do: ask a dentist\n"), "{mail}");
    }
}
