//! Work beside the requests, one turn at a time: a turn that fails is told of, one that panics too, and the next one comes.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use tracing::{error, warn};

use crate::storage;

/// Carries out a turn of work. Nothing of it may be needed after a panic but what is shared safely with others anyway.
pub(super) async fn turn(work: impl Future<Output = Result<(), storage::Error>>, failed: &str) {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(error = &error as &dyn std::error::Error, "{failed} at the moment"),
        Err(_) => error!("{failed} at the moment, by a bug of ours"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_that_panics_is_over() {
        turn(async { panic!("on purpose") }, "nothing is done").await;
        turn(async { Ok(()) }, "nothing is done").await;
    }
}
