//! Metric families, and how they are written.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// The content type of the output.
pub const CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

pub(super) type Labels = Vec<(&'static str, String)>;

/// A metric family.
#[derive(Debug)]
pub(super) struct Family {
    /// The full name, with unit, and with `_total` or `_info` where required.
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) samples: Samples,
}

/// The samples with their labels. A family without samples is left out.
#[derive(Debug)]
pub(super) enum Samples {
    /// Values that only grow.
    Counter(Vec<(Labels, u64)>),
    /// Seconds that only add up.
    Time(Option<f64>),
    /// Values that go up and down.
    Gauge(Vec<(Labels, f64)>),
    /// Information carried by the labels alone.
    Info(Vec<Labels>),
    /// Distribution of durations.
    Histogram(Vec<(Labels, Times)>),
}

/// A histogram of durations.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Times {
    /// For each of [`BOUNDS`]: durations up to that bound and above the previous one.
    counts: [u64; BOUNDS.len()],
    all: u64,
    sum: f64,
}

/// In seconds.
const BOUNDS: [f64; 11] = [1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

impl Times {
    /// Adds a duration.
    pub(super) fn add(&mut self, seconds: f64) {
        if let Some(index) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.counts[index] += 1;
        }
        self.all += 1;
        self.sum += seconds;
    }
}

impl Family {
    pub(super) fn gauges(
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, f64)>,
    ) -> Self {
        Self { name, help, samples: Samples::Gauge(samples.into_iter().collect()) }
    }

    /// Returns a single gauge, without a sample if there is no value.
    pub(super) fn gauge(
        name: &'static str,
        help: &'static str,
        value: impl Into<Option<f64>>,
    ) -> Self {
        Self::gauges(name, help, value.into().map(|value| (Labels::new(), value)))
    }

    pub(super) fn counters(
        name: &'static str,
        help: &'static str,
        samples: impl IntoIterator<Item = (Labels, u64)>,
    ) -> Self {
        Self { name, help, samples: Samples::Counter(samples.into_iter().collect()) }
    }

    fn is_empty(&self) -> bool {
        match &self.samples {
            Samples::Counter(samples) => samples.is_empty(),
            Samples::Time(seconds) => seconds.is_none(),
            Samples::Gauge(samples) => samples.is_empty(),
            Samples::Info(samples) => samples.is_empty(),
            Samples::Histogram(samples) => samples.is_empty(),
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        // The encoder adds these suffixes again.
        let (kind, ending) = match &self.samples {
            Samples::Counter(_) | Samples::Time(_) => (MetricType::Counter, "_total"),
            Samples::Gauge(_) => (MetricType::Gauge, ""),
            Samples::Info(_) => (MetricType::Info, "_info"),
            Samples::Histogram(_) => (MetricType::Histogram, ""),
        };
        let name = self.name.strip_suffix(ending).unwrap_or(self.name);
        let mut metric = encoder.encode_descriptor(name, self.help, None, kind)?;
        match &self.samples {
            Samples::Counter(samples) => samples.iter().try_for_each(|(labels, value)| {
                metric.encode_family(labels)?.encode_counter::<NoLabelSet, _, f64>(value, None)
            }),
            Samples::Time(seconds) => seconds.iter().try_for_each(|seconds| {
                metric.encode_counter::<NoLabelSet, f64, f64>(seconds, None)
            }),
            Samples::Gauge(samples) => samples
                .iter()
                .try_for_each(|(labels, value)| metric.encode_family(labels)?.encode_gauge(value)),
            Samples::Info(samples) => {
                samples.iter().try_for_each(|labels| metric.encode_info(labels))
            }
            Samples::Histogram(samples) => samples.iter().try_for_each(|(labels, times)| {
                let buckets: Vec<_> = BOUNDS.into_iter().zip(times.counts).collect();
                metric
                    .encode_family(labels)?
                    .encode_histogram::<NoLabelSet>(times.sum, times.all, &buckets, None)
            }),
        }
    }
}

#[derive(Debug)]
struct All(Vec<Family>);

impl Collector for All {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|family| family.encode(&mut encoder))
    }
}

/// Renders the families as text.
pub(super) fn write(mut families: Vec<Family>) -> String {
    families.retain(|family| !family.is_empty());
    let mut registry = Registry::default();
    registry.register_collector(Box::new(All(families)));
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    let _ = prometheus_text::encode(&mut text, &registry);
    text
}
