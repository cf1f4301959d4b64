//! Carries out the commands that were taken, answers them and files them away. Each step follows
//! from what is in `working`, so a crash at any point leads to the same result.

use std::io;
use std::path::{Path, PathBuf};

use super::error::CommandError;
use super::folder::{Folder, name_of};
use super::folders::{self, DONE, FAILED, FOR_PEOPLE, FOR_PROGRAMS, Taken, numbered};
use super::receipt::{FileContent, Receipt, SCHEMA, refusal};
use super::words::{Word, in_words, word_of};
use super::{Command, MAX_BYTES, read};
use crate::disk::{Disk, DiskError, Kind, Moved, read_limited, write_durably};
use crate::model::fault::{Fault, FaultClass};
use crate::model::request::{Outcome, Reply, Request, Via, Who};
use crate::model::staff::for_staff;
use crate::model::step::Step;
use crate::model::time::WallMs;

/// Maximum size of a receipt that is read back.
const LARGEST_RECEIPT: u64 = 64 << 20;

/// Replaces content that must not be left lying around.
const REMOVED: &str = "Casedrop removed the content of this file because it contained, or may have \
                       contained, a login code.\r\n\
                       The receipt next to it says what happened.\r\n";

/// Which requests to process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// Done immediately.
    Quick,
    /// Reads every file, or waits for Align.
    Slow,
}

impl Folder {
    /// Processes the quick requests among those taken. Returns whether slow ones wait.
    pub(super) fn work_off_quick(&self) -> bool {
        self.work_off(Lane::Quick)
    }

    /// Processes the slow requests, such as comparing all files or calling Align.
    pub fn work_off_slow(&self) {
        self.work_off(Lane::Slow);
    }

    fn work_off(&self, lane: Lane) -> bool {
        let stamps = match self.stamps() {
            Ok(stamps) => stamps,
            Err(error) => {
                self.trouble("", "the command folder cannot be used", &error);
                return false;
            }
        };
        let mut others_wait = false;
        for (stamp, file) in stamps {
            let Some(_hold) = self.hold(&stamp) else { continue };
            match self.work_off_one(&stamp, file.as_ref(), lane) {
                Ok(is_mine) => {
                    others_wait |= !is_mine;
                    self.over(&stamp);
                }
                Err(fault) => {
                    let text = format!("a command is waiting: {}", fault.message);
                    self.trouble_in_words(&stamp, &text);
                }
            }
        }
        others_wait
    }

    /// What is in `working`, oldest first.
    fn stamps(&self) -> Result<Vec<(String, Option<Taken>)>, DiskError> {
        let mut stamps = std::collections::BTreeMap::new();
        for entry in self.disk.list(&self.working())? {
            let name = name_of(&entry);
            if let Some(taken) = Taken::parse(&name) {
                stamps.insert(taken.stamp.clone(), Some(taken));
            } else if let Some(stamp) = folders::stamp_of_hidden(&name) {
                stamps.entry(stamp.to_owned()).or_insert(None);
            }
        }
        Ok(stamps.into_iter().collect())
    }

    /// Returns whether it belonged to this lane.
    fn work_off_one(&self, stamp: &str, taken: Option<&Taken>, lane: Lane) -> Result<bool, Fault> {
        let paths = Paths::new(&self.working(), stamp, taken);
        // Links are not ours, and are not followed.
        let is_file = |path: &Path| {
            let kind = self.disk.kind(path).map_err(quiet)?;
            Ok::<_, Fault>(kind == Some(Kind::File))
        };
        if is_file(&paths.receipt)? {
            self.file_away(stamp, &paths)?;
            return Ok(true);
        }
        let file = match &paths.file {
            Some(file) => match self.disk.kind(file).map_err(quiet)? {
                Some(Kind::File | Kind::Dir) => Some(file.as_path()),
                Some(Kind::Other) => self.is_no_file(file).then_some(file.as_path()),
                None => None,
            },
            None => None,
        };
        let (Some(taken), Some(file)) = (taken, file) else {
            // Leftovers of finished commands, or of files that someone took away.
            for path in std::iter::once(&paths.words).chain(&paths.unfinished) {
                if is_file(path)? {
                    self.disk.remove_file(path).map_err(quiet)?;
                }
            }
            return Ok(true);
        };
        let Some(receipt) = self.answer(taken, file, lane)? else { return Ok(false) };
        let json = serde_json::to_vec_pretty(&receipt).map_err(|error| {
            Fault::new(FaultClass::Local, "receipt", "the receipt cannot be written")
                .caused_by(error)
        })?;
        let disk = &*self.disk;
        write_durably(disk, &paths.words, receipt.in_words().as_bytes()).map_err(quiet)?;
        write_durably(disk, &paths.receipt, &json).map_err(quiet)?;
        (self.step)(Step::CommandAnswered);
        self.file_away(stamp, &paths)?;
        Ok(true)
    }

