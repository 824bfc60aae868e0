//! The scenarios that come with the program, so that it runs from any folder.

/// Name and text of every shipped scenario, the shortest first.
pub const SHIPPED: &[(&str, &str)] = &[
    ("quickstart", include_str!("../../quickstart.toml")),
    ("baseline", include_str!("../../baseline.toml")),
    ("peak", include_str!("../../peak.toml")),
    ("flights-down", include_str!("../../flights-down.toml")),
    ("slow-flights", include_str!("../../slow-flights.toml")),
    ("service-killed", include_str!("../../service-killed.toml")),
    ("service-paused", include_str!("../../service-paused.toml")),
    ("keys-rotated", include_str!("../../keys-rotated.toml")),
    ("database-locked", include_str!("../../database-locked.toml")),
    ("database-crash", include_str!("../../database-crash.toml")),
    ("database-failover", include_str!("../../database-failover.toml")),
    ("database-read-only", include_str!("../../database-read-only.toml")),
    ("database-slow", include_str!("../../database-slow.toml")),
    ("database-exhausted", include_str!("../../database-exhausted.toml")),
    ("partition", include_str!("../../partition.toml")),
    ("answers-lost", include_str!("../../answers-lost.toml")),
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
