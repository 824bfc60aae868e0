//! The parts of the stack that ended although nobody had asked them to.
use tokio::sync::watch;

/// Where such ends are told, and waited for. Clones share what was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deaths(watch::Sender<Vec<(&'static str, String)>>);

impl Deaths {
    /// Tells how a part ended.
    pub(crate) fn tell(&self, part: &'static str, how: String) {
        self.0.send_modify(|told| told.push((part, how)));
    }

    /// Resolves when a part has ended, with how: "the service ended with signal 9 (SIGKILL)".
    pub(crate) async fn first(&self) -> String {
        let mut told = self.0.subscribe();
        let first = told.wait_for(|told| !told.is_empty()).await;
        first.ok().and_then(|told| told.first().map(|(_, how)| how.clone())).unwrap_or_default()
    }

    /// How a part ended, if it did.
    #[must_use]
    pub(crate) fn of(&self, part: &str) -> Option<String> {
        self.0.borrow().iter().find(|(name, _)| *name == part).map(|(_, how)| how.clone())
    }
}
