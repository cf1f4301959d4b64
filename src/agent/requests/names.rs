//! Resolves the labs and orders that users name.

use super::RequestHandler;
use super::refusal::{cannot_use, find_lab, names, usage};
use crate::config::LabConfig;
use crate::model::fault::Fault;
use crate::model::ids::{LabName, OrderId, OrderKey};

/// An order named by a user.
pub(super) enum Named {
    /// It is in the journal.
    Known(OrderKey),
    /// It is not in the journal; the lab is the one named, or the only one.
    Unknown(LabName, OrderId),
}

impl RequestHandler {
    pub(super) fn lab(&self, name: &str) -> Result<&LabConfig, Fault> {
        find_lab(&self.config, name)
    }

    /// Returns the named lab, or the only one there is.
    pub(super) fn the_lab(&self, name: Option<&str>) -> Result<&LabConfig, Fault> {
        match (name, self.config.labs.as_slice()) {
            (Some(name), _) => self.lab(name),
            (None, [only]) => Ok(only),
            (None, _) => Err(usage("the config has several labs, and none was given")
                .hint(format!("say which one: {}", names(&self.config)))),
        }
    }

    /// Returns the named lab, or all of them.
    pub(super) fn labs(&self, name: Option<&str>) -> Result<Vec<&LabConfig>, Fault> {
        match name {
            Some(name) => Ok(vec![self.lab(name)?]),
            None => Ok(self.config.labs.iter().collect()),
        }
    }

    /// Finds the order with that id (or Rx id), in the given lab if one is named.
    pub(super) fn order(&self, id: &OrderId, lab: Option<&str>) -> Result<Named, Fault> {
        let lab = lab.map(|name| self.lab(name)).transpose()?;
        let mut found = self
            .journal
            .with(|store| store.find(id.as_str()))
            .map_err(cannot_use)?
            .into_iter()
            .map(|order| order.key)
            .filter(|key| lab.is_none_or(|lab| key.lab == lab.name))
            .collect::<Vec<_>>();
        // Orders of labs no longer in the config can be neither fetched nor returned.
        if found.len() > 1 {
            found.retain(|key| self.config.labs.iter().any(|lab| lab.name == key.lab));
        }
        match found.as_slice() {
            [key] => Ok(Named::Known(key.clone())),
            [] => {
                let is_number = id.as_str().bytes().all(|byte| byte.is_ascii_digit());
                if !is_number {
                    let text = format!("no order here has the number or Rx id {id}");
                    return Err(usage(text).hint(
                        "give the order's number as myitero.com shows it; by that number, Casedrop \
                         can fetch orders that are new here",
                    ));
                }
                let lab = self.the_lab(lab.map(|lab| lab.name.as_str())).map_err(|fault| {
                    usage(format!("order {id} is new here: which lab is it for?"))
                        .hint(fault.hint.unwrap_or_default())
                })?;
                Ok(Named::Unknown(lab.name.clone(), id.clone()))
            }
            many => {
                let which: Vec<_> = many.iter().map(OrderKey::to_string).collect();
                let text = format!("{id} matches several orders: {}", which.join(", "));
                Err(usage(text).hint("say which lab you mean"))
            }
        }
    }
}
