//! The rows of a data file: CSV with a header, a JSON array of objects, or one JSON object per line; read whole before the start.
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

/// The largest data file, in bytes.
pub(super) const FILE_MAX: u64 = 64 << 20;
/// The largest cell, in bytes.
pub(super) const CELL_MAX: usize = 64 << 10;

/// What a data file holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rows {
    /// Names of the columns, in the order of the first row.
    pub(super) columns: Vec<String>,
    /// Rows with as many cells as there are columns. Cells of CSV are texts.
    pub(super) rows: Vec<Box<[Value]>>,
    /// SHA-256 of the file, in hexadecimal digits.
    pub(super) digest: String,
}

/// Why a data file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// It is too large.
    #[error("{file} has more than {FILE_MAX} bytes, which is the most that is kept in memory")]
    TooLarge {
        /// The file.
        file: String,
    },
    /// Its name does not say what it holds.
    #[error("the name of {file} ends in none of .csv, .json, .ndjson, .jsonl")]
    UnknownFormat {
        /// The file.
        file: String,
    },
    /// It holds nothing.
    #[error("{file} has no rows")]
    Empty {
        /// The file.
        file: String,
    },
    /// A row is not what it should be.
    #[error("{file}, line {line}: {problem}")]
    Malformed {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
}

/// Reads a data file; `file` is its name for people.
pub(super) fn read(path: &Path, file: &str) -> Result<Rows, Error> {
    let reading = |source| Error::Read { file: file.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(reading)?.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(reading)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Error::TooLarge { file: file.to_owned() });
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let found = match extension.to_ascii_lowercase().as_str() {
        "csv" => of_csv(&bytes),
        "json" => of_json(&bytes),
        "ndjson" | "jsonl" => of_lines(&bytes),
        _ => return Err(Error::UnknownFormat { file: file.to_owned() }),
    };
    let (columns, rows) =
        found.map_err(|Wrong { line, problem }| Error::Malformed { file: file.to_owned(), line, problem })?;
    if rows.is_empty() {
        return Err(Error::Empty { file: file.to_owned() });
    }
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Rows { columns, rows, digest })
}

/// What is wrong, and in which line.
struct Wrong {
    line: u64,
    problem: String,
}

type Table = (Vec<String>, Vec<Box<[Value]>>);

fn of_csv(bytes: &[u8]) -> Result<Table, Wrong> {
    let wrong = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        let problem = match error.kind() {
            csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                format!("{len} cells, but the header has {expected_len}")
            }
            csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
            _ => error.to_string(),
        };
        Wrong { line, problem }
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(bytes.trim_bom());
    let columns: Vec<String> = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
    check_columns(&columns)?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(1, csv::Position::line);
        let cells: Box<[Value]> = record.iter().map(|cell| Value::from(cell.to_owned())).collect();
        check_cells(&columns, &cells, line)?;
        rows.push(cells);
    }
    Ok((columns, rows))
}

/// Spreadsheets begin their CSV with a byte order mark.
trait TrimBom {
    fn trim_bom(&self) -> &[u8];
}

impl TrimBom for [u8] {
    fn trim_bom(&self) -> &[u8] {
        self.strip_prefix(b"\xef\xbb\xbf").unwrap_or(self)
    }
}

fn of_json(bytes: &[u8]) -> Result<Table, Wrong> {
    let bytes = bytes.trim_bom();
    let read: Result<Vec<&serde_json::value::RawValue>, _> = serde_json::from_slice(bytes);
    let items = read.map_err(|error| Wrong { line: error.line() as u64, problem: error.to_string() })?;
    let mut table = (Vec::new(), Vec::new());
    let (mut seen, mut line) = (0, 1);
    for item in items {
        let at = item.get().as_ptr() as usize - bytes.as_ptr() as usize;
        line += bytes[seen..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        seen = at;
        add(&mut table, item.get(), line)?;
    }
    Ok(table)
}

fn of_lines(bytes: &[u8]) -> Result<Table, Wrong> {
    let text = std::str::from_utf8(bytes.trim_bom()).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        Wrong { line, problem: "not UTF-8".to_owned() }
    })?;
    let mut table = (Vec::new(), Vec::new());
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        add(&mut table, text, line)?;
    }
    Ok(table)
}

/// Adds a row that is written as a JSON object; the first one says what the columns are.
fn add((columns, rows): &mut Table, text: &str, line: u64) -> Result<(), Wrong> {
    let wrong = |problem: String| Wrong { line, problem };
    let row = serde_json::from_str(text).map_err(|error| wrong(format!("not a JSON object: {error}")))?;
    let Value::Object(mut row) = row else { return Err(wrong("not a JSON object".to_owned())) };
    if rows.is_empty() {
        *columns = row.keys().cloned().collect();
        check_columns(columns).map_err(|first| wrong(first.problem))?;
    }
    let missing = |column: &String| wrong(format!("no `{column}`, which the first row has"));
    let cells: Box<[Value]> =
        columns.iter().map(|column| row.remove(column).ok_or_else(|| missing(column))).collect::<Result<_, _>>()?;
    if let Some(more) = row.keys().next() {
        return Err(wrong(format!("`{more}`, which the first row does not have")));
    }
    check_cells(columns, &cells, line)?;
    rows.push(cells);
    Ok(())
}

