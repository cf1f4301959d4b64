//! What is known about each lab: its account, its last good poll, its current fault.

use rusqlite::named_params;
use serde::Serialize;

use super::{Store, StoreError};
use casedrop_model::fault::FaultClass;
use casedrop_model::time::WallMs;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LabRecord {
    /// Its name in the config.
    pub lab: String,
    /// The account it is paired with.
    pub account: Option<String>,
    /// The account's name at Align.
    pub account_name: Option<String>,
    /// When Align last answered a poll.
    pub good_poll: Option<WallMs>,
    /// The class of the current fault; also `None` if an older agent wrote it.
    pub fault_class: Option<FaultClass>,
    /// A stable word for the current fault.
    pub fault_code: Option<String>,
    /// The fault, for a person.
    pub fault: Option<String>,
    /// What the user can do.
    pub hint: Option<String>,
}

impl LabRecord {
    /// Whether a person must log in or pair.
    pub fn lacks_login(&self) -> bool {
        self.fault_class == Some(FaultClass::Auth)
    }

    pub fn clear_fault(&mut self) {
        self.fault_class = None;
        self.fault_code = None;
        self.fault = None;
        self.hint = None;
    }
}

impl Store {
    /// Returns all labs that the agent ever ran for.
    pub fn labs(&self) -> Result<Vec<LabRecord>, StoreError> {
        let sql = "SELECT lab, account, account_name, good_poll_ms, fault_code, fault_text,
            fault_hint, fault_class FROM labs ORDER BY lab";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([], |row| {
            Ok(LabRecord {
                lab: row.get(0)?,
                account: row.get(1)?,
                account_name: row.get(2)?,
                good_poll: row.get::<_, Option<i64>>(3)?.map(WallMs),
                fault_code: row.get(4)?,
                fault: row.get(5)?,
                hint: row.get(6)?,
                fault_class: row
                    .get::<_, Option<String>>(7)?
                    .and_then(|class| FaultClass::from_name(&class)),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub fn save_lab(&self, lab: &LabRecord) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO labs (lab, account, account_name, good_poll_ms,
            fault_code, fault_text, fault_hint, fault_class)
            VALUES (:lab, :account, :account_name, :good_poll_ms, :fault_code, :fault_text,
                :fault_hint, :fault_class)";
        self.db.prepare_cached(sql)?.execute(named_params! {
            ":lab": lab.lab,
            ":account": lab.account,
            ":account_name": lab.account_name,
            ":good_poll_ms": lab.good_poll.map(|at| at.0),
            ":fault_code": lab.fault_code,
            ":fault_text": lab.fault,
            ":fault_hint": lab.hint,
            ":fault_class": lab.fault_class.map(FaultClass::as_str),
        })?;
        Ok(())
    }

    /// Clears a missing-login fault after a user logged the lab in or paired it. The engine notices
    /// and checks immediately. Returns whether there was such a fault.
    pub fn settle_login(&self, lab: &str) -> Result<bool, StoreError> {
        let known = self.labs()?.into_iter().find(|record| record.lab.eq_ignore_ascii_case(lab));
        let Some(mut record) = known.filter(LabRecord::lacks_login) else { return Ok(false) };
        record.clear_fault();
        self.save_lab(&record)?;
        Ok(true)
    }
}
