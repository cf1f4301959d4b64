//! The orders as people look through them: which of them, in which order, and a page at a time.

use super::record::{OrderRecord, OrderState};

/// Which orders to list, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Words that must all occur in the order's number, its Rx id, its code, its case type, its account
    /// or its lab; without regard to the case of ASCII letters.
    pub words: Vec<String>,
    /// Of this lab only.
    pub lab: Option<String>,
    /// In one of these states; in any if there is none.
    pub states: Vec<OrderState>,
    /// Only those that lack something serious, held back or published.
    pub incomplete: bool,
    /// In which order.
    pub sort: OrderSort,
    /// So many are skipped.
    pub skip: usize,
    /// So many are listed at the most.
    pub limit: usize,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OrderSort {
    /// Those that were heard of last come first.
    #[default]
    Newest,
    /// Those that were not heard of for the longest time come first.
    Oldest,
    /// By number, the highest first.
    Highest,
    /// By number, the lowest first.
    Lowest,
    /// By case type, and then the newest first.
    CaseType,
    /// By state, and then the newest first.
    State,
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
            sort: OrderSort::default(),
            skip: 0,
            limit: 50,
        }
    }
}

/// A part of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderPage {
    /// The orders.
    pub orders: Vec<OrderRecord>,
    /// How many there are in the whole list.
    pub total: usize,
}
