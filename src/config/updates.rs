//! Self-update in the config: the source of releases, and when to install.

use std::fmt;
use std::str::FromStr;

use url::Url;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateSource {
    /// A folder on a web server. Its URL ends with `/`.
    Folder(Url),
    /// The releases of a GitHub repository.
    GitHub {
        /// The user or organization.
        owner: String,
        repository: String,
    },
}

/// A part of the day, by the wall clock. It may cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first minute, counted from midnight.
    from: u16,
    /// The minute after the last one.
    to: u16,
}

const DAY: u16 = 24 * 60;

impl Window {
    /// Whether the window contains a minute of the day, counted from midnight.
    pub fn contains(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// The length in minutes.
    pub fn minutes(self) -> u16 {
        (self.to + DAY - self.from) % DAY
    }
}

impl FromStr for Window {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (from, to) = text.split_once('-').ok_or(())?;
        let (from, to) = (minute(from)?, minute(to)?);
        if from == to { Err(()) } else { Ok(Self { from, to }) }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

fn minute(text: &str) -> Result<u16, ()> {
    let (hour, minute) = text.trim().split_once(':').ok_or(())?;
    let two = |text: &str| match text.len() {
        1 | 2 if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map_err(drop),
        _ => Err(()),
    };
    let (hour, minute): (u16, u16) = (two(hour)?, two(minute)?);
    if hour < 24 && minute < 60 { Ok(hour * 60 + minute) } else { Err(()) }
}

impl FromStr for UpdateSource {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(name) = text.strip_prefix("github:") {
            let (owner, repository) = name.split_once('/').ok_or(())?;
            let is_name = |name: &str| {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                !name.is_empty() && name.len() <= 100 && name.chars().all(plain) && name != ".."
            };
            if !is_name(owner) || !is_name(repository) {
                return Err(());
            }
            return Ok(Self::GitHub { owner: owner.to_owned(), repository: repository.to_owned() });
        }
        let mut url = super::values::url(text).map_err(drop)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(());
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self::Folder(url))
    }
}

impl fmt::Display for UpdateSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(url) => url.fmt(f),
            Self::GitHub { owner, repository } => write!(f, "github:{owner}/{repository}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_may_go_over_midnight() {
        let window = |text: &str| text.parse::<Window>().expect("a window");
        let night = window("23:30-5:00");
        assert_eq!((night.to_string().as_str(), night.minutes()), ("23:30-05:00", 330));
        for (minute, is_in) in [(0, true), (299, true), (300, false), (1409, false), (1410, true)] {
            assert_eq!(night.contains(minute), is_in, "{minute}");
        }
        let day = window("02:00 - 05:00");
        assert!(day.contains(120) && !day.contains(300) && !day.contains(0));
        assert_eq!(day.minutes(), 180);
        for bad in ["", "2-5", "02:00", "24:00-05:00", "02:60-05:00", "02:00-02:00", "+2:00-5:00"] {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_source_is_a_folder_or_a_repository() {
        let source = |text: &str| text.parse::<UpdateSource>().map(|source| source.to_string());
        assert_eq!(
            source("https://it.example/casedrop"),
            Ok("https://it.example/casedrop/".into())
        );
        assert_eq!(source("http://127.0.0.1:8000/"), Ok("http://127.0.0.1:8000/".into()));
        assert_eq!(source("github:acme/casedrop"), Ok("github:acme/casedrop".into()));
        for bad in
            ["", "http://it.example/", "github:acme", "github:a/b/c", "github:../b", "file:///x"]
        {
            assert!(source(bad).is_err(), "{bad}");
        }
        assert!(source("https://it.example/?token=1").is_err());
    }
}
