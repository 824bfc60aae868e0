//! Clocks around the world: `get_current_time`.

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::Serialize;

use super::{Caller, Client};
use crate::{
    dependency::{Failure, Repeat},
    domain::place::LocalTime,
};

/// Knows what time it is.
pub(crate) trait Clocks: Send + Sync {
    /// The time in an IANA time zone, now.
    fn now_in<'a>(&'a self, timezone: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<LocalTime, Failure>>;
}

#[derive(Serialize)]
struct Arguments<'a> {
    timezone: &'a str,
}

impl Clocks for Client {
    fn now_in<'a>(&'a self, timezone: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<LocalTime, Failure>> {
        async move { self.call("get_current_time", &Arguments { timezone }, Repeat::Once, caller).await }.boxed()
    }
}
