//! `support-bundle`: what remote support needs to see, in one zip, without secrets and names.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::ask::RequestClient;
use super::check::{Findings, report};
use super::{CliError, Exit, Streams, hooks, loading, surroundings};
use crate::agent::wall_now;
use crate::audit::Audit;
use crate::config::{self, ConfigFaults, Loaded, Survey};
use crate::disk::{Disk, RealDisk, read_limited};
use crate::inputs::commands::FOLDERS;
use crate::journal::{FILE_NAME, Store};
use crate::logs;
use crate::model::time::WallMs;
use crate::status::Status;
use crate::support::{Bundle, Known, Redactor, USER, gather, secrets};

/// Upper limit of user names from the audit log to redact.
const USERS: usize = 200;
const CONFIG_MAX: u64 = 1 << 20;

#[derive(Debug, Args)]
pub struct SupportArgs {
    /// The zip file [default: casedrop-support-DATE-TIME.zip in the current folder].
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Include the logs of this many days.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// Contact no server.
    #[arg(long)]
    pub offline: bool,
}

/// The sources of the bundle. The config may be missing or wrong.
struct Here {
    disk: Arc<dyn Disk>,
    loaded: Result<Loaded, ConfigFaults>,
    /// The config file's text, searched for secrets. It never goes anywhere.
    text: String,
    env: Vec<(String, String)>,
    state: PathBuf,
    status: Option<Status>,
}

/// Writes the bundle and prints what is in it.
pub fn run(
    args: &SupportArgs,
    named: Option<&Path>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let now = wall_now();
    let path = output(args, now)?;
    let here = Here::find(named)?;
    let (known, unread) = here.secrets();
    let mut bundle = Bundle::new(Redactor::new(known));
    for what in unread {
        bundle.miss("secrets to redact", &what);
    }
    here.gather(&mut bundle, args, named, now)?;
    // A login may have been renewed since: redact what the log holds of the new one.
    bundle.redact_again(Redactor::new(here.secrets().0));
    let readme = readme(&bundle, now);
    bundle.add("README.txt", "what is in this bundle", &readme);
    let bytes = bundle.write(&RealDisk, &path)?;
    tell(&bundle, &path, bytes, streams)?;
    Ok(Exit::Ok)
}

/// The bundle's path. Nothing may exist there yet.
fn output(args: &SupportArgs, now: WallMs) -> Result<PathBuf, CliError> {
    let path = args.output.clone().unwrap_or_else(|| {
        let at = now.to_rfc3339().replace(':', "").replace('T', "-");
        PathBuf::from(format!("casedrop-support-{}.zip", at.trim_end_matches('Z')))
    });
    if RealDisk.kind(&path)?.is_some() {
        let text = format!("{} already exists, and nothing is overwritten", path.display());
        return Err(CliError::new(Exit::Failed, text)
            .hint("remove it, or choose another file with --output"));
    }
    Ok(path)
}

impl Here {
    fn find(named: Option<&Path>) -> Result<Self, CliError> {
        let env = config::process_env();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let cwd = loading::cwd()?;
        let located = config::locate(&*disk, named, &env, &cwd);
        let text =
            located.as_ref().ok().and_then(|path| read_limited(&*disk, path, CONFIG_MAX).ok());
        let text = text.map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
        let loaded = located.and_then(|path| config::load(&*disk, &path, &env));
        let state = match &loaded {
            Ok(loaded) => Some(loaded.config.state.clone()),
            Err(faults) => faults.survey.state.clone(),
        };
        let state = state.unwrap_or_else(|| config::platform_state(&env));
        let client =
            loaded.as_ref().ok().map(|loaded| RequestClient::of(&loaded.config)).transpose()?;
        let status = client.map(|client| client.status());
        Ok(Self { disk, loaded, text, env, state, status })
    }

    fn survey(&self) -> &Survey {
        match &self.loaded {
            Ok(loaded) => &loaded.survey,
            Err(faults) => &faults.survey,
        }
    }

