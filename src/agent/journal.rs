//! Opens the journal as it was left. Sets a damaged one aside, never deletes it, and starts a new
//! one with whatever can still be read from it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use crate::disk::{Disk, Kind, Moved, read_limited, write_durably};
use crate::journal::{Asked, Depth, FILE_NAME, Rebuilt, Store, StoreTrouble, is_decision, salvage};
use crate::model::fault::{Fault, FaultClass};
use crate::model::time::Now;

use super::clock;
use super::context::AgentContext;
use super::recovery::published_of;
use super::session::{Attempt, OpenError};
use super::state_folder::JOURNAL_COPY;

/// Prefix of the folders below the state folder that keep damaged journals.
const KEPT: &str = "journal.damaged-";
/// Explains such a folder to whoever finds it. Written last: until then, the folder's content is
/// still to be taken over.
const ABOUT: &str = "about.txt";
/// The output's id, kept next to the journal, so that after losing the journal an unmounted share
/// does not look like a new output.
const ROOT_NOTE: &str = "output-id";

/// A usable journal.
pub(super) struct Opened {
    pub(super) store: Store,
    /// Why it does not contain everything it should, if so.
    pub(super) why: Option<String>,
    /// Whether its newest part may be missing.
    pub(super) is_suspect: bool,
    /// Where its predecessor is kept.
    pub(super) kept: Option<PathBuf>,
}

/// Opens the journal, or creates a new one if there is none or it is damaged.
pub(super) fn open(context: &AgentContext, attempt: Attempt) -> Result<Opened, OpenError> {
    let disk = &*context.disk;
    let state = &context.config.state;
    let file = state.join(FILE_NAME);
    let log = tasks(&file, "-wal");
    let has_log = disk.kind(&log).map_err(Fault::from)?.is_some();
    let why = match disk.kind(&file).map_err(Fault::from)? {
        None if has_log => Some("its main file is gone".to_owned()),
        None => None,
        Some(Kind::File) => {
            // SQLite creates an empty one as soon as it looks, whether or not that succeeds.
            context.log_was_gone.fetch_or(!has_log, Ordering::SeqCst);
            let depth = if attempt.suspicions == 0 { Depth::Quick } else { Depth::Thorough };
            match Store::open_checked(&file, context.busy, depth) {
                Ok(_) if attempt.suspicions == 2 && attempt.may_rebuild => {
                    Some("it keeps failing, although it looks intact".to_owned())
                }
                Ok(store) => {
                    // It exists from an agent's start until its clean shutdown.
                    let was_gone = context.log_was_gone.swap(false, Ordering::SeqCst);
                    // Another program that closes the journal after the agent died removes it too,
                    // without losing anything.
                    let is_suspect = was_gone && store.is_in_use()?;
                    return Ok(Opened { store, why: None, is_suspect, kept: None });
                }
                Err(error) if error.kind() == StoreTrouble::Damaged && attempt.may_rebuild => {
                    Some(error.chain())
                }
                // The way back from a failed update must not end here.
                Err(error) if error.kind() == StoreTrouble::Newer && context.came_back => {
                    Some("it was written by a newer version that was rolled back".to_owned())
                }
                Err(error) => return Err(error.into()),
            }
        }
        Some(_) => Some("something other than a file is in its place".to_owned()),
    };
    if let Some(why) = &why {
        tracing::error!(
            "the journal {} cannot be used ({why}): it is moved aside and rebuilt",
            file.display()
        );
        set_aside(disk, state, &file).map_err(OpenError::Aside)?;
        context.log_was_gone.store(false, Ordering::SeqCst);
    }
    let store = Store::open_with(&file, context.busy)?;
    take_over(context, store, why)
}

/// Moves the journal's files into a folder of their own. The main file goes first: without it, the
/// others are never mistaken for a complete journal.
fn set_aside(disk: &dyn Disk, state: &Path, file: &Path) -> Result<(), Fault> {
    let stem = format!("{KEPT}{}", stamp());
    let names = (1..=1000_u32).map(|number| match number {
        1 => stem.clone(),
        _ => format!("{stem}-{number}"),
    });
    let mut free = None;
    for name in names {
        let dir = state.join(name);
        if disk.kind(&dir)?.is_none() {
            free = Some(dir);
            break;
        }
    }
    let dir = free.ok_or_else(|| in_the_way(&state.join(&stem)))?;
    disk.create_private_dirs(&dir)?;
    for from in [file.to_owned(), tasks(file, "-wal"), tasks(file, "-shm")] {
        if disk.kind(&from)?.is_none() {
            continue;
        }
        let to = dir.join(from.file_name().unwrap_or_default());
        let moved = disk.rename(&from, &to).map_err(|error| {
            let busy = error.is_busy();
            let fault = Fault::from(error);
            if busy { fault.hint("close the program that has the journal open") } else { fault }
        })?;
        if moved == Moved::TargetExists {
            return Err(in_the_way(&to));
        }
    }
    disk.sync_dir(&dir)?;
    disk.sync_dir(state)?;
    Ok(())
}

