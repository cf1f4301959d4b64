//! Choosing another output folder while the current one is still unused.

use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};

use serde_json::json;

use super::refusal::cannot_use;
use super::refusal::{refused, usage};
use super::{Live, RequestHandler, Task};
use crate::agent::output_change::OutputChange;
use crate::agent::output_change::ROOT_FACT;
use crate::agent::restart::Restart;
use crate::agent::welcome::{SoFar, WelcomeStep};
use crate::audit::{AuditEvent, Entry};
use crate::config::{self, Config, ConfigFaults, From, Loaded, may_be_made, with_value};
use crate::disk::{Disk, Kind, read_limited, remote_of, replace_durably};
use crate::hotfolder::layout::Layout;
use crate::hotfolder::root::{ANOTHER_AGENT, output_is_locked, prepare_root};
use crate::journal::Store;
use crate::model::fault::{Fault, FaultClass};
use crate::model::request::{Outcome, Reply};
use crate::model::size::size;

/// The config key.
const KEY: &str = "output";
/// In bytes. A larger file is not a config.
const MAX_CONFIG: u64 = 1 << 20;
/// A volume is suggested only if it has this many bytes free.
const ROOMY: u64 = 50_000_000_000;
/// Maximum number of suggestions.
const SUGGESTED: usize = 5;

/// The config file with another output, and the resulting layout.
struct Rewritten {
    text: String,
    layout: Layout,
    min_free: u64,
}

impl RequestHandler {
    /// Checks whether another output may be chosen here and now.
    ///
    /// # Errors
    /// Why not, with what to do instead: orders have already arrived, a policy or the environment
    /// sets the output, the agent may not change its config, or the process cannot restart.
    pub fn may_choose_output(&self) -> Result<(), Fault> {
        let restart = self.restart()?;
        let file = restart.file();
        let by_hand =
            |how: &str| format!("edit `{KEY}` in {} and restart the agent{how}", file.display());
        let entry = self.config.effective.get(KEY);
        let place = |source: &Option<String>| source.clone().unwrap_or_default();
        match entry.map(|entry| (entry.from, entry)) {
            Some((From::Policy, entry)) => {
                let text = format!("the output folder is locked by the policy {}", entry.place());
                return Err(usage(text).hint(format!(
                    "an administrator can change `{KEY}` in {}; restart the agent afterwards",
                    place(&entry.source)
                )));
            }
            Some((From::Environment, entry)) => {
                let name = place(&entry.source);
                let text = format!("the output folder is set by the environment variable {name}");
                let hint =
                    format!("change {name} where the agent is started, and restart the agent");
                return Err(usage(text).hint(hint));
            }
            _ => {}
        }
        if self.journal.with(Store::has_orders).map_err(cannot_use)? {
            return Err(orders_are_there(&by_hand("")));
        }
        let may_write = match self.disk.kind(file) {
            Ok(Some(Kind::File)) => self
                .disk
                .append(file)
                .map(drop)
                .and_then(|()| file.parent().map_or(Ok(()), |dir| self.disk.may_create_in(dir)))
                .map_err(|error| Fault::from(error).brief()),
            Ok(_) => Err(format!("{} is not a regular file", file.display())),
            Err(error) => Err(Fault::from(error).brief()),
        };
        may_write.map_err(|why| {
            let text = format!("the agent may not change its config: {why}");
            usage(text).hint(by_hand(", with an account that may change that file"))
        })
    }

    /// Suggests output folders, the current one first.
    pub fn output_suggestions(&self) -> Vec<PathBuf> {
        let is_service = self.restart.get().is_some_and(|restart| restart.is_service());
        suggestions(&*self.disk, &self.config.output, is_service)
    }

    /// Chooses another output folder: proves that it works, writes it to the config, and makes the
    /// agent restart with it.
    pub(super) fn choose_output(&self, task: &Task<'_>, path: &str) -> Result<Reply, Fault> {
        let ready = self.ready_for(path);
        let (_turn, restart, live, rewritten) = match ready {
            Ok(Ready::Same(reply)) => {
                self.pass_welcome(&WelcomeStep::ChooseFolder)?;
                return Ok(*reply);
            }
            Ok(Ready::For(turn, restart, live, rewritten)) => (turn, restart, live, rewritten),
            Err(fault) => return refused(fault),
        };
        let id = match self.prove(&rewritten) {
            Ok(id) => id,
            Err(fault) => return refused(fault),
        };
        if let Err(fault) = self.leave_no_test_order(task) {
            tracing::warn!("the test order stays in the previous output: {}", fault.chain());
        }
        let entry = |mark| {
            let entry =
                Entry::new((self.now)().wall, task.who.clone(), AuditEvent::OutputChosen, mark);
            entry
                .detail("from", self.layout.output.display().to_string())
                .detail("to", rewritten.layout.output.display().to_string())
        };
        let call = || {
            // From here on nothing is published, so nothing can happen between the check and the
            // change.
            let was_open = live.root.is_open();
            live.root.close();
            let changed = self.change(restart, &rewritten, &id);
            if changed.is_err() && was_open {
                live.root.open();
            }
            changed?;
            let output = rewritten.layout.output.display();
            let text = format!(
                "Orders are written to {output} from now on. Casedrop is restarting, which takes a \
                 few seconds."
            );
            let details = json!({ "output": rewritten.layout.output, "restarts": true });
            Ok(Reply::new(Outcome::Done, text).details(details))
        };
        let reply = self.beyond(task, "choose another output", entry, call, |_, _| Ok(()))?;
        if reply.outcome == Outcome::Done {
            restart.begin();
        }
        Ok(reply)
    }