    /// The secrets and names to redact, and what could not be searched for them.
    fn secrets(&self) -> (Known, Vec<String>) {
        let (mut known, unread) = secrets::find(&secrets::Places {
            disk: &self.disk,
            config: self.loaded.as_ref().ok().map(|loaded| &loaded.config),
            text: &self.text,
            survey: self.survey(),
            state: &self.state,
            env: &self.env,
        });
        let records = self.audit().read(1).unwrap_or_default();
        let mut users: Vec<String> = records.into_iter().filter_map(|it| it.user).collect();
        let labs = self.status.iter().flat_map(|status| &status.labs);
        users.extend(labs.filter_map(|lab| lab.paused.as_ref()?.by.clone()));
        users.sort();
        users.dedup();
        users.truncate(USERS);
        for user in users {
            known.word(&user, USER);
            // DOMAIN\user
            known.word(user.rsplit('\\').next().unwrap_or_default(), USER);
        }
        (known, unread)
    }

    fn audit(&self) -> Audit {
        Audit::new(Arc::clone(&self.disk), &self.state)
    }

    fn gather(
        &self,
        bundle: &mut Bundle,
        args: &SupportArgs,
        named: Option<&Path>,
        now: WallMs,
    ) -> Result<(), CliError> {
        let program = std::env::current_exe().unwrap_or_default();
        let versions = gather::versions(&*self.disk, hooks::version(), &program, now);
        bundle.add("versions.txt", "program and system", &versions);
        match &self.loaded {
            Ok(loaded) => {
                let keys = gather::config(&loaded.config.effective.0);
                let about = "every key of the config in force, and where its value comes from";
                bundle.add("config.txt", about, &keys);
            }
            Err(_) => bundle.miss("config.txt", "the config is wrong or missing, see check.txt"),
        }
        let mut findings = surroundings::findings(named, args.offline)?;
        without_snippets(&mut findings);
        bundle.add(
            "check.txt",
            "what `casedrop check` finds",
            &format!("{}\n", report(&findings).trim_end()),
        );
        if let Some(status) = &self.status {
            let about = "the current status";
            bundle.add("status.txt", about, &discreet(status).to_string());
            bundle.add(
                "status.json",
                about,
                &pretty(&serde_json::to_value(discreet(status)).unwrap_or_default()),
            );
        }
        self.journal(bundle);
        self.counts(bundle);
        match gather::listing(&*self.disk, &self.state) {
            Ok(text) => {
                let about = "names, sizes and times of the files in the state folder";
                bundle.add("state-folder.txt", about, &text);
            }
            Err(error) => bundle.miss("state-folder.txt", &format!("{error}: {}", error.source)),
        }
        self.logs(bundle, args, now);
        Ok(())
    }

    fn journal(&self, bundle: &mut Bundle) {
        let told = Store::open_to_read(&self.state.join(FILE_NAME))
            .and_then(|store| store.map(|store| gather::journal(&store)).transpose());
        match told {
            Ok(Some(told)) => {
                let about = "whether the journal is intact, counts, and the failing orders";
                bundle.add("journal.json", about, &pretty(&told));
            }
            Ok(None) => bundle.miss("journal.json", "there is no journal"),
            Err(error) => bundle.miss("journal.json", &error.chain()),
        }
    }

    /// Counts things that would identify people, without including them.
    fn counts(&self, bundle: &mut Bundle) {
        let audit = self.audit();
        let told = audit.read(1).and_then(|records| Ok((gather::audit(&records), audit.verify()?)));
        let audit = match told {
            Ok((mut told, verified)) => {
                told["whole"] = verified.is_whole().into();
                told
            }
            Err(fault) => json!({ "fault": fault.chain() }),
        };
        let count = |folder: &Path| self.disk.list(folder).ok().map(|entries| entries.len());
        let commands = self.survey().commands.as_ref().map(|commands| {
            let counts =
                FOLDERS.iter().map(|name| ((*name).to_owned(), json!(count(&commands.join(name)))));
            Value::Object(counts.collect())
        });
        let counts = json!({ "audit": audit, "files_in_command_folder": commands });
        bundle.add(
            "counts.json",
            "how often each action was done, without who did it",
            &pretty(&counts),
        );
    }

