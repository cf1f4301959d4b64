//! Finds, reads and checks a config: file → tree → environment → policy → schema → sense. Each
//! stage passes on what it could read, so that all faults come out at once.

use std::path::{Path, PathBuf};

use super::build::Builder;
use super::effective;
use super::fault::{ConfigFault, ConfigFaults};
use super::node::Origin;
use super::policy::{self, Policy};
use super::raw::Raw;
use super::survey::{Places, Survey};
use super::walk::{self, Found};
use super::{Config, env, paths, yaml};
use crate::disk::{Disk, Kind, read_limited};

pub const FILE_NAME: &str = "casedrop.yaml";

/// A config that can be run, and its warnings.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// Allowed, but should be changed.
    pub warnings: Vec<ConfigFault>,
    /// The file it came from.
    pub source: PathBuf,
    /// What it names in its surroundings, for `casedrop check`.
    pub survey: Survey,
}

/// Finds the config file: the one named on the command line, else `CASEDROP_CONFIG`, else
/// `casedrop.yaml` in the current directory, else the platform's location.
pub fn locate(
    disk: &dyn Disk,
    named: Option<&Path>,
    env: &[(String, String)],
    cwd: &Path,
) -> Result<PathBuf, ConfigFaults> {
    let variable = paths::lookup(env, env::CONFIG);
    let asked = named
        .map(|path| (path.to_path_buf(), "--config"))
        .or_else(|| variable.map(|path| (PathBuf::from(path), env::CONFIG)));
    if let Some((path, by)) = asked {
        let path = cwd.join(path);
        if is_file(disk, &path) {
            return Ok(path);
        }
        let reason = format!("there is no config file at {} ({by})", path.display());
        let fault = ConfigFault::of_key("", reason).hint(HOW_TO_MAKE_ONE);
        return Err(ConfigFaults { faults: vec![fault], ..ConfigFaults::default() });
    }
    let places = [cwd.join(FILE_NAME), paths::platform_config(env)];
    if let Some(found) = places.iter().find(|path| is_file(disk, path)) {
        return Ok(found.clone());
    }
    let [here, platform] = places.each_ref().map(|place| place.display());
    let missing = if places[0] == places[1] {
        format!("there is no {platform}")
    } else {
        format!("there is neither {here} nor {platform}")
    };
    let variable = env::CONFIG;
    let reason = format!("no config found: --config and {variable} are not set, and {missing}");
    let fault = ConfigFault::of_key("", reason).hint(HOW_TO_MAKE_ONE);
    Err(ConfigFaults { faults: vec![fault], ..ConfigFaults::default() })
}

/// Where to write a config: the file named on the command line, else the one in `CASEDROP_CONFIG`,
/// else `casedrop.yaml` in the current directory if there is one, else the platform's location. Once
/// it is written, [`locate`] finds the same file.
pub fn place_for_new(
    disk: &dyn Disk,
    named: Option<&Path>,
    env: &[(String, String)],
    cwd: &Path,
) -> PathBuf {
    asked_for(named, env, cwd).unwrap_or_else(|| {
        let here = cwd.join(FILE_NAME);
        if is_file(disk, &here) { here } else { paths::platform_config(env) }
    })
}

/// The same for this process, which may not be allowed to write to the platform's location: then the
/// current directory, and `None` if it may not write there either.
pub fn writable_place_for_new(
    disk: &dyn Disk,
    named: Option<&Path>,
    env: &[(String, String)],
    cwd: &Path,
) -> Option<PathBuf> {
    let usual = || {
        let places = [paths::platform_config(env), cwd.join(FILE_NAME)];
        places.into_iter().find(|place| paths::may_be_made(disk, place))
    };
    asked_for(named, env, cwd).or_else(usual)
}

/// The place that the command line or the environment says.
fn asked_for(named: Option<&Path>, env: &[(String, String)], cwd: &Path) -> Option<PathBuf> {
    let variable = paths::lookup(env, env::CONFIG).map(Path::new);
    named.or(variable).map(|path| cwd.join(path))
}

/// The folder of the platform's config file.
pub fn platform_folder(env: &[(String, String)]) -> PathBuf {
    let file = paths::platform_config(env);
    file.parent().map_or_else(|| file.clone(), Path::to_path_buf)
}

const HOW_TO_MAKE_ONE: &str = "start `casedrop run`: it shows a page in the browser that asks for what is needed and writes the \
     config; or copy config.example.yaml to casedrop.yaml and fill it in; or try the agent without an \
     account: `casedrop simulate` prints a ready-to-use config, `casedrop demo` needs none";

fn is_file(disk: &dyn Disk, path: &Path) -> bool {
    // A link to a file will do, too.
    matches!(disk.kind(path), Ok(Some(Kind::File | Kind::Other)))
}

/// Reads and checks a config file together with the environment.
///
/// # Errors
/// All faults at once, each with key, place, reason and hint.
pub fn load(
    disk: &dyn Disk,
    path: &Path,
    env: &[(String, String)],
) -> Result<Loaded, ConfigFaults> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let fail = |fault: ConfigFault| ConfigFaults::whole(Some(&path), fault);
    let bytes = read_limited(disk, &path, yaml::MAX_BYTES).map_err(|error| {
        let (reason, hint) = match error.kind() {
            std::io::ErrorKind::FileTooLarge => {
                ("the file is larger than 1 MiB".to_owned(), "check that this is the right file")
            }
            std::io::ErrorKind::NotFound => ("the file does not exist".to_owned(), HOW_TO_MAKE_ONE),
            _ => (
                format!("cannot read the file: {}", error.source),
                "check that it is a file and that the agent's user may read it",
            ),
        };
        fail(ConfigFault::of_key("", reason).hint(hint))
    })?;
    read(disk, &path, &bytes, env)
}

