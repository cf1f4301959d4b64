//! Fills in a config that does not say yet what Align gave the lab: there is none, it is empty, or
//! it still holds the placeholders of the example. Comments and everything else stay. Values are
//! checked by loading the config that they would make, so no other check can disagree.

mod paste;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::fault::{ConfigFault, KeyPath};
use super::node::{Kind, Node};
use super::paths::may_be_made;
use super::survey::Survey;
use super::walk::is_placeholder;
use super::{Config, ConfigFaults, Loaded, load, load_text, template, yaml};
use crate::disk::{Disk, Kind as FileKind, read_limited, remote_of};

pub use paste::{Pasted, tidy};
pub use write::{NotWritten, write_new};

/// What a person is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// `labs[0].name`
    LabName,
    /// `labs[0].oauth_base`
    OauthBase,
    /// `labs[0].base_url`
    BaseUrl,
    /// `labs[0].client_id`
    ClientId,
    /// The client secret, which goes into a file of its own.
    ClientSecret,
    /// `labs[0].redirect_url`
    RedirectUrl,
    /// `output`
    Output,
}

impl Item {
    /// All of them, in the order in which they are asked for.
    pub const ALL: [Self; 7] = [
        Self::OauthBase,
        Self::BaseUrl,
        Self::ClientId,
        Self::ClientSecret,
        Self::RedirectUrl,
        Self::LabName,
        Self::Output,
    ];

    /// Its name in forms, which is that of its key.
    pub fn name(self) -> &'static str {
        self.key().rsplit('.').next().unwrap_or_default()
    }

    /// The item with that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|item| item.name() == name)
    }

    fn key(self) -> &'static str {
        match self {
            Self::LabName => "labs[0].name",
            Self::OauthBase => "labs[0].oauth_base",
            Self::BaseUrl => "labs[0].base_url",
            Self::ClientId => "labs[0].client_id",
            Self::ClientSecret => SECRET,
            Self::RedirectUrl => "labs[0].redirect_url",
            Self::Output => "output",
        }
    }

    /// The item that mends a fault of this key.
    fn of_fault(key: &str) -> Option<Self> {
        match key {
            SECRET_FILE => Some(Self::ClientSecret),
            // They follow from the output, or must keep clear of it.
            COMMANDS | "staging" | STATE => Some(Self::Output),
            _ => Self::ALL.into_iter().find(|item| item.key() == key),
        }
    }
}

const SECRET: &str = "labs[0].client_secret";
const SECRET_FILE: &str = "labs[0].client_secret_file";
const COMMANDS: &str = "commands";
const STATE: &str = "state";
const LISTEN: &str = "status_page.listen";

/// What people gave so far.
#[derive(Clone, Default)]
pub struct Values {
    texts: BTreeMap<Item, String>,
    secret: Option<SecretString>,
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Values(not shown)")
    }
}

impl Values {
    /// Takes a value as typed or pasted. An empty one counts as none.
    pub fn put(&mut self, item: Item, text: &str) {
        let text = if item == Item::Output { text.trim() } else { tidy(text) };
        if text.is_empty() {
            return;
        }
        if item == Item::ClientSecret {
            self.secret = Some(text.to_owned().into());
        } else {
            self.texts.insert(item, text.to_owned());
        }
    }

    /// The value as it will be written; never the secret.
    pub fn text(&self, item: Item) -> Option<&str> {
        self.texts.get(&item).map(String::as_str)
    }

    pub fn secret(&self) -> Option<&SecretString> {
        self.secret.as_ref()
    }

    fn has(&self, item: Item) -> bool {
        match item {
            Item::ClientSecret => self.secret.is_some(),
            item => self.texts.contains_key(&item),
        }
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub item: Item,
    /// Why; `None` if there is no value.
    pub reason: Option<String>,
    /// What to write instead.
    pub hint: Option<String>,
}

/// Why a config must be filled in first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// There is no file.
    File,
    /// The file contains nothing but comments.
    Content,
    /// It still contains placeholders of the example.
    Values,
}

/// A config that lacks what only a person can give.
#[derive(Debug)]
pub struct Unfilled {
    path: PathBuf,
    lack: Lack,
    /// The config to fill in: the file's, or the example.
    text: String,
    env: Vec<(String, String)>,
    faults: Vec<ConfigFault>,
    survey: Survey,
    found: BTreeMap<Item, String>,
    has_secret: bool,
    is_service: bool,
    /// Where the state will be, if not at its usual place.
    state: Option<PathBuf>,
    /// Where the status page will be, if not at its usual address.
    page: Option<SocketAddr>,
}

