//! A variant as the command line names it.
use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr};

/// A variant, before anything is built or started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// The service in this program.
    Own,
    /// A service that runs already.
    Url(String),
    /// A program.
    Path(PathBuf),
    /// A revision of git, to be built.
    Revision(String),
}

impl FromStr for Named {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_url = ["http://", "https://"].iter().any(|scheme| text.starts_with(scheme));
        Ok(match text.strip_prefix("rev:") {
            Some(revision) => Self::Revision(revision.to_owned()),
            None if is_url => Self::Url(text.trim_end_matches('/').to_owned()),
            None if text == "own" => Self::Own,
            None => Self::Path(PathBuf::from(text)),
        })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.pad("own"),
            Self::Url(url) => f.pad(url),
            Self::Path(path) => f.pad(&path.display().to_string()),
            Self::Revision(revision) => f.pad(&format!("rev:{revision}")),
        }
    }
}

/// Reads a share such as `5%` or `0.05`.
///
/// # Errors
/// When it is no number, or not from 0 to below 1.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let (number, whole) = match text.trim().strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    let share = number.trim().parse::<f64>().map(|number| number / whole);
    share
        .ok()
        .filter(|share| (0.0..1.0).contains(share))
        .ok_or_else(|| format!("`{text}` is not a share from 0 to below 1; write 5% or 0.05"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_told_from_its_name_and_named_as_it_was() {
        let cases = [
            ("own", Named::Own),
            ("http://127.0.0.1:8000", Named::Url("http://127.0.0.1:8000".to_owned())),
            ("rev:HEAD~1", Named::Revision("HEAD~1".to_owned())),
            ("target/release/tripsage", Named::Path(PathBuf::from("target/release/tripsage"))),
            ("./own", Named::Path(PathBuf::from("./own"))),
        ];
        for (text, expected) in cases {
            let named: Named = text.parse().unwrap_or_else(|never| match never {});
            assert_eq!((named.to_string().as_str(), &named), (text, &expected));
        }
    }

    #[test]
    fn shares_are_below_one_and_may_be_percent() {
        assert_eq!(["5%", "0.05", " 12.5 % ", "0"].map(parse_share), [Ok(0.05), Ok(0.05), Ok(0.125), Ok(0.0)]);
        for text in ["", "5", "-1%", "100%", "NaN", "five"] {
            assert!(parse_share(text).unwrap_err().contains("write 5% or 0.05"), "{text}");
        }
    }
}
