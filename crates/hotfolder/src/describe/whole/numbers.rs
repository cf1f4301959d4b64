//! Whether the files belong to this order: its number and code, in the XML and in the files' names.

use super::{About, Found, Look};
use crate::describe::Known;
use crate::describe::told::Told;
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Role, Severity};

impl Look<'_> {
    pub(super) fn numbers(&self, found: &mut Vec<Found>) {
        for told in self.told {
            self.xml(told, found);
        }
        let Some(order) = digits(self.case.order.order_id.as_str()) else { return };
        let is_ours = |file: &&Known| numbers_in(file).any(|number| number == order);
        // If no file has this order's number, they are numbered in some other way.
        if !self.files.iter().any(|file| is_ours(&file)) {
            return;
        }
        for (index, file) in self.files.iter().enumerate() {
            let is_scan = matches!(file.role, Role::Scan | Role::Metadata);
            if is_scan && !is_ours(&file) && numbers_in(file).next().is_some() {
                let words = "This file's name has the number of another order. Check that it belongs \
                    to this patient.";
                let about = About::File(index);
                found.push(Found::new(
                    about,
                    FindingCode::FileOfOtherOrder,
                    Severity::Warning,
                    words,
                ));
            }
        }
    }

    fn xml(&self, told: &Told, found: &mut Vec<Found>) {
        let order = self.case.order;
        let about = About::File(told.index);
        let ours = digits(order.order_id.as_str());
        let number = |text: &Option<String>| text.as_deref().and_then(digits).map(str::to_owned);
        let (order_id, case_id) = (number(&told.rx.order_id), number(&told.rx.case_id));
        let is_other = |theirs: &str| ours.is_some_and(|ours| ours != theirs);
        // SEEN: `OrderID` of versions 3.0 and 5.0 is the order's number.
        if order_id.as_deref().is_some_and(is_other) {
            let words = "This XML file is of another order. The scans may be of another patient: do \
                not start before that is clear.";
            found.push(Found::new(about, FindingCode::XmlOfOtherOrder, Severity::Serious, words));
            return;
        }
        // ASSUMED: `CaseId` of version 1.0 is the order's number too. It must hold no order back.
        if order_id.is_none() && case_id.as_deref().is_some_and(is_other) {
            let words = "The case number in this XML file is not the order's number. Check that the \
                scans belong to this patient.";
            found.push(Found::new(about, FindingCode::XmlOfOtherOrder, Severity::Warning, words));
            return;
        }
        let codes = (told.rx.order_code.as_deref(), order.order_code.as_deref());
        if let (Some(theirs), Some(ours)) = codes
            && !ours.trim().is_empty()
            && !theirs.eq_ignore_ascii_case(ours.trim())
        {
            let words =
                "The order code in this XML file is not the one that Align gives for the order.";
            found.push(Found::new(
                about,
                FindingCode::XmlContradictsOrder,
                Severity::Warning,
                words,
            ));
        }
    }
}

/// Returns a number without leading zeros; `None` if it is not a number.
fn digits(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.trim_start_matches('0'))
}

/// Returns the numbers in a file's name that may be order numbers.
fn numbers_in(file: &Known) -> impl Iterator<Item = &str> {
    let name = file.staged.original_name.as_deref().unwrap_or(file.staged.path.as_str());
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| (7..=12).contains(&word.len()) && !is_date(word)).filter_map(digits)
}

/// Whether this is a date, such as `20260131`.
fn is_date(word: &str) -> bool {
    let part = |range: std::ops::Range<usize>| {
        word.get(range).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0)
    };
    let is_day = |year: u32, month: u32, day: u32| {
        (1900..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
    };
    (word.len() == 8 || word.len() == 12)
        && (is_day(part(0..4), part(4..6), part(6..8))
            || is_day(part(4..8), part(2..4), part(0..2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_no_orders() {
        for word in ["20260131", "31012026", "202601311200"] {
            assert!(is_date(word), "{word}");
        }
        for word in ["17544365", "20269931", "123456789"] {
            assert!(!is_date(word), "{word}");
        }
    }
}
