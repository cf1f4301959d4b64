//! The table at the heart of the agent: three pictures of an order give one action.
//!
//! | Published | Remote | Local | Action |
//! |---|---|---|---|
//! | any | changed | any | fetch: only its bytes tell what Align has |
//! | – | fetched | – | publish revision 1 |
//! | – | fetched | the same content | adopt: record only |
//! | – | fetched | something else | keep it; publish beside it |
//! | P | fetched, other bytes | as P | publish the next revision; the old one goes to history |
//! | P | fetched, other bytes | gone | publish the next revision |
//! | P | fetched | altered by others | keep it; publish beside it |
//! | any | fetched, incomplete, and such orders are held back | any | instead of publishing: hold it back |
//! | any, H held back | fetched, incomplete, the bytes of H | any | record only: H stays held back |
//! | any, H held back | missing extras of H are due, or came | any | ask for them; hold H with them |
//! | P | fetched, same bytes | any | record only, unless a person asked for it back |
//! | P | same, or gone from the list | as P | nothing: downloaded orders leave the list by design |
//! | P | same | gone | consumed: leave, or restore, by policy |
//! | P, removed by its age | same | any | nothing: it is neither missed nor restored |
//! | P | in modeling, with the doctor | any | wait: a new revision is expected |
//! | P | same, missing extras are due | as P | ask for the extras alone |
//! | P | P and extras that it lacked | as P | publish the next revision; the old one to history |
//! | P | either of these | anything else | nothing: it was taken, changed or replaced |
//!
//! "Same bytes" does not count what a fetch lacks of a *missing* extra: pictures that do not come this
//! time are no news.

use crate::model::asset::AssetKind;
use crate::model::manifest::{Manifest, ManifestFile};
use crate::model::record::IntentTarget;

/// What Align has for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote<'a> {
    /// Nothing newer than what we fetched, as far as anyone told us.
    Same,
    /// Nothing yet: the order is in modeling or with the doctor, and will come back.
    Away,
    /// Something to fetch; its content is not known yet.
    Changed,
    /// Its content lies in staging.
    Fetched(Staged<'a>),
    /// Nothing newer; but the newest revision lacks extras, and it is time to ask for them again.
    ExtrasDue,
    /// In staging lies the newest revision with some of the extras that it lacked.
    Completed(&'a [ManifestFile]),
}

/// The content of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staged<'a> {
    /// Its files.
    pub files: &'a [ManifestFile],
    /// The extras that did not come, or not whole.
    pub missing: &'a [String],
}

impl Staged<'_> {
    /// Whether it says nothing new compared with that revision: the same files, but for those of extras
    /// that did not come this time.
    fn is_in(&self, manifest: &Manifest) -> bool {
        let (lacks, adds) = manifest.changes_to(self.files);
        let kinds: Vec<_> = self.missing.iter().filter_map(|name| AssetKind::extra(name)).collect();
        let is_excused = |file: &&ManifestFile| kinds.iter().any(|kind| kind.holds(&file.path));
        lacks.iter().all(is_excused)
            && (adds.is_empty() || (!lacks.is_empty() && adds.iter().all(is_excused)))
    }
}

/// What we last published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published<'a> {
    /// The newest revision.
    pub newest: &'a Manifest,
    /// The revision that we put at the order's own path, if any; older than `newest` where that one
    /// had to go beside it.
    pub at_main: Option<u32>,
    /// Whether it was removed from the output because of its age.
    pub retired: bool,
}

/// What stands at the order's own path, compared with what we put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local<'a> {
    /// Nothing.
    Absent,
    /// Exactly what we put there.
    AsPublished,
    /// What we put there, less some files: somebody is taking it. Nothing else was changed.
    Reduced,
    /// What we put there, changed by others.
    Altered,
    /// A complete order that we have no record of.
    Ours(&'a Manifest),
    /// Something else.
    Foreign,
}

