//! The simulated disk against the real one: the same calls, the same answers and the same tree.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use casedrop::disk::{Disk, DiskError, Entry, RealDisk};
use fastrand::Rng;

use super::SimDisk;

/// Few names, so that calls interfere with each other.
const NAMES: [&str; 12] =
    ["a", "b", "c", "a/a", "a/b", "b/a", "b/c", "c/b", "a/a/a", "a/b/c", "b/a/b", "c/b/a/a"];

fn said<T: std::fmt::Debug>(result: Result<T, DiskError>, base: &Path) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => {
            let path = error.path.strip_prefix(base).expect("below the base");
            format!("{} {} {:?}", error.operation, path.display(), error.kind())
        }
    }
}

/// Result of a call on an open file.
fn did<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    format!("{:?}", result.map_err(|error| error.kind()))
}

fn listed(disk: &dyn Disk, dir: &Path) -> Result<Vec<(Option<String>, String, u64)>, DiskError> {
    let plain = |entry: Entry| (entry.name, format!("{:?}", entry.kind), entry.len);
    Ok(disk.list(dir)?.into_iter().map(plain).collect())
}

/// Makes one random call; returns a description and the answer. The same dice make the same call on
/// another disk.
fn ask(disk: &dyn Disk, base: &Path, rng: &mut Rng) -> (String, String) {
    let (one, two) = (rng.choice(NAMES).expect("some"), rng.choice(NAMES).expect("some"));
    let (from, to) = (base.join(one), base.join(two));
    let which = rng.u8(..18);
    let bytes: Vec<u8> = (0..rng.usize(..9)).map(|_| rng.u8(..)).collect();
    let answer = match which {
        0 => said(disk.kind(&from), base),
        1 => said(listed(disk, &from), base),
        2 | 3 => said(disk.create_dirs(&from), base),
        4 | 5 => match disk.create(&from) {
            Ok(mut file) => did(file.write_all(&bytes).and_then(|()| file.sync())),
            Err(error) => said::<()>(Err(error), base),
        },
        6 => match disk.append(&from) {
            Ok(mut file) => did(file.write_all(&bytes)),
            Err(error) => said::<()>(Err(error), base),
        },
        7 => match disk.open(&from) {
            Ok(mut file) => {
                let mut found = Vec::new();
                let read = file.seek(SeekFrom::Start(2)).and_then(|_| file.read_to_end(&mut found));
                did(read.map(|_| found))
            }
            Err(error) => said::<()>(Err(error), base),
        },
        8 => said(disk.replace_file(&from, &to), base),
        9 | 10 => said(disk.rename(&from, &to), base),
        11 => said(disk.exchange(&from, &to), base),
        12 => said(disk.hard_link(&from, &to), base),
        13 => said(disk.remove_file(&from), base),
        14 => said(disk.remove_dir(&from), base),
        15 => said(disk.remove_tree(&from), base),
        16 => said(disk.sync_dir(&from), base),
        _ => match rng.u8(..5) {
            0 => said(disk.same_volume(&from, &to), base),
            1 => said(disk.may_create_in(&from), base),
            2 => said(disk.hide(&from), base),
            3 => said(disk.try_lock(&from).map(|lock| lock.is_some()), base),
            _ => said(disk.create_private_dirs(&from), base),
        },
    };
    (format!("{which}: {one} {two}"), answer)
}

/// Every path with its content.
fn tree(disk: &dyn Disk, dir: &Path, base: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in disk.list(dir).expect("listed") {
        let path = entry.path.strip_prefix(base).expect("below").display().to_string();
        if entry.kind == casedrop::disk::Kind::Dir {
            lines.push(format!("{path}/"));
            lines.extend(tree(disk, &entry.path, base));
        } else {
            let mut bytes = Vec::new();
            disk.open(&entry.path).expect("there").read_to_end(&mut bytes).expect("read");
            lines.push(format!("{path} {bytes:?}"));
        }
    }
    lines
}

#[test]
fn it_answers_every_call_as_the_real_disk_does() {
    for seed in 0..80 {
        let dir = tempfile::tempdir().expect("tempdir");
        let real_base = dir.path().join("base");
        let sim_base = Path::new("/pc/base");
        let sim = SimDisk::new(seed);
        RealDisk.create_dirs(&real_base).expect("made");
        sim.create_dirs(sim_base).expect("made");
        let mut rng = Rng::with_seed(seed);
        let mut calls = Vec::new();
        for _ in 0..150 {
            let mut same = rng.clone();
            let (call, real) = ask(&RealDisk, &real_base, &mut rng);
            let (_, simulated) = ask(&sim, sim_base, &mut same);
            calls.push(call);
            assert_eq!(simulated, real, "seed {seed}, after {calls:#?}");
        }
        let (simulated, real) =
            (tree(&sim, sim_base, sim_base), tree(&RealDisk, &real_base, &real_base));
        assert_eq!(simulated, real, "seed {seed}, after {calls:#?}");
    }
}
