//! What the status page asks for.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tracing::Level;

use super::login_standing::{LoginStanding, LoginState};
use super::refusal::cannot_use;
use super::test_order::TestOrderStanding;
use super::{Live, RequestHandler};
use crate::agent::wall_now;
use crate::agent::welcome::WelcomeStep;
use crate::audit::Record;
use crate::config::{self, Config, InForce};
use crate::disk::{Disk, Kind};
use crate::hotfolder::Layout;
use crate::hotfolder::describe::{complete, complete_from, patient};
use crate::hotfolder::files::Tree;
use crate::hotfolder::inspect::{There, manifest_with, with_names};
use crate::inputs::commands::{Receipt, receipts};
use crate::journal::{FeedRow, Held, OrderEvent, RevisionRecord, Store, StoreError};
use crate::logs;
use crate::metrics::{self, Counters};
use crate::model::fault::Fault;
use crate::model::ids::OrderKey;
use crate::model::listing::{OrderPage, OrderQuery};
use crate::model::manifest::{Manifest, ManifestFile};
use crate::model::path::RelPath;
use crate::model::record::{OrderRecord, Retired};
use crate::model::stand_in::stand_in;
use crate::model::time::WallMs;
use crate::notices::hook;
use crate::status::{Health, Status, Transfer, health, is_live};
use crate::web::{
    AuditQuery, Choice, HeldView, LogLine, LogQuery, LoginView, OrderFile, OrderView, PageData,
    ReceiptView, RevisionView, Setup, SetupLab, SetupStep, StoryLine, TestView,
};

/// The beginning of the log targets of the simulated Align.
const SIMULATOR: &str = "casedrop_simulator";

/// What the journal knows about an order.
type Known = (OrderRecord, Vec<RevisionRecord>, Vec<OrderEvent>, Option<Held>);

impl RequestHandler {
    /// Queries the journal. Returns the default if no agent has ever run here.
    fn asked<T: Default>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Result<T, Fault> {
        Ok(self.journal.look(ask).map_err(cannot_use)?.unwrap_or_default())
    }

    fn known(&self, key: &OrderKey) -> Result<Option<Known>, Fault> {
        self.asked(|store| {
            // One transaction for everything: the agent keeps writing.
            store.atomically(|store| {
                let Some(order) = store.order(key)? else { return Ok(None) };
                let held = store.held(key)?;
                Ok(Some((order, store.revisions(key)?, store.story(key)?, held)))
            })
        })
    }

    /// Whether the page may show patient names.
    fn shows_names(&self) -> bool {
        self.config.status_page.as_ref().is_some_and(|page| page.show_names)
    }

    /// Returns the manifest of a held-back revision, with real file names only if the page may show
    /// them.
    fn named(&self, held: &Held) -> Manifest {
        let dir = self.layout.held_dir(&held.dir);
        let (disk, known) = (Arc::clone(&self.disk), held.manifest.clone());
        let found = self.shows_names().then(|| {
            let look = move || with_names(&*disk, &dir, &known);
            self.prober.ask(look).ok().and_then(Result::ok).flatten()
        });
        found.flatten().unwrap_or_else(|| held.manifest.without_names())
    }

    /// The output, for callers that may wait for it.
    fn folders(&self) -> Folders {
        Folders { disk: Arc::clone(&self.disk), layout: self.layout.clone() }
    }
}

/// Whether two paths name the same file of an order, possibly one by a placeholder name.
fn same_file(manifest: &Manifest, a: &str, b: &str) -> bool {
    a == b || stand_in(a, &manifest.order_id) == stand_in(b, &manifest.order_id)
}

/// A revision of which a file is requested.
enum AnyRevision {
    Published(RevisionRecord),
    Held(Held),
}

impl AnyRevision {
    fn manifest(&self) -> &Manifest {
        match self {
            Self::Published(revision) => &revision.manifest,
            Self::Held(held) => &held.manifest,
        }
    }
}

/// Locates revisions. Used on the prober's thread only.
struct Folders {
    disk: Arc<dyn Disk>,
    layout: Layout,
}

impl Folders {
    /// Returns where a revision is now: in the output, or among the replaced ones.
    fn of(&self, key: &OrderKey, revision: &RevisionRecord) -> Option<(PathBuf, Manifest)> {
        let number = revision.manifest.revision;
        let there = self.layout.dir_at(key, revision.place, number);
        let kept = self.layout.history_dir(key, number);
        [there, kept].into_iter().find_map(|dir| self.manifest_in(dir, &revision.manifest_sha256))
    }

