//! End to end: the rules of the architecture, and the real program as a user starts it.
#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod architecture;
mod bad_input;
mod capacity;
mod database;
mod exchange;
mod gate;
mod interruption;
mod journeys;
mod killed;
mod live;
mod oracle;
mod parts;
mod program;
mod readiness;
mod replay;
mod requests;
mod run;
mod stored;
mod written;
