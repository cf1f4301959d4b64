//! Assigns places to connections, and decides which one gives way when none is left: a client with
//! something to say must always get in, however many others hold a connection open and stay silent.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Notify;

/// The places of one listener.
pub(super) struct Places {
    most: usize,
    table: Mutex<Table>,
    /// A place was returned, or is needed after all.
    changed: Notify,
}

#[derive(Default)]
struct Table {
    /// Counts events: smaller means longer ago.
    turn: u64,
    taken: BTreeMap<u64, Seat>,
}

struct Seat {
    peer: IpAddr,
    /// Requests being answered: one, unless it is idle.
    answering: usize,
    /// The turn at which it last changed state.
    since: u64,
    /// Whether it was asked to give way.
    leaves: bool,
    leave: Arc<Notify>,
}

/// A connection's place; returned on drop.
pub(super) struct Place {
    places: Arc<Places>,
    number: u64,
    leave: Arc<Notify>,
}

/// A request being answered; its connection does not give way until this is dropped.
struct Answering {
    places: Arc<Places>,
    number: u64,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, table: Mutex::default(), changed: Notify::new() })
    }

    /// Takes a place for a connection from `peer`. If none is left, an idle connection gives way:
    /// of the peer with the most idle ones, the one that has been idle longest. If all are being
    /// answered, this waits.
    ///
    /// Only one caller may wait at a time. Cancelling the wait loses nothing.
    pub(super) async fn take(self: &Arc<Self>, peer: IpAddr) -> Place {
        loop {
            if let Some(place) = self.try_take(peer) {
                return place;
            }
            self.changed.notified().await;
        }
    }

    fn try_take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let mut table = self.table();
        if table.taken.len() >= self.most {
            table.make_room();
            return None;
        }
        let number = table.next_turn();
        let leave = Arc::new(Notify::new());
        let seat =
            Seat { peer, answering: 0, since: number, leaves: false, leave: Arc::clone(&leave) };
        table.taken.insert(number, seat);
        Some(Place { places: Arc::clone(self), number, leave })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn began(&self, number: u64) {
        let mut table = self.table();
        let now = table.next_turn();
        if let Some(seat) = table.taken.get_mut(&number) {
            seat.answering += 1;
            seat.since = now;
            if std::mem::take(&mut seat.leaves) {
                // It received a request in time: another one must go.
                self.changed.notify_one();
            }
        }
    }

    fn ended(&self, number: u64) {
        let mut table = self.table();
        let now = table.next_turn();
        if let Some(seat) = table.taken.get_mut(&number) {
            seat.answering = seat.answering.saturating_sub(1);
            seat.since = now;
        }
        // The waiting caller may find it idle.
        self.changed.notify_one();
    }
}

impl Table {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    fn make_room(&mut self) {
        if self.taken.values().any(|seat| seat.leaves) {
            return;
        }
        let mut idle: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for seat in self.taken.values().filter(|seat| seat.answering == 0) {
            *idle.entry(seat.peer).or_default() += 1;
        }
        let Some(most) = idle.values().max().copied() else { return };
        let of_most = |seat: &&mut Seat| seat.answering == 0 && idle.get(&seat.peer) == Some(&most);
        if let Some(seat) = self.taken.values_mut().filter(of_most).min_by_key(|seat| seat.since) {
            seat.leaves = true;
            seat.leave.notify_one();
        }
    }
}

impl Place {
    /// Resolves when the connection must give way.
    pub(super) async fn to_leave(&self) {
        loop {
            self.leave.notified().await;
            if self.places.table().taken.get(&self.number).is_some_and(|seat| seat.leaves) {
                return;
            }
        }
    }

    /// Answers a request; until its answer is sent or abandoned, the connection does not give way.
    pub(super) async fn answering(
        &self,
        answer: impl Future<Output = Response<Body>>,
    ) -> Response<Body> {
        self.places.began(self.number);
        let held = Answering { places: Arc::clone(&self.places), number: self.number };
        answer.await.map(|body| Body::new(Held { body, _held: held }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.table().taken.remove(&self.number);
        self.places.changed.notify_one();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.places.ended(self.number);
    }
}

/// The body of an answer in flight.
struct Held {
    body: Body,
    _held: Answering,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    fn peer(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    /// The numbers of connections that were asked to leave.
    fn leaving(places: &Places) -> Vec<u64> {
        let table = places.table();
        table.taken.iter().filter(|(_, seat)| seat.leaves).map(|(number, _)| *number).collect()
    }

    fn is_asked_to_leave(place: &Place) -> bool {
        let mut asked = Box::pin(place.to_leave());
        asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn the_longest_idle_of_whoever_holds_the_most_gives_way_and_one_at_a_time() {
        let places = Places::new(4);
        let take = |last| places.try_take(peer(last));
        let quiet = take(1).expect("room");
        let mut many: Vec<_> = (0..3).map(|_| take(2).expect("room")).collect();
        assert!(take(3).is_none() && take(3).is_none());
        assert_eq!(leaving(&places), [many[0].number], "not the other one, though it is older");
        assert!(is_asked_to_leave(&many[0]) && !is_asked_to_leave(&quiet));
        drop(many.remove(0));
        let _new = take(3).expect("room");
        assert!(take(3).is_none());
        assert_eq!(leaving(&places), [many[0].number]);
    }

    #[tokio::test]
    async fn what_is_being_answered_stays_and_what_speaks_up_in_time_stays_too() {
        let places = Places::new(2);
        let (one, other) = (places.take(peer(1)).await, places.take(peer(1)).await);
        let answer = one.answering(async { Response::new(Body::from("x")) }).await;
        assert!(places.try_take(peer(2)).is_none());
        assert_eq!(leaving(&places), [other.number]);
        let its_answer = other.answering(async { Response::new(Body::from("x")) }).await;
        assert!(!is_asked_to_leave(&other), "its request came first");
        assert!(places.try_take(peer(2)).is_none());
        assert_eq!(leaving(&places), [] as [u64; 0], "both are being answered");
        let waiting = places.take(peer(2));
        let mut waiting = std::pin::pin!(waiting);
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(answer);
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(leaving(&places), [one.number]);
        drop(one);
        waiting.await;
        drop(its_answer);
    }
}
