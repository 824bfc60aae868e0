//! What runs the users: goose, or plain tasks. The engine hands over one body per user and learns when all have come to their end.
mod goose;
mod tasks;

pub use self::{goose::Goose, tasks::Tasks};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// What user number n does, from its start to its end.
pub type Body = Arc<dyn Fn(u32) -> BoxFuture<'static, ()> + Send + Sync>;

/// Runs users at once, each in a task of its own.
pub trait Executor: Send + 'static {
    /// Starts `users` users and returns when each has come to its end. A user ends by itself; it is never stopped from here.
    fn run(self, users: u32, body: Body) -> BoxFuture<'static, Result<(), Error>>;
}

/// Why users could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// goose did not accept its configuration, or broke off.
    #[error("goose cannot run the users")]
    Goose(#[source] Box<::goose::GooseError>),
    /// A user did not come to its end, which is a fault of this program.
    #[error("{0} users panicked")]
    Panicked(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(executor: impl Executor) {
        let body: Body = Arc::new(|user| {
            Box::pin(async move {
                assert_ne!(user, 1, "a fault of this program");
            })
        });
        let error = executor.run(3, body).await.unwrap_err();
        assert_eq!(error.to_string(), "1 users panicked");
    }

    #[tokio::test]
    async fn a_user_that_panics_neither_hangs_the_run_nor_goes_unnoticed() {
        check(Tasks).await;
        check(Goose).await;
    }
}