/// Copies into a new journal what can be read from journals that were set aside but not yet taken
/// over: the process may have ended in between.
fn take_over(
    context: &AgentContext,
    store: Store,
    why: Option<String>,
) -> Result<Opened, OpenError> {
    let disk = &*context.disk;
    let mut opened = Opened { store, why, is_suspect: false, kept: None };
    for entry in disk.list(&context.config.state).map_err(Fault::from)? {
        let is_kept = entry.name.as_deref().is_some_and(|name| name.starts_with(KEPT));
        let about = entry.path.join(ABOUT);
        if !is_kept || entry.kind != Kind::Dir || disk.kind(&about).map_err(Fault::from)?.is_some()
        {
            continue;
        }
        let why = opened.why.get_or_insert_with(|| "it was damaged".to_owned()).clone();
        let now = clock::now().wall;
        read_into(&opened.store, &entry.path.join(FILE_NAME), clock::now())?;
        if context.came_back {
            read_missing(&opened.store, &context.config.state.join(JOURNAL_COPY), clock::now())?;
        }
        opened.store.set_rebuilt(&Rebuilt {
            at: now,
            why: why.clone(),
            kept: Some(entry.path.clone()),
            orders: 0,
            wanted: 0,
        })?;
        let text = format!(
            "This was Casedrop's journal until {}. It was moved aside because it could not be \
             used: {why}. A new one was built from the orders in the output and from what could be \
             read here. Once everything works, you may delete this folder.\n",
            now.local_with_offset()
        );
        write_durably(disk, &about, text.as_bytes()).map_err(Fault::from)?;
        opened.kept = Some(entry.path);
    }
    Ok(opened)
}

fn read_into(store: &Store, file: &Path, now: Now) -> Result<(), OpenError> {
    let left = salvage(file);
    store.atomically(|store| {
        // The waits that Align asked for are kept, counted from now.
        store.forget_polls(now.into())?;
        for (account, asked) in left.polls.iter().filter(|(_, asked)| !asked.wait.is_zero()) {
            store.set_asked(account, Asked { at: now.into(), ..*asked })?;
        }
        for (key, revision) in &left.revisions {
            store.save_revision(key, revision)?;
        }
        for mut order in left.orders {
            order.published = store.revisions(&order.key)?.last().map(published_of);
            store.save(&order)?;
            store.tell(&order.key, now.wall, "rebuilt", "found again in the damaged journal")?;
        }
        for key in &left.requests {
            store.ask(key, now.wall)?;
        }
        for (fact, value) in left.facts.iter().filter(|(fact, _)| is_decision(fact)) {
            store.set_fact(fact, value)?;
        }
        for notified in &left.notified {
            store.restore_notified(notified)?;
        }
        Ok(())
    })?;
    Ok(())
}

/// Takes what the newer version's journal lacks from the copy made before the update: orders not
/// known otherwise, and users' decisions.
fn read_missing(store: &Store, file: &Path, now: Now) -> Result<(), OpenError> {
    let left = salvage(file);
    store.atomically(|store| {
        let mut missing = Vec::new();
        for order in left.orders {
            if store.order(&order.key)?.is_none() {
                missing.push(order);
            }
        }
        for (key, revision) in &left.revisions {
            if missing.iter().any(|order| order.key == *key) {
                store.save_revision(key, revision)?;
            }
        }
        for mut order in missing {
            order.published = store.revisions(&order.key)?.last().map(published_of);
            store.save(&order)?;
            let text = "found again in the journal from before the update";
            store.tell(&order.key, now.wall, "rebuilt", text)?;
        }
        for (fact, value) in left.facts.iter().filter(|(fact, _)| is_decision(fact)) {
            if store.fact(fact)?.is_none() {
                store.set_fact(fact, value)?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// Reads the output's id, in case the journal does not know it.
pub(super) fn noted_root(context: &AgentContext) -> Result<Option<String>, OpenError> {
    match read_limited(&*context.disk, &context.config.state.join(ROOT_NOTE), 256) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes).trim().to_owned();
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::from(error).into()),
    }
}

/// Stores the output's id next to the journal. It is only needed if the journal is lost.
pub(super) fn note_root(context: &AgentContext, id: &str) {
    let path = context.config.state.join(ROOT_NOTE);
    let noted = match noted_root(context) {
        Ok(Some(noted)) if noted == id => Ok(()),
        _ => write_durably(&*context.disk, &path, format!("{id}\n").as_bytes()),
    };
    if let Err(error) = noted {
        tracing::warn!("{}", Fault::from(error).chain());
    }
}

fn tasks(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    file.with_file_name(name)
}

fn stamp() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn in_the_way(path: &Path) -> Fault {
    let text =
        format!("the damaged journal cannot be moved aside: {} is in the way", path.display());
    Fault::new(FaultClass::Local, "journal-aside", text)
        .hint("delete the folders of old damaged journals from the state folder")
}