    /// Returns where a held-back revision is.
    fn of_held(&self, held: &Held) -> Option<(PathBuf, Manifest)> {
        self.manifest_in(self.layout.held_dir(&held.dir), &held.manifest_sha256)
    }

    /// Returns the directory, if it contains exactly that manifest.
    fn manifest_in(&self, dir: PathBuf, expected: &str) -> Option<(PathBuf, Manifest)> {
        if !matches!(self.disk.kind(&dir), Ok(Some(Kind::Dir))) {
            return None;
        }
        let manifest = manifest_with(&*self.disk, &dir, expected).ok().flatten()?;
        Some((dir, *manifest))
    }

    /// Returns a file of a revision, published or held back.
    fn file(
        &self,
        key: &OrderKey,
        kept: &AnyRevision,
        file: ManifestFile,
    ) -> Result<Option<OrderFile>, Fault> {
        let found = match kept {
            AnyRevision::Published(revision) => self.of(key, revision),
            AnyRevision::Held(held) => self.of_held(held),
        };
        let Some((folder, manifest)) = found else { return Ok(None) };
        // The journal has a placeholder if the name may be a person's.
        let number =
            manifest.files.iter().position(|one| same_file(&manifest, &one.path, &file.path));
        let Some(named) = number.map(|number| &manifest.files[number].path) else {
            return Ok(None);
        };
        let tree = Tree::read(&*self.disk, &folder)?;
        let there = There::of(&tree, &manifest).path_of(named).to_owned();
        // The name on the volume may not be portable.
        let Ok(inside) = RelPath::parse(&there) else { return Ok(None) };
        let path = inside.under(&folder);
        // Do not follow a link that someone put there.
        if self.disk.kind(&path)? != Some(Kind::File) {
            return Ok(None);
        }
        let len = self.disk.stamp(&path)?.len;
        Ok(Some(OrderFile { file, len, content: self.disk.open(&path)? }))
    }
}

impl PageData for RequestHandler {
    fn status(&self) -> Status {
        self.picture()
    }

    fn transfers(&self) -> BTreeMap<OrderKey, Transfer> {
        self.live.as_ref().map(|live: &Live| live.progress.snapshot()).unwrap_or_default()
    }

    fn orders(&self, query: &OrderQuery) -> Result<OrderPage, Fault> {
        let activities = self.activities();
        self.asked(|store| store.atomically(|store| store.list_now(query, &activities)))
    }

    fn order(&self, key: &OrderKey) -> Result<Option<OrderView>, Fault> {
        let Some((mut record, revisions, story, held)) = self.known(key)? else {
            return Ok(None);
        };
        self.look_for_folders(std::slice::from_mut(&mut record));
        record.activity = self.activities().get(key).copied();
        if let Some(trouble) = &mut record.trouble {
            trouble.next_try = trouble.next_try_from(wall_now());
        }
        let published = record.published.as_ref().filter(|_| record.retired != Retired::Yes);
        let folder = published.map(|one| self.layout.dir_at(key, one.place, one.revision));
        let (folders, of_key) = (self.folders(), key.clone());
        let (asked, count) = (revisions.clone(), revisions.len());
        let look = move || asked.iter().map(|one| folders.of(&of_key, one)).collect::<Vec<_>>();
        // If the share hangs, none of them is found.
        let found = self.prober.ask(look).unwrap_or_else(|_| vec![None; count]);
        let names = self.shows_names();
        let view =
            |(revision, found): (RevisionRecord, Option<(PathBuf, Manifest)>)| RevisionView {
                // Real file names are read from the folder, and only if the page may show them.
                manifest: match &found {
                    Some((_, named)) if names => named.clone(),
                    // An older agent that ran after a rollback may have written names into the
                    // journal.
                    found => {
                        let mut shown = revision.manifest.without_names();
                        if let Some((_, named)) = found {
                            complete_from(&mut shown, named);
                        }
                        shown
                    }
                },
                folder: found.map(|(folder, _)| folder),
                manifest_sha256: revision.manifest_sha256,
                at: revision.at,
                place: revision.place,
            };
        let line = |event: OrderEvent| StoryLine {
            key: key.clone(),
            at: event.at,
            kind: event.kind,
            text: event.text,
        };
        let mut revisions: Vec<_> = revisions.into_iter().zip(found).rev().map(view).collect();
        for revision in &mut revisions {
            complete(&mut revision.manifest);
        }
        let mut held_manifest = held.as_ref().map(|held| self.named(held));
        held_manifest.iter_mut().for_each(complete);
        Ok(Some(OrderView {
            folder,
            revisions,
            held: held.zip(held_manifest).map(|(held, manifest)| HeldView {
                manifest,
                at: held.at,
                released: held.released,
            }),
            story: story.into_iter().rev().map(line).collect(),
            record,
        }))
    }

