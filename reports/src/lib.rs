//! What a run leaves: its record, its verdict, its pages.
pub mod record;
pub mod units;
