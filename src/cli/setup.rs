//! `casedrop setup`: writes a config, for installers. An existing config is kept.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::filling::{Unfilled, write_new};
use crate::config::template::{self, Field, Platform};
use crate::config::{self, nearest};
use crate::disk::{Disk, DiskError, read_limited, write_durably};
use crate::model::fault::Fault;
use crate::service::manage::{NAME, Services};

use super::{CliError, Exit, Streams};

/// Larger files are not configs.
const MAX_CONFIG: u64 = 1 << 20;

/// Options that the Windows setup program itself consumes.
const OF_SETUP: [&str; 3] = ["/S", "/NCRC", "/D"];

/// The name under which an installer passes a whole config.
const CONFIG_FILE: &str = "CONFIGFILE";

#[derive(Debug, Clone, Default, Args)]
pub struct SetupArgs {
    /// Also write the outcome to this file, for installers that show nothing
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// The service's future account: on Windows it gets write access to the config's folder, but
    /// not to the config
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// Start the service afterwards if the config is complete
    #[arg(long)]
    pub start: bool,
    /// Values for the config, also as /NAME=VALUE: OUTPUT, COMMANDS, LABNAME, OAUTHBASE, BASEURL,
    /// CLIENTID, CLIENTSECRETFILE, REDIRECTURL, ACCOUNT, NOTIFICATIONSLISTEN, NOTIFICATIONSURL; or
    /// CONFIGFILE, a complete config to use as it is. Empty values count as missing
    #[arg(value_name = "NAME=VALUE")]
    pub values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    pub config: PathBuf,
    /// Whether this run wrote it.
    pub written: bool,
    /// What keeps the agent from running with it, for people; empty if nothing does.
    pub faults: String,
    /// Whether the agent's page can fill in what is missing.
    pub is_for_page: bool,
}