fn check_columns(columns: &[String]) -> Result<(), Wrong> {
    let wrong = |problem: String| Err(Wrong { line: 1, problem });
    let is_name = |name: &String| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    if let Some(column) = columns.iter().find(|column| !is_name(column)) {
        return wrong(format!("column name `{column}` is not made of letters, digits, `_` and `-`"));
    }
    match columns.iter().enumerate().find(|(index, column)| columns[..*index].contains(column)) {
        Some((_, twice)) => wrong(format!("column `{twice}` is there twice")),
        None => Ok(()),
    }
}

fn check_cells(columns: &[String], cells: &[Value], line: u64) -> Result<(), Wrong> {
    let is_too_large = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string().len(), str::len) > CELL_MAX;
    match columns.iter().zip(cells).find(|(_, cell)| is_too_large(cell)) {
        Some((column, _)) => Err(Wrong { line, problem: format!("`{column}` has more than {CELL_MAX} bytes") }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn read_text(name: &str, text: &[u8]) -> Result<Rows, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        read(&path, name)
    }

    #[rstest]
    #[case("a.csv", "id,name\n1,\"Ann, B\"\n2,Bo\n", r#"[["1","Ann, B"],["2","Bo"]]"#)]
    #[case("a.csv", "\u{feff}id , name\r\n1,\r\n", r#"[["1",""]]"#)]
    #[case("a.json", "[{\"id\": 1, \"name\": \"Ann\"},\n {\"name\": null, \"id\": [2]}]", r#"[[1,"Ann"],[[2],null]]"#)]
    #[case("a.ndjson", "{\"id\":1,\"name\":\"Ann\"}\n\n{\"id\":2,\"name\":\"Bo\"}\n", r#"[[1,"Ann"],[2,"Bo"]]"#)]
    #[case("A.JSONL", "{\"id\":true,\"name\":0.5}", "[[true,0.5]]")]
    fn rows_are_read_from_each_format(#[case] name: &str, #[case] text: &str, #[case] expected: &str) {
        let rows = read_text(name, text.as_bytes()).unwrap();
        assert_eq!(rows.columns, ["id", "name"]);
        assert_eq!(serde_json::to_string(&rows.rows).unwrap(), expected);
        assert_eq!(rows.digest.len(), 64);
    }

    #[rstest]
    #[case("a.csv", b"id,name\n1,Ann\n2\n", "a.csv, line 3: 1 cells, but the header has 2")]
    #[case("a.csv", b"id,name\n1,\xff\n", "a.csv, line 2: not UTF-8")]
    #[case("a.csv", b"id,id\n1,2\n", "a.csv, line 1: column `id` is there twice")]
    #[case("a.csv", b"id,a b\n1,2\n", "a.csv, line 1: column name `a b` is not made of letters, digits, `_` and `-`")]
    #[case("a.csv", b"id\n", "a.csv has no rows")]
    #[case("a.csv", b"", "a.csv has no rows")]
    #[case("a.json", b"[]", "a.json has no rows")]
    #[case("a.json", b"[{\"id\":1},\n{\"no\":2}]", "a.json, line 2: no `id`, which the first row has")]
    #[case("a.json", b"[{\"id\":1},\n\n{\"id\":2,\"x\":1}]", "a.json, line 3: `x`, which the first row does not have")]
    #[case("a.json", b"[1]", "a.json, line 1: not a JSON object")]
    #[case("a.ndjson", b"{\"id\":1}\n[2]\n", "a.ndjson, line 2: not a JSON object")]
    #[case("a.ndjson", b"{\"id\":1}\n{\"id\":\xff}\n", "a.ndjson, line 2: not UTF-8")]
    #[case("a.txt", b"id\n1\n", "the name of a.txt ends in none of .csv, .json, .ndjson, .jsonl")]
    fn what_is_malformed_is_refused_at_its_line(#[case] name: &str, #[case] text: &[u8], #[case] expected: &str) {
        assert_eq!(read_text(name, text).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_is_too_large_is_refused() {
        let cell = [b"id\n".as_slice(), &vec![b'x'; CELL_MAX + 1]].concat();
        assert_eq!(read_text("a.csv", &cell).unwrap_err().to_string(), "a.csv, line 2: `id` has more than 65536 bytes");
        let missing = read(Path::new("no-such.csv"), "no-such.csv").unwrap_err().to_string();
        assert!(missing.starts_with("cannot read no-such.csv: "), "{missing}");
        let broken = read_text("a.json", b"[{\"id\":1},\n{]").unwrap_err().to_string();
        assert!(broken.starts_with("a.json, line 2: "), "{broken}");
    }
}
