//! `kill`: a part ends in the middle of what it does (SIGKILL), is away for the time of the fault, and is then started again.
use tokio::time::Instant;

use super::{
    on_part::{OnPart, bring_back, elapsed, running},
    threads,
};
use crate::{
    injectors::{Off, On},
    parts::{Doing, PartError, Parts},
};

/// The fault.
pub(crate) struct Kill;

impl OnPart for Kill {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn words(&self) -> String {
        "kill (SIGKILL), started again at the end".to_owned()
    }

    fn apply<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, On> {
        Box::pin(async move {
            let pid = running(parts, part, self.name())?;
            let asked = Instant::now();
            parts.kill(part).await?;
            let gone = threads::see(&format!("kill the {part}"), "its end", || threads::states(pid).is_empty()).await?;
            let proof = format!("pid {pid} gone {} after SIGKILL", elapsed(asked, gone));
            Ok(On { asked, at: asked, over: None, proof: Some(proof) })
        })
    }

    fn check(&self, parts: &dyn Parts, part: &str) -> Result<(), PartError> {
        let is_up = parts.pid(part).is_some();
        if is_up { Err(PartError::Over { part: part.to_owned(), seen: "runs again" }) } else { Ok(()) }
    }

    fn lift<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, Off> {
        Box::pin(bring_back(parts, part))
    }
}
