//! Downloads: what counts as one, what is sent, and what goes wrong.

use casedrop::model::asset::{AssetInfo, AssetKind, AssetRequest};
use casedrop::model::fault::Fault;

use super::body::{End, Plan};
use super::content::{self, Broken};
use super::{Cloud, Flow, faults};

impl Cloud {
    pub(super) fn download(
        &mut self,
        account: usize,
        request: &AssetRequest,
    ) -> Result<Plan, Fault> {
        let what = format!("{} of {}", request.kind.as_str(), request.order);
        self.reach(account, &what)?;
        if let Some(outage) = self.outage {
            self.log.push(format!("{what}: {}", outage.name));
            return Err(outage.fault());
        }
        let id = self.accounts[account].id.clone();
        let found = self.orders.iter().position(|order| {
            order.key.account == id && order.key.order == request.order && order.generation > 0
        });
        let index = found.ok_or_else(|| faults::unknown(&what))?;
        self.meddle(index);
        if let Some(instead) = self.in_place_of_files {
            self.tally.count("align: downloads fail alike");
            self.log.push(format!("{what}: {instead:?}"));
            return Err(instead.fault());
        }
        if self.orders[index].refused > 0 && request.kind == AssetKind::Ide {
            self.orders[index].refused -= 1;
            self.tally.count("align: order refused");
            self.log.push(format!("{what}: refused"));
            return Err(faults::forbidden());
        }
        if self.is_converting(index, request.kind) {
            self.tally.count("align: not converted");
            self.log.push(format!("{what}: not converted"));
            return Err(faults::not_converted(&what));
        }
        if request.kind == AssetKind::Ide {
            let leaves_at = self.now + self.rng.u64(..=self.accounts[account].lag);
            self.orders[index].downloaded(leaves_at);
            let now = self.now;
            self.orders[index].pass(now);
        }
        if self.hits(self.chaos.error_after_count) {
            self.tally.count("align: error after the download counted");
            self.log.push(format!("{what}: counted, then an error"));
            return Err(faults::broken_off());
        }
        let generation = self.orders[index].generation;
        self.log.push(format!("{what}: generation {generation}"));
        Ok(self.send(account, index, request))
    }

    /// Perhaps changes the order at this very moment.
    fn meddle(&mut self, index: usize) {
        if !self.hits(self.chaos.meddling) {
            return;
        }
        let flow = *self.rng.choice(Flow::ALL.iter()).unwrap_or(&Flow::FilesChanged);
        if flow.fits(&self.orders[index]) {
            self.tally.count("align: changed during a fetch");
            self.log.push(format!("{}: {flow:?}", self.orders[index].key.order));
            flow.happen(&mut self.orders[index]);
        }
    }

    fn is_converting(&mut self, index: usize, kind: AssetKind) -> bool {
        let order = &mut self.orders[index];
        let left = match kind {
            AssetKind::Ide => &mut order.converting,
            AssetKind::Thumbnails => &mut order.pictures_converting,
            AssetKind::ScreenCaptures => return true,
        };
        match *left {
            0 => false,
            u32::MAX => true,
            _ => {
                *left -= 1;
                true
            }
        }
    }

    fn send(&mut self, account: usize, index: usize, request: &AssetRequest) -> Plan {
        let account = self.accounts[account].clone();
        let order = &self.orders[index];
        let asset = match request.kind {
            AssetKind::Ide => order.package(order.generation),
            _ => content::thumbnails(order.key.order.as_str(), order.generation),
        };
        let is_corrupt = request.kind == AssetKind::Ide
            && order.broken(order.generation) == Some(Broken::Corrupt);
        let etag = account.tags_bodies.then(|| match request.kind {
            AssetKind::Ide => order.etag(),
            kind => format!("\"{}-{}-{}\"", order.key.order, kind.as_str(), order.generation),
        });
        let whole = asset.bytes;
        let total = account.tags_bodies.then_some(whole.len() as u64);
        let hosts = vec![super::faults::HOST.to_owned()];
        let mut info = AssetInfo { total, offset: 0, etag, hosts };
        let mut bytes = whole.clone();
        if let Some(resume) = &request.resume {
            // As with If-Range: the same strong tag, or everything again.
            let at = usize::try_from(resume.offset).unwrap_or(usize::MAX);
            let same = info.etag.as_ref() == Some(&resume.etag) && resume.etag.starts_with('"');
            if same && !account.ignores_ranges && at < whole.len() {
                self.tally.count("align: continued a download");
                info.offset = resume.offset;
                bytes = whole.slice(at..);
            } else {
                self.tally.count("align: began a download again");
            }
        }
        let mut end = End::Whole;
        let mut damaged = is_corrupt;
        if self.hits(self.chaos.broken_off) {
            self.tally.count("align: body broken off");
            end = End::BreaksOff(self.rng.usize(..=bytes.len()));
        } else if info.total.is_none() && self.hits(self.chaos.cut_short) {
            self.tally.count("align: body cut short");
            bytes.truncate(self.rng.usize(..bytes.len().max(1)));
            damaged = true;
        } else if info.offset == 0 && self.hits(self.chaos.corrupt) && !is_corrupt {
            // (A byte corrupted twice would be right again.)
            self.tally.count("align: corrupt byte");
            let mut wrong = bytes.to_vec();
            content::corrupt(&mut wrong, self.rng.usize(..1000));
            bytes = wrong.into();
            damaged = true;
        }
        self.orders[index].damaged += u32::from(damaged);
        Plan { info, bytes, end, chunk: self.rng.usize(40..900) }
    }
}
