//! Records what `casedrop -vV` says about the build, and gives the Windows program its icon,
//! version and manifest.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=BUILT_AS={}", about_build()?);
    if env::var("CARGO_CFG_TARGET_OS")? != "windows" {
        return Ok(());
    }
    // Releases are built with mingw. Other toolchains have other resource compilers; a program that
    // they make works as well, but has no icon.
    if env::var("CARGO_CFG_TARGET_ENV")? != "gnu" {
        return Ok(());
    }
    let sources = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("packaging").join("windows");
    println!("cargo::rerun-if-changed={}", sources.display());
    let script = fs::read_to_string(sources.join("casedrop.rc"))?;
    let built = PathBuf::from(env::var("OUT_DIR")?);
    let (filled, object) = (built.join("casedrop.rc"), built.join("casedrop-resources.o"));
    fs::write(&filled, fill(&script, &sources)?)?;
    compile(&filled, &object)?;
    println!("cargo::rustc-link-arg-bins={}", object.display());
    Ok(())
}

/// The commit, if packaging names it, and the target. It is never asked of git: the same sources and
/// environment give the same program, wherever it is built. (Variables that begin with `CASEDROP_` are
/// keys of the config.)
fn about_build() -> Result<String, Box<dyn Error>> {
    const COMMIT: &str = "SOURCE_COMMIT";
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let target = env::var("TARGET")?;
    let commit = env::var(COMMIT).unwrap_or_default();
    if commit.is_empty() {
        return Ok(target);
    }
    if commit.len() < 12 || !commit.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(format!("{COMMIT} is not the hash of a commit: {commit}").into());
    }
    Ok(format!("commit {}, {target}", &commit[..12]))
}

/// Puts version and places into the resource script.
fn fill(script: &str, sources: &Path) -> Result<String, Box<dyn Error>> {
    let part = |name: &str| env::var(format!("CARGO_PKG_VERSION_{name}"));
    let numbers = format!("{},{},{},0", part("MAJOR")?, part("MINOR")?, part("PATCH")?);
    let flags = if part("PRE")?.is_empty() { "0" } else { "VS_FF_PRERELEASE" };
    Ok(script
        .replace("@HERE@", &sources.display().to_string().replace('\\', "/"))
        .replace("@NUMBERS@", &numbers)
        .replace("@FLAGS@", flags)
        .replace("@VERSION@", &env::var("CARGO_PKG_VERSION")?)
        .replace("@DESCRIPTION@", "Casedrop: iTero scans to the lab's hot folder")
        .replace("@LICENSE@", &env::var("CARGO_PKG_LICENSE")?))
}

fn compile(script: &Path, object: &Path) -> Result<(), Box<dyn Error>> {
    let cross = "x86_64-w64-mingw32-windres";
    let program = if env::var("HOST")?.contains("windows") { "windres" } else { cross };
    let status = Command::new(program)
        .args(["--target=pe-x86-64", "--codepage=65001", "--output-format=coff", "--input"])
        .arg(script)
        .arg("--output")
        .arg(object)
        .status()
        .map_err(|error| {
            format!("cannot run {program}, which comes with mingw's binutils: {error}")
        })?;
    if status.success() { Ok(()) } else { Err(format!("{program} failed: {status}").into()) }
}
