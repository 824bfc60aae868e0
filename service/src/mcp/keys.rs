//! Keys of users: `validate_key`, which every server for which a user may have a key answers.

use serde::{Deserialize, Serialize};

use super::{Caller, Client};
use crate::dependency::{Failure, Repeat};

#[derive(Serialize)]
struct Nothing {}

#[derive(Deserialize)]
struct Verdict {
    valid: bool,
}

impl Client {
    /// Asks the server whether it takes the key of the caller.
    ///
    /// # Errors
    /// [`Failure::KeyRefused`] when it does not; any other failure says nothing about the key.
    pub(crate) async fn check_key(&self, caller: &Caller) -> Result<(), Failure> {
        let verdict: Verdict = self.call("validate_key", &Nothing {}, Repeat::Once, caller).await?;
        if verdict.valid { Ok(()) } else { Err(Failure::KeyRefused) }
    }
}