/// What people want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy<'a> {
    /// By the config: whether a published order that is gone is published again.
    pub restore: bool,
    /// Somebody asked for this order again.
    pub asked: bool,
    /// What was fetched is incomplete, and the config wants such orders held back.
    pub holds: bool,
    /// What is held back of the order.
    pub held: Option<&'a Manifest>,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// All is as it should be.
    Nothing,
    /// A new revision is expected; nothing can be done before it comes.
    Wait,
    /// Download it.
    Fetch,
    /// Ask for the extras that it lacks.
    FetchExtras,
    /// It stands there already; take it into the journal as it is.
    Adopt,
    /// The content is the published one; remember that it was confirmed.
    RecordUnchanged,
    /// Publish the staged content as that revision.
    Publish {
        /// Its number.
        revision: u32,
        /// Where it goes.
        target: IntentTarget,
    },
    /// Keep the staged content safely, and do not publish it.
    Hold {
        /// The number that it would have.
        revision: u32,
    },
    /// The content is what is held back already; remember that it was confirmed.
    StillHeld,
}

/// Decides. Total over its arguments: whatever the pictures are, one action follows.
pub fn plan(
    remote: Remote<'_>,
    published: Option<Published<'_>>,
    local: Local<'_>,
    policy: Policy<'_>,
) -> Action {
    // Nobody but a person publishes what is held back; whatever stands in the output stays.
    match (remote, policy.held) {
        (Remote::ExtrasDue, Some(_)) => return Action::FetchExtras,
        (Remote::Completed(files), Some(held)) if held.same_content(files) => {
            return Action::Nothing;
        }
        (Remote::Completed(_), Some(held)) => return Action::Hold { revision: held.revision },
        _ => {}
    }
    let action = publishing(remote, published, local, policy);
    let (&Action::Publish { revision, .. }, Remote::Fetched(staged), true) =
        (&action, remote, policy.holds)
    else {
        return action;
    };
    if published.is_some_and(|old| staged.is_in(old.newest)) {
        // It was published before: somebody decided that.
        action
    } else if policy.held.is_some_and(|held| staged.is_in(held)) {
        Action::StillHeld
    } else {
        Action::Hold { revision }
    }
}

/// The same where nothing is held back.
fn publishing(
    remote: Remote<'_>,
    published: Option<Published<'_>>,
    local: Local<'_>,
    policy: Policy<'_>,
) -> Action {
    use IntentTarget::{Beside, Fresh, Replace};
    use Local::{Absent, Altered, AsPublished, Foreign, Ours, Reduced};

    let publish = |revision, target| Action::Publish { revision, target };
    let is_missed = policy.restore && published.is_some_and(|published| !published.retired);
    let wanted_back =
        policy.asked || (is_missed && matches!(local, Local::Absent | Local::Reduced));
    match (published, remote, local) {
        (_, Remote::Changed, _) => Action::Fetch,
        (Some(old), Remote::ExtrasDue, _) if old.stands(local) && !old.retired => {
            Action::FetchExtras
        }
        (Some(old), Remote::Completed(files), _)
            if old.stands(local) && !old.retired && !old.newest.same_content(files) =>
        {
            publish(old.newest.revision + 1, Replace(old.newest.revision))
        }
        (Some(_), Remote::Same | Remote::Away, _) if wanted_back => Action::Fetch,
        (_, Remote::Same | Remote::ExtrasDue | Remote::Completed(_), _) => Action::Nothing,
        (_, Remote::Away, _) => Action::Wait,

        (None, Remote::Fetched(_), Absent) => publish(1, Fresh),
        (None, Remote::Fetched(staged), Ours(found)) if staged.is_in(found) => Action::Adopt,
        // Its number is taken, even though we have no record of it.
        (None, Remote::Fetched(_), Ours(found)) => publish(found.revision + 1, Beside),
        (None, Remote::Fetched(_), AsPublished | Reduced | Altered | Foreign) => publish(1, Beside),

        (Some(old), Remote::Fetched(staged), _)
            if staged.is_in(old.newest) && (!wanted_back || old.stands(local)) =>
        {
            Action::RecordUnchanged
        }
        (Some(old), Remote::Fetched(_), Absent) => publish(old.newest.revision + 1, Fresh),
        (Some(old), Remote::Fetched(_), AsPublished | Reduced) => {
            publish(old.newest.revision + 1, old.at_main.map_or(Beside, Replace))
        }
        (Some(old), Remote::Fetched(_), Altered | Ours(_) | Foreign) => {
            publish(old.newest.revision + 1, Beside)
        }
    }
}

impl Published<'_> {
    /// Whether the newest revision stands untouched at the order's own path.
    fn stands(&self, local: Local<'_>) -> bool {
        local == Local::AsPublished && self.at_main == Some(self.newest.revision)
    }
}

#[cfg(test)]
mod tests;
