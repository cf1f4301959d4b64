//! Windows' service manager (SCM).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::ptr;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use windows_service::Error;
use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceExitCode,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceSidType,
    ServiceStartType, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_SERVICE_ACCOUNT, ERROR_SERVICE_ALREADY_RUNNING,
    ERROR_SERVICE_CANNOT_ACCEPT_CTRL, ERROR_SERVICE_DISABLED, ERROR_SERVICE_DOES_NOT_EXIST,
    ERROR_SERVICE_LOGON_FAILED, ERROR_SERVICE_MARKED_FOR_DELETE, ERROR_SERVICE_NOT_ACTIVE,
};
use windows_sys::Win32::System::Services::{ChangeServiceConfigW, SERVICE_NO_CHANGE};

use super::image_path::image_path;
use super::{NOT_INSTALLED, Plan, Say, Standing, State, fault, not_installed};
use crate::disk::{Disk as _, RealDisk};
use crate::model::fault::Fault;
use crate::service::eventlog;

/// Minimal rights on this PC, and no identity on the network.
const LOCAL_SERVICE: &str = r"NT AUTHORITY\LocalService";
/// The account of a service that names none.
const LOCAL_SYSTEM: &str = "LocalSystem";
const DESCRIPTION: &str =
    "Brings iTero scans from Align's Lab Connector to the dental lab's hot folder.";
/// How long Windows waits for the agent at shutdown: work reaches a safe point within 20 seconds,
/// and everything else ends a few seconds later.
const PRESHUTDOWN: Duration = Duration::from_secs(45);
/// Delays before restarting a service that ended on its own: the first time, the second, and from
/// then on.
const RECOVERY: [Duration; 3] =
    [Duration::from_secs(5), Duration::from_secs(60), Duration::from_secs(300)];
/// After this long without a failure, recovery starts over with the first delay.
const RECOVERED: Duration = Duration::from_secs(24 * 3600);
/// How long a starting or stopping service may go without reporting progress.
const SILENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// How often the user is told that we are still waiting.
const TELL: Duration = Duration::from_secs(5);

/// The services of this PC.
pub struct Services {
    name: String,
}

impl Services {
    pub fn here(name: &str) -> Result<Self, Fault> {
        Ok(Self { name: name.to_owned() })
    }

    /// Installs the service, or updates an existing one. Does not start it.
    pub fn install(&self, plan: &Plan, say: Say<'_>) -> Result<(), Fault> {
        let what = "install the service";
        let manager =
            manager(ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE, what)?;
        let open = manager.open_service(&self.name, ServiceAccess::ALL_ACCESS);
        let service = match open.map_err(|error| (code(&error), error)) {
            Ok(service) => {
                let info = self.info(plan, plan.account.as_deref());
                service.change_config(&info).map_err(|error| failed(what, error))?;
                say(&format!(
                    "the service {} was already installed and is up to date now",
                    self.name
                ));
                service
            }
            Err((Some(ERROR_SERVICE_DOES_NOT_EXIST), _)) => {
                let account = plan.account.as_deref().unwrap_or(LOCAL_SERVICE);
                let made = manager
                    .create_service(&self.info(plan, Some(account)), ServiceAccess::ALL_ACCESS);
                let service = made.map_err(|error| failed(what, error))?;
                say(&format!("the service {} is installed", self.name));
                service
            }
            Err((_, error)) => return Err(failed(what, error)),
        };
        let line = image_path(&plan.program, plan.config.as_deref());
        set_image_path(&service, &line)
            .map_err(|error| fault("service", format!("cannot {what}")).caused_by(error))?;
        for (setting, done) in settings(&service) {
            if let Err(error) = done {
                say(&format!("warning: {setting} could not be set: {}", chain(&error)));
            }
        }
        if let Err(error) = eventlog::register() {
            say(&format!("warning: Casedrop could not be registered with the event log: {error}"));
        }
        let account = service.query_config().ok().and_then(|config| config.account_name);
        let account = account.map(|name| name.to_string_lossy().into_owned());
        let account = account.as_deref().unwrap_or(LOCAL_SYSTEM);
        give_rights(plan, account, say);
        protect_config(plan, account, say);
        Ok(())
    }

