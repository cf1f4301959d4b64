//! The decision table at the heart of the agent: three views of an order yield one action.
//!
//! | Published | Remote | Local | Action |
//! |---|---|---|---|
//! | any | changed | any | fetch: only the bytes tell what Align has |
//! | – | fetched | – | publish revision 1 |
//! | – | fetched | the same content | adopt: record only |
//! | – | fetched | something else | leave it alone; publish beside it |
//! | P | fetched, other bytes | as P | publish the next revision; the old one goes to history |
//! | P | fetched, other bytes | gone | publish the next revision |
//! | P | fetched | altered by others | leave it alone; publish beside it |
//! | any | fetched, incomplete, and such orders are held back | any | hold it back instead of publishing |
//! | any, H held back | fetched, incomplete, the bytes of H | any | record only: H stays held back |
//! | any, H held back | missing extras of H are due, or arrived | any | ask for them; hold H with them |
//! | P | fetched, same bytes | any | record only, unless a user asked for it back |
//! | P | same, or gone from the list | as P | nothing: downloaded orders leave the list by design |
//! | P | same | gone | consumed: leave or restore, depending on the policy |
//! | P, removed because of its age | same | any | nothing: it is neither missed nor restored |
//! | P | in modeling, with the doctor | any | wait: a new revision is expected |
//! | P | same, missing extras are due | as P | ask for the extras only |
//! | P | P plus extras it lacked | as P | publish the next revision; the old one goes to history |
//! | P | either of these | anything else | nothing: it was taken, changed or replaced |
//!
//! "Same bytes" ignores files a fetch lacks because of a *missing* extra: pictures that fail to
//! arrive this time are not a change.

use casedrop_model::asset::AssetKind;
use casedrop_model::manifest::{Manifest, ManifestFile};
use casedrop_model::record::IntentTarget;

/// What Align has for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remote<'a> {
    /// Nothing newer than what we fetched, as far as we know.
    Same,
    /// Nothing yet: the order is in modeling or with the doctor, and will come back.
    Away,
    /// Something to fetch; its content is not known yet.
    Changed,
    /// Its content is in staging.
    Fetched(Staged<'a>),
    /// Nothing newer, but the newest revision lacks extras and it is time to ask for them again.
    ExtrasDue,
    /// The newest revision plus some of the extras it lacked is in staging.
    Completed(&'a [ManifestFile]),
}

/// The content of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staged<'a> {
    pub files: &'a [ManifestFile],
    /// The extras that did not arrive, or only in part.
    pub missing: &'a [String],
}

impl Staged<'_> {
    /// Whether this adds nothing to that revision: the same files, except those of extras that did
    /// not arrive this time.
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
    pub newest: &'a Manifest,
    /// The revision we put at the order's own path, if any. Older than `newest` if that one had to
    /// be published beside it.
    pub at_main: Option<u32>,
    /// Whether it was removed from the output because of its age.
    pub retired: bool,
}

/// What is at the order's own path, compared with what we put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local<'a> {
    /// Nothing.
    Absent,
    /// Exactly what we put there.
    AsPublished,
    /// What we put there, minus some files: someone is taking it. Nothing else was changed.
    Reduced,
    /// What we put there, changed by others.
    Altered,
    /// A complete order of which we have no record.
    Ours(&'a Manifest),
    /// Something else.
    Foreign,
}

/// What the config and users want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy<'a> {
    /// Whether the config says to publish a published order again if it is gone.
    pub restore: bool,
    /// A user asked for this order again.
    pub asked: bool,
    /// What was fetched is incomplete, and the config says to hold such orders back.
    pub holds: bool,
    /// The order's held-back revision.
    pub held: Option<&'a Manifest>,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Everything is as it should be.
    Nothing,
    /// A new revision is expected; nothing can be done until it arrives.
    Wait,
    /// Download the order.
    Fetch,
    /// Ask for the extras it lacks.
    FetchExtras,
    /// The order is already in place; record it in the journal as it is.
    Adopt,
    /// The content is already published; record that it was confirmed.
    RecordUnchanged,
    /// Publish the staged content.
    Publish {
        revision: u32,
        /// Whether it is new, replaces a revision, or goes beside the order's path.
        target: IntentTarget,
    },
    /// Store the staged content safely without publishing it.
    Hold {
        /// The number it would be published as.
        revision: u32,
    },
    /// The content is already held back; record that it was confirmed.
    StillHeld,
}

/// Decides what to do. Total: every combination of arguments yields exactly one action.
pub fn plan(
    remote: Remote<'_>,
    published: Option<Published<'_>>,
    local: Local<'_>,
    policy: Policy<'_>,
) -> Action {
    // Only a user can publish what is held back; whatever is in the output stays.
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
        // It was published before, so a user has already decided.
        action
    } else if policy.held.is_some_and(|held| staged.is_in(held)) {
        Action::StillHeld
    } else {
        Action::Hold { revision }
    }
}

/// Decides as if nothing were held back.
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
        // That revision number is taken, even though we have no record of it.
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
    /// Whether the newest revision is untouched at the order's own path.
    fn stands(&self, local: Local<'_>) -> bool {
        local == Local::AsPublished && self.at_main == Some(self.newest.revision)
    }
}

#[cfg(test)]
mod tests;
