//! The test order: a made-up order that a person may have published into the real output, to see that
//! the way from Align's API to the CAD program works. Pure.
//!
//! It is known by its name alone, so that nothing takes it for a lab's order: the journal is told
//! nothing of it, and a journal that is made anew from the output passes it over.

use super::fault::{Fault, FaultClass};
use super::ids::{IdError, OrderKey};
use super::manifest::Manifest;

/// The lab below whose name it is published. A config that has a lab of this name gets no test order.
pub const LAB: &str = "casedrop-test";
/// Its account.
pub const ACCOUNT: &str = "0000";
/// Its id. Align's are numbers.
pub const ORDER: &str = "TEST-1";

/// What names it.
///
/// # Errors
/// None: the three names are fit to be ids.
pub fn key() -> Result<OrderKey, Fault> {
    let unfit = |error: IdError| Fault::new(FaultClass::Permanent, "test-order", error.to_string());
    Ok(OrderKey {
        lab: LAB.parse().map_err(unfit)?,
        account: ACCOUNT.parse().map_err(unfit)?,
        order: ORDER.parse().map_err(unfit)?,
    })
}

/// Whether a manifest is the test order's.
pub fn is_its(manifest: &Manifest) -> bool {
    (manifest.lab.as_str(), manifest.account.id.as_str(), manifest.order_id.as_str())
        == (LAB, ACCOUNT, ORDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_names_are_ids_and_folders_as_they_are_and_no_number_of_aligns() {
        let key = key().expect("fit to be ids");
        let folders = [key.lab.dir_name(), key.account.dir_name(), key.order.dir_name()];
        assert_eq!(folders, [LAB, ACCOUNT, ORDER]);
        assert!(ORDER.parse::<u64>().is_err());
    }
}
