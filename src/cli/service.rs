//! `service`: the agent as a Windows or systemd service.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::loading::load;
use super::{CliError, Exit, Streams, first_start};
use crate::config::{self, Config, Survey};
use crate::disk::{Disk as _, Kind, RealDisk, read_limited, remote_of};
use crate::service::manage::{NAME, Plan, Services, Standing, State};
use crate::update::managed_by;

/// The folder of the versions that updates bring.
const VERSIONS: &str = "versions";
const PASSWORD_BYTES: u64 = 4096;

#[derive(Debug, Args)]
pub struct ServiceArgs {
    #[command(subcommand)]
    pub action: ServiceAction,
}

#[derive(Debug, Subcommand)]
pub enum ServiceAction {
    /// Install the service so that it starts with the PC, or bring an installed one up to date.
    Install(InstallArgs),
    /// Stop and remove the service. Config, state and orders stay.
    Uninstall,
    /// Start the service and wait until it works.
    Start,
    /// Stop the service and wait until it has stopped.
    Stop,
    /// Show the service's state. Exit status: 0 if it runs, 1 if not.
    Status,
}

#[derive(Debug, Args)]
pub struct InstallArgs {
    /// The account to run the service under. Windows: DOMAIN\user, .\user or DOMAIN\gmsa$ [default:
    /// NT AUTHORITY\LocalService, which cannot reach shares]. Linux: a user of this PC [default:
    /// casedrop].
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// A file with the account's password on its first line (Windows). Delete it afterwards.
    #[arg(long, value_name = "FILE", requires = "account")]
    pub password_file: Option<PathBuf>,
}

pub fn run(
    args: &ServiceArgs,
    named: Option<&Path>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let name = name();
    match &args.action {
        ServiceAction::Install(args) => install(&name, args, named, streams),
        ServiceAction::Uninstall => {
            Services::here(&name)?.uninstall(&mut |text| streams.note(text))?;
            streams.line("the service was removed; config, state and orders are untouched")?;
            Ok(Exit::Ok)
        }
        ServiceAction::Start => {
            Services::here(&name)?.start(&mut |text| streams.note(text))?;
            streams.line("the service is running")?;
            Ok(Exit::Ok)
        }
        ServiceAction::Stop => {
            Services::here(&name)?.stop(&mut |text| streams.note(text))?;
            streams.line("the service has stopped")?;
            Ok(Exit::Ok)
        }
        ServiceAction::Status => status(&Services::here(&name)?.standing()?, streams),
    }
}

/// The service's name. Parallel tests set their own so as not to share one service.
fn name() -> String {
    #[cfg(debug_assertions)]
    if let Ok(name) = std::env::var("CASEDROP_TEST_SERVICE") {
        return name;
    }
    NAME.to_owned()
}

fn install(
    name: &str,
    args: &InstallArgs,
    named: Option<&Path>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let account = args.account.as_deref().map(account).transpose()?;
    let password = args.password_file.as_deref().map(password).transpose()?;
    if cfg!(not(windows)) && password.is_some() {
        return Err(CliError::new(Exit::Usage, "services have no password on this system")
            .hint("omit --password-file"));
    }
    if let Some(account) = account.as_deref().filter(|_| password.is_none())
        && cfg!(windows)
        && has_password(account)
    {
        let message = format!("Windows needs the password of the account {account}");
        return Err(CliError::new(Exit::Usage, message).hint(
            "write it into a file that only you can read, give that file with --password-file, and \
             delete it afterwards",
        ));
    }
    // A service whose config lacks what its page asks for is installed too, and serves that page.
    let (source, survey, is_complete) = match first_start::needed(named, false)? {
        Some(unfilled) if is_there(unfilled.path()) => {
            (unfilled.path().to_path_buf(), unfilled.survey().clone(), false)
        }
        _ => {
            let loaded = load(named, false)?;
            refuse_mapped(&loaded.config)?;
            (loaded.source, loaded.survey, true)
        }
    };
    let services = Services::here(name)?;
    let program = program()?;
    let mut plan = plan(&source, survey, program);
    (plan.account, plan.password) = (account, password);
    if !is_complete {
        plan.sources.retain(|path| *path != source);
        streams
            .note("the config is incomplete: the service will show a page that asks for the rest");
    }
    services.install(&plan, &mut |text| streams.note(text))?;
    streams.line(if cfg!(windows) {
        "the service will start with the PC; to start it now: `casedrop service start`"
    } else {
        "the service is running and will start with the PC"
    })?;
    Ok(Exit::Ok)
}

