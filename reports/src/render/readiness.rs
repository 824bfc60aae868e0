//! The launch checklist with its evidence: as text, as Markdown and as JSON.
use super::{
    table::Table,
    terminal::{Tone, wrapped},
};
use crate::{
    number,
    readiness::{Judged, Proof, Readiness, State},
};
use serde::Serialize;
use std::fmt::Write as _;

/// Version of the JSON document.
const FORMAT: u32 = 1;

/// Widest line of the text, in columns.
const WIDTH: usize = 100;

/// The checklist for a terminal. Colour, if any, is what `paint` adds.
#[must_use]
pub fn readiness_text(readiness: &Readiness, paint: impl Fn(Tone, &str) -> String) -> String {
    let mut page = format!("{}  {}\n", paint(tone(worst(readiness)), word(readiness)), headline(readiness));
    let mut section = "";
    for row in &readiness.rows {
        if row.section != section {
            section = &row.section;
            let _ = writeln!(page, "\n{}", paint(Tone::Heading, &section.to_uppercase()));
        }
        let state = format!("{:<9}", row.state.word());
        let _ = writeln!(page, "  {} {} {}  [{}]", mark(row.state), paint(tone(row.state), &state), row.title, row.id);
        for proof in &row.proofs {
            let text = format!("{}: {}", proof.need, told(proof));
            for (index, line) in wrapped(&text, WIDTH - 16).into_iter().enumerate() {
                let lead = if index == 0 { mark(proof.state) } else { " " };
                let _ = writeln!(page, "              {lead} {line}");
            }
        }
    }
    page
}

/// The checklist as a Markdown document.
#[must_use]
pub fn readiness_markdown(readiness: &Readiness) -> String {
    let mut page = format!("# {}: {}\n\n{}\n", readiness.title, word(readiness), headline(readiness));
    let mut sections: Vec<&str> = readiness.rows.iter().map(|row| row.section.as_str()).collect();
    sections.dedup();
    for section in sections {
        let mut table = Table::new(["", "row", "state", "needs", "evidence"], [] as [&str; 0]);
        for row in readiness.rows.iter().filter(|row| row.section == section) {
            for (index, proof) in row.proofs.iter().enumerate() {
                let title = if index == 0 { row.title.clone() } else { String::new() };
                let state = proof.state;
                table.row([mark(state).to_owned(), title, state.word().to_owned(), proof.need.clone(), told(proof)]);
            }
        }
        let _ = write!(page, "\n## {section}\n\n{}", table.markdown());
    }
    page
}

#[derive(Serialize)]
struct Document<'a> {
    /// Version of this document; a reader should refuse a higher one.
    format: u32,
    is_ready: bool,
    exit_code: u8,
    #[serde(flatten)]
    readiness: &'a Readiness,
}

/// The checklist as a JSON document.
#[must_use]
pub fn readiness_json(readiness: &Readiness) -> String {
    let exit_code = readiness.exit_code();
    let document = Document { format: FORMAT, is_ready: exit_code == 0, exit_code, readiness };
    let mut text = serde_json::to_string_pretty(&document).expect("the document has only text keys");
    text.push('\n');
    text
}

fn word(readiness: &Readiness) -> &'static str {
    if readiness.exit_code() == 0 { "READY" } else { "NOT READY" }
}

fn headline(readiness: &Readiness) -> String {
    let count = |state: State| readiness.rows.iter().filter(|row| row.state == state).count();
    let states = [State::Failed, State::Missing, State::Unsigned, State::Stale];
    let open: Vec<String> = states
        .into_iter()
        .filter(|state| count(*state) > 0)
        .map(|state| format!("{} {}", count(state), state.word()))
        .collect();
    let open = if open.is_empty() { String::new() } else { format!(": {}", open.join(", ")) };
    let rows = number::counted(readiness.rows.len() as u64, "row");
    format!("(exit {})  {} of {rows} met{open}", readiness.exit_code(), readiness.met_count())
}

fn told(proof: &Proof) -> String {
    let at = proof.at.map_or_else(String::new, |at| format!(", {}", at.strftime("%Y-%m-%d %H:%M UTC")));
    let folder = proof.folder.as_ref().map_or_else(String::new, |folder| format!(", {folder}"));
    format!("{}{at}{folder}", proof.found)
}

fn worst(readiness: &Readiness) -> State {
    readiness.rows.iter().map(|row: &Judged| row.state).max().unwrap_or(State::Missing)
}

fn mark(state: State) -> &'static str {
    match state {
        State::Proven | State::Signed => "✓",
        State::Stale => "!",
        State::Unsigned | State::Missing => "?",
        State::Failed => "✗",
    }
}

fn tone(state: State) -> Tone {
    match state {
        State::Proven | State::Signed => Tone::Good,
        State::Stale | State::Unsigned | State::Missing => Tone::Unsure,
        State::Failed => Tone::Bad,
    }
}
