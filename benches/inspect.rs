//! What mesh inspection costs while unpacking: the same bytes once as a mesh and once under a name
//! that is not inspected. Measures CPU time where the system reports it, since disk writes are not
//! inspection and their time varies from call to call.
//!
//! ```sh
//! cargo bench --bench inspect                # meshes of 440,000 triangles
//! cargo bench --bench inspect -- 100000
//! ```

use std::fs::File;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::time::Duration;

use casedrop::config::Limits;
use casedrop::disk::RealDisk;
use casedrop::hotfolder::unpack;
use casedrop::model::cancel::Cancel;
use casedrop::simulator::package::{CaseKind, CaseSpec, MeshFormat, write_ide_package};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// Each round times both variants back to back, so that other load on the machine hits both alike.
const ROUNDS: usize = 101;

#[expect(clippy::print_stdout, reason = "it prints its results")]
fn main() {
    let triangles = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(440_000);
    let dir = tempfile::tempdir().expect("tempdir");
    for mesh in [MeshFormat::Stl, MeshFormat::Ply] {
        let mut spec = CaseSpec::small(17_544_365, CaseKind::OrthoShell);
        spec.mesh = mesh;
        spec.triangles = triangles;
        let mut package = Cursor::new(Vec::new());
        write_ide_package(&spec, &mut package).expect("package");
        let meshes = dir.path().join(format!("{mesh:?}.zip"));
        let others = dir.path().join(format!("{mesh:?}-others.zip"));
        only_meshes(package.get_mut(), &meshes, mesh.extension());
        only_meshes(package.get_mut(), &others, "bin");
        let out = dir.path().join("out");
        let (mut shares, mut best) = (Vec::new(), [Duration::MAX; 2]);
        for round in 0..ROUNDS {
            let mut took = [Duration::ZERO; 2];
            // Alternate the order, so that neither variant always runs second.
            for number in [round % 2, 1 - round % 2] {
                took[number] = time([&others, &meshes][number], &out);
                best[number] = best[number].min(took[number]);
            }
            shares.push((took[1].as_secs_f64() / took[0].as_secs_f64() - 1.0) * 100.0);
        }
        shares.sort_by(f64::total_cmp);
        let at = |quarter: usize| shares[(ROUNDS - 1) * quarter / 4];
        println!(
            "{mesh:?}: {:+.1} % (median of {ROUNDS}; half of them from {:+.1} to {:+.1} %); at best {:.1?} \
             instead of {:.1?}",
            at(2),
            at(1),
            at(3),
            best[1],
            best[0]
        );
    }
}

fn only_meshes(package: &mut Vec<u8>, to: &Path, extension: &str) {
    let mut from = ZipArchive::new(Cursor::new(package)).expect("a zip");
    let mut writer = ZipWriter::new(File::create(to).expect("created"));
    for index in 0..from.len() {
        let mut member = from.by_index(index).expect("member");
        let name = member.name().expect("a name").into_owned();
        let is_mesh = [".stl", ".ply"].iter().any(|end| name.ends_with(end));
        if is_mesh {
            let name = format!("{index}.{extension}");
            writer.start_file(name, SimpleFileOptions::default()).expect("started");
            std::io::copy(&mut member, &mut writer).expect("copied");
        }
    }
    writer.finish().expect("finished").flush().expect("flushed");
}

fn time(archive: &Path, out: &Path) -> Duration {
    let start = worked();
    unpack(&RealDisk, archive, out, &Limits::default(), &Cancel::new()).expect("unpacked");
    let took = worked().saturating_sub(start);
    std::fs::remove_dir_all(out).expect("removed");
    took
}

/// CPU time of this thread so far.
#[cfg(unix)]
fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("no clock runs backwards")
}

/// Wall-clock time so far.
#[cfg(not(unix))]
fn worked() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> =
        std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}
