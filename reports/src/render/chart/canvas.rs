//! A plotters drawing area in the units of the page, with the few marks that our charts are made of.
use super::palette::Ink;
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// The result of drawing on a backend.
pub(crate) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Backend pixels per page unit: plotters rounds to whole pixels, so twice as many make smooth curves and sharp bitmaps.
pub(super) const SCALE: f64 = 2.0;

/// The two shapes of a chart: for desks and for phones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Wide,
    Narrow,
}

impl Form {
    /// Width and height in page units.
    pub(super) fn size(self) -> (f64, f64) {
        match self {
            Self::Wide => (960.0, 270.0),
            Self::Narrow => (420.0, 250.0),
        }
    }
}

/// How lines are dashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dashes {
    /// By a colour of its own, which the page turns into dashes.
    ByColour,
    /// By drawing them.
    Drawn,
}

/// Solid or dashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Solid,
    Dashed,
}

/// Where to put a text's anchor.
#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

/// A drawing area in page units.
pub(crate) struct Canvas<DB: DrawingBackend> {
    pub(super) area: DrawingArea<DB, Shift>,
    pub(super) dashes: Dashes,
}

impl<DB: DrawingBackend> Canvas<DB> {
    /// Width and height in page units.
    pub(super) fn size(&self) -> (f64, f64) {
        let (width, height) = self.area.dim_in_pixel();
        (f64::from(width) / SCALE, f64::from(height) / SCALE)
    }

    /// A line through points.
    pub(super) fn line(&self, points: &[(f64, f64)], ink: Ink, width: f64, line: Line) -> Drawn<DB> {
        let points: Vec<(i32, i32)> = points.iter().map(|at| pixel(*at)).collect();
        let width = (width * SCALE).round() as u32;
        match (line, self.dashes) {
            (Line::Solid, _) => self.area.draw(&PathElement::new(points, ink.rgb().stroke_width(width))),
            (Line::Dashed, Dashes::ByColour) => {
                self.area.draw(&PathElement::new(points, ink.dashed_rgb().stroke_width(width)))
            }
            (Line::Dashed, Dashes::Drawn) => {
                self.area.draw(&plotters::element::DashedPathElement::new(points, 9, 7, ink.rgb().stroke_width(width)))
            }
        }
    }

    /// A dot, for a value with no neighbour to draw a line to.
    pub(super) fn dot(&self, at: (f64, f64), ink: Ink) -> Drawn<DB> {
        self.disc(at, 2.0, ink)
    }

    /// A filled circle of a radius in page units.
    pub(super) fn disc(&self, at: (f64, f64), radius: f64, ink: Ink) -> Drawn<DB> {
        self.area.draw(&Circle::new(pixel(at), (radius * SCALE) as i32, ink.rgb().filled()))
    }

    /// A value that was measured, on a line that was drawn through it.
    pub(super) fn spot(&self, at: (f64, f64), ink: Ink) -> Drawn<DB> {
        self.area.draw(&Circle::new(pixel(at), (3.2 * SCALE) as i32, ink.rgb().filled()))
    }

    /// A filled rectangle.
    pub(super) fn rectangle(&self, from: (f64, f64), to: (f64, f64), ink: Ink, opacity: f64) -> Drawn<DB> {
        self.area.draw(&Rectangle::new([pixel(from), pixel(to)], ink.rgb().mix(opacity).filled()))
    }

    /// A filled outline.
    pub(super) fn polygon(&self, points: &[(f64, f64)], ink: Ink, opacity: f64) -> Drawn<DB> {
        let points: Vec<(i32, i32)> = points.iter().map(|at| pixel(*at)).collect();
        self.area.draw(&Polygon::new(points, ink.rgb().mix(opacity).filled()))
    }

    /// A text, centred on its line; `size` is in page units per em.
    pub(super) fn text(&self, text: &str, at: (f64, f64), anchor: Anchor, ink: Ink, size: f64) -> Drawn<DB> {
        let horizontal = match anchor {
            Anchor::Left => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::Right => HPos::Right,
        };
        // plotters takes 1.24 times the size of an em.
        let colour = ink.rgb();
        let style = TextStyle::from(("sans-serif", size * 1.24 * SCALE).into_font()).color(&colour);
        let style = style.pos(Pos::new(horizontal, VPos::Center));
        // Bitmaps centre the whole line box, browsers the letters: the one lies higher by about a sixth of an em.
        let lower = if self.dashes == Dashes::Drawn { size / 6.0 } else { 0.0 };
        self.area.draw(&Text::new(text.to_owned(), pixel((at.0, at.1 + lower)), style))
    }
}

/// About how wide a text is, in page units; digits and small letters of Inter are 0.55 to 0.62 em.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.58
}

fn pixel((x, y): (f64, f64)) -> (i32, i32) {
    ((x * SCALE).round() as i32, (y * SCALE).round() as i32)
}
