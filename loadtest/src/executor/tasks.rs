//! Users as plain tokio tasks: what the engine costs without goose, and a stand-in for tests.
use super::{Body, Error, Executor};
use futures_util::future::{BoxFuture, join_all};

/// Runs each user as a task of the caller's runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tasks;

impl Executor for Tasks {
    fn run(self, users: u32, body: Body) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async move {
            let ended = join_all((0..users).map(|user| tokio::spawn(body(user)))).await;
            match ended.iter().filter(|end| end.is_err()).count() {
                0 => Ok(()),
                panicked => Err(Error::Panicked(panicked)),
            }
        })
    }
}
