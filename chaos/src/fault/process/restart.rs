//! `restart`: a part is asked to stop, ends what it has begun, and is started again at once, as in a rolling restart. The fault is the
//! time from the one to the other; the time that the scenario gives it is what it may take, and when the phase after it begins.
use tokio::time::Instant;

use super::{
    again::come_again,
    on_part::{OnPart, bring_back},
};
use crate::{
    injectors::{Off, On},
    parts::{Doing, PartError, Parts, With},
};

/// The fault.
pub(crate) struct Restart;

impl OnPart for Restart {
    fn name(&self) -> &'static str {
        "restart"
    }

    fn words(&self) -> String {
        "restart in order".to_owned()
    }

    fn apply<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, On> {
        Box::pin(async move { event(parts, part, With::default()).await })
    }

    fn check(&self, _: &dyn Parts, _: &str) -> Result<(), PartError> {
        Ok(())
    }

    fn lift<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, Off> {
        Box::pin(over(parts, part))
    }
}

/// A restart that is over when the part is alive again.
pub(super) async fn event(parts: &dyn Parts, part: &str, with: With) -> Result<On, PartError> {
    let again = come_again(parts, part, with).await?;
    Ok(On { asked: again.asked, at: again.asked, over: Some(again.alive), proof: Some(again.proof) })
}

/// There is nothing to undo, unless the restart was not completed.
pub(super) async fn over(parts: &dyn Parts, part: &str) -> Result<Off, PartError> {
    let asked = Instant::now();
    if parts.pid(part).is_some() {
        return Ok(Off { asked, at: asked, proof: None, effect: None });
    }
    bring_back(parts, part).await
}
