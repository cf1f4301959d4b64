//! Queries for lists of orders: filters, sort order and paging.

use super::record::{OrderRecord, OrderState};
use super::time::WallMs;

/// Which orders to list, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Words that must all occur in the order's number, Rx id, code, case type, account or lab;
    /// ASCII case-insensitive.
    pub words: Vec<String>,
    /// Only orders of this lab.
    pub lab: Option<String>,
    /// Only orders in one of these states; empty means any.
    pub states: Vec<OrderState>,
    /// Only orders with a serious finding, held back or published.
    pub incomplete: bool,
    /// Only orders that Align listed, or that were published, at that time or later.
    pub since: Option<WallMs>,
    pub sort: OrderSort,
    /// Number of orders to skip.
    pub skip: usize,
    /// Maximum number of orders to return.
    pub limit: usize,
}

/// The sort order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum OrderSort {
    /// Most recently updated first.
    #[default]
    Newest,
    /// Least recently updated first.
    Oldest,
    /// By order number, highest first.
    Highest,
    /// By order number, lowest first.
    Lowest,
    /// By case type, then newest first.
    CaseType,
    /// By state, then newest first.
    State,
}

impl OrderSort {
    pub const ALL: [Self; 6] =
        [Self::Newest, Self::Oldest, Self::Highest, Self::Lowest, Self::CaseType, Self::State];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl OrderQuery {
    /// The newest orders in one state.
    pub fn in_state(state: OrderState) -> Self {
        Self { states: vec![state], ..Self::default() }
    }
}

impl Default for OrderQuery {
    /// The newest of all orders.
    fn default() -> Self {
        Self {
            words: Vec::new(),
            lab: None,
            states: Vec::new(),
            incomplete: false,
            since: None,
            sort: OrderSort::default(),
            skip: 0,
            limit: 50,
        }
    }
}

/// One page of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderPage {
    pub orders: Vec<OrderRecord>,
    /// Number of orders in the whole list.
    pub total: usize,
}
