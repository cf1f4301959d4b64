//! The narrow interface to Align: what the engine's executors may ask, and nothing else.
//!
//! Calls block. They are made from threads that may block, and from simulations that run everything
//! on one thread.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::asset::{AssetInfo, AssetRequest};
use super::cancel::Cancel;
use super::fault::Fault;
use super::ids::{AccountId, OrderId, RxId};
use super::order::RemoteOrder;

/// The account a lab is paired with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairedAccount {
    pub id: AccountId,
    /// Its name, if Align sent it.
    pub name: Option<String>,
}

/// The answer to "get orders".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadyList {
    /// The host that answered, if the client knows it.
    pub host: Option<String>,
    pub orders: Vec<RemoteOrder>,
    /// One line per entry that could not be read, without personal data. The other entries are not
    /// affected.
    pub unreadable: Vec<String>,
}

/// One lab's login at Align. The fault class decides about retries:
/// [`NotConverted`](super::fault::FaultClass::NotConverted) for a 404 on a download,
/// [`Auth`](super::fault::FaultClass::Auth) once refreshing the login cannot help.
pub trait Remote: Send + Sync {
    /// Returns the account the login is paired with; a fault of class `Auth` if there is none.
    fn account(&self) -> Result<AccountId, Fault>;

    /// Checks that the login is accepted, by a call with no other purpose. A fault of class `Auth`
    /// if it is not.
    fn prove_login(&self, cancel: &Cancel) -> Result<(), Fault> {
        let _ = cancel;
        self.account().map(drop)
    }

    /// Fetches all orders that are ready now. Align asks for 120 seconds between two calls; the
    /// caller must keep to that.
    fn ready_orders(&self, cancel: &Cancel) -> Result<ReadyList, Fault>;

    /// Fetches one order by its prescription.
    fn order_by_rx(&self, rx: &RxId, cancel: &Cancel) -> Result<RemoteOrder, Fault>;

    /// Starts a download. From here on, Align counts the order as "Downloaded".
    fn download(
        &self,
        request: &AssetRequest,
        cancel: &Cancel,
    ) -> Result<Box<dyn AssetBody>, Fault>;

    /// Sends the order back to the doctor for a rescan.
    fn return_to_doctor(&self, order: &OrderId, reason: &str, cancel: &Cancel)
    -> Result<(), Fault>;
}

/// The bytes of one download.
pub trait AssetBody: Send {
    /// The server's description of the bytes.
    fn info(&self) -> &AssetInfo;

    /// Returns the next bytes, or `None` at the end. The end is only reported once the connection
    /// says that the body is complete; a body that breaks off or differs from the announced length
    /// is a fault.
    fn next_chunk(&mut self, cancel: &Cancel) -> Result<Option<Bytes>, Fault>;
}