/// Refuses mapped drives: a service does not have the drive letters of users.
pub(super) fn refuse_mapped(config: &Config) -> Result<(), CliError> {
    let folders = [
        ("output", Some(&config.output)),
        ("staging", Some(&config.staging)),
        ("commands", config.commands.as_ref()),
        ("state", Some(&config.state)),
        ("log.dir", config.log.dir.as_ref()),
    ];
    let refused = folders.into_iter().filter_map(|(key, folder)| {
        let (reason, hint) = remote_of(folder?)?.refusal();
        Some((format!("{key}: {reason}"), format!("{key}: {hint}")))
    });
    let (reasons, hints): (Vec<_>, Vec<_>) = refused.unzip();
    if reasons.is_empty() {
        return Ok(());
    }
    Err(CliError::new(Exit::Usage, reasons.join("\n")).hint(hints.join("\n")))
}

fn plan(source: &Path, survey: Survey, program: PathBuf) -> Plan {
    let env = config::process_env();
    let usual = config::platform_folder(&env).join(config::FILE_NAME);
    let is_managed = managed_by(&RealDisk, &program).is_some();
    let versions = (!is_managed).then(|| program.with_file_name(VERSIONS));
    // A config that was loaded, or that a page fills in, names all of them.
    let folder = Option::unwrap_or_default;
    Plan {
        config: (source != usual).then(|| source.to_path_buf()),
        sources: vec![source.to_path_buf(), source.with_file_name(config::POLICY_NAME)],
        account: None,
        password: None,
        state: folder(survey.state),
        output: [folder(survey.output), folder(survey.staging)],
        commands: survey.commands,
        logs: survey.log_dir,
        versions,
        program,
    }
}

/// This program. For a version that an update brought, the program that starts it.
fn program() -> Result<PathBuf, CliError> {
    let own = std::env::current_exe().map_err(|error| {
        CliError::new(Exit::Failed, format!("cannot determine where this program is: {error}"))
    })?;
    Ok(started_by(&own).filter(|path| is_there(path)).unwrap_or(own))
}

/// `…/casedrop` for `…/versions/1.2.3/casedrop`.
fn started_by(own: &Path) -> Option<PathBuf> {
    let versions = own.parent()?.parent()?;
    let is_version = versions.file_name()? == VERSIONS;
    Some(versions.with_file_name(own.file_name()?)).filter(|_| is_version)
}

fn is_there(path: &Path) -> bool {
    matches!(RealDisk.kind(path), Ok(Some(Kind::File)))
}

/// An account as Windows expects it; unchanged on other systems.
fn account(text: &str) -> Result<String, CliError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(CliError::new(Exit::Usage, "the account's name is empty")
            .hint("omit --account for the default"));
    }
    if cfg!(not(windows)) {
        return Ok(text.to_owned());
    }
    Ok(match text.to_lowercase().as_str() {
        "localservice" | "local service" => r"NT AUTHORITY\LocalService".to_owned(),
        "networkservice" | "network service" => r"NT AUTHORITY\NetworkService".to_owned(),
        "localsystem" | "local system" | "system" => "LocalSystem".to_owned(),
        _ if text.contains(['\\', '@']) => text.to_owned(),
        _ => format!(".\\{text}"),
    })
}

/// Whether Windows needs a password for an account: not for its built-in accounts, nor for those
/// that a domain manages.
fn has_password(account: &str) -> bool {
    let account = account.to_lowercase();
    let is_windows_own = account == "localsystem"
        || ["nt authority\\", "nt service\\"].iter().any(|domain| account.starts_with(domain));
    !is_windows_own && !account.ends_with('$')
}

fn password(file: &Path) -> Result<SecretString, CliError> {
    let bytes = Zeroizing::new(read_limited(&RealDisk, file, PASSWORD_BYTES)?);
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(text) if !text.is_empty() => Ok(SecretString::from(text)),
        _ => {
            let message = format!("{} contains no password", file.display());
            Err(CliError::new(Exit::Usage, message)
                .hint("write the password on its first line, and save it as UTF-8"))
        }
    }
}