impl Unfilled {
    /// Looks whether the config at that path must be filled in first. `None` if it is complete, or
    /// if something else is wrong with it, which loading it tells.
    ///
    /// # Errors
    /// There is no config, and the environment or the policy holds what no config could mend.
    pub fn find(
        disk: &dyn Disk,
        path: &Path,
        env: &[(String, String)],
        is_service: bool,
    ) -> Result<Option<Self>, ConfigFaults> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let Some((lack, text)) = lack_of(disk, &path) else { return Ok(None) };
        let loaded = match lack {
            Lack::Values => load(disk, &path, env),
            Lack::File | Lack::Content => load_text(disk, &path, &text, env),
        };
        let (faults, survey) = match loaded {
            Ok(_) if lack == Lack::Values => return Ok(None),
            Ok(Loaded { survey, .. }) => (Vec::new(), survey),
            Err(faults) => {
                let own = path.display().to_string();
                let is_ours = |fault: &ConfigFault| {
                    fault.source == own && Item::of_fault(&fault.key).is_some()
                };
                if !faults.faults.iter().all(is_ours) {
                    return if lack == Lack::Values { Ok(None) } else { Err(faults) };
                }
                (faults.faults, *faults.survey)
            }
        };
        let mut unfilled = Self {
            path,
            lack,
            text,
            env: env.to_vec(),
            faults,
            survey,
            found: BTreeMap::new(),
            has_secret: false,
            is_service,
            state: None,
            page: None,
        };
        unfilled.look_what_is_there();
        Ok(Some(unfilled))
    }

    fn look_what_is_there(&mut self) {
        let tree = yaml::parse(&self.text).0;
        let at = |key: &str| {
            let node = tree.as_ref()?.at(&KeyPath::of(key))?;
            node.text().filter(|text| !is_placeholder(text)).map(str::to_owned)
        };
        let is_faulty = |key: &str| self.faults.iter().any(|fault| fault.key == key);
        let found = Item::ALL.into_iter().filter(|item| *item != Item::ClientSecret);
        let found = found.filter(|item| !is_faulty(item.key()));
        self.found = found.filter_map(|item| Some((item, at(item.key())?))).collect();
        self.has_secret = [SECRET, SECRET_FILE].into_iter().any(|key| {
            !is_faulty(key) && (at(key).is_some() || self.survey.places.overruled_by(key).is_some())
        });
    }

    /// The config file, whether or not it exists.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn lack(&self) -> Lack {
        self.lack
    }

    /// The folders and listeners that the config names so far.
    pub fn survey(&self) -> &Survey {
        &self.survey
    }

    /// Whether a service manager runs this process.
    pub fn is_service(&self) -> bool {
        self.is_service
    }

    /// Whether neither file, environment nor policy says where the state is.
    pub fn state_is_open(&self) -> bool {
        let places = &self.survey.places;
        places.line(STATE).is_none() && places.overruled_by(STATE).is_none()
    }

    /// Puts the state into that folder.
    pub fn keep_state_in(&mut self, folder: PathBuf) {
        self.state = Some(folder);
    }

    /// Shows the status page at that address, unless environment or policy say otherwise.
    pub fn show_page_at(&mut self, address: SocketAddr) {
        self.page = Some(address);
    }

    /// The state folder that the agent will use.
    pub fn state(&self) -> Option<&Path> {
        self.state.as_deref().or(self.survey.state.as_deref())
    }

    /// What the config says already.
    pub fn found(&self, item: Item) -> Option<&str> {
        self.found.get(&item).map(String::as_str)
    }

    /// Whether there is a client secret already.
    pub fn has_secret(&self) -> bool {
        self.has_secret
    }

    /// What decides a value in place of the config file: the name of a variable, or the policy.
    pub fn overruled_by(&self, item: Item) -> Option<&str> {
        let places = &self.survey.places;
        let also = (item == Item::ClientSecret).then(|| places.overruled_by(SECRET_FILE)).flatten();
        places.overruled_by(item.key()).or(also)
    }

    /// Checks what was given so far. Empty: the agent can start with it.
    pub fn check(&self, disk: &dyn Disk, values: &Values) -> Vec<Wrong> {
        let asked = || Item::ALL.into_iter().filter(|item| self.overruled_by(*item).is_none());
        let mut wrong: Vec<Wrong> = asked()
            .filter(|item| !values.has(*item))
            .filter(|item| *item != Item::ClientSecret || !self.has_secret)
            .map(|item| Wrong { item, reason: None, hint: None })
            .collect();
        wrong.extend(asked().filter_map(|item| illegible(item, values)));
        let is_told = |wrong: &[Wrong], item| wrong.iter().any(|wrong| wrong.item == item);
        if let Some(output) = values.text(Item::Output).filter(|_| !is_told(&wrong, Item::Output)) {
            wrong.extend(self.cannot_be_output(disk, Path::new(output)));
        }
        // What is illegible is wrong anyway, and must not hide the rest.
        let mut legible = values.clone();
        legible.texts.retain(|item, _| !is_told(&wrong, *item));
        let Some(text) = self.text_with(disk, &legible, None) else { return wrong };
        let faults = match load_text(disk, &self.path, &text, &self.env) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.faults,
        };
        for fault in faults {
            // The secret is not in its file yet.
            let Some(item) = Item::of_fault(&fault.key).filter(|item| *item != Item::ClientSecret)
            else {
                continue;
            };
            if !is_told(&wrong, item) {
                wrong.push(Wrong { item, reason: Some(fault.reason), hint: fault.hint });
            }
        }
        wrong
    }

    fn cannot_be_output(&self, disk: &dyn Disk, output: &Path) -> Option<Wrong> {
        let wrong = |reason: String, hint: &str| Wrong {
            item: Item::Output,
            reason: Some(reason),
            hint: Some(hint.to_owned()),
        };
        if !output.is_absolute() {
            let hint = if cfg!(windows) {
                r"enter it from the drive on, such as C:\Casedrop\Orders"
            } else {
                "enter it from / on, such as /srv/casedrop/orders"
            };
            return Some(wrong(format!("`{}` is not a full path", output.display()), hint));
        }
        if self.is_service
            && let Some(mapped) = remote_of(output)
        {
            let (reason, hint) = mapped.refusal();
            return Some(wrong(reason, &hint));
        }
        if !may_be_made(disk, output) {
            let reason = format!("orders cannot be written to {}", output.display());
            let hint = "choose another folder, or let the account that runs Casedrop write there";
            return Some(wrong(reason, hint));
        }
        None
    }

    /// The line of a key in the config to fill in, whether its value is sound or not.
    fn line(&self, key: &str) -> Option<usize> {
        let own = self.path.display().to_string();
        let faulty = |fault: &&ConfigFault| fault.key == key && fault.source == own;
        let written = self.survey.places.line(key);
        written.or_else(|| self.faults.iter().find(faulty)?.line)
    }
}

