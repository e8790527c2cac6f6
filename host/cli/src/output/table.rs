//! Tables for people: aligned columns, no lines.

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// Rows below a header; every cell is one line.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row. Cells beyond the columns are dropped, missing ones are empty.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let one_line = |cell: String| cell.replace(['\n', '\r', '\t'], " ");
        self.rows.push(cells.into_iter().map(one_line).take(self.columns.len()).collect());
    }

    /// The table with every line indented, without a line end at the end.
    pub(crate) fn render(&self, indent: &str) -> String {
        let header: Vec<String> = self.columns.iter().map(|(name, _)| name.clone()).collect();
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width(column, &header)).collect();
        let lines = std::iter::once(&header).chain(&self.rows);
        let lines: Vec<String> = lines.map(|row| self.line(indent, row, &widths)).collect();
        lines.join("\n")
    }

    fn width(&self, column: usize, header: &[String]) -> usize {
        let cells = std::iter::once(header).chain(self.rows.iter().map(Vec::as_slice));
        cells.filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default()
    }

    fn line(&self, indent: &str, row: &[String], widths: &[usize]) -> String {
        let cells = self.columns.iter().zip(widths).enumerate().map(|(index, ((_, align), width))| {
            let cell = row.get(index).map(String::as_str).unwrap_or_default();
            match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        format!("{indent}{}", line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_not_padded() {
        let mut table =
            Table::new(&[("operation", Align::Left), ("micros", Align::Right), ("outcome", Align::Left)]);
        table.row(["fs/list".to_owned(), "12".to_owned(), "ok".to_owned()]);
        table.row(["fs/read".to_owned(), "1042".to_owned(), "NOT_FOUND\n".to_owned(), "dropped".to_owned()]);
        table.row(["x".to_owned()]);
        let expected = "  operation  micros  outcome
  fs/list        12  ok
  fs/read      1042  NOT_FOUND
  x";
        assert_eq!(table.render("  "), expected);
    }

    #[test]
    fn characters_count_not_bytes() {
        let mut table = Table::new(&[("a", Align::Left), ("b", Align::Left)]);
        table.row(["üü".to_owned(), "1".to_owned()]);
        table.row(["u".to_owned(), "2".to_owned()]);
        assert_eq!(table.render(""), "a   b\nüü  1\nu   2");
    }
}