impl Laid {
    /// Whether the agent can run with the config.
    pub fn is_complete(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Writes the config if there is none, and prints what is still to do.
pub fn run(
    args: &SetupArgs,
    config: &Path,
    env: &[(String, String)],
    disk: &dyn Disk,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let laid = lay(args, config, env, disk);
    let told = match &laid {
        Ok(laid) => {
            let opened = args.account.as_ref().map_or(Ok(()), |name| open_to(name, laid, disk));
            let warning =
                opened.err().map(|error| format!("\n\nwarning: {}", Fault::from(error).brief()));
            outcome(laid) + &warning.unwrap_or_default()
        }
        Err(error) => error.to_string(),
    };
    if let Some(report) = &args.report {
        write_durably(disk, report, format!("{told}\n").as_bytes())?;
    }
    let laid = laid?;
    if streams.json {
        streams.json(&serde_json::json!({ "config": laid.config, "written": laid.written,
            "complete": laid.is_complete(), "faults": laid.faults,
            "for_page": laid.is_for_page }))?;
    } else {
        streams.line(told)?;
    }
    if args.start && (laid.is_complete() || laid.is_for_page) {
        Services::here(NAME)?.start(&mut |text| streams.note(text))?;
    }
    Ok(Exit::Ok)
}

fn lay(
    args: &SetupArgs,
    config: &Path,
    env: &[(String, String)],
    disk: &dyn Disk,
) -> Result<Laid, CliError> {
    let given = Given::read(&args.values)?;
    refuse_of_others(config, args.account.as_deref(), disk)?;
    let written = disk.kind(config)?.is_none();
    if written {
        let bytes = match &given.whole {
            Some(file) => whole(disk, file)?,
            None => template::fill(Platform::here(), &given.values)
                .map_err(|error| CliError::new(Exit::Usage, error.to_string()))?
                .into_bytes(),
        };
        write_new(disk, config, &bytes)?;
    }
    let faults = match config::load(disk, config, env) {
        Ok(_) => String::new(),
        Err(faults) => faults.to_string(),
    };
    let unfilled = Unfilled::find(disk, config, env, false).ok().flatten();
    let is_for_page = unfilled.is_some_and(|unfilled| unfilled.survey().status_page.is_some());
    Ok(Laid { config: config.to_path_buf(), written, faults, is_for_page })
}

fn outcome(laid: &Laid) -> String {
    let config = laid.config.display();
    let did = if laid.written {
        format!("wrote the config {config}")
    } else {
        format!("kept the config {config}")
    };
    if laid.is_complete() {
        format!("{did}\nnext: casedrop login LAB, then casedrop pair LAB")
    } else if laid.is_for_page {
        let faults = laid.faults.trim_end();
        format!(
            "{did}\n\n{faults}\n\nnext: start Casedrop and open its status page in a browser on this \
             PC (http://127.0.0.1:8780/): it asks for these values, and for the code in {} in the \
             state folder; or fill them in here until `casedrop check` finds no errors",
            crate::web::gate::CODE_FILE
        )
    } else {
        let faults = laid.faults.trim_end();
        let then = if cfg!(windows) {
            "; then `casedrop service install` and `casedrop service start`, as an administrator"
        } else {
            ""
        };
        format!(
            "{did}\n\n{faults}\n\nnext: fill it in until `casedrop check` finds no errors{then}"
        )
    }
}

/// Grants the service's account write access to the config's folder, and read access to config and
/// policy; to a config that the agent's page must fill in also write access.
fn open_to(account: &str, laid: &Laid, disk: &dyn Disk) -> Result<(), DiskError> {
    if cfg!(not(windows)) {
        return Ok(());
    }
    let config = laid.config.as_path();
    if let Some(dir) = config.parent() {
        disk.make_private(dir)?;
        disk.grant(dir, account)?;
    }
    let policy = config.with_file_name(config::POLICY_NAME);
    let config = (!laid.is_for_page).then_some(config);
    for path in config.into_iter().chain([policy.as_path()]) {
        if disk.kind(path)?.is_some() {
            disk.protect(path, account)?;
        }
    }
    Ok(())
}

/// Refuses files that belong to others. Installers run with all rights, and on Windows any user can
/// create a folder where the config will be; a non-administrator must not get to say what to run. A
/// config that the service's account filled in, on its page, is none of those.
fn refuse_of_others(config: &Path, account: Option<&str>, disk: &dyn Disk) -> Result<(), CliError> {
    let policy = config.with_file_name(config::POLICY_NAME);
    for path in config.parent().into_iter().chain([config, &policy]) {
        if path.as_os_str().is_empty() || disk.kind(path)?.is_none() {
            continue;
        }
        if let Some(owner) = disk.foreign_owner(path)? {
            let is_filled_in = path == config
                && match account {
                    Some(account) => disk.belongs_to(path, account)?,
                    None => false,
                };
            if is_filled_in {
                continue;
            }
            let shown = path.display();
            let text = format!("{shown} belongs to {owner}, who can change what the agent does");
            return Err(CliError::new(Exit::Failed, text).hint(if cfg!(windows) {
                "look at what is in it; remove it, or give it to administrators with `takeown /a \
                 /r /f` and its path; then install again"
            } else {
                "look at what is in it; remove it, or give it to root with chown; then run this \
                 again"
            }));
        }
    }
    Ok(())
}

/// A complete config that the user supplied.
fn whole(disk: &dyn Disk, file: &Path) -> Result<Vec<u8>, CliError> {
    let hint = "the installer runs as the system account: copy the file to this PC, or allow \
                computer accounts to read it where it is";
    read_limited(disk, file, MAX_CONFIG).map_err(|error| CliError::from(error).hint(hint))
}

/// The values on the command line.
#[derive(Debug, Default)]
struct Given {
    values: Vec<(Field, String)>,
    whole: Option<PathBuf>,
}

impl Given {
    fn read(arguments: &[String]) -> Result<Self, CliError> {
        let mut given = Self::default();
        for argument in arguments {
            let word = argument.split('=').next().unwrap_or_default();
            if OF_SETUP.iter().any(|own| word.eq_ignore_ascii_case(own)) {
                continue;
            }
            let argument = argument.strip_prefix('/').unwrap_or(argument);
            let Some((name, value)) = argument.split_once('=') else {
                let text = format!("`{argument}` is not NAME=VALUE");
                return Err(CliError::new(Exit::Usage, text).hint("see `casedrop setup --help`"));
            };
            // Installers add a space after each value: a `\` at its end would escape the quote.
            let value = value.trim();
            let field = Field::named(name);
            if field.is_none() && name != CONFIG_FILE {
                let error = CliError::new(Exit::Usage, format!("unknown value {name}"));
                return Err(match nearest(name, Field::names().chain([CONFIG_FILE])) {
                    Some(near) => error.hint(format!("did you mean {near}?")),
                    None => error.hint("see `casedrop setup --help`"),
                });
            }
            match field {
                _ if value.is_empty() => {}
                Some(field) => given.values.push((field, value.to_owned())),
                None => given.whole = Some(PathBuf::from(value)),
            }
        }
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    const COMPLETE: [&str; 7] = [
        "OUTPUT=orders ",
        "COMMANDS=commands ",
        "ACCOUNT= ",
        "OAUTHBASE=https://oauth.iterocloud.com ",
        "BASEURL=https://api.iterocloud.com ",
        "CLIENTID=abc ",
        "REDIRECTURL=https://lab.test/cb ",
    ];

    fn args(values: &[&str]) -> SetupArgs {
        SetupArgs {
            values: values.iter().map(|&value| value.to_owned()).collect(),
            ..SetupArgs::default()
        }
    }

    fn laid(values: &[&str], config: &Path) -> Result<Laid, CliError> {
        lay(&args(values), config, &[], &RealDisk)
    }

    #[test]
    fn a_config_is_written_once_and_kept_from_then_on() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let config = dir.path().join("new/casedrop.yaml");
        let first = laid(&COMPLETE, &config).expect("laid");
        assert!(first.written && first.is_complete(), "{first:?}");
        let text = std::fs::read_to_string(&config).expect("there");
        assert!(text.contains("output: 'orders'\n"), "{text}");
        let second = laid(&["OUTPUT=elsewhere"], &config).expect("laid");
        assert_eq!(second, Laid { written: false, ..first });
        assert_eq!(std::fs::read_to_string(&config).expect("there"), text);
    }

    #[test]
    fn without_values_it_is_the_example_and_what_is_missing_is_told() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let config = dir.path().join("casedrop.yaml");
        let laid = laid(&[], &config).expect("laid");
        assert!(laid.written && !laid.is_complete());
        assert!(outcome(&laid).contains("labs[0].base_url"), "{laid:?}");
    }

    /// Only an administrator can give files to another user.
    #[cfg(unix)]
    #[test]
    fn what_somebody_else_prepared_is_refused() {
        use std::os::unix::fs::chown;
        if uzers::get_effective_uid() != 0 {
            return;
        }
        let dir = tempfile::tempdir().expect("temporary folder");
        let (config, policy) = (dir.path().join("casedrop.yaml"), dir.path().join("policy.yaml"));
        std::fs::write(&config, "output: x\n").expect("written");
        std::fs::write(&policy, "").expect("written");
        for path in [dir.path(), &config, &policy] {
            chown(path, Some(65_533), None).expect("given away");
            let error = laid(&COMPLETE, &config).expect_err("somebody else's");
            let text = error.to_string();
            assert!(text.contains(&format!("{} belongs to ", path.display())), "{text}");
            chown(path, Some(0), None).expect("taken back");
        }
        assert!(!laid(&COMPLETE, &config).expect("laid").written);
    }

    #[test]
    fn a_whole_config_is_taken_as_it_is() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let (own, config) = (dir.path().join("own.yaml"), dir.path().join("casedrop.yaml"));
        std::fs::write(&own, "output: x\n# mine\n").expect("written");
        laid(&[&format!("CONFIGFILE={} ", own.display())], &config).expect("laid");
        assert_eq!(std::fs::read(&config).expect("there"), b"output: x\n# mine\n");
    }

    #[test]
    fn a_whole_config_that_cannot_be_read_is_told_and_nothing_is_written() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let config = dir.path().join("casedrop.yaml");
        let missing = format!("CONFIGFILE={}", dir.path().join("missing.yaml").display());
        let error = laid(&[&missing], &config).expect_err("missing");
        assert!(error.to_string().contains("missing.yaml"), "{error}");
        assert!(!config.exists());
    }

    #[test]
    fn the_setup_programs_own_options_are_left_to_it() {
        let line = ["/S", "/D=C:\\elsewhere", "/OUTPUT=C:\\Lab Orders"].map(str::to_owned);
        let given = Given::read(&line).expect("read");
        assert_eq!(given.values, [(Field::Output, "C:\\Lab Orders".to_owned())]);
        assert!(Given::read(&["/OUTPUTS=x".to_owned()]).is_err());
    }

    #[test]
    fn a_name_that_does_not_exist_is_refused_with_the_nearest() {
        let error = Given::read(&["BASEURI=x".to_owned()]).expect_err("unknown");
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.to_string().contains("BASEURL"), "{error}");
        assert_eq!(Given::read(&["OUTPUT".to_owned()]).expect_err("no value").exit, Exit::Usage);
    }
}