    fn info(&self, plan: &Plan, account: Option<&str>) -> ServiceInfo {
        let password = plan.password.as_ref().map(|password| password.expose_secret().into());
        ServiceInfo {
            name: OsString::from(&self.name),
            display_name: OsString::from(&self.name),
            service_type: ServiceType::OWN_PROCESS,
            start_type: ServiceStartType::AutoStart,
            error_control: ServiceErrorControl::Normal,
            executable_path: plan.program.clone(),
            launch_arguments: vec!["run".into()],
            dependencies: Vec::new(),
            account_name: account.map(OsString::from),
            account_password: password,
        }
    }

    /// Stops and removes the service. Config, state and orders stay.
    pub fn uninstall(&self, say: Say<'_>) -> Result<(), Fault> {
        let access = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS | ServiceAccess::DELETE;
        let what = "remove the service";
        let service = self.open(access, what)?;
        self.stop_and_wait(&service, say)?;
        service.delete().map_err(|error| failed(what, error))?;
        if let Err(error) = eventlog::unregister() {
            say(&format!("warning: Casedrop is still registered with the event log: {error}"));
        }
        Ok(())
    }

    /// Starts the service and waits until it works.
    pub fn start(&self, say: Say<'_>) -> Result<(), Fault> {
        let what = "start the service";
        let access = ServiceAccess::START | ServiceAccess::QUERY_STATUS;
        let service = self.open(access, what)?;
        match service.start(&[] as &[&OsStr]) {
            Ok(()) => {}
            Err(error) if code(&error) == Some(ERROR_SERVICE_ALREADY_RUNNING) => {}
            Err(error) => return Err(failed(what, error)),
        }
        let status = wait(&service, ServiceState::Running, "starting", say)?;
        if status.current_state == ServiceState::Running {
            return Ok(());
        }
        let why = match status.exit_code {
            ServiceExitCode::ServiceSpecific(code) => format!("with exit status {code}"),
            ServiceExitCode::Win32(code) => {
                let error = io::Error::from_raw_os_error(code.cast_signed());
                format!("with Windows' error {code}: {error}")
            }
        };
        let message = format!("the service {} ended at once {why}", self.name);
        Err(fault("ended-at-once", message).hint(
            "Windows' event log says why (Event Viewer, Windows Logs, Application, source \
             Casedrop); `casedrop check` shows what is wrong with the config, folders and ports",
        ))
    }

    /// Stops the service and waits until it has stopped.
    pub fn stop(&self, say: Say<'_>) -> Result<(), Fault> {
        let access = ServiceAccess::STOP | ServiceAccess::QUERY_STATUS;
        let service = self.open(access, "stop the service")?;
        self.stop_and_wait(&service, say)
    }

    fn stop_and_wait(&self, service: &Service, say: Say<'_>) -> Result<(), Fault> {
        let what = "stop the service";
        let status = service.query_status().map_err(|error| failed(what, error))?;
        match status.current_state {
            ServiceState::Stopped => return Ok(()),
            ServiceState::StopPending => {}
            _ => match service.stop() {
                Ok(_) => {}
                Err(error) if code(&error) == Some(ERROR_SERVICE_NOT_ACTIVE) => return Ok(()),
                Err(error) => return Err(failed(what, error)),
            },
        }
        let status = wait(service, ServiceState::Stopped, "stopping", say)?;
        if status.current_state == ServiceState::Stopped {
            return Ok(());
        }
        let message = format!("the service {} was started again in the meantime", self.name);
        Err(fault("service", message))
    }

