//! Writes a filled-in config: the secret into a file of its own, the rest into the config.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use super::super::fault::KeyPath;
use super::super::node::Node;
use super::super::paths::may_be_made;
use super::super::rewrite::{with_key_below, with_nested_value, without_line};
use super::super::{load_text, template, yaml};
use super::{
    COMMANDS, Item, LISTEN, Lack, SECRET, SECRET_FILE, STATE, Unfilled, Values, Wrong, says,
};
use crate::disk::{Disk, replace_durably, write_durably, write_durably_private};
use crate::model::fault::{Fault, FaultClass};

/// Why a config was not written.
#[derive(Debug)]
pub enum NotWritten {
    /// Values are missing or wrong.
    Wrong(Vec<Wrong>),
    /// The disk refused, or the config must be edited by hand.
    Fault(Fault),
}

impl From<Fault> for NotWritten {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Unfilled {
    /// Writes the config. The client secret goes into the file that the config names for it, or
    /// else into a file in the state folder; only this user can read it. Either the whole config is
    /// written, or it stays as it was.
    ///
    /// # Errors
    /// A value is missing or wrong, this process may not write the config, or the config is written
    /// in a way that cannot be filled in automatically.
    pub fn write(&self, disk: &dyn Disk, values: &Values) -> Result<(), NotWritten> {
        let wrong = self.check(disk, values);
        if !wrong.is_empty() {
            // The faults may be those of values that could not be filled in.
            let text = self.text_with(disk, values, None);
            if text.is_some_and(|text| !self.holds(&text, values)) {
                return Err(self.by_hand().into());
            }
            return Err(NotWritten::Wrong(wrong));
        }
        self.may_write(disk)?;
        let secret = values.secret.as_ref().map(|secret| (self.secret_file(values), secret));
        let text = self
            .text_with(disk, values, secret.as_ref().map(|(file, _)| file.as_path()))
            .ok_or_else(|| self.by_hand())?;
        let mut is_new = false;
        if let Some((file, secret)) = &secret {
            is_new = disk.kind(file).map_err(Fault::from)?.is_none();
            if let Some(dir) = file.parent() {
                disk.create_private_dirs(dir).map_err(Fault::from)?;
            }
            let line = format!("{}\n", secret.expose_secret());
            write_durably_private(disk, file, line.as_bytes()).map_err(Fault::from)?;
        }
        let written = self.finish(disk, values, &text);
        if let (Err(_), true, Some((file, _))) = (&written, is_new, &secret)
            && let Err(error) = disk.remove_file(file)
        {
            tracing::warn!("{}", Fault::from(error).chain());
        }
        Ok(written?)
    }

    /// Whether each value is where it belongs in this text.
    fn holds(&self, text: &str, values: &Values) -> bool {
        let tree = yaml::parse(text).0;
        let is_there = |item: Item| {
            let Some(value) = values.text(item).filter(|_| self.overruled_by(item).is_none())
            else {
                return true;
            };
            let node = tree.as_ref().and_then(|tree| tree.at(&KeyPath::of(item.key())));
            node.and_then(Node::text) == Some(value)
        };
        Item::ALL.into_iter().filter(|item| *item != Item::ClientSecret).all(is_there)
    }

    fn finish(&self, disk: &dyn Disk, values: &Values, text: &str) -> Result<(), Fault> {
        // Load it first: what was written must be what the agent will read.
        let loaded = load_text(disk, &self.path, text, &self.env).map_err(|faults| {
            let reasons: Vec<_> =
                faults.faults.iter().map(|fault| fault.paragraph("error")).collect();
            Fault::new(FaultClass::Local, "config", reasons.join("; "))
        })?;
        if !says(&loaded.config, values) {
            return Err(self.by_hand());
        }
        if self.lack == Lack::File {
            write_new(disk, &self.path, text.as_bytes())
        } else {
            Ok(replace_durably(disk, &self.path, text.as_bytes())?)
        }
    }

    /// Whether this process may write the config at all.
    ///
    /// # Errors
    /// Says why not, and what to do.
    pub fn may_write(&self, disk: &dyn Disk) -> Result<(), Fault> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        if self.lack == Lack::File {
            return if may_be_made(disk, folder) { Ok(()) } else { Err(self.refused(None)) };
        }
        let opened = disk.append(&self.path).map(drop).and_then(|()| disk.may_create_in(folder));
        opened.map_err(|error| self.refused(Some(error.into())))
    }

    fn refused(&self, why: Option<Fault>) -> Fault {
        let path = self.path.display();
        let why = why.map(|fault| format!(": {}", fault.chain())).unwrap_or_default();
        let text = format!("Casedrop may not write its config {path}{why}");
        Fault::new(FaultClass::Local, "config", text).hint(
            "an administrator can let the account that runs Casedrop change that file and its \
             folder until it is filled in, or fill it in by hand and restart Casedrop",
        )
    }

