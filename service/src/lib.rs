//! The TripSage backend: the system under test.
//!
//! One request goes `http` (extract, validate) → `app` (what the service does) → `domain` (rules on plain types) and
//! `storage` / `mcp` / `llm` (the outside, each behind a small seam) → `http` (answer). Deadlines, retries, breakers
//! and bulkheads are set in one place, `dependency`. The crate knows nothing of the harness that loads it.
//!
//! ```no_run
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let key = ("TRIPSAGE_JWT_KEY".to_owned(), "a secret of at least 32 bytes, kept safe".to_owned());
//! let server = service::bind(service::Config::from_vars([key])?).await?;
//! let address = server.address();
//! server.run(std::future::pending()).await?;
//! # let _ = address;
//! # Ok(())
//! # }
//! ```

mod app;
pub mod config;
mod dependency;
mod domain;
mod http;
mod llm;
mod mcp;
mod metrics;
mod sealing;
mod server;
mod storage;
pub mod telemetry;
pub mod upkeep;

pub use config::Config;
pub use server::{Error, Server, bind};

/// The OpenAPI 3.1 document of the service, as JSON.
pub fn openapi() -> String {
    http::document()
}