/// Like [`load`], for content that is not in the file yet.
pub fn load_text(
    disk: &dyn Disk,
    path: &Path,
    text: &str,
    env: &[(String, String)],
) -> Result<Loaded, ConfigFaults> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    read(disk, &path, text.as_bytes(), env)
}

/// Checks the content of a config file and of the policy next to it.
fn read(
    disk: &dyn Disk,
    path: &Path,
    bytes: &[u8],
    env: &[(String, String)],
) -> Result<Loaded, ConfigFaults> {
    let mut faults = Vec::new();
    let policy = Policy::beside(disk, path).unwrap_or_else(|fault| {
        faults.push(*fault);
        None
    });
    let policy_path = policy.as_ref().map(|policy| policy.path.clone());
    let shown = policy_path.as_ref().map(|path| path.display().to_string());
    let report = Report { source: path.display().to_string(), policy: shown.unwrap_or_default() };
    let (tree, problems) = match yaml::decode(bytes) {
        Ok(text) => yaml::parse(text),
        Err(problem) => (None, vec![problem]),
    };
    faults.extend(problems.into_iter().map(|problem| problem_of(&report.source, problem)));
    let (ruling, problems) = policy.as_ref().map(Policy::parse).unwrap_or_default();
    faults.extend(problems.into_iter().map(|problem| problem_of(&report.policy, problem)));
    let mut found = Vec::new();
    let ruling = ruling.map(|mut ruling| {
        found.extend(walk::check_part(&mut ruling));
        ruling
    });
    let is_empty = tree.as_ref().is_none_or(|node| matches!(node.kind, super::node::Kind::Null));
    let Some(mut tree) = tree.filter(|_| !is_empty) else {
        if !faults.iter().any(|fault| fault.source == report.source) {
            let fault = ConfigFault::of_key("", "the file contains no config")
                .hint("copy the content of config.example.yaml and fill it in");
            faults.push(report.sourced(fault));
        }
        faults.extend(found.into_iter().map(|found| report.found(found)));
        let config = Some(path.to_path_buf());
        return Err(ConfigFaults { config, faults, ..ConfigFaults::default() });
    };
    let file = tree.clone();
    found.extend(env::overlay(&mut tree, env));
    let mut warned = Vec::new();
    if let Some(ruling) = ruling {
        let laid = policy::lay(&mut tree, ruling, &file, path);
        found.extend(laid.found);
        warned.extend(laid.warned);
    }
    found.extend(walk::check(&mut tree));
    faults.extend(found.into_iter().map(|found| report.found(found)));
    let raw: Raw = match serde_json::from_value(tree.to_json()) {
        Ok(raw) => raw,
        Err(error) => {
            if faults.is_empty() {
                let reason = format!("the config cannot be read: {error}");
                faults.push(report.sourced(ConfigFault::of_key("", reason)));
            }
            let config = Some(path.to_path_buf());
            return Err(ConfigFaults { config, faults, ..ConfigFaults::default() });
        }
    };
    let base = path.parent().unwrap_or(Path::new(""));
    let mut builder = Builder::new(disk, base, env, &tree);
    let config = builder.build(raw);
    let Builder { found, warned: more, mut survey, .. } = builder;
    survey.places = Places::new(&report.source, &report.policy, &tree);
    survey.policy = policy_path;
    faults.extend(found.into_iter().map(|found| report.found(found)));
    warned.extend(more);
    let mut warnings: Vec<ConfigFault> =
        warned.into_iter().map(|found| report.found(found)).collect();
    let order = |fault: &ConfigFault| {
        let elsewhere = fault.source != report.source;
        (fault.line.is_none(), elsewhere, fault.line, fault.column)
    };
    warnings.sort_by_key(order);
    match config {
        Some(mut config) if faults.is_empty() => {
            let files = effective::Files { config: &report.source, policy: &report.policy };
            config.effective = effective::list(&tree, &files, &config);
            if let Some(policy) = &policy {
                config.keys.0.insert(policy::POLICY_NAME.to_owned(), policy.digest());
            }
            Ok(Loaded { config, warnings, source: path.to_path_buf(), survey })
        }
        _ => {
            faults.sort_by_key(order);
            faults.dedup();
            Err(ConfigFaults {
                config: Some(path.to_path_buf()),
                faults,
                warnings,
                survey: Box::new(survey),
            })
        }
    }
}

/// Turns the findings of the stages into faults with their source.
struct Report {
    source: String,
    policy: String,
}

impl Report {
    fn sourced(&self, fault: ConfigFault) -> ConfigFault {
        ConfigFault { source: self.source.clone(), ..fault }
    }

    fn found(&self, found: Found) -> ConfigFault {
        let fault = ConfigFault::of_key(found.path.to_string(), found.reason).hint(found.hint);
        match found.origin {
            Some(Origin::File { line, column }) => {
                ConfigFault { line: Some(line), column: Some(column), ..self.sourced(fault) }
            }
            Some(Origin::Policy { line, column }) => ConfigFault {
                line: Some(line),
                column: Some(column),
                source: self.policy.clone(),
                ..fault
            },
            Some(Origin::Variable(name)) => ConfigFault { source: name, ..fault },
            None => self.sourced(fault),
        }
    }
}

/// Turns a problem of the file into a fault.
fn problem_of(source: &str, problem: yaml::Problem) -> ConfigFault {
    ConfigFault {
        key: problem.path.to_string(),
        line: Some(problem.line),
        column: Some(problem.column),
        source: source.to_owned(),
        reason: problem.reason,
        hint: problem.hint,
        snippet: problem.snippet,
    }
}