    fn news(&self, limit: usize) -> Result<Vec<StoryLine>, Fault> {
        let rows = self.asked(|store| store.latest_events(limit))?;
        let line =
            |row: FeedRow| StoryLine { key: row.key, at: row.at, kind: row.kind, text: row.text };
        Ok(rows.into_iter().map(line).collect())
    }

    fn file(&self, key: &OrderKey, revision: u32, path: &str) -> Result<Option<OrderFile>, Fault> {
        let (revisions, held) = self.asked(|store| {
            store.atomically(|store| Ok((store.revisions(key)?, store.held(key)?)))
        })?;
        let published = revisions.into_iter().find(|one| one.manifest.revision == revision);
        let held = held.filter(|one| one.manifest.revision == revision);
        let Some(kept) = published.map(AnyRevision::Published).or(held.map(AnyRevision::Held))
        else {
            return Ok(None);
        };
        let of_manifest = kept.manifest();
        let file = of_manifest.files.iter().find(|file| same_file(of_manifest, &file.path, path));
        let Some(mut file) = file.cloned() else { return Ok(None) };
        if self.shows_names()
            && let Ok(named) = RelPath::parse(path)
        {
            file.path = named;
        }
        let (folders, key) = (self.folders(), key.clone());
        self.prober.ask(move || folders.file(&key, &kept, file))?
    }

    fn patient(&self, key: &OrderKey) -> Option<String> {
        let revisions = self.asked(|store| store.revisions(key)).ok()?;
        let newest = revisions.into_iter().next_back()?;
        let (folders, key) = (self.folders(), key.clone());
        let look = move || {
            let (folder, manifest) = folders.of(&key, &newest)?;
            patient(&*folders.disk, &folder, &manifest)
        };
        self.prober.ask(look).ok().flatten()
    }

    fn receipts(&self, limit: usize) -> Result<Vec<ReceiptView>, Fault> {
        let Some(dir) = &self.config.commands else { return Ok(Vec::new()) };
        let view = |receipt: Receipt| ReceiptView {
            file: receipt.file,
            asked: receipt.asked,
            owner: receipt.owner,
            at: receipt.finished_at,
            outcome: receipt.outcome,
            message: receipt.message,
            next: receipt.next,
        };
        let (disk, dir) = (Arc::clone(&self.disk), dir.clone());
        let found = self.prober.ask(move || receipts(&*disk, &dir, limit))??;
        Ok(found.into_iter().map(view).collect())
    }

    fn command_folder(&self) -> Option<PathBuf> {
        self.config.commands.clone()
    }

    fn audit(&self, query: &AuditQuery) -> Result<Vec<Record>, Fault> {
        let mut records = self.audit.read(1)?;
        records.retain(|record| query.takes(record));
        records.reverse();
        records.truncate(query.limit);
        Ok(records)
    }

    fn settings(&self) -> Vec<InForce> {
        with_real_paths(&self.config)
    }

    fn config_file(&self) -> Option<PathBuf> {
        let of_process = self.restart.get().map(|restart| restart.file().to_path_buf());
        let entries = &self.config.effective.0;
        let of_keys = || {
            let entry = entries.iter().find(|entry| entry.from == config::From::File)?;
            entry.source.as_ref().map(PathBuf::from)
        };
        let file = of_process.or_else(of_keys)?;
        Some(std::path::absolute(&file).unwrap_or(file))
    }

