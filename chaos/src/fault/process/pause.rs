//! `pause`: a part is stopped in the middle of what it does (SIGSTOP) and goes on later (SIGCONT). Its connections stay open, and
//! the system goes on accepting new ones for it until its queue is full.
use tokio::time::Instant;

use super::{
    on_part::{OnPart, elapsed, running},
    threads,
};
use crate::{
    injectors::{Off, On},
    parts::{Doing, PartError, Parts},
};

/// The fault.
pub(crate) struct Pause;

impl OnPart for Pause {
    fn name(&self) -> &'static str {
        "pause"
    }

    fn words(&self) -> String {
        "pause (SIGSTOP), continued at the end".to_owned()
    }

    fn apply<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, On> {
        Box::pin(async move {
            let pid = running(parts, part, self.name())?;
            let asked = Instant::now();
            parts.pause(part)?;
            let attempt = format!("pause the {part}");
            let stopped = threads::see(&attempt, "every thread stopped", || threads::are_stopped(pid)).await?;
            let (count, took) = (threads::states(pid).len(), elapsed(asked, stopped));
            let proof = format!("all {count} threads of pid {pid} stopped {took} after SIGSTOP");
            Ok(On { asked, at: asked + (stopped - asked) / 2, over: None, proof: Some(proof) })
        })
    }

    fn check(&self, parts: &dyn Parts, part: &str) -> Result<(), PartError> {
        match parts.pid(part) {
            Some(pid) if threads::are_stopped(pid) => Ok(()),
            Some(_) => Err(PartError::Over { part: part.to_owned(), seen: "runs again" }),
            None => Err(PartError::Over { part: part.to_owned(), seen: "has ended" }),
        }
    }

    fn lift<'a>(&'a self, parts: &'a dyn Parts, part: &'a str) -> Doing<'a, Off> {
        Box::pin(async move {
            let asked = Instant::now();
            let Some(pid) = parts.pid(part) else {
                // Whatever ended it ended the pause; that it is missing is reported by whoever watches over the parts.
                return Ok(Off::new(asked, asked, "it ended while it was paused".to_owned()));
            };
            parts.resume(part)?;
            let attempt = format!("continue the {part}");
            let at = threads::see(&attempt, "a running thread", || !threads::states(pid).contains(&'T')).await?;
            let proof = format!("running {} after SIGCONT", elapsed(asked, at));
            Ok(Off::new(asked, at, proof))
        })
    }
}