    fn by_hand(&self) -> Fault {
        let path = self.path.display();
        let text = format!("{path} is written in a way that cannot be filled in automatically");
        Fault::new(FaultClass::Local, "config", text)
            .hint("an administrator can fill in that file with a text editor and restart Casedrop")
    }

    /// Where the secret belongs: in the file that the config names, or next to the logins.
    fn secret_file(&self, values: &Values) -> PathBuf {
        let named = self.survey.secret_files.iter().find(|(key, _)| key == SECRET_FILE);
        named.map_or_else(
            || {
                let lab = values.text(Item::LabName).or(self.found(Item::LabName));
                let name = format!("{}.secret", lab.unwrap_or("client"));
                self.state().unwrap_or(Path::new("")).join(name)
            },
            |(_, file)| file.clone(),
        )
    }

    /// The config's text with these values; `None` if it is written in a way that cannot be
    /// changed automatically.
    pub(super) fn text_with(
        &self,
        disk: &dyn Disk,
        values: &Values,
        secret_file: Option<&Path>,
    ) -> Option<String> {
        let mut text = self.text.clone();
        // First what keeps the lines where they are.
        for item in Item::ALL.into_iter().filter(|item| *item != Item::ClientSecret) {
            if let Some(value) = values.text(item).filter(|_| self.overruled_by(item).is_none()) {
                text = self.set(&text, item.key(), value)?;
            }
        }
        if let Some(output) = values.text(Item::Output) {
            text = self.with_commands(disk, text, Path::new(output))?;
        }
        let is_named = self.survey.secret_files.iter().any(|(key, _)| key == SECRET_FILE);
        if secret_file.is_some()
            && let Some(line) = self.line(SECRET)
        {
            text = without_line(&text, line)?;
        }
        let secret_file = secret_file.filter(|_| !is_named);
        let mut more: Vec<_> =
            [(SECRET_FILE, secret_file), (STATE, self.state.as_deref())].into_iter().collect();
        // Each may add a line, which moves those below it.
        more.sort_by_key(|(key, _)| std::cmp::Reverse(self.sibling(key)));
        for (key, path) in more {
            if let Some(path) = path {
                text = self.set(&text, key, path.to_str()?)?;
            }
        }
        if let Some(page) = self.page.filter(|_| !self.page_is_overruled()) {
            // If it cannot be written, the agent says that its page has no port.
            text = self.set(&text, LISTEN, &page.to_string()).unwrap_or(text);
        }
        Some(text)
    }

    fn page_is_overruled(&self) -> bool {
        self.survey.places.overruled_by(LISTEN).is_some()
    }

    /// The command folder of the example goes where the orders go; one that people wrote stays.
    fn with_commands(&self, disk: &dyn Disk, text: String, output: &Path) -> Option<String> {
        let is_faulty = self.faults.iter().any(|fault| fault.key == COMMANDS);
        if self.survey.places.overruled_by(COMMANDS).is_some()
            || (self.lack == Lack::Values && !is_faulty)
        {
            return Some(text);
        }
        let Some(line) = self.line(COMMANDS) else { return Some(text) };
        let name = if cfg!(windows) { "Commands" } else { "commands" };
        let beside = output.parent().map(|parent| parent.join(name));
        let beside = beside.filter(|beside| beside != output && may_be_made(disk, beside));
        match beside.as_deref().and_then(Path::to_str) {
            Some(beside) => with_nested_value(&text, line, COMMANDS, beside),
            None => without_line(&text, line),
        }
    }

    /// Sets one key: where it is, where the example shows it commented out, or below a key of the
    /// same section.
    fn set(&self, text: &str, key: &str, value: &str) -> Option<String> {
        let (section, name) = match key.rsplit_once('.') {
            Some((section, name)) => (Some(section.split('[').next().unwrap_or(section)), name),
            None => (None, key),
        };
        let in_place = self.line(key).and_then(|line| with_nested_value(text, line, name, value));
        if in_place.is_some() {
            return in_place;
        }
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        template::put(&mut lines, section, name, value);
        let shown = lines.join(end) + end;
        if shown.lines().ne(text.lines()) {
            return Some(shown);
        }
        with_key_below(text, self.sibling(key)?, name, value)
    }

    /// The line of a key below which another one of the same section can be written.
    fn sibling(&self, key: &str) -> Option<usize> {
        match key.rsplit_once('.') {
            Some(("labs[0]", _)) => self.line("labs[0].client_id"),
            Some(_) => None,
            None => self.line("output"),
        }
    }
}

/// Writes a config where there was none, with its folder. On Windows only administrators, the
/// system and accounts with an explicit right may enter that folder; elsewhere packages create it,
/// with a group for the service's user.
///
/// # Errors
/// The disk refused.
pub fn write_new(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    if let Some(dir) = path.parent() {
        if cfg!(windows) {
            disk.create_private_dirs(dir)?;
        } else {
            disk.create_dirs(dir)?;
        }
    }
    Ok(write_durably(disk, path, bytes)?)
}