    fn log(&self, query: &LogQuery) -> Vec<LogLine> {
        let filter = logs::Filter {
            at_least: match query.depth {
                1 => Level::ERROR,
                2 => Level::WARN,
                3 => Level::INFO,
                4 => Level::DEBUG,
                _ => Level::TRACE,
            },
            contains: query.contains.as_deref(),
            limit: query.limit,
            ..logs::Filter::default()
        };
        let line = |line: logs::Line| LogLine {
            at: WallMs(line.at_ms),
            level: line.level.as_str(),
            lab: line.lab,
            order: line.order,
            text: if line.fields.is_empty() {
                line.message
            } else {
                format!("{} ({})", line.message, line.fields)
            },
        };
        // The output of a hook may name a patient.
        let names = self.shows_names();
        let lines = logs::recent().lines(&filter).into_iter();
        let lines = lines.filter(|line| names || line.target != hook::SAID);
        // The demo and the test order run a simulated Align in this process.
        lines.filter(|line| !line.target.starts_with(SIMULATOR)).map(line).collect()
    }

    fn setup(&self) -> Result<Setup, Fault> {
        let test = self.test_order()?;
        let labs = self.config.labs.iter();
        let labs = labs.map(|lab| self.login_standing(lab.name.as_str()).map(setup_lab));
        let may_choose =
            self.may_choose_output().map_err(|fault| (fault.chain(), fault.hint.clone()));
        Ok(Setup {
            step: match self.welcome()?.step {
                WelcomeStep::LogIn { .. } => SetupStep::LogIn,
                WelcomeStep::ChooseAccount { .. } => SetupStep::Account,
                WelcomeStep::ChooseFolder => SetupStep::Folder,
                WelcomeStep::TestOrder => SetupStep::TestOrder,
                WelcomeStep::Done => SetupStep::Done,
            },
            labs: labs.collect::<Result<_, Fault>>()?,
            output: self.layout.output.clone(),
            may_choose,
            suggestions: self.output_suggestions(),
            test: TestView {
                is_there: matches!(
                    test.standing,
                    TestOrderStanding::There | TestOrderStanding::PartlyTaken
                ),
                folder: test.path,
                changed: test.what,
                last: test.last,
            },
        })
    }

    fn pass(&self, step: SetupStep) -> Result<(), Fault> {
        self.pass_welcome(&match step {
            SetupStep::Folder => WelcomeStep::ChooseFolder,
            SetupStep::TestOrder => WelcomeStep::TestOrder,
            // A login needs no record of its own.
            SetupStep::LogIn | SetupStep::Account => return Ok(()),
            SetupStep::Done => WelcomeStep::Done,
        })
    }

    fn metrics(&self) -> String {
        let status = self.picture();
        match &self.live {
            Some(live) => metrics::render_with_process(&live.counters, &status),
            None => metrics::render(&Counters::new(Arc::default()), &status),
        }
    }

    fn health(&self) -> Health {
        health(&self.picture(), (self.now)().wall)
    }

    fn is_live(&self) -> bool {
        is_live(self.last_beat())
    }
}

/// The effective keys. Relative paths depend on where the config is, so whole ones are shown.
fn with_real_paths(config: &Config) -> Vec<InForce> {
    let real = [
        ("output", Some(&config.output)),
        ("staging", Some(&config.staging)),
        ("state", Some(&config.state)),
        ("commands", config.commands.as_ref()),
        ("log.dir", config.log.dir.as_ref()),
        ("ca_file", config.ca_file.as_ref()),
    ];
    let mut entries = config.effective.0.clone();
    for entry in &mut entries {
        let path = real.iter().find(|(key, _)| *key == entry.key).and_then(|(_, path)| *path);
        if let Some(path) = path {
            entry.value = path.display().to_string();
        }
    }
    entries
}

fn setup_lab(standing: LoginStanding) -> SetupLab {
    let trouble = standing.trouble.unwrap_or_default();
    SetupLab {
        lab: standing.lab.to_string(),
        login: match standing.state {
            LoginState::LoggedOut => LoginView::LoggedOut,
            LoginState::Waiting { login_url, until, finishes_by_itself } => {
                LoginView::Waiting { url: login_url, until, by_itself: finishes_by_itself }
            }
            LoginState::LoggedIn => LoginView::LoggedIn,
            LoginState::Paired { account, name } => LoginView::Paired {
                account: match name {
                    Some(name) => format!("{name} ({account})"),
                    None => account.to_string(),
                },
            },
        },
        choices: Choice::listed(&trouble.details),
        trouble: trouble.message.map(|message| (message, trouble.next)),
        cannot_wait: trouble.cannot_wait,
    }
}
