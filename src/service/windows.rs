//! The protocol of the Windows service manager (SCM). Used if the SCM started the process;
//! otherwise the process is an ordinary console program.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use windows_service::service::{
    PowerEventParam, ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState,
    ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{
    self, ServiceControlHandlerResult, ServiceStatusHandle,
};
use windows_service::{define_windows_service, service_dispatcher};
use windows_sys::Win32::Foundation::ERROR_FAILED_SERVICE_CONTROLLER_CONNECT;

use super::pending::Pending;
use super::{Ended, Event, Host, Hosted, console};

/// Ignored for a service with its own process: the SCM knows which service it started.
const ANY_NAME: &str = "";
/// The SCM waits at least this long between two reports.
const HINT: Duration = Duration::from_secs(15);
const REPORT_EVERY: Duration = Duration::from_secs(2);
/// A start that takes longer is no longer reported as in progress.
const LONGEST_START: Duration = Duration::from_secs(3600);
/// Time for shutdown beyond bringing work to a safe point.
const LAST_THINGS: Duration = Duration::from_secs(15);
/// For a shutdown whose length is unknown.
const SHORT_END: Duration = Duration::from_secs(30);
/// The exit code of a panic, as on a console.
const PANICKED: u8 = 101;

/// What the service's own thread runs.
type Body = Box<dyn FnOnce(Hosted) -> Ended + Send>;

static BODY: Mutex<Option<Body>> = Mutex::new(None);
/// The only service of this process. It is static because the control handler must own nothing: the
/// crate frees it on the first stop, and the SCM may call it again.
static SERVICE: OnceLock<Service> = OnceLock::new();

define_windows_service!(service_main, serve);

/// Runs the body as a service if the SCM started this process, otherwise as on a console.
pub(super) fn host<R: Send + 'static>(
    body: impl FnOnce(Hosted) -> R + Send + 'static,
    judge: impl Fn(&R) -> Ended + Send + 'static,
) -> R {
    type Slot<T> = Arc<Mutex<Option<Result<T, Box<dyn Any + Send>>>>>;
    let result: Slot<R> = Arc::default();
    let slot = Arc::clone(&result);
    *locked(&BODY) = Some(Box::new(move |hosted| {
        let result = catch_unwind(AssertUnwindSafe(|| body(hosted)));
        let ended = result.as_ref().map_or_else(
            |_| Ended { code: PANICKED, reason: Some("an internal error".to_owned()) },
            judge,
        );
        *locked(&slot) = Some(result);
        ended
    }));
    if let Err(error) = service_dispatcher::start(ANY_NAME, service_main) {
        if !is_console(&error) {
            tracing::warn!("the service manager cannot be reached: {error}");
        }
        if let Some(body) = locked(&BODY).take() {
            body(console::hosted());
        }
    }
    let result = locked(&result).take();
    match result {
        Some(Ok(result)) => result,
        Some(Err(panic)) => resume_unwind(panic),
        // The SCM took the program but never ran it: there is nothing to report and no one to
        // report it to.
        None => std::process::exit(1),
    }
}

fn is_console(error: &windows_service::Error) -> bool {
    let windows_service::Error::Winapi(error) = error else { return false };
    let code = error.raw_os_error().map(i32::cast_unsigned);
    code == Some(ERROR_FAILED_SERVICE_CONTROLLER_CONNECT)
}

/// The service's main function, on a thread created by the SCM's dispatcher.
fn serve(arguments: Vec<std::ffi::OsString>) {
    // A manual start may pass arguments; the command line already has everything.
    drop(arguments);
    let Some(body) = locked(&BODY).take() else { return };
    let (events_in, events) = mpsc::unbounded_channel();
    let service = SERVICE.get_or_init(|| Service::new(events_in));
    match service_control_handler::register(ANY_NAME, |control| match SERVICE.get() {
        Some(service) => service.heard(&control),
        None => ServiceControlHandlerResult::NotImplemented,
    }) {
        Ok(handle) => service.reports_to(handle),
        // Without it, the SCM considers the service hung, but the work is not affected.
        Err(error) => tracing::error!("cannot report to the service manager: {error}"),
    }
    service.enter(Phase::Starting);
    let mut told = service.stop.subscribe();
    let stop = async move {
        // The sender lives as long as the process.
        let _ = told.wait_for(|stop| *stop).await;
    };
    let host = Arc::new(Scm(service));
    let ended = body(Hosted { host, stop: Box::pin(stop), events, is_service: true });
    service.enter(Phase::Ended(ended));
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Starting,
    Running,
    Stopping { up_to: Duration },
    Ended(Ended),
}