fn status(standing: &Standing, streams: &mut Streams) -> Result<Exit, CliError> {
    if streams.json {
        streams.json(standing)?;
    } else {
        streams.line(in_words(standing).join("\n"))?;
    }
    Ok(if standing.state == State::Running { Exit::Ok } else { Exit::Failed })
}

fn in_words(standing: &Standing) -> Vec<String> {
    let mut lines = vec![format!("service {}: {}", standing.name, standing.state.as_str())];
    if let Some(doing) = &standing.doing {
        lines.push(format!("  {doing}"));
    }
    if let Some(code) = standing.exit_status {
        lines.push(format!("  last exit status: {code}"));
    }
    if let Some(starts) = standing.starts_with_pc {
        let word = if starts { "yes" } else { "no" };
        lines.push(format!("  starts with the PC: {word}"));
    }
    if let Some(account) = &standing.account {
        lines.push(format!("  account: {account}"));
    }
    if let Some(command) = &standing.command {
        lines.push(format!("  command: {command}"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_written_as_the_system_wants_them() {
        let written = |text: &str| account(text).expect("an account");
        if cfg!(windows) {
            assert_eq!(written("LocalService"), r"NT AUTHORITY\LocalService");
            assert_eq!(written("scans"), r".\scans");
            assert_eq!(written(r"LAB\casedrop$"), r"LAB\casedrop$");
            assert_eq!(written("scans@lab.example"), "scans@lab.example");
        } else {
            assert_eq!(written(" scans "), "scans");
        }
        assert_eq!(account("  ").expect_err("none").exit, Exit::Usage);
    }

    #[test]
    fn only_accounts_of_people_need_a_password() {
        for account in
            ["LocalSystem", r"NT AUTHORITY\LocalService", r"NT SERVICE\Casedrop", r"LAB\g$"]
        {
            assert!(!has_password(account), "{account}");
        }
        assert!(has_password(r"LAB\scans") && has_password(r".\scans"));
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("password");
        let read = |bytes: &[u8]| {
            std::fs::write(&file, bytes).expect("written");
            password(&file)
        };
        let is = |bytes: &[u8], wanted: &str| {
            use secrecy::ExposeSecret as _;
            assert_eq!(read(bytes).expect("a password").expose_secret(), wanted);
        };
        is(b"s p\xc3\xa4ce \r\nmore\r\n", "s päce ");
        is(b"\xef\xbb\xbfwith-mark", "with-mark");
        for bytes in [&b""[..], b"\r\n", b"\xff\xfe1\x002\x00"] {
            assert_eq!(read(bytes).expect_err("none").exit, Exit::Usage);
        }
        assert_eq!(read(&[b'x'; 5000]).expect_err("too long").exit, Exit::Failed);
    }

    #[test]
    fn a_version_is_started_by_the_program_that_it_came_to() {
        let at = |parts: &[&str]| parts.iter().collect::<PathBuf>();
        assert_eq!(
            started_by(&at(&["opt", "casedrop", "versions", "1.2.3", "casedrop"])),
            Some(at(&["opt", "casedrop", "casedrop"]))
        );
        assert_eq!(started_by(&at(&["opt", "casedrop", "casedrop"])), None);
        assert_eq!(started_by(&at(&["casedrop"])), None);
    }

    #[test]
    fn whatever_is_known_of_the_service_is_told() {
        let standing = Standing {
            name: "casedrop".to_owned(),
            state: State::Failed,
            starts_with_pc: Some(true),
            account: Some("casedrop".to_owned()),
            command: Some("/usr/bin/casedrop run".to_owned()),
            exit_status: Some(2),
            doing: None,
        };
        let text = in_words(&standing).join("\n");
        assert!(text.starts_with("service casedrop: failed\n  last exit status: 2\n"), "{text}");
        assert!(text.ends_with("account: casedrop\n  command: /usr/bin/casedrop run"), "{text}");
        let json = serde_json::to_value(&standing).expect("JSON");
        assert_eq!((&json["state"], &json["exit_status"]), (&"failed".into(), &2.into()));
    }
}
