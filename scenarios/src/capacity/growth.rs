//! Peaks of the past, from a CSV file.
use anyhow::{Context as _, bail};
use reports::{capacity::DayPeak, units};
use std::{fs, path::Path};

/// Reads lines of `date,rate`, such as `2026-09-01,180/s`; a rate without a unit is per second. Empty lines, a first line without a digit
/// and lines that begin with `#` are skipped.
///
/// # Errors
/// When the file cannot be read, or with the first line that is no peak.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<DayPeak>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

fn parse(text: &str) -> anyhow::Result<Vec<DayPeak>> {
    let is_head = |index: usize, line: &str| index == 0 && !line.contains(|c: char| c.is_ascii_digit());
    let mut peaks = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') || is_head(index, line) {
            continue;
        }
        peaks.push(peak(line).with_context(|| format!("line {}: `{line}` is not date,rate", index + 1))?);
    }
    if peaks.is_empty() {
        bail!("it has no line such as 2026-09-01,180");
    }
    Ok(peaks)
}

fn peak(line: &str) -> anyhow::Result<DayPeak> {
    let (day, rate) = line.split_once([',', ';']).context("it has no comma")?;
    let day = day.trim().parse().with_context(|| format!("`{}` is not a date such as 2026-09-01", day.trim()))?;
    let rate = rate.trim();
    let per_second = if rate.contains('/') { units::parse_rate(rate)? } else { rate.parse::<f64>()? };
    if !(per_second.is_finite() && per_second > 0.0) {
        bail!("a peak must be above 0");
    }
    Ok(DayPeak { day, per_second })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_are_read_with_and_without_a_head_and_units() {
        let peaks =
            parse("date,rate\n2026-09-01,180\n# a holiday\n\n2026-09-08, 186.5/s\n2026-09-15,12000/m\n").unwrap();
        let rates: Vec<f64> = peaks.iter().map(|peak| peak.per_second).collect();
        assert_eq!(rates, [180.0, 186.5, 200.0]);
        assert_eq!(peaks[1].day.to_string(), "2026-09-08");
    }

    #[test]
    fn a_wrong_line_is_named() {
        for (text, said) in [
            ("2026-09-01,180\n2026-13-01,5", "line 2: `2026-13-01,5` is not date,rate"),
            ("2026-09-01,fast", "line 1"),
            ("2026-09-01,0", "above 0"),
            ("2026-09-01,NaN", "above 0"),
            ("2026-09-01 180", "no comma"),
            ("date,rate\n", "no line such as"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(said), "{error}");
        }
    }
}
