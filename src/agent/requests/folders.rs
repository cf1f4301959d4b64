//! What the journal does not say about orders: what the agent is doing with them right now, and whether
//! their folders are still in the output, or somebody took them.

use std::path::PathBuf;
use std::sync::Arc;

use super::refusal::cannot_use;
use super::{Live, RequestHandler};
use crate::hotfolder::pick_up::is_taken;
use crate::hotfolder::root::MARKER;
use crate::journal::{Activities, InOutput};
use crate::model::fault::Fault;
use crate::model::record::OrderRecord;

/// The latest publications, looked at every time: they are taken first.
const NEWEST: usize = 50;
/// How many of all the others are looked at each time.
const OTHERS: usize = 50;
/// The most folders that one question looks at.
const AT_ONCE: usize = 500;

/// The kind of a line in an order's history: its folder was taken.
const TAKEN: &str = "picked-up";
/// The same: it is there again.
const BACK: &str = "back";

impl RequestHandler {
    /// What the agent is doing with orders right now: nothing, if it does not run in this process.
    pub(super) fn activities(&self) -> Activities {
        self.live.as_ref().map(Live::activities).unwrap_or_default()
    }

    /// Looks whether the folders of these orders are there, for somebody who asks right now. Only
    /// the first few hundred, and none at all while the output is missing or does not answer.
    /// Records nothing.
    pub fn look_for_folders(&self, orders: &mut [OrderRecord]) {
        let here = |order: &&mut OrderRecord| {
            order.is_in_output() || order.picked_up.is_some_and(|_| order.published.is_some())
        };
        let mut looked: Vec<_> = orders.iter_mut().filter(here).take(AT_ONCE).collect();
        let dirs: Vec<_> = looked
            .iter()
            .filter_map(|order| order.published.as_ref().map(|one| (&order.key, one)))
            .map(|(key, one)| self.layout.dir_at(key, one.place, one.revision))
            .collect();
        if dirs.is_empty() {
            return;
        }
        let Ok(Some(taken)) = self.taken(dirs) else { return };
        let now = (self.now)().wall;
        for (order, is_taken) in looked.iter_mut().zip(taken) {
            order.picked_up = is_taken.then_some(order.picked_up.unwrap_or(now));
        }
    }

    /// Looks whether the folders of the latest orders, and of some before `row`, were taken, and
    /// records it. Returns the row before which the next call goes on, and whether anything
    /// changed.
    ///
    /// # Errors
    /// The journal or the output cannot be read now.
    pub(in crate::agent) fn look_for_taken(&self, row: i64) -> Result<(i64, bool), Fault> {
        let read = self
            .journal
            .look(|store| Ok((store.in_output(NEWEST)?, store.in_output_before(row, OTHERS)?)));
        let (newest, others) = read.map_err(cannot_use)?.unwrap_or_default();
        let next = match others.last() {
            Some(last) if others.len() == OTHERS => last.row,
            _ => i64::MAX,
        };
        let orders: Vec<InOutput> = newest.into_iter().chain(others).collect();
        if orders.is_empty() {
            return Ok((next, false));
        }
        let dirs = orders.iter().map(|one| self.layout.dir_at(&one.key, one.place, one.revision));
        let Some(taken) = self.taken(dirs.collect())? else { return Ok((next, false)) };
        let news: Vec<_> = orders
            .iter()
            .zip(taken)
            .filter(|(order, is_taken)| order.picked_up.is_some() != *is_taken)
            .collect();
        if news.is_empty() {
            return Ok((next, false));
        }
        let now = (self.now)().wall;
        let changed = self.journal.with(|store| {
            store.atomically(|store| {
                let mut changed = false;
                for (order, is_taken) in &news {
                    if !store.set_picked_up(order, is_taken.then_some(now))? {
                        continue;
                    }
                    let (kind, text) = if *is_taken {
                        (TAKEN, "its folder was taken: moved, deleted or emptied")
                    } else {
                        (BACK, "its folder is back in its place")
                    };
                    store.tell(&order.key, now, kind, text)?;
                    changed = true;
                }
                Ok(changed)
            })
        });
        Ok((next, changed.map_err(cannot_use)?))
    }

    /// Whether each of these folders was taken; `None` if the output is not in its place, so that
    /// nobody can tell.
    fn taken(&self, dirs: Vec<PathBuf>) -> Result<Option<Vec<bool>>, Fault> {
        let (disk, output) = (Arc::clone(&self.disk), self.layout.output.clone());
        let root = self.live.as_ref().map(|live| Arc::clone(&live.root));
        self.prober.ask(move || {
            let is_there = || match &root {
                Some(root) => Ok::<_, Fault>(root.check().is_ok()),
                // A command does not know which folder it must be.
                None => Ok(disk.kind(&output.join(MARKER))?.is_some()),
            };
            if !is_there()? {
                return Ok(None);
            }
            let taken = dirs.iter().map(|dir| is_taken(&*disk, dir)).collect::<Result<_, _>>()?;
            // A share that went away meanwhile looks like an empty folder.
            Ok(is_there()?.then_some(taken))
        })?
    }
}
