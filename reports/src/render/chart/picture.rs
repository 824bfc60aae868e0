//! A chart as a picture: SVG for pages, PNG for everything else.
use super::{
    canvas::{Anchor, Canvas, Dashes, Drawn, Form, SCALE},
    legend::Key,
    palette::{Ink, to_variables},
};
use crate::render::table::Table;
use plotters::{
    prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea, SVGBackend},
    style::{FontStyle, RGBColor, register_font},
};
use std::{borrow::Cow, sync::Once};

/// The space above a bitmap's chart, for its title and legend.
const HEAD: f64 = 52.0;

/// Why a chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw the chart {chart}")]
pub struct DrawError {
    /// Its title.
    pub chart: String,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A chart: its data, and how they are drawn.
pub(super) trait Chart {
    /// A short name for files and links.
    fn id(&self) -> Cow<'static, str>;
    /// What it shows.
    fn title(&self) -> Cow<'static, str>;
    /// What its marks mean.
    fn legend(&self) -> Vec<Key>;
    /// Its data, for those who want the numbers.
    fn table(&self) -> Table;
    /// Width and height in page units.
    fn size(&self, form: Form) -> (f64, f64) {
        form.size()
    }
    /// Draws it.
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>, form: Form) -> Drawn<DB>;
}

/// A chart whose kind is not known, ready to be put on a page or into a file.
pub(crate) trait Picture {
    /// See [`Chart::id`].
    fn name(&self) -> Cow<'static, str>;
    /// See [`Chart::title`].
    fn heading(&self) -> Cow<'static, str>;
    /// See [`Chart::legend`].
    fn keys(&self) -> Vec<Key>;
    /// See [`Chart::table`].
    fn data(&self) -> Table;
    /// As an SVG element that takes its colours and its font from the page.
    fn svg(&self, form: Form) -> Result<String, DrawError>;
    /// As a PNG file with its title and legend.
    fn png(&self) -> Result<Vec<u8>, DrawError>;
}

impl<C: Chart> Picture for C {
    fn name(&self) -> Cow<'static, str> {
        self.id()
    }

    fn heading(&self) -> Cow<'static, str> {
        self.title()
    }

    fn keys(&self) -> Vec<Key> {
        self.legend()
    }

    fn data(&self) -> Table {
        self.table()
    }

    fn svg(&self, form: Form) -> Result<String, DrawError> {
        register_fonts();
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, pixels(self.size(form))).into_drawing_area();
            let canvas = Canvas { area, dashes: Dashes::ByColour };
            self.draw(&canvas, form).and_then(|()| canvas.area.present()).map_err(|error| failed(self, error))?;
        }
        Ok(for_page(&svg, form, self.size(form), &self.title()))
    }

    fn png(&self) -> Result<Vec<u8>, DrawError> {
        register_fonts();
        let (width, height) = self.size(Form::Wide);
        let (width_px, height_px) = pixels((width, height + HEAD));
        let RGBColor(red, green, blue) = Ink::Paper.rgb();
        let mut bytes = [red, green, blue].repeat(width_px as usize * height_px as usize);
        {
            let area = BitMapBackend::with_buffer(&mut bytes, (width_px, height_px)).into_drawing_area();
            draw_alone(self, area).map_err(|error| failed(self, error))?;
        }
        encode(&bytes, width_px, height_px).map_err(|error| failed(self, error))
    }
}

fn draw_alone<C: Chart, DB: DrawingBackend>(
    chart: &C,
    area: plotters::drawing::DrawingArea<DB, plotters::coord::Shift>,
) -> Drawn<DB> {
    let whole = Canvas { area, dashes: Dashes::Drawn };
    whole.text(&chart.title(), (4.0, 14.0), Anchor::Left, Ink::Text, 15.0)?;
    Key::draw_row(&chart.legend(), &whole, 38.0)?;
    let (_, below) = whole.area.split_vertically((HEAD * SCALE) as i32);
    chart.draw(&Canvas { area: below, dashes: Dashes::Drawn }, Form::Wide)?;
    whole.area.present()
}

fn failed<C: Chart>(chart: &C, source: impl std::error::Error + Send + Sync + 'static) -> DrawError {
    DrawError { chart: chart.title().into_owned(), source: Box::new(source) }
}

fn pixels((width, height): (f64, f64)) -> (u32, u32) {
    ((width * SCALE) as u32, (height * SCALE) as u32)
}

/// Charts measure and draw their text with this font; pages show it in the reader's own.
fn register_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let font = include_bytes!("../../../assets/Inter-subset.otf");
        assert!(register_font("sans-serif", FontStyle::Normal, font).is_ok(), "the bundled font is a font");
    });
}

/// Lets a page decide on size, colour and font, and says what the picture is to those who cannot see it.
fn for_page(svg: &str, form: Form, size: (f64, f64), title: &str) -> String {
    let (width, height) = pixels(size);
    let class = if form == Form::Wide { "wide" } else { "narrow" };
    let title = title.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let head = format!("<svg width=\"{width}\" height=\"{height}\"");
    to_variables(svg)
        .replacen(&head, &format!("<svg class=\"{class}\" role=\"img\" aria-label=\"{title}\""), 1)
        .replace(" font-family=\"sans-serif\"", "")
        .replace(" opacity=\"1\"", "")
        .replace(" stroke=\"none\"", "")
}

fn encode(bytes: &[u8], width: u32, height: u32) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(bytes)?;
    writer.finish()?;
    Ok(file)
}