impl Phase {
    fn rank(&self) -> u8 {
        match self {
            Self::Starting => 0,
            Self::Running => 1,
            Self::Stopping { .. } => 2,
            Self::Ended(_) => 3,
        }
    }
}

/// The service as the SCM sees it.
struct Service {
    stop: watch::Sender<bool>,
    events: mpsc::UnboundedSender<Event>,
    reporting: Arc<Mutex<Reporting>>,
}

struct Reporting {
    handle: Option<ServiceStatusHandle>,
    phase: Phase,
    checkpoint: u32,
    pending: Option<Pending>,
}

impl Service {
    fn new(events: mpsc::UnboundedSender<Event>) -> Self {
        let reporting =
            Reporting { handle: None, phase: Phase::Starting, checkpoint: 0, pending: None };
        Self { stop: watch::Sender::new(false), events, reporting: Arc::new(Mutex::new(reporting)) }
    }

    fn reports_to(&self, handle: ServiceStatusHandle) {
        locked(&self.reporting).handle = Some(handle);
    }

    /// Enters a phase, never going back, and reports it to the SCM; a start or stop is reported
    /// repeatedly.
    fn enter(&self, phase: Phase) {
        let at_most = match &phase {
            Phase::Starting => Some(LONGEST_START),
            Phase::Stopping { up_to } => Some(*up_to),
            Phase::Running | Phase::Ended(_) => None,
        };
        let mut reporting = locked(&self.reporting);
        if phase.rank() < reporting.phase.rank() {
            return;
        }
        if phase.rank() > reporting.phase.rank() {
            reporting.checkpoint = 0;
        }
        reporting.phase = phase;
        reporting.report();
        let pending = at_most.map(|at_most| {
            let shared = Arc::clone(&self.reporting);
            Pending::begin(REPORT_EVERY, at_most, move || {
                let mut reporting = locked(&shared);
                // The end is reported only once: after that the SCM may have closed the handle.
                if !matches!(reporting.phase, Phase::Ended(_)) {
                    reporting.report();
                }
            })
        });
        let before = std::mem::replace(&mut reporting.pending, pending);
        drop(reporting);
        // Dropped without the lock: its thread may be waiting for the lock to report.
        drop(before);
    }

    /// Handles a control request of the SCM.
    fn heard(&self, control: &ServiceControl) -> ServiceControlHandlerResult {
        match control {
            ServiceControl::Stop | ServiceControl::Shutdown | ServiceControl::Preshutdown => {
                self.enter(Phase::Stopping { up_to: SHORT_END });
                self.stop.send_replace(true);
            }
            ServiceControl::PowerEvent(
                PowerEventParam::ResumeAutomatic
                | PowerEventParam::ResumeSuspend
                | PowerEventParam::ResumeCritical,
            ) => {
                // No one listens while the agent starts or shuts down, and then it does not matter.
                let _ = self.events.send(Event::WokeUp);
            }
            ServiceControl::Interrogate | ServiceControl::PowerEvent(_) => {}
            _ => return ServiceControlHandlerResult::NotImplemented,
        }
        ServiceControlHandlerResult::NoError
    }
}

impl Reporting {
    fn report(&mut self) {
        let status = status_of(&self.phase, self.checkpoint);
        self.checkpoint += 1;
        if let Some(handle) = &self.handle {
            // If this fails, the SCM notices when the process ends.
            let _ = handle.set_service_status(status);
        }
    }
}

