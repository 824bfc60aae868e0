//! The colours of charts. Each has one fixed value for bitmaps and is a CSS variable on pages, so that a page can be light or dark.
//!
//! Data colours are those of Okabe and Ito, which stay apart for colour-blind readers.
//! Source: Okabe and Ito, Color Universal Design (2008), <https://jfly.uni-koeln.de/color/>.
use crate::record::Outcome;
use plotters::style::RGBColor;

/// A colour by its part on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    Text,
    Muted,
    Grid,
    Paper,
    Shade,
    Orange,
    Sky,
    Green,
    Yellow,
    Blue,
    Vermillion,
    Purple,
    Grey,
}

/// Every colour: its name as a CSS variable, its value on light pages and in bitmaps, and its value on dark pages.
const INKS: [(Ink, &str, u32, u32); 13] = [
    (Ink::Text, "text", 0x001B_1F24, 0x00E8_EAED),
    (Ink::Muted, "muted", 0x005B_6470, 0x009B_A4B0),
    (Ink::Grid, "grid", 0x00E3_E6EA, 0x0032_3840),
    (Ink::Paper, "paper", 0x00FF_FFFE, 0x0017_1A1F),
    (Ink::Shade, "shade", 0x00C4_CAD2, 0x004A_5260),
    (Ink::Orange, "orange", 0x00E6_9F00, 0x00F0_AE1C),
    (Ink::Sky, "sky", 0x0056_B4E8, 0x0086_CBF2),
    (Ink::Green, "green", 0x0000_9E72, 0x001F_B98C),
    (Ink::Yellow, "yellow", 0x00F0_E442, 0x00F0_E442),
    (Ink::Blue, "blue", 0x0000_72B2, 0x003D_9BD6),
    (Ink::Vermillion, "vermillion", 0x00D5_5E00, 0x00EC_7A24),
    (Ink::Purple, "purple", 0x00CC_79A6, 0x00DA_93BA),
    (Ink::Grey, "grey", 0x007A_828E, 0x008E_97A4),
];

impl Ink {
    /// Colours that tell apart things of equal rank, in order.
    pub(crate) const SERIES: [Self; 6] =
        [Self::Blue, Self::Vermillion, Self::Green, Self::Purple, Self::Orange, Self::Sky];

    /// Its fixed value.
    pub(crate) fn rgb(self) -> RGBColor {
        let value = INKS[self as usize].2;
        RGBColor((value >> 16) as u8, (value >> 8) as u8, value as u8)
    }

    /// A value of its own, one step of blue away, that becomes the same colour with dashes on a page.
    pub(super) fn dashed_rgb(self) -> RGBColor {
        let RGBColor(red, green, blue) = self.rgb();
        RGBColor(red, green, blue ^ 1)
    }

    /// Its name as a CSS variable, without the dashes before it.
    pub(crate) fn name(self) -> &'static str {
        INKS[self as usize].1
    }

    /// The colour of an outcome class.
    pub(crate) fn of_outcome(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Full => Self::Green,
            Outcome::Degraded => Self::Orange,
            Outcome::Limited => Self::Sky,
            Outcome::Shed => Self::Yellow,
            Outcome::DependencyError => Self::Vermillion,
            Outcome::Timeout => Self::Purple,
            Outcome::Transport => Self::Blue,
            Outcome::Wrong => Self::Text,
            Outcome::Undeclared => Self::Grey,
        }
    }
}

/// The declarations of every colour, for light or dark pages.
pub(crate) fn css_variables(is_dark: bool) -> String {
    let declaration = |(_, name, light, dark): &(Ink, &str, u32, u32)| {
        format!("--{name}:#{:06x};", if is_dark { *dark } else { *light })
    };
    INKS.iter().map(declaration).collect()
}

/// Replaces the fixed values in an SVG by the page's variables.
pub(super) fn to_variables(svg: &str) -> String {
    let hex = |RGBColor(red, green, blue): RGBColor| format!("\"#{red:02X}{green:02X}{blue:02X}\"");
    INKS.iter().fold(svg.to_owned(), |svg, (ink, name, ..)| {
        let dashed = format!("\"var(--{name})\" stroke-dasharray=\"9 7\"");
        svg.replace(&hex(ink.rgb()), &format!("\"var(--{name})\"")).replace(&hex(ink.dashed_rgb()), &dashed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_stands_at_its_place_and_can_be_told_from_every_other() {
        let mut values = Vec::new();
        for (index, (ink, ..)) in INKS.into_iter().enumerate() {
            assert_eq!(ink as usize, index, "{ink:?}");
            values.extend([ink.rgb(), ink.dashed_rgb()].map(|RGBColor(red, green, blue)| (red, green, blue)));
        }
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 2 * INKS.len());
    }
}