    /// Checks everything before anything is changed.
    fn ready_for(&self, path: &str) -> Result<Ready<'_>, Fault> {
        let turn = self.turn_to_try_out()?;
        let live = self.running()?;
        self.may_choose_output()?;
        let restart = self.restart()?;
        let path = path.trim();
        if !Path::new(path).is_absolute() {
            let text = format!("{path:?} is not a full path");
            let example =
                if cfg!(windows) { r"C:\Casedrop\Orders" } else { "/srv/casedrop/orders" };
            let hint = format!("enter it from the drive or / on, such as {example}");
            return Err(usage(text).hint(hint));
        }
        if restart.is_service()
            && let Some(mapped) = remote_of(Path::new(path))
        {
            let (reason, hint) = mapped.refusal();
            return Err(usage(reason).hint(hint));
        }
        let rewritten = self.rewritten(restart, path)?;
        if rewritten.layout.output == self.layout.output {
            let output = self.layout.output.display();
            let text = format!("Orders are already written to {output}.");
            let details = json!({ "output": self.layout.output, "restarts": false });
            let reply = Reply::new(Outcome::Done, text).details(details);
            return Ok(Ready::Same(Box::new(reply)));
        }
        Ok(Ready::For(turn, restart, live, rewritten))
    }

    fn restart(&self) -> Result<&Restart, Fault> {
        self.running()?;
        self.restart.get().map(Arc::as_ref).ok_or_else(|| {
            usage("this agent cannot restart itself with another output")
                .hint(format!("stop it, edit `{KEY}` in its config, and start it again"))
        })
    }

    /// Returns the config file with another output. Fails if that would change any other key.
    fn rewritten(&self, restart: &Restart, path: &str) -> Result<Rewritten, Fault> {
        let (disk, file) = (&*self.disk, restart.file());
        let by_hand = || format!("edit `{KEY}` in {} and restart the agent", file.display());
        let bytes = read_limited(disk, file, MAX_CONFIG)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| usage(format!("{} is not in UTF-8", file.display())).hint(by_hand()))?;
        let env = config::process_env();
        let before = config::load_text(disk, file, &text, &env).map_err(|faults| wrong(&faults))?;
        if before.config.keys != self.config.keys {
            let text = format!("{} has changed since the agent started", file.display());
            return Err(usage(text).hint("restart the agent, so that it reads the change"));
        }
        let line = before.config.effective.get(KEY).and_then(|entry| entry.line);
        let line = line.filter(|_| before.config.effective.get(KEY).is_some_and(is_from_file));
        let changed = line.and_then(|line| with_value(&text, line, KEY, path));
        let Some(changed) = changed else {
            let text = format!("`{KEY}` is written in a way that cannot be changed automatically");
            return Err(usage(text).hint(by_hand()));
        };
        let after =
            config::load_text(disk, file, &changed, &env).map_err(|faults| wrong(&faults))?;
        if !differs_in_output_only(&before, &after) {
            let text = format!("`{KEY}` cannot be changed without changing more");
            return Err(usage(text).hint(by_hand()));
        }
        let Config { output, staging, retention, .. } = after.config;
        Ok(Rewritten {
            text: changed,
            layout: Layout { output, staging },
            min_free: retention.min_free,
        })
    }

    /// Creates the new output and its staging, and proves that orders can be written there. Returns
    /// its id.
    fn prove(&self, rewritten: &Rewritten) -> Result<String, Fault> {
        let (disk, layout) = (&*self.disk, &rewritten.layout);
        let not_usable = |fault: Fault| {
            let text = format!(
                "{} cannot be used as the output: {}",
                layout.output.display(),
                fault.brief()
            );
            let hint = fault.hint.unwrap_or_else(|| "choose another folder".to_owned());
            usage(text).hint(hint)
        };
        let id = prepare_root(disk, layout, None).map_err(not_usable)?;
        disk.may_create_in(&layout.output).map_err(|error| not_usable(error.into()))?;
        // If staging stays the same, its lock is our own.
        if layout.staging != self.layout.staging
            && output_is_locked(disk, layout).map_err(not_usable)?
        {
            let text = format!("another agent writes to {}", layout.output.display());
            return Err(not_usable(Fault::new(FaultClass::Local, ANOTHER_AGENT, text)));
        }
        let free = disk.free_space(&layout.staging)?;
        if free < rewritten.min_free {
            let text = format!(
                "{} has {} free, but {} must stay free: nothing would be fetched",
                layout.output.display(),
                size(free),
                size(rewritten.min_free)
            );
            return Err(usage(text)
                .hint("choose a folder on another volume, or free some space on that one"));
        }
        Ok(id)
    }

    /// Writes the choice to the journal first, then to the config.
    fn change(&self, restart: &Restart, rewritten: &Rewritten, id: &str) -> Result<(), Fault> {
        let noted = self.journal.with(|store| {
            store.atomically(|store| {
                if store.has_orders()? || !store.intents()?.is_empty() {
                    return Ok(false);
                }
                let chosen = OutputChange {
                    to: rewritten.layout.output.clone(),
                    id: id.to_owned(),
                    from: self.layout.output.clone(),
                    from_staging: self.layout.staging.clone(),
                    from_id: store.fact(ROOT_FACT)?,
                };
                SoFar::pass(store, &WelcomeStep::ChooseFolder)?;
                chosen.note(store).map(|()| true)
            })
        });
        let file = restart.file();
        if !noted.map_err(cannot_use)? {
            let how = format!("edit `{KEY}` in {} and restart the agent", file.display());
            return Err(orders_are_there(&how));
        }
        let written = replace_durably(&*self.disk, file, rewritten.text.as_bytes());
        if let Err(error) = written {
            // What the config does not name does not count, even if this fails too.
            if let Err(error) = self.journal.with(OutputChange::forget) {
                tracing::warn!("{}", error.chain());
            }
            return Err(error.into());
        }
        Ok(())
    }
}

