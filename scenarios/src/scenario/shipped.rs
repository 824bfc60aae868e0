//! The scenarios that come with the program, so that it runs from any folder.

/// Name and text of every shipped scenario, the shortest first.
pub const SHIPPED: &[(&str, &str)] = &[
    ("quickstart", include_str!("../../quickstart.toml")),
    ("baseline", include_str!("../../baseline.toml")),
    ("peak", include_str!("../../peak.toml")),
    ("flights-down", include_str!("../../flights-down.toml")),
    ("slow-flights", include_str!("../../slow-flights.toml")),
    ("flights-5xx", include_str!("../../flights-5xx.toml")),
    ("flights-limited", include_str!("../../flights-limited.toml")),
    ("flights-malformed", include_str!("../../flights-malformed.toml")),
    ("flights-half", include_str!("../../flights-half.toml")),
    ("flights-hang", include_str!("../../flights-hang.toml")),
    ("llm-down", include_str!("../../llm-down.toml")),
    ("llm-slow", include_str!("../../llm-slow.toml")),
    ("llm-cut", include_str!("../../llm-cut.toml")),
];

/// The text of a shipped scenario.
#[must_use]
pub fn shipped(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