    /// Queries the state of the service.
    pub fn standing(&self) -> Result<Standing, Fault> {
        let what = "query the service";
        let access = ServiceAccess::QUERY_STATUS | ServiceAccess::QUERY_CONFIG;
        let service = match self.open(access, what) {
            Ok(service) => service,
            Err(fault) if fault.code == NOT_INSTALLED => {
                return Ok(Standing::of_none(&self.name));
            }
            Err(fault) => return Err(fault),
        };
        let status = service.query_status().map_err(|error| failed(what, error))?;
        let config = service.query_config().map_err(|error| failed(what, error))?;
        let text = |text: &OsStr| text.to_string_lossy().into_owned();
        let exit_status = match status.exit_code {
            ServiceExitCode::ServiceSpecific(code) | ServiceExitCode::Win32(code) => code,
        };
        let state = state(&status);
        Ok(Standing {
            name: self.name.clone(),
            state,
            starts_with_pc: Some(config.start_type == ServiceStartType::AutoStart),
            account: config.account_name.as_deref().map(text),
            command: Some(text(config.executable_path.as_os_str())),
            exit_status: Some(exit_status).filter(|_| state == State::Failed),
            doing: None,
        })
    }

    fn open(&self, access: ServiceAccess, what: &str) -> Result<Service, Fault> {
        let manager = manager(ServiceManagerAccess::CONNECT, what)?;
        manager.open_service(&self.name, access).map_err(|error| match code(&error) {
            Some(ERROR_SERVICE_DOES_NOT_EXIST) => not_installed(&self.name),
            _ => failed(what, error),
        })
    }
}

fn manager(access: ServiceManagerAccess, what: &str) -> Result<ServiceManager, Fault> {
    ServiceManager::local_computer(None::<&OsStr>, access).map_err(|error| failed(what, error))
}

fn state(status: &ServiceStatus) -> State {
    match status.current_state {
        // A service that was never started has not failed (`ERROR_SERVICE_NEVER_STARTED`).
        ServiceState::Stopped => match status.exit_code {
            ServiceExitCode::Win32(0 | 1077) => State::Stopped,
            _ => State::Failed,
        },
        ServiceState::StartPending | ServiceState::ContinuePending => State::Starting,
        ServiceState::StopPending => State::Stopping,
        ServiceState::Running | ServiceState::PausePending | ServiceState::Paused => State::Running,
    }
}

/// Waits until the service reaches the wanted state, or is no longer starting or stopping.
fn wait(
    service: &Service,
    wanted: ServiceState,
    doing: &str,
    say: Say<'_>,
) -> Result<ServiceStatus, Fault> {
    say(&format!("{doing} the service"));
    let (mut last_sign, mut last_told) = (Instant::now(), Instant::now());
    let mut checkpoint = 0;
    loop {
        let status = service.query_status().map_err(|error| failed("query the service", error))?;
        let is_pending =
            matches!(status.current_state, ServiceState::StartPending | ServiceState::StopPending);
        if status.current_state == wanted || !is_pending {
            return Ok(status);
        }
        if status.checkpoint != checkpoint {
            checkpoint = status.checkpoint;
            last_sign = Instant::now();
        }
        if last_sign.elapsed() > SILENCE {
            let message =
                format!("the service is still {doing}, but has reported no progress for a minute");
            return Err(fault("no-sign", message)
                .hint("end casedrop.exe in Task Manager, Details; nothing is lost by that"));
        }
        if last_told.elapsed() >= TELL {
            last_told = Instant::now();
            say(&format!("still {doing}"));
        }
        std::thread::sleep(LOOK);
    }
}

/// Creates missing folders and lets the service's account write to all of them. What cannot be
/// done, as on a share, is reported, so that its administrator can do it.
fn give_rights(plan: &Plan, account: &str, say: Say<'_>) {
    for folder in plan.folders() {
        let made = if folder == plan.state {
            let made = RealDisk.create_private_dirs(folder);
            made.and_then(|()| RealDisk.make_private(folder).map(drop))
        } else if plan.is_private(folder) {
            RealDisk.create_private_dirs(folder)
        } else {
            RealDisk.create_dirs(folder)
        };
        if let Err(error) = made.and_then(|()| RealDisk.grant(folder, account)) {
            let fault = Fault::from(error).chain();
            say(&format!(
                "warning: {account} could not be given the right to write there: {fault}"
            ));
        }
        let is_share = folder.to_string_lossy().starts_with(r"\\");
        if is_share && is_local_service(account) {
            let folder = folder.display();
            say(&format!(
                "warning: {folder} is on a share, where {account} has no rights: choose an account \
                 that may write there, with `casedrop service install --account NAME`"
            ));
        }
    }
}

