//! What faults did to one journey: when its users noticed, how long it lasted after the faults were gone, and what it cost.
use super::{Band, Burn, Episode, Loss, NoBand, Place, Served, first_run, outside_until};
use crate::record::SECOND_NS;
use serde::Serialize;

/// After this time without a recovery, in nanoseconds, a journey is stuck, unless its faults were long. Source: measurement.md E.
const STUCK_NS: u64 = 60 * SECOND_NS;

/// … and after so many times the length of the faults. Source: measurement.md E.
const STUCK_TIMES: u64 = 3;

/// One journey's figures for one episode, or why there are none.
#[derive(Debug, Clone, PartialEq)]
pub struct Impact {
    /// The journey.
    pub journey: String,
    /// What was seen, by its band.
    pub figures: Result<Figures, Unknown>,
}

/// Why nothing can be said of a journey.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unknown {
    /// It has no band that what was seen could be compared with.
    NoBand(NoBand),
    /// It was not back from what was on before.
    NotBack,
}

/// What was seen of one journey. Instants are to the second, since seconds are what is compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Time from the first fault's coming on to the first of three consecutive seconds outside the band, in nanoseconds; `None` when there
    /// was no such thing.
    pub onset_ns: Option<u64>,
    /// Time from the first fault's coming on to the first of five consecutive seconds inside, after the onset and while a fault was still
    /// on, in nanoseconds.
    pub absorbed_ns: Option<u64>,
    /// When it was back.
    pub recovery: Recovery,
    /// What it cost, from the first fault's coming on until it was back or no longer watched; while the faults were on when nothing was seen.
    pub loss: Loss,
    /// What that took from the error budget; `None` without a gate that sets one, or for fewer than 100 requests.
    pub burn: Option<Burn>,
    /// Whether it stayed away although the faults were gone.
    pub stuck: Stuck,
    /// Where the cost was added up to, in whole seconds since clock zero.
    pub until_s: u64,
}

/// When a journey was back in its band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// It never left it.
    NotNeeded,
    /// From the end of the last fault to the first of five consecutive seconds inside.
    After {
        /// In nanoseconds.
        after_ns: u64,
    },
    /// It was not seen to be back (censored): it took this long at least, to its last second outside, or to the end when it had none inside.
    NotWithin {
        /// In nanoseconds.
        at_least_ns: u64,
    },
}

/// Whether a journey stayed out of its band although nothing held it there: metastability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stuck {
    /// It was back within the larger of 60 s and three times the length of the faults.
    No,
    /// It was not.
    Yes,
    /// It was not back, and was not watched for so long.
    NotWatched {
        /// What it would take, in nanoseconds after the end of the last fault.
        needed_ns: u64,
    },
}

impl Figures {
    /// Judges the seconds of a journey by its band.
    #[must_use]
    pub fn of(seconds: &[Served], band: &Band, episode: &Episode, promised: Option<f64>) -> Self {
        let (on, off, to) = (episode.first_second(), episode.last_second(), episode.watched_to());
        let stuck_ns = STUCK_NS.max(episode.length_ns().saturating_mul(STUCK_TIMES));
        let stuck_after = off + usize::try_from(stuck_ns / SECOND_NS).unwrap_or(usize::MAX);
        let onset = first_run(seconds, band, (on, stuck_after.min(to)), Place::Outside);
        let absorbed = onset.and_then(|onset| first_run(seconds, band, (onset, off), Place::Inside));
        let since = |second: usize, instant_ns: u64| (second as u64 * SECOND_NS).saturating_sub(instant_ns);
        let back = onset.and_then(|onset| first_run(seconds, band, (onset.max(off), to), Place::Inside));
        let recovery = match (onset, back) {
            (None, _) => Recovery::NotNeeded,
            (_, Some(back)) => Recovery::After { after_ns: since(back, episode.window.to_ns) },
            (Some(onset), None) => {
                let until = outside_until(seconds, band, (onset.max(off), to));
                Recovery::NotWithin { at_least_ns: since(until, episode.window.to_ns) }
            }
        };
        let until = match (onset, back) {
            (None, _) => off.max(on + 1),
            (_, Some(back)) => back,
            (_, None) => to,
        };
        let loss = Loss::between(seconds, band, (on, until.min(to)), to);
        Self {
            onset_ns: onset.map(|onset| since(onset, episode.window.from_ns)),
            absorbed_ns: absorbed.map(|absorbed| since(absorbed, episode.window.from_ns)),
            recovery,
            loss,
            burn: Burn::of(&loss, promised, band.per_second),
            stuck: stuck(recovery, stuck_ns),
            until_s: until.min(to) as u64,
        }
    }

    /// Whether anything was seen.
    #[must_use]
    pub fn was_noticed(&self) -> bool {
        self.onset_ns.is_some()
    }
}

fn stuck(recovery: Recovery, needed_ns: u64) -> Stuck {
    match recovery {
        Recovery::NotNeeded => Stuck::No,
        Recovery::After { after_ns } if after_ns <= needed_ns => Stuck::No,
        Recovery::NotWithin { at_least_ns } if at_least_ns < needed_ns => Stuck::NotWatched { needed_ns },
        Recovery::After { .. } | Recovery::NotWithin { .. } => Stuck::Yes,
    }
}
