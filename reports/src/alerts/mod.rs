//! Whether, and when, the alerts that are shipped with a service would have told somebody of each fault.
//!
//! ```text
//! metrics.txt ─▶ looks of one Prometheus ─▶ promql ─▶ firing ─┐
//! alerts.yaml ─▶ rules ───────────────────────┘               ├─▶ detection
//! fault windows ──────────────────────────────────────────────┘
//! ```
//!
//! The harness looks at the metrics once a second. A Prometheus looks more seldom, and nobody knows when: so the rules are evaluated for each
//! second at which it may have begun, and detection is a spread, not a number.
pub mod exposition;

mod promql;
pub use promql::Semantics;

mod rules;
pub use rules::{RuleError, Rules};

mod firing;
pub use firing::{Span, firing};

mod detection;
pub use detection::{Detection, FalseAlert, FaultDetection, Noticed, Spread, detect};

mod promtool;
pub use promtool::{RuleTest, rule_test};

mod telling;
pub(crate) use telling::{named, note, sentences, spread};
