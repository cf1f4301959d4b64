//! Limits how often passwords may be tried. Wrong ones slow down the sender and, a little, everyone
//! who has never been right before, so that using many addresses helps little.
//!
//! An attempt counts as wrong from its start until it turns out to be right, so parallel attempts
//! are no way around the limit.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::lock::Lane;

/// For one address: five free attempts, then waits of 1 s, 2 s, 4 s … up to 15 minutes.
const ONE: Slope =
    Slope { free: 5, most: Duration::from_mins(15), forgets: Duration::from_hours(1) };
/// For all addresses that have never been right: short waits, since honest users wait too.
const ALL: Slope =
    Slope { free: 20, most: Duration::from_secs(10), forgets: Duration::from_mins(15) };
/// For the set-up code, which is long and random: short waits, since staff share the PC with anyone
/// who would lock them out by guessing.
const CODE: Slope =
    Slope { free: 5, most: Duration::from_secs(10), forgets: Duration::from_mins(15) };
/// How many addresses to remember.
const MOST: usize = 1000;
/// How many addresses that were right to remember.
const MOST_KNOWN: usize = 100;

struct Slope {
    /// How many wrong attempts are free.
    free: u32,
    /// The longest wait.
    most: Duration,
    /// All is forgiven after this long without an attempt.
    forgets: Duration,
}

/// Wrong attempts.
#[derive(Clone, Copy, Default)]
struct Wrong {
    count: u32,
    last: Duration,
}

impl Wrong {
    /// Time until the next attempt is allowed.
    fn wait(&self, slope: &Slope, now: Duration) -> Duration {
        // An attempt counts once it starts: waiting begins after the last free one.
        let Some(beyond) = self.count.checked_sub(slope.free) else { return Duration::ZERO };
        let wait = Duration::from_secs(1_u64 << beyond.min(20)).min(slope.most);
        (self.last + wait).saturating_sub(now)
    }

    fn add(&mut self, slope: &Slope, now: Duration) {
        if now.saturating_sub(self.last) >= slope.forgets {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = now;
    }
}

type Place = (Lane, IpAddr);

#[derive(Default)]
pub(super) struct Throttle {
    one: BTreeMap<Place, Wrong>,
    all: Wrong,
    known: VecDeque<IpAddr>,
}

impl Throttle {
    /// Starts an attempt.
    ///
    /// # Errors
    /// It is too soon; the error is the time to wait.
    pub(super) fn admit(
        &mut self,
        lane: Lane,
        from: IpAddr,
        now: Duration,
    ) -> Result<(), Duration> {
        let wait = self.wait(lane, from, now);
        if wait > Duration::ZERO {
            return Err(wait);
        }
        let place = (lane, network(from));
        if self.one.len() >= MOST
            && !self.one.contains_key(&place)
            && let Some(oldest) = self.one.iter().min_by_key(|(_, wrong)| wrong.last)
        {
            let oldest = *oldest.0;
            self.one.remove(&oldest);
        }
        self.one.entry(place).or_default().add(slope(lane), now);
        self.all.add(&ALL, now);
        Ok(())
    }

    /// Time until the next attempt is allowed.
    pub(super) fn wait(&self, lane: Lane, from: IpAddr, now: Duration) -> Duration {
        let own = self.one.get(&(lane, network(from)));
        let own = own.map_or(Duration::ZERO, |one| one.wait(slope(lane), now));
        if self.known.contains(&network(from)) { own } else { own.max(self.all.wait(&ALL, now)) }
    }

    /// Records that the attempt was right.
    pub(super) fn right(&mut self, lane: Lane, from: IpAddr) {
        let from = network(from);
        self.one.remove(&(lane, from));
        self.all.count = self.all.count.saturating_sub(1);
        self.known.retain(|known| *known != from);
        if self.known.len() >= MOST_KNOWN {
            self.known.pop_front();
        }
        self.known.push_back(from);
    }
}

fn slope(lane: Lane) -> &'static Slope {
    match lane {
        Lane::Form | Lane::Basic => &ONE,
        Lane::Code => &CODE,
    }
}

