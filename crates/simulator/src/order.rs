//! A simulated order: what the service knows about it, and what has happened to it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde::Serialize;

use casedrop_model::asset::AssetKind;
use casedrop_model::order::Status;

use super::scenario::{AutoFlow, CaseKind, MeshKind, OrderSpec};

/// A status and when it began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub status: String,
    /// In RFC 3339.
    pub at: String,
}

/// Counters for one asset of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AssetCount {
    /// Downloads that started at the first byte.
    pub started: u64,
    /// Downloads that started after the first byte.
    pub resumed: u64,
    /// Downloads whose last byte was sent.
    pub completed: u64,
    /// 404 responses.
    pub not_converted: u64,
    /// The parameters of the last request.
    pub parameters: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Files {
    Made,
    /// A package in the folder given by `--packages`.
    Package(PathBuf),
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent habits of real orders")]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) rx_id: String,
    pub(super) code: String,
    pub(super) account: String,
    pub(super) kind: CaseKind,
    pub(super) mesh: MeshKind,
    pub(super) triangles: Option<usize>,
    pub(super) mesh_bytes: Option<u64>,
    pub(super) pixels: Option<u16>,
    pub(super) procedure: String,
    pub(super) case_type: String,
    pub(super) modeled: bool,
    pub(super) top_folder: bool,
    pub(super) macosx: bool,
    pub(super) stored: bool,
    pub(super) screen_captures: bool,
    pub(super) files: Files,
    /// Incremented whenever the files change.
    pub(super) variant: u32,
    pub(super) status: String,
    pub(super) history: Vec<Step>,
    pub(super) updated: Timestamp,
    pub(super) received: Timestamp,
    pub(super) due: Date,
    pub(super) doctor: String,
    pub(super) serial: usize,
    /// Number of package downloads that will still answer 404.
    pub(super) regenerating: u32,
    /// How long package downloads answer 404 after the first one.
    pub(super) regenerating_for: Duration,
    pub(super) regenerating_until: Option<Instant>,
    /// Announced by a notification, but neither listed nor downloadable until the 404s are used up.
    pub(super) early: bool,
    pub(super) auto_flow: Option<AutoFlow>,
    /// Automatic transitions are under way.
    pub(super) flowing: bool,
    /// What the list still shows although the order was downloaded, and until when.
    pub(super) lagging: Option<(Instant, Step, Timestamp)>,
    pub(super) counts: BTreeMap<&'static str, AssetCount>,
}

impl Order {
    /// Makes up what the specification leaves open; the same serial gives the same order.
    pub(super) fn new(spec: &OrderSpec, account: &str, serial: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(serial as u64 * 7919 + 1);
        let kind = spec.kind.unwrap_or(match serial % 3 {
            0 => CaseKind::OrthoShell,
            1 => CaseKind::Restorative,
            _ => CaseKind::OrthoBase,
        });
        let (procedure, case_type) = match kind {
            CaseKind::Restorative => ("Restorative", "Restorative"),
            CaseKind::OrthoBase => ("Orthodontic", "iCast"),
            CaseKind::OrthoShell => ("Orthodontic", "iRecord"),
        };
        let id = spec.id.clone().unwrap_or_else(|| (21_000_000 + serial * 137).to_string());
        let now = Timestamp::now();
        let status = spec.status.clone().unwrap_or_else(|| Status::Ready.as_str().to_owned());
        let days = 3 + i64::from(random.u8(0..15));
        let days = spec.due_in_days.unwrap_or(days).clamp(-3650, 3650);
        let today = now.to_zoned_datetime(TimeZone::system()).date();
        Self {
            rx_id: spec.rx_id.clone().unwrap_or_else(|| rx_id(&mut random, serial)),
            code: spec.code.clone().unwrap_or_else(|| code(&mut random)),
            account: account.to_owned(),
            kind,
            mesh: spec.mesh.unwrap_or(if serial % 4 == 3 { MeshKind::Ply } else { MeshKind::Stl }),
            triangles: spec.triangles,
            mesh_bytes: spec.mesh_bytes,
            pixels: spec.pixels,
            procedure: spec.procedure.clone().unwrap_or_else(|| procedure.to_owned()),
            case_type: spec.case_type.clone().unwrap_or_else(|| case_type.to_owned()),
            modeled: spec.modeled,
            top_folder: spec.top_folder,
            macosx: spec.macosx,
            stored: spec.stored,
            screen_captures: spec.screen_captures,
            files: Files::Made,
            variant: 0,
            history: vec![Step { status: status.clone(), at: now.to_string() }],
            status,
            updated: now,
            received: now.checked_sub(SignedDuration::from_mins(47)).unwrap_or(now),
            due: today.saturating_add(Span::new().days(days)),
            doctor: super::made::doctor(&id),
            serial,
            regenerating: spec.regenerating,
            regenerating_for: Duration::from_millis(spec.regenerating_ms),
            regenerating_until: None,
            early: false,
            auto_flow: spec.auto_flow,
            flowing: false,
            lagging: None,
            counts: BTreeMap::new(),
            id,
        }
    }

