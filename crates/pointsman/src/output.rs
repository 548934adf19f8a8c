//! What commands say on standard output: text, and tables with aligned columns.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, ErrorKind, Write as _};

use crate::failure::Failure;

/// Longer cells are cut, except in the last column: names come from callers.
const MAX_CELL_CHARS: usize = 72;
/// Between two columns.
const GAP: &str = "  ";

/// Writes `text` to standard output. A reader that has gone (`pointsman log | head -1`) is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// On which side a column's cells begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows under a heading, for people. Shown with a line's end after every row.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row with a cell for every column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let last = self.columns.len().saturating_sub(1);
        let cells = cells.into_iter().enumerate();
        self.rows.push(
            cells
                .map(|(at, cell)| if at == last { plain(&cell).into_owned() } else { tidy(&cell) })
                .collect(),
        );
    }

    /// Whether there is no row.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| name.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        let heading = self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let rows = self.rows.iter().map(|row| row.iter().map(String::as_str).collect());
        for row in std::iter::once(heading).chain(rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                match align {
                    Align::Left => line.push_str(&format!("{cell:<width$}")),
                    Align::Right => line.push_str(&format!("{cell:>width$}")),
                }
                line.push_str(GAP);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// Text from elsewhere on one line and without what a terminal would obey.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    match text.contains(char::is_control) {
        true => Cow::Owned(text.replace(char::is_control, "\u{fffd}")),
        false => Cow::Borrowed(text),
    }
}

fn tidy(cell: &str) -> String {
    let cell = plain(cell);
    if cell.chars().count() <= MAX_CELL_CHARS {
        return cell.into_owned();
    }
    cell.chars().take(MAX_CELL_CHARS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_their_end() {
        let mut table = Table::new([("model", Align::Left), ("price", Align::Right), ("note", Align::Left)]);
        table.row(["é".into(), "0.15".into(), String::new()]);
        table.row(["longer-name".into(), "3".into(), "x".into()]);
        assert_eq!(
            table.to_string(),
            "model        price  note\n\
             é             0.15\n\
             longer-name      3  x\n"
        );
    }

    #[test]
    fn cells_cannot_drive_the_terminal_or_fill_it() {
        let mut table = Table::new([("model", Align::Left), ("note", Align::Left)]);
        table.row(["\u{1b}[2Jx\ny".into(), "a\rb".into()]);
        table.row(["m".repeat(500), "n".repeat(100)]);
        let text = table.to_string();
        assert!(text.contains("\u{fffd}[2Jx\u{fffd}y ") && text.contains("  a\u{fffd}b\n"), "{text}");
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert_eq!(longest, Some(MAX_CELL_CHARS + GAP.len() + 100));
        assert!(text.contains("m…  n"), "{text}");
    }
}