    fn logs(&self, bundle: &mut Bundle, args: &SupportArgs, now: WallMs) {
        let since = WallMs(now.0.saturating_sub(days(args.days)));
        let usual = logs::usual_folder(&self.state);
        let places =
            [("logs", self.survey().log_dir.clone()), ("logs-in-state", Some(usual.clone()))];
        let mut found = 0;
        for (name, folder) in places {
            let Some(folder) = folder
                .filter(|folder| name == "logs" || self.survey().log_dir.as_ref() != Some(folder))
            else {
                continue;
            };
            match gather::logs(&*self.disk, &folder, since, gather::LOGS_MAX) {
                Ok(files) => {
                    found += files.len();
                    for (file, text) in files {
                        bundle.add(&format!("{name}/{file}"), "the agent's log", &text);
                    }
                }
                Err(error) if folder == usual && error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => bundle.miss(name, &format!("{error}: {}", error.source)),
            }
        }
        if found == 0 {
            let days = args.days;
            let why = format!(
                "no log files from the last {days} days; without `log.dir` the agent logs to \
                 standard error (systemd: journalctl -u casedrop --since -{days}d)"
            );
            bundle.miss("logs", &why);
        }
    }
}

/// Removes excerpts of the config's text, which have no place in a bundle.
fn without_snippets(findings: &mut Findings) {
    for fault in findings.faults.iter_mut().chain(&mut findings.warnings) {
        fault.snippet = None;
    }
}

/// The status without names of people and of the lab's account.
fn discreet(status: &Status) -> Status {
    let mut status = status.clone();
    for lab in &mut status.labs {
        if lab.account_name.is_some() {
            lab.account_name = Some("(not shown)".to_owned());
        }
        if let Some(paused) = &mut lab.paused {
            paused.by = paused.by.as_ref().map(|_| USER.to_owned());
        }
    }
    status
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn days(count: u32) -> i64 {
    let span = Duration::from_hours(24).saturating_mul(count);
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn readme(bundle: &Bundle, now: WallMs) -> String {
    let mut text = format!(
        "Support bundle, created by casedrop {} at {}.\n\n{LOOK}\n\nContents:\n",
        hooks::version(),
        now.local_with_offset()
    );
    for member in bundle.members() {
        text.extend(["  ", &member.name, ": ", member.about, "\n"]);
    }
    if !bundle.missing().is_empty() {
        text.push_str("\nNot included:\n");
        for what in bundle.missing() {
            text.extend(["  ", what, "\n"]);
        }
    }
    text.push_str(LEFT_OUT);
    text
}

const LOOK: &str = "Look through it before you send it: it contains order numbers, names of labs, \
                    folders and servers.";
const LEFT_OUT: &str = "
Left out: scans and prescriptions, tokens, passwords and other secrets, names of patients and doctors,
the audit's records (only counts), the output of hooks, who gave which command. Whatever looks like a
secret, a mail address or a user's name is replaced: [redacted], [mail], [user].
";

fn tell(bundle: &Bundle, path: &Path, bytes: usize, streams: &mut Streams) -> Result<(), CliError> {
    if streams.json {
        streams.json(&json!({
            "file": path, "bytes": bytes, "members": bundle.members(), "missing": bundle.missing(),
        }))?;
    } else {
        streams.line(format!("{}: {bytes} bytes", path.display()))?;
        for member in bundle.members() {
            streams.line(format!("  {:<32} {:>9}  {}", member.name, member.bytes, member.about))?;
        }
    }
    for what in bundle.missing() {
        streams.note(format!("not included: {what}"));
    }
    streams.note(LOOK);
    Ok(())
}
