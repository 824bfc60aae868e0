//! Faults against journeys: a coloured field with its mark for each pair.
use super::{
    Form, Key, Mark,
    canvas::{Anchor, Canvas, Drawn, text_width},
    palette::Ink,
    picture::Chart,
};
use crate::{
    matrix::{Matrix, Row, State},
    render::{matrix::table, table::Table},
};
use plotters::prelude::DrawingBackend;
use std::borrow::Cow;

/// Height of a row, in page units.
const ROW: f64 = 26.0;
/// Height of the journeys' names, one line each on its own height where they would touch.
const NAMES: f64 = 22.0;
const LABEL: f64 = 11.5;

/// The chart's data.
pub(super) struct HeatChart {
    matrix: Matrix,
}

impl HeatChart {
    /// `None` when no fault was on.
    pub(super) fn of(matrix: &Matrix) -> Option<Self> {
        (!matrix.rows.is_empty()).then(|| Self { matrix: matrix.clone() })
    }

    /// Lines that the journeys' names take: each on its own where a column is too narrow for the widest.
    fn name_lines(&self, column: f64) -> usize {
        let widest = self.matrix.journeys.iter().map(|name| text_width(name, LABEL)).fold(0.0, f64::max);
        if widest + 6.0 <= column { 1 } else { self.matrix.journeys.len() }
    }

    /// Left end of the fields, and the width of one.
    fn columns(&self, form: Form) -> (f64, f64) {
        let width = form.size().0;
        let widest = self.matrix.rows.iter().map(|row| text_width(&label(row), LABEL)).fold(60.0, f64::max);
        let left = (widest + 10.0).min(width * 0.55);
        (left, (width - left - 6.0) / self.matrix.journeys.len() as f64)
    }
}

/// The scenario tells runs apart; the fault's name is on the page's table.
fn label(row: &Row) -> String {
    if row.fault.contains(&row.scenario) { row.fault.clone() } else { format!("{}: {}", row.scenario, row.fault) }
}

pub(super) fn ink(state: State) -> Ink {
    match state {
        State::Held => Ink::Green,
        State::Degraded => Ink::Orange,
        State::Broken => Ink::Vermillion,
        State::Unknown => Ink::Shade,
    }
}

/// As much of a text as fits, with a mark where it was cut.
fn cut_to(text: &str, width: f64) -> String {
    let most = (width / (LABEL * 0.58)).max(1.0) as usize;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

impl Chart for HeatChart {
    fn id(&self) -> Cow<'static, str> {
        "matrix".into()
    }

    fn title(&self) -> Cow<'static, str> {
        "What each fault did to each journey".into()
    }

    fn legend(&self) -> Vec<Key> {
        let states = [State::Held, State::Degraded, State::Broken, State::Unknown];
        let seen = states.into_iter().filter(|state| self.matrix.count(*state) > 0);
        seen.map(|state| Key::new(Mark::Area, ink(state), format!("{} {}", state.mark(), state.word()))).collect()
    }

    fn table(&self) -> Table {
        table(&self.matrix)
    }

    fn size(&self, form: Form) -> (f64, f64) {
        let (_, column) = self.columns(form);
        let names = NAMES * self.name_lines(column) as f64;
        (form.size().0, names + ROW * self.matrix.rows.len() as f64 + 6.0)
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, form: Form) -> Drawn<DB> {
        let (left, column) = self.columns(form);
        let lines = self.name_lines(column);
        let top = NAMES * lines as f64;
        for (index, journey) in self.matrix.journeys.iter().enumerate() {
            let middle = left + column * (index as f64 + 0.5);
            if lines == 1 {
                canvas.text(journey, (middle, NAMES / 2.0), Anchor::Middle, Ink::Muted, LABEL)?;
                continue;
            }
            let y = NAMES * (index as f64 + 0.5);
            canvas.text(journey, (middle - 6.0, y), Anchor::Right, Ink::Muted, LABEL)?;
            canvas.line(&[(middle, y), (middle, top - 2.0)], Ink::Shade, 1.0, super::canvas::Line::Solid)?;
        }
        for (index, row) in self.matrix.rows.iter().enumerate() {
            let y = top + ROW * index as f64;
            canvas.text(&cut_to(&label(row), left - 10.0), (2.0, y + ROW / 2.0), Anchor::Left, Ink::Text, LABEL)?;
            for (position, cell) in row.cells.iter().enumerate() {
                let Some(cell) = cell else { continue };
                let x = left + column * position as f64;
                canvas.rectangle((x + 1.5, y + 1.5), (x + column - 1.5, y + ROW - 1.5), ink(cell.state), 0.55)?;
                let word = format!("{} {}", cell.state.mark(), cell.state.word());
                let text = if text_width(&word, LABEL) + 8.0 <= column { word } else { cell.state.mark().to_owned() };
                canvas.text(&text, (x + column / 2.0, y + ROW / 2.0), Anchor::Middle, Ink::Text, LABEL)?;
            }
        }
        Ok(())
    }
}
