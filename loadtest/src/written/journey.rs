//! A written journey being made: each step is filled, sent and looked into; the first one that is not right ends it.
use super::{facts::Facts, feeder::Feeder, step::Step};
use crate::{
    journeys::{self, Journey},
    visit::Visit,
};
use futures_util::future::BoxFuture;
use reports::record::Outcome;
use std::sync::Arc;

/// A journey of a scenario file.
#[derive(Debug)]
pub(super) struct WrittenJourney {
    pub(super) name: String,
    pub(super) login: bool,
    pub(super) steps: Vec<Step>,
    /// What the record says of the steps.
    pub(super) infos: Vec<journeys::Step>,
    pub(super) feeders: Arc<[Arc<Feeder>]>,
}

impl Journey for WrittenJourney {
    fn name(&self) -> &str {
        &self.name
    }

    fn steps(&self) -> &[journeys::Step] {
        &self.infos
    }

    fn needs_session(&self) -> bool {
        self.login
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let mut facts = Facts::of(visit, &self.feeders);
            for (position, step) in self.steps.iter().enumerate() {
                facts.step = position;
                visit.think(step.think);
                let outcome = ask(step, position, visit, &mut facts).await;
                if !matches!(outcome, Some(Outcome::Full | Outcome::Degraded)) {
                    return;
                }
            }
        })
    }
}

async fn ask(step: &Step, position: usize, visit: &mut Visit<'_>, facts: &mut Facts<'_>) -> Option<Outcome> {
    let Some(request) = step.request(facts) else {
        visit.cannot_ask(position).await;
        return None;
    };
    if step.is_streamed {
        return visit.ask_stream(position, request).await;
    }
    let asked = visit.ask(position, request, |answer| step.expected.judge(answer, facts)).await;
    asked.map(|(outcome, _)| outcome)
}
