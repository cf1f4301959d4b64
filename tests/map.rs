//! The map in CONTRIBUTING.md is true: its arrows are those of the code, its paths exist, and so do
//! the tests that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    fs::canonicalize(env!("CARGO_MANIFEST_DIR")).expect("the repository")
}

fn text(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Rust files below a folder, or that file itself.
fn sources(at: &Path) -> Vec<PathBuf> {
    if at.is_file() {
        return vec![at.to_owned()];
    }
    let Ok(entries) = fs::read_dir(at) else { return Vec::new() };
    let mut all: Vec<_> =
        entries.flat_map(|entry| sources(&entry.expect("an entry").path())).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    all
}

/// The content of the code spans of a text.
fn spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table with this heading: name and the names in the last column.
fn rows(heading: &str) -> BTreeMap<String, BTreeSet<String>> {
    let page = text("CONTRIBUTING.md");
    let table = page.split_once(heading).unwrap_or_else(|| panic!("no table {heading}")).1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .map(|cells| {
            let name = spans(cells[0]).first().expect("a name in the first column").to_string();
            let uses = cells.last().expect("a last column");
            let uses = if *uses == "all" { vec!["all"] } else { spans(uses) };
            (name, uses.into_iter().map(str::to_owned).collect())
        })
        .collect()
}

/// The lines of a file, tests and comments aside.
fn code(source: &str) -> impl Iterator<Item = &str> {
    let product = source.lines().take_while(|line| !line.starts_with("mod tests {"));
    product.map(|line| line.split("//").next().unwrap_or_default())
}

/// What a file uses of its crate, tests aside.
fn uses(source: &str) -> BTreeSet<String> {
    let paths = code(source).flat_map(|line| line.split("crate::").skip(1));
    let name = |path: &str| {
        path.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned)
    };
    paths.filter_map(name).filter(|name| !name.is_empty()).collect()
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let in_tests = path.components().any(|part| part.as_os_str() == "tests");
    in_tests || name == "tests.rs" || name == "testing.rs" || name.ends_with("_tests.rs")
}

#[test]
fn crates_use_what_the_map_says() {
    for (name, uses) in rows("| crate | does | uses |") {
        let manifest = text(format!("{name}/Cargo.toml"));
        let own = manifest.split("[dependencies]").nth(1).expect("dependencies");
        let own = own.split("[dev-dependencies]").next().unwrap_or_default();
        let own = own.lines().filter_map(|line| line.strip_prefix("casedrop-"));
        let own: BTreeSet<_> =
            own.filter_map(|line| line.split(['.', ' ']).next()).map(str::to_owned).collect();
        assert_eq!(own, uses, "{name}");
    }
    let crates = fs::read_dir(root().join("crates")).expect("crates").count();
    assert_eq!(rows("| crate | does | uses |").len(), crates, "each crate has a row");
}

#[test]
fn modules_use_what_the_map_says_and_never_in_a_circle() {
    let map = rows("| module in `src/` | does | uses |");
    let library = root().join("src");
    let mut here = BTreeSet::new();
    for entry in fs::read_dir(&library).expect("src") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        if !matches!(name.as_str(), "lib.rs" | "main.rs") {
            here.insert(name.trim_end_matches(".rs").to_owned());
        }
    }
    let name = |row: &String| row.trim_end_matches('/').trim_end_matches(".rs").to_owned();
    assert_eq!(map.keys().map(name).collect::<BTreeSet<_>>(), here, "each module has a row");
    for (row, expected) in &map {
        let module = name(row);
        if expected.contains("all") {
            continue;
        }
        let mut found = BTreeSet::new();
        for at in [library.join(&module), library.join(format!("{module}.rs"))] {
            let files = sources(&at).into_iter().filter(|path| !is_test(path));
            found.extend(files.flat_map(|path| uses(&fs::read_to_string(path).expect("readable"))));
        }
        found.remove(&module);
        assert_eq!(&found, expected, "{row}");
    }
    // Whoever can be taken away because all that it uses is gone is in no circle.
    let mut left: BTreeMap<_, _> = map.iter().map(|(row, uses)| (name(row), uses)).collect();
    loop {
        let free = left.iter().find(|(_, uses)| !uses.iter().any(|used| left.contains_key(used)));
        let Some(free) = free.map(|(module, _)| module.clone()) else { break };
        left.remove(&free);
    }
    assert!(left.is_empty(), "a circle: {left:?}");
}

#[test]
fn paths_that_the_guide_names_exist() {
    let page = text("CONTRIBUTING.md");
    let tops = ["src/", "crates/", "tests/", "docs/", "packaging/", ".ci/", "templates/"];
    let named =
        spans(&page).into_iter().filter(|span| tops.iter().any(|top| span.starts_with(top)));
    let named: Vec<_> = named.filter_map(|span| span.split([' ', '*', '…']).next()).collect();
    assert!(named.len() > 30, "{named:?}");
    for path in named {
        assert!(root().join(path).exists(), "CONTRIBUTING.md names {path}");
    }
}

