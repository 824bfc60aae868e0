//! Faults of a SQLite file that another process has open.
//!
//! From outside, a file can be locked. What would have to change in the connections of the service itself
//! (`max_page_count`, `query_only`) or below the file system (a full disk, slow input and output) is not here.
mod lock;

use std::{fmt, path::Path};

use schemars::JsonSchema;
use serde::Deserialize;

use super::injection::{Error, Injection};

/// What goes wrong with a SQLite file, as written in a scenario: `{ sqlite = "lock" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SqliteFault {
    /// Another process holds the write lock: nobody writes, and in WAL mode everybody still reads.
    Lock,
}

impl SqliteFault {
    /// The kind as written in a scenario.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            SqliteFault::Lock => lock::NAME,
        }
    }
}

impl fmt::Display for SqliteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SqliteFault::Lock => f.write_str("write lock held by another process"),
        }
    }
}

/// Opens what the fault needs.
pub(super) async fn prepare(fault: &SqliteFault, file: &Path) -> Result<Box<dyn Injection>, Error> {
    match fault {
        SqliteFault::Lock => lock::prepare(file).await,
    }
}