    /// Changes the status, its history and the time of the last change.
    pub(super) fn set_status(&mut self, status: &Status) {
        status.as_str().clone_into(&mut self.status);
        self.lagging = None;
        self.touch();
        self.history.push(Step { status: self.status.clone(), at: self.updated.to_string() });
    }

    /// Marks the files as changed.
    pub(super) fn change_files(&mut self) {
        self.variant += 1;
        self.touch();
    }

    /// No two changes have the same time.
    fn touch(&mut self) {
        let after = self.updated.checked_add(SignedDuration::from_millis(1));
        self.updated = Timestamp::now().max(after.unwrap_or(self.updated));
    }

    pub(super) fn parsed_status(&self) -> Status {
        Status::from(self.status.clone())
    }

    /// Whether the order's status is one that the list of ready orders shows.
    pub(super) fn is_ready(&self) -> bool {
        let early = self.early && self.regenerating > 0;
        !early && matches!(self.parsed_status(), Status::Ready | Status::LabReview)
    }

    /// Returns what the list shows: the current state, an outdated one during the lag, or nothing.
    pub(super) fn listed(&self) -> Option<(&str, Timestamp)> {
        if self.is_ready() {
            return Some((&self.status, self.updated));
        }
        let (until, step, updated) = self.lagging.as_ref()?;
        (Instant::now() < *until).then_some((step.status.as_str(), *updated))
    }

    /// Counts a package download during regeneration; `true` means 404.
    pub(super) fn regenerates(&mut self) -> bool {
        if self.regenerating > 0 {
            self.regenerating -= 1;
            return true;
        }
        self.early = false;
        if self.regenerating_for.is_zero() {
            return false;
        }
        let until =
            *self.regenerating_until.get_or_insert_with(|| Instant::now() + self.regenerating_for);
        Instant::now() < until
    }

    /// Marks a ready order as "Downloaded"; it leaves the list at once or after the lag. Any other
    /// status stays.
    pub(super) fn downloaded(&mut self, lag: Duration) {
        if !self.is_ready() {
            return;
        }
        let step = Step { status: self.status.clone(), at: String::new() };
        let updated = self.updated;
        self.set_status(&Status::Downloaded);
        if !lag.is_zero() {
            self.lagging = Some((Instant::now() + lag, step, updated));
        }
    }

    pub(super) fn count(&mut self, asset: AssetKind) -> &mut AssetCount {
        self.counts.entry(super::wire::asset_name(asset)).or_default()
    }
}

/// Digits, but never the same as an order id.
fn rx_id(random: &mut fastrand::Rng, serial: usize) -> String {
    format!("{}", 900_000_000 + serial * 1009 + random.usize(0..1000))
}

/// Eight characters from 0-9A-Z.
fn code(random: &mut fastrand::Rng) -> String {
    (0..8)
        .map(|_| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[random.usize(0..36)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_downloaded_order_leaves_the_list_after_the_lag() {
        let mut order = Order::new(&OrderSpec::default(), "1", 1);
        assert!(order.listed().is_some());
        let before = order.updated;
        order.downloaded(Duration::from_mins(1));
        assert_eq!(order.status, "Downloaded");
        assert_eq!(order.listed(), Some(("Ready for Download", before)));
        let mut order = Order::new(&OrderSpec::default(), "1", 1);
        order.downloaded(Duration::ZERO);
        assert_eq!(order.listed(), None);
    }

    #[test]
    fn an_order_in_modeling_keeps_its_status_when_it_is_downloaded() {
        let mut order = Order::new(&OrderSpec::default(), "1", 1);
        order.set_status(&Status::Modeling);
        order.downloaded(Duration::ZERO);
        assert_eq!(order.status, "iTero Modeling");
        assert_eq!(order.history.len(), 2);
    }

    #[test]
    fn every_change_carries_a_later_time() {
        let mut order = Order::new(&OrderSpec::default(), "1", 1);
        let first = order.updated;
        order.set_status(&Status::Modeling);
        let second = order.updated;
        order.change_files();
        assert!(first < second && second < order.updated);
    }
}
