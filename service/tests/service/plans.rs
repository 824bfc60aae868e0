//! How the databases would run each statement of the storage: by an index, at any size.
//!
//! The statements are read from the sources, so a new one is checked without being listed anywhere, and the tables are
//! filled by their columns, so a new one is filled.

use std::{fs, path::Path};

use rstest::rstest;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection, raw_sql};

use crate::stack::{Database, Stack};

/// Statements that may read a whole table, and why.
const MAY_SCAN: [(&str, &str); 9] = [
    ("SELECT id FROM users LIMIT 1", "reads one row"),
    ("SELECT COUNT(*) AS total FROM users WHERE deleted_at", "the dashboard counts everybody"),
    ("SELECT COUNT(*) AS total FROM deletions WHERE finished_at", "the dashboard counts what is to be done"),
    ("SELECT COUNT(DISTINCT user_id) AS total FROM audit_events", "the dashboard counts a day"),
    ("SELECT c.seq, c.event_id, c.previous_hash", "a page of the audit log, for an administrator"),
    ("SELECT e.id, e.user_id, e.action", "a page of the audit log, in the background"),
    ("SELECT seq, hash FROM audit_chain ORDER BY seq DESC LIMIT 1", "reads one row"),
    ("SELECT seq FROM audit_chain WHERE hash", "an operator asks for a link of the audit log"),
    ("SELECT d.user_id, d.requested_at FROM deletions", "at start: whom a restore has brought back"),
];
/// The beginning of what SQLite is never asked: it cannot write to two tables at once.
const POSTGRES_ONLY: &str = "WITH trip AS (INSERT";
/// What changes every row on purpose.
const CHANGES_ALL: &str = "UPDATE deletions SET finished_at = NULL";

/// Rows in each table, and how many of them belong to the same owner.
const ROWS: u32 = 20_000;
const ROWS_PER_OWNER: u32 = 10;

/// A table's columns as `INSERT` wants them and, for the `n`-th row, what goes into them.
const COLUMNS: &str = "SELECT table_name::text, string_agg(column_name, ', ')::text, string_agg(CASE \
     WHEN data_type = 'bigint' THEN 'n' \
     WHEN column_name LIKE '%\\_id' THEN format('md5((n / %s)::text)', $1::text) \
     ELSE 'md5(n::text)' END, ', ')::text \
     FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%' GROUP BY table_name";
const CHECKS: &str = "SELECT conrelid::regclass::text, conname::text FROM pg_constraint \
     WHERE contype = 'c' AND connamespace = 'public'::regnamespace";
/// References whose column is not the first of any index: deleting what they refer to reads the whole table.
const UNINDEXED_REFERENCES: &str = "SELECT conrelid::regclass || '.' || attname FROM pg_constraint \
     JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] \
     WHERE contype = 'f' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = conrelid AND indkey[0] = conkey[1])";

#[rstest]
#[tokio::test]
async fn every_statement_goes_by_an_index(#[values(Database::Sqlite, Database::Postgres)] database: Database) {
    let Some(stack) = Stack::on(database, &[]).await else { return };
    let statements = statements();
    assert!(statements.len() >= 20, "only {} statements were found in the sources", statements.len());
    for (text, _) in MAY_SCAN {
        assert!(statements.iter().any(|statement| statement.starts_with(text)), "`{text}` is not there any more");
    }
    let mut scans = Vec::new();
    let mut plans = Plans::open(&stack.database_url).await;
    assert!(statements.iter().any(|statement| statement.starts_with(POSTGRES_ONLY)));
    let is_asked = |statement: &String| database == Database::Postgres || !statement.starts_with(POSTGRES_ONLY);
    for statement in statements.into_iter().filter(is_asked) {
        let plan = plans.of(&statement).await;
        let is_allowed =
            statement.starts_with(CHANGES_ALL) || MAY_SCAN.iter().any(|(text, _)| statement.starts_with(text));
        if !is_allowed && plan.iter().any(|step| reads_a_whole_table(step)) {
            scans.push(format!("{statement}\n  {}", plan.join("\n  ")));
        }
    }
    assert!(scans.is_empty(), "{}", scans.join("\n\n"));
}

#[tokio::test]
async fn every_reference_can_be_followed_backwards() {
    let Some(stack) = Stack::on(Database::Postgres, &[]).await else { return };
    let mut connection = PgConnection::connect(&stack.database_url).await.unwrap();
    let found: Vec<String> = sqlx::query_scalar(UNINDEXED_REFERENCES).fetch_all(&mut connection).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
}

#[rstest]
#[case(r#"one("SELECT 1"); two("a \"quoted\" one"); // "SELECT 2""#, &["SELECT 1", "a \"quoted\" one"])]
#[case("\"UPDATE a \\\n     SET b = '\\\\'\"", &["UPDATE a SET b = '\\'"])]
#[case("r\"DELETE \\ \" 'x' '\"' \"WITH\" &'static", &["DELETE \\ ", "WITH"])]
fn texts_are_found_in_sources(#[case] source: &str, #[case] texts: &[&str]) {
    assert_eq!(texts_in(source)[..texts.len()], *texts);
}

