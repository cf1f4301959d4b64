//! The bytes of one download, in small chunks, and what happens to them on the way.

use bytes::Bytes;

use casedrop::model::asset::AssetInfo;
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::{Fault, FaultClass};
use casedrop::model::remote::AssetBody;

use super::{SimAlign, faults};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// The connection breaks after this many of the bytes to send.
    BreaksOff(usize),
}

/// What will be sent.
pub(super) struct Plan {
    pub(super) info: AssetInfo,
    pub(super) bytes: Bytes,
    pub(super) end: End,
    pub(super) chunk: usize,
}

impl Plan {
    pub(super) fn of(self, align: SimAlign) -> Body {
        Body { align, plan: self, sent: 0 }
    }
}

/// A body that is being read.
pub(super) struct Body {
    align: SimAlign,
    plan: Plan,
    sent: usize,
}

impl AssetBody for Body {
    fn info(&self) -> &AssetInfo {
        &self.plan.info
    }

    fn next_chunk(&mut self, cancel: &Cancel) -> Result<Option<Bytes>, Fault> {
        if cancel.is_cancelled() {
            return Err(Fault::new(FaultClass::Cancelled, "cancelled", "asked to stop"));
        }
        if !self.align.cloud().powered {
            return Err(faults::broken_off());
        }
        let stop = match self.plan.end {
            End::Whole => self.plan.bytes.len(),
            End::BreaksOff(at) => at.min(self.plan.bytes.len()),
        };
        if self.sent >= stop {
            return match self.plan.end {
                End::Whole => Ok(None),
                End::BreaksOff(_) => Err(faults::broken_off()),
            };
        }
        let until = stop.min(self.sent + self.plan.chunk);
        let chunk = self.plan.bytes.slice(self.sent..until);
        self.sent = until;
        Ok(Some(chunk))
    }
}
