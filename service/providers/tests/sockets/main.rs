//! The providers over real sockets, driven by the clients that the service uses: rmcp and an HTTP client.

#![expect(clippy::unwrap_used, reason = "a test may fail here, in its helpers too")]

mod airbnb;
mod flights;
mod google_maps;
mod instances;
mod keys;
mod lifecycle;
mod llm;
mod mcp_client;
mod memory;
mod orders;
mod sessions;
mod time;
mod weather;
mod webcrawl;

use providers::{Provider, Providers, ServiceTime, Settings};

/// All providers on free ports, answering at once.
async fn instant(seed: u64) -> Providers {
    start_with(seed, |_| {}).await
}

async fn start_with(seed: u64, change: impl FnOnce(&mut Settings)) -> Providers {
    let mut settings = Settings::new(seed);
    let at_once: ServiceTime = "constant:0s".parse().unwrap();
    settings.service_times = Provider::ALL.map(|provider| (provider, at_once)).into();
    settings.llm.gap = at_once;
    change(&mut settings);
    providers::start(settings).await.unwrap()
}

/// A client that loads no certificates, which takes longer than all else in a test.
fn http() -> reqwest::Client {
    reqwest::Client::builder().tls_certs_only([]).build().unwrap()
}
