//! A table that every page can show: in HTML, in Markdown and as plain text.

/// Rows of cells under heads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// A head, and what its cells hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) head: String,
    pub(crate) kind: Kind,
}

/// What the cells of a column hold, and so how they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Words,
    Number,
    /// Words that a program reads.
    Code,
}

impl Table {
    /// Columns of words, then columns of numbers.
    pub(crate) fn new<W: Into<String>, N: Into<String>>(
        words: impl IntoIterator<Item = W>,
        numbers: impl IntoIterator<Item = N>,
    ) -> Self {
        let words = words.into_iter().map(|head| Column { head: head.into(), kind: Kind::Words });
        let numbers = numbers.into_iter().map(|head| Column { head: head.into(), kind: Kind::Number });
        Self { columns: words.chain(numbers).collect(), rows: Vec::new() }
    }

    /// More columns of words at the end.
    pub(crate) fn and_words<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.columns.extend(words.into_iter().map(|head| Column { head: head.into(), kind: Kind::Words }));
        self
    }

    /// Marks the column of this head as words that a program reads.
    pub(crate) fn with_code(mut self, head: &str) -> Self {
        self.columns.iter_mut().filter(|column| column.head == head).for_each(|column| column.kind = Kind::Code);
        self
    }

    /// Leaves out the column of this head when no row has anything in it.
    pub(crate) fn without_empty(self, head: &str) -> Self {
        let found = self.columns.iter().position(|column| column.head == head);
        let is_empty = found.is_some_and(|index| self.rows.iter().all(|row| row[index] == "–"));
        if is_empty { self.without(head) } else { self }
    }

    /// Leaves out the column of this head.
    pub(crate) fn without(mut self, head: &str) -> Self {
        if let Some(index) = self.columns.iter().position(|column| column.head == head) {
            self.columns.remove(index);
            self.rows.iter_mut().for_each(|row| drop(row.remove(index)));
        }
        self
    }

    /// Adds a row; it must have a cell per column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.columns.len(), "a cell per column: {cells:?}");
        self.rows.push(cells);
    }

    /// As a Markdown table.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let escaped = |text: &String| text.replace('|', "\\|").replace('\n', " ");
        let heads = line(self.columns.iter().map(|column| escaped(&column.head)).collect());
        let sides =
            self.columns.iter().map(|column| if column.kind == Kind::Number { "---:" } else { "---" }.to_owned());
        let rows: String = self.rows.iter().map(|row| line(row.iter().map(escaped).collect())).collect();
        heads + &line(sides.collect()) + &rows
    }

    /// As lines of text with aligned columns, the heads first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let heads: Vec<String> = self.columns.iter().map(|column| column.head.clone()).collect();
        let width_of = |index: usize| {
            let cells = self.rows.iter().chain([&heads]).map(|row| row[index].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width_of).collect();
        let cell = |index: usize, text: &str| {
            let pad = " ".repeat(widths[index] - text.chars().count());
            if self.columns[index].kind == Kind::Number { pad + text } else { text.to_owned() + &pad }
        };
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().enumerate().map(|(index, text)| cell(index, text)).collect();
            cells.join("  ").trim_end().to_owned()
        };
        [&heads].into_iter().chain(&self.rows).map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_markdown_is_escaped() {
        let mut table = Table::new(["name"], ["ms"]).and_words(["why"]);
        table.row(["a|b".to_owned(), "12".to_owned(), "ok".to_owned()]);
        table.row(["search".to_owned(), "1 480".to_owned(), String::new()]);
        assert_eq!(table.lines(), ["name       ms  why", "a|b        12  ok", "search  1 480"]);
        assert_eq!(
            table.markdown(),
            "| name | ms | why |\n| --- | ---: | --- |\n| a\\|b | 12 | ok |\n| search | 1 480 |  |\n"
        );
    }
}
