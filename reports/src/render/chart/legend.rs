//! What the marks of a chart mean.
use super::{
    canvas::{Anchor, Canvas, Drawn, Line, text_width},
    palette::Ink,
};
use plotters::prelude::DrawingBackend;

/// What a mark looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Line,
    Dashes,
    Area,
}

/// One mark and its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) mark: Mark,
    pub(crate) ink: Ink,
    pub(crate) label: String,
}

impl Key {
    pub(super) fn new(mark: Mark, ink: Ink, label: impl Into<String>) -> Self {
        Self { mark, ink, label: label.into() }
    }

    /// Draws keys in a row, for pictures that stand alone; pages have theirs in HTML.
    pub(super) fn draw_row<DB: DrawingBackend>(keys: &[Self], canvas: &Canvas<DB>, y: f64) -> Drawn<DB> {
        let mut x = 4.0;
        for key in keys {
            match key.mark {
                Mark::Line => canvas.line(&[(x, y), (x + 18.0, y)], key.ink, 2.0, Line::Solid)?,
                Mark::Dashes => canvas.line(&[(x, y), (x + 18.0, y)], key.ink, 2.0, Line::Dashed)?,
                Mark::Area => canvas.rectangle((x + 3.0, y - 5.5), (x + 14.0, y + 5.5), key.ink, 1.0)?,
            }
            canvas.text(&key.label, (x + 24.0, y), Anchor::Left, Ink::Text, 12.0)?;
            x += 24.0 + text_width(&key.label, 12.0) + 18.0;
        }
        Ok(())
    }
}
