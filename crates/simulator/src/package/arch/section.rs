//! One cross section of a jaw.
//!
//! It is found by shooting rays from the middle of the jaw: horizontal ones through the gum's
//! walls, and a fan of them over the teeth. The surface is where a ray leaves the solid.

use super::tooth::{State, smooth_max};
use super::{Arch, Jaw, Tooth, ease, noise};

/// The values that are constant within one cross section.
pub(super) struct Section<'a> {
    s: f64,
    near: Vec<&'a Tooth>,
    jaw: Jaw,
    scan: u64,
    /// How far down the modeler has cut the gum here.
    cut: f64,
    /// Height of the gum line above the bite plane; negative.
    pub(super) gum_level: f64,
    /// Depth of the teeth around here.
    depth: f64,
    /// How high the gum rises here: more between teeth than in front of them.
    crest: f64,
    /// How far the roots bulge here.
    root: f64,
    /// 0 at the very end of the jaw, 1 where there are teeth.
    presence: f64,
}

/// How far down the scan shows the gum, in millimetres.
const WALL: f64 = 6.5;
/// How much of it the modeler cuts away around a preparation.
const TRIM: f64 = 2.0;
const RAY: f64 = 17.0;

impl<'a> Section<'a> {
    pub(super) fn new(arch: &'a Arch, s: f64) -> Self {
        let near: Vec<_> = arch
            .teeth
            .iter()
            .filter(|tooth| tooth.state != State::Missing)
            .filter(|tooth| (s - tooth.centre).abs() < tooth.measures.width / 2.0 + 1.6)
            .collect();
        let after = arch.teeth.partition_point(|tooth| tooth.centre < s);
        let right = &arch.teeth[after.min(arch.teeth.len() - 1)];
        let left = &arch.teeth[after.saturating_sub(1)];
        let gap = right.centre - left.centre;
        let share = if gap > 0.0 { ease((s - left.centre) / gap) } else { 0.0 };
        let mix = |of: fn(&Tooth) -> f64| of(left) + (of(right) - of(left)) * share;

        let end = (s - arch.from).min(arch.to - s);
        let presence = ease(end / super::BEHIND);
        let height = mix(|tooth| tooth.measures.height);
        let nearest = if share < 0.5 { left } else { right };
        let off = ((s - nearest.centre) / (nearest.measures.width / 2.0)).abs().min(1.0);
        let between = f64::midpoint(1.0, -(off * std::f64::consts::PI).cos());
        let papilla = mix(|tooth| match tooth.state {
            State::Whole => 0.34 * tooth.measures.height,
            State::Prepared => 0.20 * tooth.measures.height,
            State::Missing => 0.1,
        });
        let base = mix(|tooth| if tooth.state == State::Missing { 0.9 } else { 0.0 });
        let cut = if arch.ditch {
            let reach = |tooth: &&Tooth| (s - tooth.centre).abs() - tooth.measures.width / 2.0;
            let ground = near.iter().filter(|tooth| tooth.state == State::Prepared);
            ground.map(|tooth| TRIM * (1.0 - ease(reach(tooth) / 1.5))).fold(0.0, f64::max)
        } else {
            0.0
        };
        let sag = 0.9 * (s / 45.0) * (s / 45.0);
        Self {
            s,
            near,
            jaw: arch.jaw,
            scan: arch.scan,
            cut,
            gum_level: sag - height + 0.15 * noise::wave(arch.patient, s / 6.0),
            depth: mix(|tooth| tooth.measures.depth),
            crest: (base + papilla * between * between) * presence - 1.6 * (1.0 - presence),
            root: 0.55 * (1.0 - between) * presence,
            presence,
        }
    }

    /// Returns evenly spaced points (y, h, tone) along the section, from the cheek to the tongue.
    pub(super) fn outline(&self, points: usize) -> Vec<(f64, f64, f64)> {
        let rays = points.clamp(32, 112);
        let top = (self.crest - self.cut - 0.6).clamp(-3.6, 1.6);
        let mut path = Vec::with_capacity(rays + 1);
        for ray in 0..=rays {
            path.push(self.shoot(count(ray) / count(rays), top));
        }
        resample(&path, points)
    }

