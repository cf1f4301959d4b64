//! The default scenario, which needs no file: one lab, and orders as varied as real ones.

use super::scenario::{AccountSpec, AutoFlow, CaseKind, MeshKind, OrderSpec, Scenario};
use super::settings::Settings;

impl Scenario {
    /// The scenario of `casedrop demo` and `casedrop simulate`: one account with `orders` varied
    /// orders; the same seed gives the same ones.
    pub fn default_with(orders: usize, seed: u64) -> Self {
        let mut account =
            AccountSpec::new("4711", "Smile Dental Lab", "casedrop-sim", "simulated-secret");
        account.orders = varied_orders(orders, seed);
        Self { settings: Settings::default(), accounts: vec![account] }
    }

    /// One account without orders, for tests.
    pub fn empty() -> Self {
        Self::default_with(0, 0)
    }
}

/// Varied orders: the case types in turn, with the odd habits of real ones.
fn varied_orders(count: usize, seed: u64) -> Vec<OrderSpec> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut id = 17_544_365_u64 + random.u64(0..1000);
    (0..count)
        .map(|index| {
            id += 1 + random.u64(0..4000);
            let kind = match index % 6 {
                0 | 2 => CaseKind::OrthoShell,
                1 | 5 => CaseKind::OrthoBase,
                _ => CaseKind::Restorative,
            };
            let mut order = OrderSpec { id: Some(id.to_string()), ..OrderSpec::new(kind) };
            order.due_in_days = Some(i64::try_from(index % 6).unwrap_or(0) * 2);
            order.triangles = Some(12_000 + random.usize(0..8_000));
            match index % 6 {
                0 => order.screen_captures = true,
                1 => order.top_folder = true,
                2 => {
                    order.mesh = Some(MeshKind::Ply);
                    order.macosx = true;
                }
                3 => order.regenerating = 2,
                4 => {
                    order.mesh = Some(MeshKind::Ply);
                    order.modeled = true;
                }
                _ => order.auto_flow = Some(AutoFlow { modeling_ms: 5_000 }),
            }
            order
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_scenario_has_any_number_of_distinct_orders() {
        for count in [1, 6, 50] {
            let scenario = Scenario::default_with(count, 7);
            scenario.check().expect("valid");
            assert_eq!(scenario.accounts[0].orders.len(), count);
        }
        assert_eq!(Scenario::default_with(9, 3), Scenario::default_with(9, 3));
    }
}
