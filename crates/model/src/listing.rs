//! Queries for lists of orders: filters, sort order and paging.

use super::ids::OrderKey;
use super::record::{OrderRecord, OrderState};

/// Which orders to list, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Words that must all occur in the order's number, Rx id, code, case type, doctor, account or
    /// lab, ASCII case-insensitive, or mean its due date (see [`sought`](super::day::sought)).
    pub words: Vec<String>,
    /// Only orders of this lab.
    pub lab: Option<String>,
    /// Only orders in one of these states; empty means any.
    pub states: Vec<OrderState>,
    /// Orders whose state differs from the journal's at this moment, and that state.
    pub live: Vec<(OrderKey, OrderState)>,
    /// Only orders with a serious finding, held back or published.
    pub incomplete: bool,
    pub sort: OrderSort,
    /// Number of orders to skip.
    pub skip: usize,
    /// Maximum number of orders to return.
    pub limit: usize,
}

/// The sort order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    /// By due date, soonest first; orders without one come last.
    DueFirst,
    /// By due date, latest first; orders without one come last.
    DueLast,
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
            live: Vec::new(),
            incomplete: false,
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