#[test]
fn tests_that_the_guide_names_exist() {
    let page = text("CONTRIBUTING.md");
    let table = page.split_once("| promise | tests |").expect("the table of promises").1;
    let table: Vec<_> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    let table = table.join("\n");
    let mut known = BTreeSet::new();
    for at in ["src", "crates", "tests"] {
        for path in sources(&root().join(at)) {
            let parts =
                path.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned());
            known.extend(parts);
            let source = fs::read_to_string(&path).expect("readable");
            // Macros make some of them, so any identifier counts.
            let words = source.split(|c: char| !c.is_alphanumeric() && c != '_');
            known.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }
    let named = spans(&table).into_iter().filter(|span| span.contains("::"));
    let mut count = 0;
    for span in named {
        for part in span.split([' ', ':']).filter(|part| !part.is_empty() && *part != "e2e") {
            let mut pieces = part.split('…').filter(|piece| !piece.is_empty()).peekable();
            let Some(first) = pieces.next() else { continue };
            let fits = |name: &String| match (part.starts_with('…'), part.ends_with('…')) {
                (false, false) => name == part,
                (false, true) => name.starts_with(first),
                (true, _) => name.contains(first),
            };
            assert!(known.iter().any(fits), "no test or module {part}, which `{span}` names");
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

/// Files that format times themselves: for programs, for names of files, and for the page's scripts; and
/// days, which are in no time zone.
const OTHER_TIMES: [&str; 5] = [
    "crates/model/src/day.rs",
    "crates/model/src/local_time.rs",
    "crates/model/src/time.rs",
    "src/agent/journal.rs",
    "src/web/markup.rs",
];

/// Calls with text for people.
const TEXT_CALLS: [&str; 5] = ["format!(", "write!(", "writeln!(", ".line(", ".note("];
/// Files whose texts are for support and the log, which want UTC.
const UTC_TEXTS: [&str; 2] = ["src/logs/sink.rs", "src/support/gather.rs"];

#[test]
fn times_for_people_are_formatted_in_one_place() {
    let mut seen = 0;
    let all = [root().join("src"), root().join("crates")];
    for path in all.iter().flat_map(|at| sources(at)).filter(|path| !is_test(path)) {
        let name = path.strip_prefix(root()).expect("ours").to_string_lossy().replace('\\', "/");
        // Fake Align and fake certificates write what the real ones write.
        if ["crates/simulator", "crates/testing"].iter().any(|other| name.starts_with(other)) {
            continue;
        }
        let source = fs::read_to_string(&path).expect("readable");
        let product: Vec<_> = code(&source).collect();
        let formats = product.iter().any(|line| line.contains("strftime("));
        assert!(!formats || OTHER_TIMES.contains(&name.as_str()), "{name} formats times itself");
        let product = product.join(" ");
        let calls = TEXT_CALLS.iter().flat_map(|call| product.match_indices(call));
        for (at, call) in calls {
            let said = arguments(&product[at + call.len()..]);
            assert!(
                !said.contains("to_rfc3339()") || UTC_TEXTS.contains(&name.as_str()),
                "{name} puts UTC into a text for people: {call}{said}"
            );
            seen += 1;
        }
    }
    assert!(seen > 500, "{seen}");
}

/// The text up to the parenthesis that closes a call. (One in a string may fool it.)
fn arguments(text: &str) -> &str {
    let mut depth = 1_u32;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[..at];
        }
    }
    text
}

/// The longest circle of files that use each other, tests aside. (A module and its parts may know
/// each other; more than a handful is a module that was cut without being divided.)
const CIRCLE_MAX: usize = 4;

/// One that is longer: the engine is one struct whose methods fill a folder.
const LONGER: [&str; 1] = ["engine/queue"];

type Module = Vec<String>;

/// One crate's files by their module, with their code, tests and comments aside.
fn modules(src: &Path) -> BTreeMap<Module, String> {
    let files = sources(src).into_iter().filter(|path| !is_test(path));
    let mut modules = BTreeMap::new();
    for path in files {
        let relative = path.strip_prefix(src).expect("below it").with_extension("");
        let mut module: Module =
            relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        if !matches!(module.as_slice(), [one] if one == "lib" || one == "main") {
            let source = fs::read_to_string(&path).expect("readable");
            modules.insert(module, code(&source).collect::<Vec<_>>().join("\n"));
        }
    }
    modules
}

/// The paths of a `use`, such as `a::{b, c::{self, d}}`.
fn paths(tree: &str) -> Vec<Module> {
    let Some(open) = tree.find('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.split("::").map(|part| part.trim().to_owned()).collect()];
    };
    let head: Module = tree[..open]
        .split("::")
        .map(|part| part.trim().to_owned())
        .filter(|p| !p.is_empty())
        .collect();
    let close = tree.rfind('}').unwrap_or(tree.len());
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in tree[open + 1..close].chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| paths(part)).map(|path| [head.clone(), path].concat()).collect()
}

