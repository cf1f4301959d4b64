//! Repeatedly tells a service manager that a start or stop is in progress.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Calls a function at intervals, on a thread of its own, until it is dropped or its time is up.
pub(super) struct Pending {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pending {
    /// Starts at once. Stops reporting after `at_most`, so that a hang does not go unnoticed.
    pub(super) fn begin(
        every: Duration,
        at_most: Duration,
        mut say: impl FnMut() + Send + 'static,
    ) -> Self {
        let (end, ended) = channel();
        let began = Instant::now();
        let thread = std::thread::Builder::new().name("pending".to_owned()).spawn(move || {
            while began.elapsed() < at_most {
                say();
                if ended.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        });
        // If there is no thread, nothing is reported; at worst the manager becomes impatient.
        Self { end: Some(end), thread: thread.ok() }
    }
}

impl Drop for Pending {
    /// Nothing is reported after this returns.
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // It panicked only if `say` did.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_again_and_again_and_not_after_the_end() {
        let (said, heard) = channel();
        let pending = Pending::begin(Duration::ZERO, Duration::MAX, move || {
            // There is no receiver once this test ends.
            let _ = said.send(());
        });
        for _ in 0..3 {
            heard.recv().expect("said");
        }
        drop(pending);
        while heard.try_recv().is_ok() {}
        assert_eq!(heard.recv(), Err(std::sync::mpsc::RecvError), "the thread is gone");
    }

    #[test]
    fn what_takes_too_long_is_not_vouched_for() {
        let (said, heard) = channel();
        let pending = Pending::begin(Duration::ZERO, Duration::ZERO, move || {
            let _ = said.send(());
        });
        assert_eq!(heard.recv(), Err(std::sync::mpsc::RecvError));
        drop(pending);
    }
}
