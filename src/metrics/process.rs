//! What this process uses of the PC, under the names that Prometheus' own clients use. What a system
//! does not tell is left out.

use super::family::{Family, Labels, Samples};

/// Returns the families in a fixed order.
pub(super) fn families() -> Vec<Family> {
    let memory = memory_stats::memory_stats();
    let bytes = |bytes: usize| bytes as u64;
    vec![
        Family {
            name: "process_cpu_seconds_total",
            help: "CPU time that the agent's process has used.",
            samples: Samples::Time(cpu_seconds()),
        },
        gauge(
            "process_resident_memory_bytes",
            "Memory of the agent's process that is in RAM.",
            memory.map(|memory| bytes(memory.physical_mem)),
        ),
        gauge(
            "process_virtual_memory_bytes",
            "Address space of the agent's process.",
            memory.map(|memory| bytes(memory.virtual_mem)),
        ),
        gauge("process_open_fds", "Files and connections that are open.", open_files()),
        gauge("process_max_fds", "How many of them the system allows.", most_open_files()),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "all numbers are floating-point ones there")]
fn gauge(name: &'static str, help: &'static str, value: Option<u64>) -> Family {
    let value = value.map(|value| (Labels::new(), value as f64));
    Family { name, help, samples: Samples::Gauge(value.into_iter().collect()) }
}

#[cfg(unix)]
fn cpu_seconds() -> Option<f64> {
    use rustix::time::{ClockId, clock_gettime};

    let used = clock_gettime(ClockId::ProcessCPUTime);
    let used = std::time::Duration::try_from(used).ok()?;
    Some(used.as_secs_f64())
}

#[cfg(not(unix))]
fn cpu_seconds() -> Option<f64> {
    None
}

#[cfg(target_os = "linux")]
fn open_files() -> Option<u64> {
    use crate::disk::{Disk as _, RealDisk};

    let open = RealDisk.list(std::path::Path::new("/proc/self/fd")).ok()?;
    // One of them is this listing.
    Some(open.len().saturating_sub(1) as u64)
}

#[cfg(not(target_os = "linux"))]
fn open_files() -> Option<u64> {
    None
}

#[cfg(unix)]
fn most_open_files() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};

    getrlimit(Resource::Nofile).current
}

#[cfg(not(unix))]
fn most_open_files() -> Option<u64> {
    None
}