/// The `use` items of a file: whether it passes them on, and the path.
fn imports(code: &str) -> Vec<(bool, Module)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let line = code[..at].rsplit('\n').next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with("pub") {
            let tree = code[at + 4..].split(';').next().unwrap_or_default();
            // The word also stands at the start of lines of longer texts.
            let is_path =
                |c: char| c.is_alphanumeric() || c.is_whitespace() || "_:{},*".contains(c);
            if tree.chars().all(is_path) && tree.matches('{').count() == tree.matches('}').count() {
                found.extend(paths(tree).into_iter().map(|path| (!line.is_empty(), path)));
            }
        }
    }
    found
}

/// The file in which a path ends, as seen from a module; names that a file only passes on lead to
/// where they come from.
fn target(modules: &BTreeMap<Module, String>, from: &[String], path: &[String]) -> Option<Module> {
    let mut at: Module = from.to_vec();
    let mut rest = path;
    match rest.first()?.as_str() {
        "crate" => (at, rest) = (Vec::new(), &rest[1..]),
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|part| part == "super") {
                at.pop();
                rest = &rest[1..];
            }
        }
        child => {
            let is_child = modules.contains_key(&[from, &[child.to_owned()]].concat());
            if !is_child {
                return None;
            }
        }
    }
    at.extend_from_slice(rest);
    let length = (1..=at.len()).rev().find(|length| modules.contains_key(&at[..*length]))?;
    let file = at[..length].to_vec();
    let Some(name) = at.get(length) else { return Some(file) };
    let passed = imports(&modules[&file]).into_iter().map(|(_, path)| path);
    let source = passed.filter(|path| path.last() == Some(name)).find(|path| path.len() > 1);
    let source = source.and_then(|path| target(modules, &file, &path));
    Some(source.unwrap_or(file))
}

/// What each file uses of its crate.
fn arrows(modules: &BTreeMap<Module, String>) -> BTreeMap<&Module, BTreeSet<Module>> {
    let one = |(module, code): (&Module, &String)| {
        let mut used = BTreeSet::new();
        for (is_passed_on, path) in imports(code) {
            if !is_passed_on {
                used.extend(target(modules, module, &path));
            }
        }
        for start in ["crate::", "super::"] {
            for (at, _) in code.match_indices(start) {
                let line = code[..at].rsplit('\n').next().unwrap_or_default();
                let is_path = |c: &char| c.is_alphanumeric() || matches!(c, '_' | ':');
                let path: String = code[at..].chars().take_while(is_path).collect();
                let path: Module = path.split("::").map(str::to_owned).collect();
                let is_import = line.trim_start().starts_with("use ") || line.contains(" use ");
                if !is_import && !line.ends_with("::") && !line.contains("pub(in ") {
                    used.extend(target(modules, module, &path));
                }
            }
        }
        for child in modules.keys().filter(|other| other[..other.len() - 1] == module[..]) {
            let name = format!("{}::", child.last().map(String::as_str).unwrap_or_default());
            let is_path = |at: usize| {
                let line = code[..at].rsplit('\n').next().unwrap_or_default();
                let is_whole = !line.ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
                is_whole && !line.trim_start().starts_with("pub") && !line.contains("use ")
            };
            if code.match_indices(&name).any(|(at, _)| is_path(at)) {
                used.insert(child.clone());
            }
        }
        used.remove(module);
        used
    };
    modules.iter().map(|entry| (entry.0, one(entry))).collect()
}

#[test]
fn no_circle_of_files_is_long() {
    let mut crates = vec![root().join("src")];
    for entry in fs::read_dir(root().join("crates")).expect("crates") {
        crates.push(entry.expect("an entry").path().join("src"));
    }
    let mut longer = BTreeSet::new();
    for src in crates {
        let modules = modules(&src);
        let arrows = arrows(&modules);
        let reach = |start: &Module| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![start.clone()]);
            while let Some(module) = next.pop() {
                for used in arrows.get(&module).into_iter().flatten() {
                    if seen.insert(used.clone()) {
                        next.push(used.clone());
                    }
                }
            }
            seen
        };
        let reached: BTreeMap<_, _> =
            modules.keys().map(|module| (module, reach(module))).collect();
        for (module, from_here) in &reached {
            let back = |other: &&Module| reached[*other].contains(*module);
            let circle: Vec<_> =
                from_here.iter().filter(back).map(|module| module.join("/")).collect();
            let known = LONGER.iter().find(|known| circle.iter().any(|one| one == *known));
            match known {
                _ if circle.len() <= CIRCLE_MAX => {}
                Some(known) => drop(longer.insert(*known)),
                None => panic!("a circle of {} files: {circle:?}", circle.len()),
            }
        }
    }
    assert_eq!(longer, LONGER.into(), "one of them is no longer needed");
}
