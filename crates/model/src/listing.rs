//! Queries for lists of orders: filters, sort order and paging.

use super::ids::OrderKey;
use super::record::{OrderRecord, OrderState};
use super::time::WallMs;

/// How many words of a search count.
const WORDS: usize = 6;

/// Which orders to list, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuery {
    /// Words that must all occur in the order's number, Rx id, code, case type, doctor, account or
    /// lab (ASCII case-insensitive) or in the account's name, or mean its due date (see
    /// [`sought`](super::day::sought)).
    pub words: Vec<String>,
    /// For each word, further orders in which it occurs: in something that is stored nowhere.
    pub named: Vec<Vec<OrderKey>>,
    /// Only orders of this lab.
    pub lab: Option<String>,
    /// Only orders in one of these states; empty means any.
    pub states: Vec<OrderState>,
    /// Only orders with a serious finding, held back or published.
    pub incomplete: bool,
    /// Only orders that were first seen, or of which a revision was published, at or after this
    /// time.
    pub from: Option<WallMs>,
    /// The same, before this time.
    pub until: Option<WallMs>,
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
    /// By due date, soonest first; orders without one come last.
    DueFirst,
    /// By due date, latest first; orders without one come last.
    DueLast,
    /// Most recently published first, then those that were never published.
    Published,
}

/// Splits a search as typed into its words. A number may be written as in file names, such as
/// `#17551207`, or pasted with the whole name of a file.
pub fn search_words(text: &str) -> Vec<String> {
    text.split_whitespace().map(search_word).filter(|word| !word.is_empty()).take(WORDS).collect()
}

fn search_word(word: &str) -> String {
    let Some((_, after)) = word.rsplit_once('#') else { return word.to_owned() };
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    // A name such as `a#b` is searched for as it is.
    if digits.is_empty() { word.trim_start_matches('#').to_owned() } else { digits }
}

impl OrderSort {
    pub const ALL: [Self; 9] = [
        Self::Newest,
        Self::Oldest,
        Self::Highest,
        Self::Lowest,
        Self::CaseType,
        Self::State,
        Self::DueFirst,
        Self::DueLast,
        Self::Published,
    ];

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
            named: Vec::new(),
            lab: None,
            states: Vec::new(),
            incomplete: false,
            from: None,
            until: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_as_file_names_have_it() {
        for (typed, words) in [
            (" 17551207  crown ", vec!["17551207", "crown"]),
            ("#17551207", vec!["17551207"]),
            ("upper_jaw_#17551207_texture.jpg", vec!["17551207"]),
            ("a#b #c # M\u{fc}ller", vec!["a#b", "c", "M\u{fc}ller"]),
            ("1 2 3 4 5 6 7", vec!["1", "2", "3", "4", "5", "6"]),
            ("", vec![]),
        ] {
            assert_eq!(search_words(typed), words, "{typed}");
        }
    }
}
