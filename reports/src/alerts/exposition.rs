//! Reads a page of `/metrics`: OpenMetrics, or the older text format of Prometheus.
use crate::record::{Labels, parse_selector};

/// One sample of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
}

/// Reads every sample of a page. Time stamps and exemplars are left out: a sample counts for the look that found it.
///
/// # Errors
/// What is wrong, and in which line. A page in OpenMetrics that does not end with `# EOF` was cut off, and is refused.
pub fn read_page(page: &str, is_open_metrics: bool) -> Result<Vec<Sample>, String> {
    let is_whole = !is_open_metrics || page.lines().next_back() == Some("# EOF");
    if !is_whole {
        return Err("the page was cut off: it does not end with `# EOF`".to_owned());
    }
    let lines = page.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|(index, line)| read_line(line).map_err(|problem| format!("line {}: {problem}", index + 1))).collect()
}

fn read_line(line: &str) -> Result<Sample, String> {
    let (name, labels, rest) = parse_selector(line)?;
    let word = rest.split_ascii_whitespace().next().ok_or_else(|| format!("`{name}` has no value"))?;
    let value = word.parse().map_err(|_| format!("`{word}` is no number"))?;
    Ok(Sample { name, labels, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP tripsage_requests Requests answered.\n# TYPE tripsage_requests counter\n\
                        tripsage_requests_total{method=\"GET\",route=\"/a,b\"} 7 1700000000.5 # {trace_id=\"x\"} 1\n\
                        tripsage_seconds_bucket{le=\"+Inf\"} 3\n\ntripsage_load NaN\n# EOF\n";

    #[test]
    fn every_sample_of_a_page_is_read() {
        let samples = read_page(PAGE, true).unwrap();
        let shown: Vec<_> = samples.iter().map(|sample| (sample.name.as_str(), sample.value)).collect();
        assert_eq!(shown[..2], [("tripsage_requests_total", 7.0), ("tripsage_seconds_bucket", 3.0)]);
        assert!(shown[2].1.is_nan());
        assert_eq!(samples[0].labels["route"], "/a,b");
    }

    #[test]
    fn a_page_that_is_cut_off_or_none_is_refused() {
        let cut = PAGE.replace("# EOF\n", "");
        assert!(read_page(&cut, true).unwrap_err().contains("cut off"));
        assert!(read_page(&cut, false).is_ok());
        assert_eq!(read_page("up\n", false).unwrap_err(), "line 1: `up` has no value");
        assert_eq!(read_page("# x\nup much\n", false).unwrap_err(), "line 2: `much` is no number");
        assert!(read_page("<html>", false).is_err());
    }
}
