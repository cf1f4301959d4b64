//! What is old enough to be removed. Pure. Ages are those the journal counts, so setting the clock
//! cannot inflate them.

use std::time::Duration;

use casedrop_model::record::{OrderRecord, Retired};

/// Whether to remove a published order from the output: its last publication is `age` old and there
/// is nothing to fetch. An order that is away may go too: its next revision is published when it
/// comes back, wherever the previous one is.
pub fn may_retire(order: &OrderRecord, age: Duration, keep: Option<Duration>) -> bool {
    order.published.is_some()
        && !order.is_wanted()
        && order.retired == Retired::No
        && keep.is_some_and(|keep| age >= keep)
}

/// Whether to remove a revision from history that was replaced `age` ago. Not while its order is
/// being published, since that may still be undone.
pub fn may_forget(is_publishing: bool, age: Duration, keep: Option<Duration>) -> bool {
    !is_publishing && keep.is_some_and(|keep| age >= keep)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use casedrop_model::ids::OrderKey;
    use casedrop_model::order::{RemoteOrder, Status};
    use casedrop_model::record::{Place, PublishedRecord};
    use casedrop_model::time::WallMs;

    fn order(status: Status) -> OrderRecord {
        let key = OrderKey {
            lab: "lab".parse().expect("valid"),
            account: "1".parse().expect("valid"),
            order: "17".parse().expect("valid"),
        };
        let mut order = OrderRecord::new(
            key,
            RemoteOrder::new("17".parse().expect("valid"), status),
            WallMs(0),
        );
        order.fetched = order.evidence;
        order.published = Some(PublishedRecord {
            revision: 1,
            manifest_sha256: String::new(),
            at: WallMs(0),
            confirmed: WallMs(0),
            place: Place::Main,
            history_seen: 0,
        });
        order
    }

    proptest! {
        #[test]
        fn nothing_young_wanted_or_unpublished_is_removed(
            age in 0..100_u64,
            keep in proptest::option::of(0..100_u64),
            published: bool,
            news: bool,
            forced: bool,
            away: bool,
            retired in 0..4_u32,
            publishing: bool,
        ) {
            let mut order = order(if away { Status::Modeling } else { Status::Downloaded });
            if !published {
                order.published = None;
            }
            order.evidence += u64::from(news);
            order.forced = forced;
            order.retired = Retired::from_number(retired).expect("one of four");
            let (age, keep) = (Duration::from_secs(age), keep.map(Duration::from_secs));
            let is_old = keep.is_some_and(|keep| age >= keep);
            let expected = published && !news && !forced && retired == 0 && is_old;
            prop_assert_eq!(may_retire(&order, age, keep), expected);
            prop_assert_eq!(may_forget(publishing, age, keep), is_old && !publishing);
        }
    }
}
