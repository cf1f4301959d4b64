//! Prevents crash dumps: this process's memory holds logins and patients' names. The log and the
//! exit status report a crash instead.

/// Asks the system to write no dump if this process crashes. Where that is not permitted, the
/// service's own settings still forbid it.
pub(super) fn none() {
    #[cfg(unix)]
    unix();
    #[cfg(windows)]
    windows();
}

#[cfg(unix)]
fn unix() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    // A unit that forbids this call sets the limit itself.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // The limit does not apply when the system pipes dumps to a program such as systemd-coredump.
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

#[cfg(windows)]
fn windows() {
    use windows_sys::Win32::System::Diagnostics::Debug::{
        SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode,
    };

    // This keeps Windows Error Reporting, which writes the dumps, from being called.
    #[expect(unsafe_code, reason = "std has no such call; it takes a number and cannot fail")]
    let _before = unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX) };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit};

    #[test]
    fn a_crash_leaves_no_image_of_the_memory() {
        super::none();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        assert_eq!(getrlimit(Resource::Core).maximum, Some(0));
        assert_eq!(dumpable_behavior().expect("asked"), DumpableBehavior::NotDumpable);
    }
}