    /// Follows the ray at a fraction of the way from the cheek's edge over the top to the tongue's.
    fn shoot(&self, share: f64, top: f64) -> (f64, f64, f64) {
        const WALLS: f64 = 0.16;
        let edge = |side: u64| {
            let ragged = noise::wave(self.scan ^ side, self.s / 1.7) * 0.35
                + noise::wave(self.scan ^ side ^ 7, self.s / 7.0) * 0.8;
            -WALL + ragged * self.presence + 1.2 * (1.0 - self.presence)
        };
        let ((y, h), direction) = if share < WALLS {
            let from = edge(1);
            ((0.0, from + (top - from) * share / WALLS), (1.0, 0.0))
        } else if share > 1.0 - WALLS {
            let from = edge(2);
            ((0.0, from + (top - from) * (1.0 - share) / WALLS), (-1.0, 0.0))
        } else {
            let angle = (share - WALLS) / (1.0 - 2.0 * WALLS) * std::f64::consts::PI;
            ((0.0, top), (angle.cos(), angle.sin()))
        };
        let (mut inside, mut outside) = (0.0, RAY);
        for _ in 0..14 {
            let middle = f64::midpoint(inside, outside);
            if self.solid(y + middle * direction.0, h + middle * direction.1).0 < 0.0 {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        let (y, h) = (y + outside * direction.0, h + outside * direction.1);
        (y, h, self.solid(y, h).1)
    }

    /// Signed distance, negative inside the jaw; and how much of a tooth's colour the point has.
    fn solid(&self, y: f64, h: f64) -> (f64, f64) {
        let mut tooth = f64::INFINITY;
        let mut trimmed = 0.0_f64;
        for near in &self.near {
            let (distance, side) = near.distance(self.s - near.centre, y, h);
            tooth = tooth.min(distance);
            if self.cut > 0.0 && near.state == State::Prepared {
                trimmed = trimmed.max(1.0 - ease((side - 0.5) / 0.9));
            }
        }
        let gum = self.gum(y, h, self.cut * trimmed);
        (tooth.min(gum), ease(0.5 + (gum - tooth) / 0.35))
    }

    fn gum(&self, y: f64, h: f64, trimmed: f64) -> f64 {
        let down = (-h).max(0.0);
        let half = self.depth / 2.0;
        let (cheek, tongue) = match self.jaw {
            // The palate slopes inwards; the floor of the mouth drops straight down.
            Jaw::Upper => (0.10, 0.58),
            Jaw::Lower => (0.14, 0.22),
        };
        let shrink = 1.0 - 0.22 * (1.0 - self.presence);
        let wall = if y > 0.0 {
            half * 0.93 + 0.35 + self.root * (0.4 + 0.3 * down).min(1.0) + cheek * down
        } else {
            half * 0.91 + 0.4 + 0.5 * self.root + tongue * down
        };
        let side = y.abs() - wall * shrink;
        let grain = 0.06 * noise::ripple(self.scan, self.s * 1.3, (y + 3.0 * h) * 1.1);
        let arch = self.crest - trimmed - 0.35 * (y / half) * (y / half);
        smooth_max(side, h - arch, 1.6) - grain
    }
}

/// Places points at equal distances along a path.
fn resample(path: &[(f64, f64, f64)], points: usize) -> Vec<(f64, f64, f64)> {
    let step = |pair: &[(f64, f64, f64)]| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1);
    let total: f64 = path.windows(2).map(step).sum();
    let mut out = Vec::with_capacity(points);
    let mut walked = 0.0;
    let mut pairs = path.windows(2).peekable();
    for point in 0..points {
        let wanted = total * count(point) / count(points - 1);
        while let Some(pair) = pairs.next_if(|pair| walked + step(pair) < wanted) {
            walked += step(pair);
        }
        let Some(pair) = pairs.peek() else {
            out.extend(path.last());
            continue;
        };
        let share = ((wanted - walked) / step(pair).max(1e-9)).clamp(0.0, 1.0);
        let mix = |a: f64, b: f64| a + (b - a) * share;
        let (a, b) = (pair[0], pair[1]);
        out.push((mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2)));
    }
    out
}

#[expect(clippy::cast_precision_loss, reason = "a section has at most a few thousand points")]
fn count(n: usize) -> f64 {
    n as f64
}