    /// Has the file's request carried out; `None` if it is for the other lane.
    fn answer(&self, taken: &Taken, file: &Path, lane: Lane) -> Result<Option<Receipt>, Fault> {
        let (found, may_hold_code) = match read_limited(&*self.disk, file, MAX_BYTES) {
            Ok(bytes) => (read(&taken.name, &bytes), mentions_login(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                (Err(CommandError::too_large()), false)
            }
            Err(error) => match error.no_file() {
                Some(what) => (Err(CommandError::no_file(what)), false),
                None if error.kind() == io::ErrorKind::PermissionDenied => {
                    (Err(CommandError::unreadable()), false)
                }
                None => return Err(quiet(error)),
            },
        };
        let found = if folders::sort(&taken.name) == folders::Sort::Temporary {
            Err(CommandError::temporary())
        } else {
            found
        };
        let own = found.as_ref().map_or(Lane::Quick, |command| lane_of(&command.request));
        if own != lane {
            return Ok(None);
        }
        // An answer is possible without knowing the owner.
        let owner = self.disk.owner(file).ok().flatten();
        let id = id_of(&taken.stamp);
        let (command, asked, reply, kept) = match found {
            Ok(Command { request, name_says }) => {
                let who = Who { user: owner.clone(), via: Via::CommandFolder };
                (self.step)(Step::CommandServe);
                let reply = self.serve(&id, &request, &who)?;
                (self.step)(Step::CommandServed);
                let holds_code = matches!(&request, Request::Pair { code: Some(_), .. });
                let asked = match name_says {
                    Some(name) => format!(
                        "{} (that is the file's content; its name, {name}, does not count)",
                        in_words(&request)
                    ),
                    None => in_words(&request),
                };
                (word_of(&request).map(Word::as_str), asked, reply, holds_code)
            }
            Err(complaint) => {
                let asked = "the command could not be understood".to_owned();
                (complaint.command, asked, refusal(&complaint), may_hold_code)
            }
        };
        let Reply { outcome, message, next, details } = reply;
        Ok(Some(Receipt {
            schema: SCHEMA,
            id,
            file: taken.name.clone(),
            command: command.map(str::to_owned),
            asked,
            owner,
            received_at: WallMs(folders::taken_at(&taken.stamp)).to_rfc3339(),
            finished_at: self.now().wall.to_rfc3339(),
            outcome,
            // People who drop files have no command line.
            message: for_staff(&message),
            next: next.as_deref().map(for_staff),
            kept: if kept { FileContent::Removed } else { FileContent::Unchanged },
            details,
        }))
    }

    fn serve(&self, id: &str, request: &Request, who: &Who) -> Result<Reply, Fault> {
        match self.handler.serve_once(id, request, who) {
            Ok(reply) => Ok(reply),
            Err(fault) if matches!(fault.class, FaultClass::Local | FaultClass::Cancelled) => {
                Err(fault)
            }
            // Waiting would not help, and the user wants to know.
            Err(fault) => Ok(fault.into()),
        }
    }

    /// The answer is decided: everything left to do follows from it.
    fn file_away(&self, stamp: &str, paths: &Paths) -> Result<(), Fault> {
        let disk = &*self.disk;
        let bytes = read_limited(disk, &paths.receipt, LARGEST_RECEIPT).map_err(quiet)?;
        let receipt = serde_json::from_slice::<Receipt>(&bytes).ok();
        // Anyone who may drop files can also put one here: it must not lead out of the folder.
        let is_ours =
            |receipt: &Receipt| receipt.id == id_of(stamp) && folders::is_plain(&receipt.file);
        let Some(receipt) = receipt.filter(is_ours) else {
            // Not as we wrote it. The request handler still knows the answer.
            disk.remove_file(&paths.receipt).map_err(quiet)?;
            let text = "a receipt in working was damaged; it is written again";
            return Err(Fault::new(FaultClass::Local, "receipt", text));
        };
        let place = self.dir.join(if receipt.is_done() { DONE } else { FAILED });
        self.handler.settled(&receipt.id)?;
        (self.step)(Step::CommandSettled);
        self.move_away(&receipt, paths, &place).map_err(quiet)?;
        tracing::info!(
            id = stamp,
            command = receipt.command.as_deref().unwrap_or("none"),
            owner = receipt.owner.as_deref().unwrap_or("unknown"),
            outcome = word(receipt.outcome),
            "a command file was answered"
        );
        Ok(())
    }

    fn move_away(&self, receipt: &Receipt, paths: &Paths, dir: &Path) -> Result<(), DiskError> {
        let disk = &*self.disk;
        let is_there = |path: &Path| disk.kind(path).map(|kind| kind.is_some());
        if let Some(file) = &paths.file
            && is_there(file)?
        {
            if receipt.kept == FileContent::Removed {
                write_durably(disk, &paths.blank, REMOVED.as_bytes())?;
                disk.replace_file(&paths.blank, file)?;
            }
            place(disk, file, dir, &receipt.file, "")?;
        }
        (self.step)(Step::CommandFiled);
        let told = dir.join(format!("{}{FOR_PEOPLE}", receipt.file));
        if !is_there(&paths.words)? && !is_there(&told)? {
            write_durably(disk, &paths.words, receipt.in_words().as_bytes())?;
        }
        if is_there(&paths.words)? {
            place(disk, &paths.words, dir, &receipt.file, FOR_PEOPLE)?;
        }
        disk.sync_dir(dir)?;
        (self.step)(Step::CommandTold);
        place(disk, &paths.receipt, dir, &receipt.file, FOR_PROGRAMS)?;
        disk.sync_dir(dir)?;
        disk.sync_dir(&self.working())?;
        (self.step)(Step::CommandEnded);
        Ok(())
    }
}

fn id_of(stamp: &str) -> String {
    format!("command-file-{stamp}")
}

/// What may be in `working` for one command.
struct Paths {
    file: Option<PathBuf>,
    receipt: PathBuf,
    words: PathBuf,
    /// The text that will replace the file's content.
    blank: PathBuf,
    /// What a crash may leave half-written, under the names that the disk helper uses.
    unfinished: [PathBuf; 4],
}

impl Paths {
    fn new(working: &Path, stamp: &str, taken: Option<&Taken>) -> Self {
        let hidden = |end: &str| working.join(format!(".{stamp}{end}"));
        Self {
            file: taken.map(|taken| working.join(taken.file_name())),
            receipt: hidden(FOR_PROGRAMS),
            words: hidden(FOR_PEOPLE),
            blank: hidden(".blank"),
            unfinished: [
                hidden(&format!("{FOR_PROGRAMS}.new")),
                hidden(&format!("{FOR_PEOPLE}.new")),
                hidden(".blank"),
                hidden(".blank.new"),
            ],
        }
    }
}

/// Moves a file to its place, or under a numbered name if that is taken. Never replaces anything.
fn place(disk: &dyn Disk, from: &Path, dir: &Path, name: &str, end: &str) -> Result<(), DiskError> {
    let mut number = 1;
    loop {
        let to = dir.join(format!("{}{end}", numbered(name, number)));
        if disk.rename(from, &to)? == Moved::Done {
            return Ok(());
        }
        // Where a rename is a link plus a removal, a crash in between leaves both.
        if is_same(disk, from, &to) {
            return disk.remove_file(from);
        }
        number += 1;
    }
}

fn is_same(disk: &dyn Disk, a: &Path, b: &Path) -> bool {
    let read = |path: &Path| read_limited(disk, path, LARGEST_RECEIPT);
    match (read(a), read(b)) {
        (Ok(a), Ok(b)) => a == b && !a.is_empty(),
        _ => false,
    }
}

fn lane_of(request: &Request) -> Lane {
    match request {
        Request::Pair { .. }
        | Request::Unpair { .. }
        | Request::Return { .. }
        | Request::Verify { .. }
        | Request::TestOrder { .. }
        | Request::Output { .. } => Lane::Slow,
        Request::Refetch { .. }
        | Request::Publish { .. }
        | Request::Pause { .. }
        | Request::Resume { .. }
        | Request::Poll { .. }
        | Request::Status {}
        | Request::Update { .. } => Lane::Quick,
    }
}

/// Whether a file that cannot be understood may hold a login.
fn mentions_login(bytes: &[u8]) -> bool {
    let plain: Vec<u8> =
        bytes.iter().filter(|byte| **byte != 0).map(u8::to_ascii_lowercase).collect();
    let text = String::from_utf8_lossy(&plain);
    ["code", "token", "secret", "password"].iter().any(|word| text.contains(word))
}

/// The fault without the file's path: its name may be a person's.
fn quiet(error: DiskError) -> Fault {
    let text = format!("cannot {}: {}", error.operation, error.source);
    let mut fault = Fault::from(error);
    fault.message = text;
    fault
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
        Outcome::LoginNeeded => "login-needed",
        Outcome::Differs => "differs",
        Outcome::Unknown => "unknown",
    }
}