/// A database that tells how it would run a statement.
enum Plans {
    /// Without statistics, as the service leaves it: what is chosen does not depend on the rows.
    Sqlite(SqliteConnection),
    /// With statistics, as the server makes them by itself, and for values that are not known.
    Postgres(PgConnection),
}

impl Plans {
    async fn open(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            return Self::Sqlite(SqliteConnection::connect(url).await.unwrap());
        }
        let mut connection = PgConnection::connect(url).await.unwrap();
        fill(&mut connection).await;
        raw_sql("SET plan_cache_mode = force_generic_plan").execute(&mut connection).await.unwrap();
        Self::Postgres(connection)
    }

    async fn of(&mut self, statement: &str) -> Vec<String> {
        match self {
            Self::Sqlite(connection) => {
                let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
                let rows = raw_sql(explain).fetch_all(connection).await;
                let rows = rows.unwrap_or_else(|error| panic!("{error} in `{statement}`"));
                rows.iter().map(|row| row.get("detail")).collect()
            }
            Self::Postgres(connection) => {
                let prepare = AssertSqlSafe(format!("PREPARE statement AS {statement}"));
                let prepared = raw_sql(prepare).execute(&mut *connection).await;
                prepared.unwrap_or_else(|error| panic!("{error} in `{statement}`"));
                let values = vec!["NULL"; parameters(statement)].join(", ");
                let values = if values.is_empty() { values } else { format!("({values})") };
                let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE statement{values}"));
                let rows = raw_sql(explain).fetch_all(&mut *connection).await.unwrap();
                raw_sql("DEALLOCATE statement").execute(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }
}

fn reads_a_whole_table(step: &str) -> bool {
    step.contains("Seq Scan on") || (step.starts_with("SCAN ") && !step.contains("CONSTANT ROW"))
}

fn parameters(statement: &str) -> usize {
    let number = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    statement.split('$').skip(1).map(number).max().unwrap_or(0)
}

/// Fills every table, whatever it is for, and counts what is in it. Rules between values are dropped first.
async fn fill(connection: &mut PgConnection) {
    let run = async |connection: &mut PgConnection, sql: String| {
        let done = raw_sql(AssertSqlSafe(sql.clone())).execute(connection).await;
        done.unwrap_or_else(|error| panic!("{error} in `{sql}`"));
    };
    for row in sqlx::query(CHECKS).fetch_all(&mut *connection).await.unwrap() {
        let (table, name): (String, String) = (row.get(0), row.get(1));
        run(connection, format!("ALTER TABLE {table} DROP CONSTRAINT {name}")).await;
    }
    // Foreign keys are checked by triggers, which a replica does not run.
    run(connection, "SET session_replication_role = replica".to_owned()).await;
    let tables = sqlx::query(COLUMNS).bind(ROWS_PER_OWNER.to_string()).fetch_all(&mut *connection).await.unwrap();
    for row in tables {
        let (table, columns, values): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let rows = format!("SELECT {values} FROM generate_series(1, {ROWS}) n ON CONFLICT DO NOTHING");
        run(connection, format!("INSERT INTO {table} ({columns}) {rows}")).await;
    }
    run(connection, "ANALYZE".to_owned()).await;
}

/// All statements in the sources of the storage.
fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage");
    let mut statements = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(path).unwrap();
            let tested = source.split("#[cfg(test)]").next().unwrap_or_default();
            statements.extend(texts_in(tested).into_iter().filter(|text| is_sql(text)));
        }
    }
    statements.sort_unstable();
    statements.dedup();
    statements
}

fn is_sql(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    text.contains(' ') && ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"].contains(&first.as_str())
}

/// The texts in a Rust source: `"..."` and `r"..."`, not what is in comments.
fn texts_in(source: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, found) = rest.split_at(at);
        rest = &found[1..];
        if found.starts_with("//") {
            rest = found.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(after) = found.strip_prefix("'\"'") {
            rest = after;
        } else if found.starts_with('"') {
            let is_raw = before.ends_with('r');
            let end = end_of_text(rest, is_raw);
            texts.push(if is_raw { rest[..end].to_owned() } else { unescaped(&rest[..end]) });
            rest = &rest[end + 1..];
        }
    }
    texts
}

fn end_of_text(rest: &str, is_raw: bool) -> usize {
    let mut is_escaped = false;
    let is_end = |(_, byte): &(usize, u8)| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = !is_raw && *byte == b'\\' && !is_escaped;
        ends
    };
    rest.bytes().enumerate().find(is_end).expect("a text ends").0
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        rest = match after.strip_prefix('\n') {
            Some(next_line) => next_line.trim_start(),
            None => {
                plain.push_str(&after[..1]);
                &after[1..]
            }
        };
    }
    plain + rest
}
