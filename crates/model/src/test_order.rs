//! The test order: a made-up order that a user can publish into the real output folder, to check
//! that the way from Align's API to the CAD program works. Pure.
//!
//! It is recognized by its name alone, so nothing mistakes it for a lab's order: the journal never
//! hears of it, and a journal rebuilt from the output skips it.

use super::fault::{Fault, FaultClass};
use super::ids::{IdError, OrderKey};
use super::manifest::Manifest;

/// The lab name it is published under. If the config has a lab of this name, there is no test
/// order.
pub const LAB: &str = "casedrop-test";
pub const ACCOUNT: &str = "0000";
/// Not a number, unlike Align's ids.
pub const ORDER: &str = "TEST-1";

/// Returns the test order's key.
///
/// # Errors
/// None: the three names are valid ids.
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
