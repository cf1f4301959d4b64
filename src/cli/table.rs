//! Tables for people: columns as wide as their widest cell.

use super::{CliError, Streams};

/// A table that grows row by row and is printed as a whole.
pub(super) struct Table<const N: usize> {
    rows: Vec<Row<N>>,
}

struct Row<const N: usize> {
    cells: [String; N],
    /// Lines below the row.
    remarks: Vec<String>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(headings: [&str; N]) -> Self {
        let cells = headings.map(str::to_owned);
        Self { rows: vec![Row { cells, remarks: Vec::new() }] }
    }

    /// Adds a row. An empty cell is shown as a dash.
    pub(super) fn row(&mut self, cells: [String; N]) {
        let cells = cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { cell });
        self.rows.push(Row { cells, remarks: Vec::new() });
    }

    /// Adds a line below the last row.
    pub(super) fn remark(&mut self, text: String) {
        if let Some(row) = self.rows.last_mut() {
            row.remarks.push(text);
        }
    }

    pub(super) fn print(&self, streams: &mut Streams) -> Result<(), CliError> {
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; N] = std::array::from_fn(width);
        for row in &self.rows {
            let cells = row.cells.iter().zip(widths);
            let line: Vec<_> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
            streams.line(line.join("  ").trim_end())?;
            row.remarks.iter().try_for_each(|text| streams.line(format!("  └ {text}")))?;
        }
        Ok(())
    }
}
