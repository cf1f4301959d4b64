//! A record of requested downloads that is independent of the journal: Align no longer lists such
//! orders, so without either record they would be lost.
//!
//! Each is one small file, `<staging>/claims/<job>.json`, kept from before the first byte is
//! requested until the publication is durable. A stale claim does no harm: the order is just
//! downloaded again.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use casedrop_disk::{Disk, DiskError, Kind, read_limited, write_durably};
use casedrop_model::ids::{AccountId, LabName, OrderKey};
use casedrop_model::order::RemoteOrder;
use casedrop_model::path::safe_component;
use casedrop_model::time::WallMs;

const CLAIM_MAX: u64 = 1 << 20;

/// An order whose download was requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The lab, as named in the config.
    pub lab: LabName,
    pub account: AccountId,
    /// When the download was requested.
    pub at: WallMs,
    /// What Align said about the order.
    pub remote: RemoteOrder,
}

impl Claim {
    pub fn key(&self) -> OrderKey {
        OrderKey {
            lab: self.lab.clone(),
            account: self.account.clone(),
            order: self.remote.order_id.clone(),
        }
    }
}

/// Makes a claim durable, replacing any older one.
pub fn claim(disk: &dyn Disk, layout: &Layout, job: &str, claim: &Claim) -> Result<(), DiskError> {
    disk.create_dirs(&layout.claims())?;
    let mut bytes = serde_json::to_vec(claim).unwrap_or_default();
    bytes.push(b'\n');
    write_durably(disk, &path(layout, job), &bytes)
}

/// Removes a claim, if there is one.
pub fn release(disk: &dyn Disk, layout: &Layout, job: &str) -> Result<(), DiskError> {
    match disk.remove_file(&path(layout, job)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Returns all claims, each with its job. Files that are not claims are skipped.
pub fn claims(disk: &dyn Disk, layout: &Layout) -> Result<Vec<(String, Claim)>, DiskError> {
    let dir = layout.claims();
    if disk.kind(&dir)? != Some(Kind::Dir) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in disk.list(&dir)?.into_iter().filter(|entry| entry.kind == Kind::File) {
        let name = entry.name.as_deref().and_then(|name| name.strip_suffix(".json"));
        let Some(job) = name else { continue };
        match read_limited(disk, &entry.path, CLAIM_MAX) {
            Ok(bytes) => {
                if let Ok(claim) = serde_json::from_slice(&bytes) {
                    found.push((job.to_owned(), claim));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn path(layout: &Layout, job: &str) -> PathBuf {
    layout.claims().join(safe_component(&format!("{job}.json")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Place, key};
    use super::*;
    use casedrop_disk::RealDisk;
    use casedrop_model::order::Status;

    #[test]
    fn a_claim_is_found_until_it_is_released() {
        let place = Place::new();
        assert_eq!(claims(&RealDisk, &place.layout).expect("none yet"), []);
        let key = key();
        let mut made = Claim {
            lab: key.lab.clone(),
            account: key.account.clone(),
            at: WallMs(1),
            remote: RemoteOrder::new(key.order.clone(), Status::Ready),
        };
        claim(&RealDisk, &place.layout, "lab~1~17", &made).expect("made");
        made.at = WallMs(2);
        claim(&RealDisk, &place.layout, "lab~1~17", &made).expect("made again");
        std::fs::write(place.layout.claims().join("note.txt"), "?").expect("written");
        std::fs::write(place.layout.claims().join("odd.json"), "{").expect("written");
        let found = claims(&RealDisk, &place.layout).expect("read");
        assert_eq!(found, [("lab~1~17".to_owned(), made)]);
        assert_eq!(found[0].1.key(), key);
        release(&RealDisk, &place.layout, "lab~1~17").expect("released");
        release(&RealDisk, &place.layout, "lab~1~17").expect("again");
        assert_eq!(claims(&RealDisk, &place.layout).expect("read"), []);
    }
}