/// The result of checking whether an output can be chosen.
enum Ready<'a> {
    /// It is the output already.
    Same(Box<Reply>),
    /// It can be tried.
    For(MutexGuard<'a, ()>, &'a Restart, &'a Live, Rewritten),
}

fn orders_are_there(by_hand: &str) -> Fault {
    usage("orders have already arrived, and they belong to the current output").hint(format!(
        "stop the agent, move the output folder with everything in it (also the hidden \
         .casedrop-root) and the staging folder next to it, {by_hand}"
    ))
}

fn is_from_file(entry: &config::InForce) -> bool {
    entry.from == From::File
}

fn differs_in_output_only(before: &Loaded, after: &Loaded) -> bool {
    let others = |loaded: &Loaded| {
        let mut keys = loaded.config.keys.0.clone();
        keys.remove(KEY);
        keys
    };
    others(before) == others(after) && before.config.state == after.config.state
}

/// Suggests output folders that this process can use, the current one first.
pub(crate) fn suggestions(disk: &dyn Disk, current: &Path, is_service: bool) -> Vec<PathBuf> {
    let env = config::process_env();
    let var = |name: &str| {
        let found = env.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| PathBuf::from(value)).filter(|path| path.is_absolute())
    };
    let mut all = vec![current.to_path_buf()];
    if cfg!(windows) {
        all.push(PathBuf::from(r"C:\Casedrop\Orders"));
        let roots = ('D'..='Z').map(|letter| PathBuf::from(format!(r"{letter}:\")));
        let roomy = roots.filter(|root| {
            // A share may hang.
            remote_of(root).is_none()
                && matches!(disk.kind(root), Ok(Some(Kind::Dir)))
                && disk.free_space(root).is_ok_and(|free| free >= ROOMY)
        });
        all.extend(roomy.map(|root| root.join("Casedrop").join("Orders")));
        all.extend(var("PUBLIC").map(|public| public.join("Documents").join("Casedrop Orders")));
    } else {
        all.push(PathBuf::from("/srv/casedrop/orders"));
        all.extend(var("HOME").filter(|_| !is_service).map(|home| home.join("Casedrop Orders")));
    }
    let mut suggested: Vec<PathBuf> = Vec::new();
    for path in all {
        let is_own = path == current;
        if !suggested.contains(&path) && (is_own || may_be_made(disk, &path)) {
            suggested.push(path);
        }
    }
    suggested.truncate(SUGGESTED);
    suggested
}

/// Combines the faults of a config into one.
fn wrong(faults: &ConfigFaults) -> Fault {
    let reasons: Vec<_> = faults.faults.iter().map(|fault| fault.reason.as_str()).collect();
    let hints: Vec<_> = faults.faults.iter().filter_map(|fault| fault.hint.as_deref()).collect();
    usage(reasons.join("; ")).hint(hints.join("; "))
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