fn status_of(phase: &Phase, checkpoint: u32) -> ServiceStatus {
    let pending = |current_state| ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state,
        controls_accepted: ServiceControlAccept::empty(),
        exit_code: ServiceExitCode::NO_ERROR,
        checkpoint: checkpoint + 1,
        wait_hint: HINT,
        process_id: None,
    };
    let settled = |current_state| ServiceStatus {
        checkpoint: 0,
        wait_hint: Duration::ZERO,
        ..pending(current_state)
    };
    match phase {
        Phase::Starting => pending(ServiceState::StartPending),
        Phase::Running => ServiceStatus {
            controls_accepted: ServiceControlAccept::STOP
                | ServiceControlAccept::SHUTDOWN
                | ServiceControlAccept::PRESHUTDOWN
                | ServiceControlAccept::POWER_EVENT,
            ..settled(ServiceState::Running)
        },
        Phase::Stopping { .. } => pending(ServiceState::StopPending),
        Phase::Ended(Ended { code: 0, .. }) => settled(ServiceState::Stopped),
        Phase::Ended(Ended { code, .. }) => ServiceStatus {
            exit_code: ServiceExitCode::ServiceSpecific(u32::from(*code)),
            ..settled(ServiceState::Stopped)
        },
    }
}

/// The SCM as the agent's host.
struct Scm(&'static Service);

impl Host for Scm {
    fn ready(&self) {
        self.0.enter(Phase::Running);
    }

    fn stopping(&self, up_to: Duration) {
        self.0.enter(Phase::Stopping { up_to: up_to + LAST_THINGS });
    }
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> (Service, mpsc::UnboundedReceiver<Event>) {
        let (events_in, events) = mpsc::unbounded_channel();
        (Service::new(events_in), events)
    }

    fn phase(service: &Service) -> Phase {
        locked(&service.reporting).phase.clone()
    }

    #[test]
    fn each_wake_up_is_told_and_other_power_events_are_not() {
        let (service, mut events) = service();
        for event in [
            PowerEventParam::Suspend,
            PowerEventParam::ResumeAutomatic,
            PowerEventParam::PowerStatusChange,
            PowerEventParam::ResumeSuspend,
        ] {
            service.heard(&ServiceControl::PowerEvent(event));
        }
        assert_eq!(events.try_recv(), Ok(Event::WokeUp));
        assert_eq!(events.try_recv(), Ok(Event::WokeUp));
        assert!(events.try_recv().is_err());
    }

    #[test]
    fn stop_and_both_ends_of_the_pc_end_the_service() {
        for control in [ServiceControl::Stop, ServiceControl::Shutdown, ServiceControl::Preshutdown]
        {
            let (service, _events) = service();
            service.enter(Phase::Running);
            service.heard(&control);
            assert!(*service.stop.borrow());
            assert_eq!(phase(&service), Phase::Stopping { up_to: SHORT_END });
        }
    }

    #[test]
    fn a_service_never_goes_back() {
        let (service, _events) = service();
        service.heard(&ServiceControl::Stop);
        service.enter(Phase::Running);
        assert_eq!(phase(&service), Phase::Stopping { up_to: SHORT_END });
        let ended = Ended { code: 2, reason: None };
        service.enter(Phase::Ended(ended.clone()));
        service.enter(Phase::Stopping { up_to: SHORT_END });
        assert_eq!(phase(&service), Phase::Ended(ended));
    }

    #[test]
    fn what_is_reported_says_what_may_be_asked() {
        let starting = status_of(&Phase::Starting, 4);
        assert_eq!(starting.current_state, ServiceState::StartPending);
        assert_eq!((starting.checkpoint, starting.wait_hint), (5, HINT));
        assert!(starting.controls_accepted.is_empty());
        let running = status_of(&Phase::Running, 0);
        assert_eq!((running.checkpoint, running.wait_hint), (0, Duration::ZERO));
        assert!(running.controls_accepted.contains(ServiceControlAccept::PRESHUTDOWN));
        let well = status_of(&Phase::Ended(Ended { code: 0, reason: None }), 0);
        assert_eq!(well.exit_code, ServiceExitCode::NO_ERROR);
        let badly = status_of(&Phase::Ended(Ended { code: 2, reason: None }), 0);
        assert_eq!(badly.exit_code, ServiceExitCode::ServiceSpecific(2));
        assert_eq!(badly.current_state, ServiceState::Stopped);
    }
}
