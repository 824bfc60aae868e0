//! Pages of the web: `scrape`.

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Deserialize, Serialize};

use super::{Caller, Client};
use crate::dependency::{Failure, Repeat};

/// Reads the web.
pub(crate) trait Pages: Send + Sync {
    /// One page, as text.
    fn read<'a>(&'a self, url: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<Page, Failure>>;
}

/// A page of the web.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) title: String,
    pub(crate) markdown: String,
}

#[derive(Serialize)]
struct Arguments<'a> {
    url: &'a str,
    formats: [&'static str; 1],
}

impl Pages for Client {
    fn read<'a>(&'a self, url: &'a str, caller: &'a Caller) -> BoxFuture<'a, Result<Page, Failure>> {
        async move { self.call("scrape", &Arguments { url, formats: ["markdown"] }, Repeat::Once, caller).await }
            .boxed()
    }
}
