//! Looks at a target's metrics once a second, on the run's own clock.
use super::{looks::Looks, promtool, settings::Watched};
use crate::hosts;
use anyhow::{Context as _, bail};
use reports::{
    alerts::exposition::{Sample, read_page},
    record::{Labels, Metrics, Monitoring},
    units,
};
use reqwest::{
    Client, Url,
    header::{ACCEPT, CONTENT_TYPE},
};
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// The time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// How long a look may take; a page that comes later is no page.
const LONGEST_LOOK: Duration = Duration::from_millis(900);
/// The largest page that is read.
const PAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// A target that is being watched.
#[derive(Debug)]
pub(crate) struct Watch {
    url: Url,
    client: Client,
    watched: Watched,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The course of every series that the rules look at.
    pub(crate) metrics: Metrics,
    /// How it was watched.
    pub(crate) record: Monitoring,
    /// The rule file.
    pub(crate) rules_text: String,
}

impl Watch {
    /// Of the metrics at a URL.
    ///
    /// # Errors
    /// When it is no HTTP URL.
    pub(crate) fn new(watched: Watched, url: &str) -> anyhow::Result<Self> {
        let url = hosts::http_url(url)?;
        let client = Client::builder().timeout(LONGEST_LOOK).no_proxy().build().context("making a client")?;
        Ok(Self { url, client, watched })
    }

    /// Looks until the end is asked for, first at clock zero.
    pub(crate) async fn run(self, clock_zero: Instant, end: CancellationToken) -> (Self, Seen) {
        let mut looks = Looks::new(self.watched.rules.metrics(), self.target());
        let mut failed_looks = 0;
        loop {
            let due = clock_zero + EVERY * u32::try_from(looks.taken()).unwrap_or(u32::MAX);
            tokio::select! {
                () = sleep_until(due) => {}
                () = end.cancelled() => break,
            }
            if due.elapsed() >= EVERY {
                looks.skip();
                failed_looks += 1;
                continue;
            }
            let page = self.look().await;
            failed_looks += u64::from(page.is_err());
            looks.note(page.ok());
        }
        let Watched { rules_from, rules_text, interval, .. } = &self.watched;
        let record = Monitoring {
            url: self.url.to_string(),
            rules: rules_from.clone(),
            interval_ns: units::nanos(*interval),
            failed_looks,
            promtool: None,
        };
        let seen = Seen { metrics: looks.into_metrics(EVERY), record, rules_text: rules_text.clone() };
        (self, seen)
    }

    /// Asks `promtool` whether the rules were evaluated rightly; its files are put into a folder that is removed again.
    pub(crate) async fn confirm(&self, seen: &mut Seen, folder: &Path) {
        let answer = promtool::confirm(&self.watched.rules, &seen.metrics, self.watched.interval, folder).await;
        seen.record.promtool = Some(answer);
    }

    fn target(&self) -> Labels {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        [("job".to_owned(), "tripsage".to_owned()), ("instance".to_owned(), format!("{host}:{port}"))].into()
    }

    async fn look(&self) -> anyhow::Result<Vec<Sample>> {
        let asked = self.client.get(self.url.clone()).header(ACCEPT, "application/openmetrics-text; version=1.0.0");
        let mut answer = asked.send().await?.error_for_status()?;
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_open_metrics = kind.starts_with("application/openmetrics-text");
        let mut page = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            page.extend_from_slice(&chunk);
            if page.len() > PAGE_BYTES_MAX {
                bail!("the page is larger than {}", units::format_size(PAGE_BYTES_MAX as u64));
            }
        }
        let page = String::from_utf8(page).context("the page is not text")?;
        read_page(&page, is_open_metrics).map_err(anyhow::Error::msg)
    }
}