/// What counts as one address: for IPv6 the /64 network, since each PC can choose any address in
/// it.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            std::net::Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(0x0A00_0000 + last).into()
    }

    /// Makes as many attempts as possible in that time; returns their number.
    fn tries(throttle: &mut Throttle, lane: Lane, from: IpAddr, within: Duration) -> u32 {
        let (mut now, mut count) = (Duration::ZERO, 0);
        while now < within {
            match throttle.admit(lane, from, now) {
                Ok(()) => count += 1,
                Err(wait) => now += wait,
            }
        }
        count
    }

    #[test]
    fn after_five_tries_each_wrong_one_doubles_the_wait() {
        let mut throttle = Throttle::default();
        let mut now = Duration::from_hours(2);
        let mut waits = Vec::new();
        for _ in 0..17 {
            throttle.admit(Lane::Form, address(1), now).expect("it waited");
            let wait = throttle.wait(Lane::Form, address(1), now);
            if wait > Duration::ZERO {
                let early = now + wait.saturating_sub(Duration::from_millis(1));
                assert!(throttle.admit(Lane::Form, address(1), early).is_err());
            }
            waits.push(wait.as_secs());
            now += wait;
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        assert!(throttle.admit(Lane::Form, address(1), now + ONE.forgets).is_ok());
        assert_eq!(throttle.one[&(Lane::Form, address(1))].count, 1, "all is forgiven");
    }

    #[test]
    fn others_and_monitors_are_not_slowed_by_one_who_guesses() {
        let mut throttle = Throttle::default();
        let now = Duration::from_secs(1);
        for _ in 0..5 {
            throttle.admit(Lane::Form, address(1), now).expect("free");
        }
        assert!(throttle.admit(Lane::Form, address(1), now).is_err());
        assert!(throttle.admit(Lane::Form, address(2), now).is_ok());
        assert!(throttle.admit(Lane::Basic, address(1), now).is_ok());
        let mapped = "::ffff:10.0.0.1".parse().expect("an address");
        assert!(throttle.admit(Lane::Form, mapped, now).is_err(), "the same in another spelling");
    }

    #[test]
    fn an_address_of_ipv6_is_as_good_as_its_network() {
        let mut throttle = Throttle::default();
        let from = |last: u32| format!("2001:db8::{last:x}").parse().expect("an address");
        let admitted = (0..100)
            .filter(|last| throttle.admit(Lane::Form, from(*last), Duration::from_secs(1)).is_ok());
        assert_eq!(admitted.count(), 5);
    }

    #[test]
    fn who_was_right_before_does_not_wait_for_others() {
        let mut throttle = Throttle::default();
        let now = Duration::from_secs(1);
        throttle.admit(Lane::Form, address(1), now).expect("free");
        throttle.right(Lane::Form, address(1));
        for last in 2..100 {
            let _ = throttle.admit(Lane::Form, address(last), now);
        }
        assert!(throttle.admit(Lane::Form, address(100), now).is_err(), "everybody waits");
        assert!(throttle.admit(Lane::Form, address(1), now).is_ok(), "but for this one");
    }

    #[test]
    fn a_day_of_guessing_brings_little() {
        let day = Duration::from_hours(24);
        let one = tries(&mut Throttle::default(), Lane::Form, address(1), day);
        assert!((50..120).contains(&one), "{one}");
    }

    #[test]
    fn many_addresses_do_not_help_much() {
        let mut throttle = Throttle::default();
        let (mut now, mut count) = (Duration::ZERO, 0);
        for last in 0.. {
            match throttle.admit(Lane::Form, address(last), now) {
                Ok(()) => count += 1,
                Err(wait) => now += wait,
            }
            if now > Duration::from_hours(1) {
                break;
            }
        }
        assert!((300..420).contains(&count), "{count}");
        assert!(throttle.one.len() <= MOST);
    }
}