/// Lets only administrators change the config and the policy: the account must obey them, and the
/// next upgrade grants it rights to the folders they name.
fn protect_config(plan: &Plan, account: &str, say: Say<'_>) {
    for path in &plan.sources {
        if !matches!(RealDisk.kind(path), Ok(Some(_))) {
            continue;
        }
        let others = RealDisk.others_who_write(path).ok().flatten();
        match RealDisk.protect(path, account) {
            Ok(()) if others.is_some() => {
                say(&format!("only administrators can change {} from now on", path.display()));
            }
            Ok(()) => {}
            Err(error) => say(&format!("warning: {}", Fault::from(error).chain())),
        }
    }
}

/// The SCM writes the name with or without a space.
fn is_local_service(account: &str) -> bool {
    account.replace(' ', "").eq_ignore_ascii_case(&LOCAL_SERVICE.replace(' ', ""))
}

/// Sets what creating the service leaves unset.
fn settings(service: &Service) -> [(&'static str, Result<(), Error>); 6] {
    let restart = |delay| ServiceAction { action_type: ServiceActionType::Restart, delay };
    let recovery = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(RECOVERED),
        reboot_msg: None,
        command: None,
        actions: Some(RECOVERY.map(restart).to_vec()),
    };
    [
        ("the description", service.set_description(DESCRIPTION)),
        ("the delayed start", service.set_delayed_auto_start(true)),
        ("the restart after a failure", service.update_failure_actions(recovery)),
        (
            "the restart after an end with an error",
            service.set_failure_actions_on_non_crash_failures(true),
        ),
        ("the time before a shutdown", service.set_preshutdown_timeout(PRESHUTDOWN)),
        (
            "the service's own identity",
            service.set_config_service_sid_info(ServiceSidType::Unrestricted),
        ),
    ]
}

/// The crate quotes a path only if needed; we always do.
#[expect(
    unsafe_code,
    reason = "the crate has no such call; the handle is open, the text ends in a zero and outlives the \
              call, and null means no change"
)]
fn set_image_path(service: &Service, line: &str) -> io::Result<()> {
    let line: Vec<u16> = OsStr::new(line).encode_wide().chain([0]).collect();
    // SAFETY: see above.
    let done = unsafe {
        ChangeServiceConfigW(
            service.raw_handle(),
            SERVICE_NO_CHANGE,
            SERVICE_NO_CHANGE,
            SERVICE_NO_CHANGE,
            line.as_ptr(),
            ptr::null(),
            ptr::null_mut(),
            ptr::null(),
            ptr::null(),
            ptr::null(),
            ptr::null(),
        )
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Returns the Windows error code.
fn code(error: &Error) -> Option<u32> {
    match error {
        Error::Winapi(error) => error.raw_os_error().map(i32::cast_unsigned),
        _ => None,
    }
}

fn failed(what: &str, error: Error) -> Fault {
    let hint = match code(&error) {
        Some(ERROR_ACCESS_DENIED) => Some(
            "run this in an elevated prompt: search for `cmd` in the start menu, and choose \"Run as \
             administrator\"",
        ),
        Some(ERROR_SERVICE_MARKED_FOR_DELETE) => Some(
            "it is being removed, which finishes when no program has it open: close the Services \
             window and Task Manager, and try again",
        ),
        Some(ERROR_SERVICE_LOGON_FAILED) => Some(
            "check the account's password, and that it has the right \"Log on as a service\" (secpol.msc, \
             Local Policies, User Rights Assignment; choosing the account once in services.msc grants it)",
        ),
        Some(ERROR_INVALID_SERVICE_ACCOUNT) => Some(
            "write the account as DOMAIN\\user, as .\\user for one of this PC, or as DOMAIN\\name$ for a \
             group managed service account",
        ),
        Some(ERROR_SERVICE_CANNOT_ACCEPT_CTRL) => Some(
            "it is still starting, as after the loss of its journal: see `casedrop service \
             status`; try again when it is running",
        ),
        Some(ERROR_SERVICE_DISABLED) => {
            Some("it is disabled: `casedrop service install` makes it start with the PC again")
        }
        _ => None,
    };
    let fault = fault("service", format!("cannot {what}")).caused_by(error);
    match hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