/// A value that no line can hold, or that is the placeholder itself.
fn illegible(item: Item, values: &Values) -> Option<Wrong> {
    let text = match item {
        Item::ClientSecret => values.secret.as_ref().map(ExposeSecret::expose_secret),
        item => values.text(item),
    }?;
    let reason = if text.chars().any(char::is_control) {
        "it contains a line break or another control character"
    } else if is_placeholder(text) {
        "it is the placeholder from the example"
    } else {
        return None;
    };
    let hint = "enter it as it was given to you, on one line".to_owned();
    Some(Wrong { item, reason: Some(reason.to_owned()), hint: Some(hint) })
}

/// Why the config at that path must be filled in, and the text to start from.
fn lack_of(disk: &dyn Disk, path: &Path) -> Option<(Lack, String)> {
    let example = || template::fill(template::Platform::here(), &[]).ok();
    match disk.kind(path) {
        Ok(None) => return Some((Lack::File, example()?)),
        Ok(Some(FileKind::File | FileKind::Other)) => {}
        Ok(Some(_)) | Err(_) => return None,
    }
    let bytes = read_limited(disk, path, yaml::MAX_BYTES).ok()?;
    let text = yaml::decode(&bytes).ok()?;
    let (tree, problems) = yaml::parse(text);
    if !problems.is_empty() {
        return None;
    }
    match tree.filter(|node| !matches!(node.kind, Kind::Null)) {
        None => Some((Lack::Content, example()?)),
        Some(tree) if holds_placeholder(&tree) => Some((Lack::Values, text.to_owned())),
        Some(_) => None,
    }
}

fn holds_placeholder(node: &Node) -> bool {
    match &node.kind {
        Kind::List(items) => items.iter().any(holds_placeholder),
        Kind::Section(entries) => entries.iter().any(|entry| holds_placeholder(&entry.value)),
        _ => node.text().is_some_and(is_placeholder),
    }
}

/// Whether a config says what was given.
fn says(config: &Config, values: &Values) -> bool {
    let lab = &config.labs[0];
    let url = |item| values.text(item).map(|text| url::Url::parse(text).ok());
    let is = |given: Option<Option<url::Url>>, said: &url::Url| {
        given.is_none_or(|given| given.as_ref() == Some(said))
    };
    let secret = |secret: &SecretString| secret.expose_secret().to_owned();
    is(url(Item::OauthBase), &lab.oauth_base)
        && is(url(Item::BaseUrl), &lab.base_url)
        && is(url(Item::RedirectUrl), &lab.redirect_url)
        && values.text(Item::ClientId).is_none_or(|id| id == lab.client_id)
        && values.text(Item::LabName).is_none_or(|name| name == lab.name.as_str())
        && values.text(Item::Output).is_none_or(|output| Path::new(output) == config.output)
        && values
            .secret
            .as_ref()
            .map(secret)
            .is_none_or(|given| lab.client_secret.as_ref().map(secret) == Some(given))
}

#[cfg(test)]
mod tests;
