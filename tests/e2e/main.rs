//! End to end: the rules of the architecture, and the real program as a user starts it.
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod architecture;
mod bad_input;
mod database;
mod exchange;
mod interruption;
mod journeys;
mod killed;
mod live;
mod oracle;
mod parts;
mod program;
mod replay;
mod requests;
mod run;
mod written;
