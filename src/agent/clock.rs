//! The two clocks of this PC: wall clock and uptime.

use std::time::Duration;

use crate::model::time::{Now, WallMs};

/// Reads both clocks.
pub(super) fn now() -> Now {
    Now { wall: wall_now(), mono: up() }
}

/// The time of the PC's clock.
pub fn wall_now() -> WallMs {
    WallMs(jiff::Timestamp::now().as_millisecond())
}

/// The computer's running time.
pub fn monotonic() -> Duration {
    up()
}

/// Uptime including sleep (`clock_gettime(2)`, `CLOCK_BOOTTIME`).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn up() -> Duration {
    of(rustix::time::clock_gettime(rustix::time::ClockId::Boottime))
}

/// Uptime. The monotonic clock of macOS keeps running during sleep.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn up() -> Duration {
    of(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

/// Time slept since boot, as far as the clocks reveal it.
pub(super) fn slept() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let awake = of(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic));
        up().saturating_sub(awake)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        // Windows notifies a service when the PC wakes up.
        Duration::ZERO
    }
}

#[cfg(unix)]
fn of(time: rustix::time::Timespec) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Uptime including sleep (Microsoft Learn, `GetTickCount64`).
#[cfg(windows)]
#[expect(unsafe_code, reason = "a system call without arguments")]
fn up() -> Duration {
    // SAFETY: it takes no arguments and always succeeds.
    Duration::from_millis(unsafe {
        windows_sys::Win32::System::SystemInformation::GetTickCount64()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_time_grows_and_is_not_that_of_this_process() {
        let first = up();
        let second = up();
        assert!(second >= first);
        assert!(first > Duration::ZERO);
    }
}
