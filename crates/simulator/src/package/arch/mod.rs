//! The shape of a dental arch as a scanner sees it: teeth, gum and the ragged edge where the scan
//! ends, in millimetres, both jaws in one coordinate system (x to the patient's right, y to the
//! front, z up, the bite near z = 0).
//!
//! A jaw is a surface with two parameters: along the arch from the patient's left to the right, and
//! across it from the cheek's edge over the teeth to the tongue's. [`Arch::row`] returns one cross
//! section, so that no caller needs a whole jaw in memory.

mod curve;
pub(crate) mod noise;
mod section;
mod tooth;

use curve::Curve;
use section::Section;
use tooth::{LOWER, State, Tooth, UPPER, ease};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jaw {
    /// The maxilla.
    Upper,
    /// The mandible.
    Lower,
}

/// What distinguishes one jaw from another.
#[derive(Debug, Clone)]
pub(crate) struct Anatomy {
    pub(crate) jaw: Jaw,
    /// Seed of the patient.
    pub(crate) patient: u64,
    /// Seed of the scan of that patient.
    pub(crate) scan: u64,
    /// Universal numbers of teeth prepared for crowns.
    pub(crate) prepared: Vec<u8>,
    /// Universal numbers of missing teeth.
    pub(crate) missing: Vec<u8>,
    /// Whether the modeler has cut the gum away around the preparations.
    pub(crate) ditch: bool,
}

/// A point on the surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Position in millimetres.
    pub(crate) at: [f32; 3],
    /// 0 on gum, 1 on tooth.
    pub(crate) tone: f32,
}

pub(crate) struct Arch {
    jaw: Jaw,
    scan: u64,
    patient: u64,
    ditch: bool,
    curve: Curve,
    teeth: Vec<Tooth>,
    from: f64,
    to: f64,
}

/// Gum behind the last tooth, in millimetres.
const BEHIND: f64 = 4.5;

impl Arch {
    /// Builds the jaw that the anatomy describes.
    pub(crate) fn new(anatomy: &Anatomy) -> Self {
        let (measures, first, curve) = match anatomy.jaw {
            Jaw::Upper => (UPPER, 8, Curve::new(24.6, 44.2)),
            Jaw::Lower => (LOWER, 24, Curve::new(22.9, 41.4)),
        };
        let seed = anatomy.patient ^ u64::from(first);
        // About every third patient has wisdom teeth, always in both jaws: both are decided by the
        // same number.
        let wisdom = noise::hash(anatomy.patient, 8, 8).is_multiple_of(3);
        let count = if wisdom { 8 } else { 7 };
        let mut teeth = Vec::with_capacity(16);
        for (side, right) in [(-1.0, false), (1.0, true)] {
            let mut edge = 0.0;
            for (rank, average) in (1_u8..).zip(measures).take(count) {
                // Universal numbers run from the patient's upper right to the upper left, then from
                // the lower left back to the lower right.
                let back = (anatomy.jaw == Jaw::Upper) == right;
                let ada = if back { first + 1 - rank } else { first + rank };
                let odd = |what: u64| noise::jitter(seed, u64::from(ada), what);
                let mut own = average;
                // Both sides share the width, as in real mouths; the rest differs a little.
                own.width *= 1.0 + 0.03 * noise::jitter(seed, u64::from(rank), 99);
                own.height *= 1.0 + 0.04 * odd(2);
                own.depth *= 1.0 + 0.03 * odd(3);
                let state = if anatomy.missing.contains(&ada) {
                    State::Missing
                } else if anatomy.prepared.contains(&ada) {
                    State::Prepared
                } else {
                    State::Whole
                };
                teeth.push(Tooth {
                    measures: own,
                    state,
                    centre: side * (edge + own.width / 2.0),
                    shift: 0.28 * odd(4),
                    yaw: 0.07 * odd(5),
                    lift: 0.16 * odd(6),
                });
                edge += own.width;
            }
        }
        teeth.sort_by(|a, b| a.centre.total_cmp(&b.centre));
        let end = |tooth: Option<&Tooth>| {
            tooth.map_or(0.0, |tooth| tooth.centre.abs() + tooth.measures.width / 2.0) + BEHIND
        };
        Self {
            jaw: anatomy.jaw,
            scan: anatomy.scan,
            patient: seed,
            ditch: anatomy.ditch,
            from: -end(teeth.first()),
            to: end(teeth.last()),
            curve,
            teeth,
        }
    }

    pub(crate) fn jaw(&self) -> Jaw {
        self.jaw
    }

    /// Returns the cross section at a fraction of the way from the patient's left to the right: at
    /// least two points from the cheek's edge to the tongue's, evenly spaced along the surface.
    pub(crate) fn row(&self, share: f64, points: usize) -> Vec<Point> {
        let s = self.from + (self.to - self.from) * share;
        let place = self.curve.at(s);
        let section = Section::new(self, s);
        section
            .outline(points)
            .into_iter()
            .map(|(y, h, tone)| {
                let bite = h + section.gum_level;
                let z = match self.jaw {
                    Jaw::Lower => bite,
                    // The upper front teeth overlap the lower ones.
                    Jaw::Upper => -1.1 - bite,
                };
                let (x, y) = (place.x + y * place.outward.0, place.y + y * place.outward.1);
                Point { at: [narrow(x), narrow(y - 22.0), narrow(z)], tone: narrow(tone) }
            })
            .collect()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a mesh file holds f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}
