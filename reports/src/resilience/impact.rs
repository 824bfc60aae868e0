//! What faults did to one journey: when its users noticed, how long it lasted after the faults were gone, and what it cost.
use super::{
    BAND_SECONDS, Band, Burn, Episode, FRESH_SECONDS, Loss, MOST_STRAYS, NoBand, Place, Served, first_run,
    outside_until,
};
use crate::{number, record::SECOND_NS};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;

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

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBand(why) => write!(f, "{why}"),
            Self::NotBack => write!(f, "it was not back from the fault before when this one came on"),
        }
    }
}

impl fmt::Display for NoBand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { second_count } => write!(
                f,
                "{second_count} s of steady load before the first fault, and it takes {} s",
                BAND_SECONDS + FRESH_SECONDS
            ),
            Self::TooFew { per_second } => {
                write!(f, "{} are too few to see in a second whether they fail", number::rate(*per_second))
            }
            Self::Unsteady { stray_count } => write!(
                f,
                "unsteady without a fault: {stray_count} of {FRESH_SECONDS} fresh seconds outside the band, of which {MOST_STRAYS} may be"
            ),
        }
    }
}

/// What was seen of one journey. Instants are to the second, since seconds are what is compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
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

    /// How long the journey was away after the faults were gone, such as `back 6 s after`.
    #[must_use]
    pub fn away(&self) -> String {
        match self.recovery {
            Recovery::NotNeeded => "never away".to_owned(),
            Recovery::After { after_ns } => format!("back {} after", number::seconds(after_ns)),
            Recovery::NotWithin { at_least_ns } => format!("still not back {} after", number::seconds(at_least_ns)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::FaultWindow;

    /// Seconds before the fault comes on, and how long it is on.
    const ON: usize = 100;
    const LASTS: usize = 30;

    /// 20 requests a second; `in_time` says how many of them are answered well in a second counted from the fault's coming on.
    fn figures(seconds: i64, in_time: impl Fn(i64) -> u32) -> Figures {
        let p95_ns = 40_000_000;
        let second =
            |at: i64| Served { total: 20, in_time: in_time(at), good: in_time(at), p95_ns, ..Served::default() };
        let course: Vec<Served> = (0..seconds).map(|at| second(at - ON as i64)).collect();
        judge(&course, 0)
    }

    /// The fault comes on and off so many nanoseconds after a full second.
    fn judge(course: &[Served], off_ns: u64) -> Figures {
        let instant = |second: usize| second as u64 * SECOND_NS + off_ns;
        let episode = Episode {
            faults: vec![0],
            window: FaultWindow { from_ns: instant(ON), to_ns: instant(ON + LASTS) },
            watched_to_ns: course.len() as u64 * SECOND_NS,
        };
        Figures::of(course, &Band::of(&course[..ON]).unwrap(), &episode, Some(0.95))
    }

    fn s(seconds: u64) -> u64 {
        seconds * SECOND_NS
    }

    #[test]
    fn a_step_down_and_up_is_seen_when_it_happens_and_costs_what_it_costs() {
        let seen = figures(250, |at| if (2..36).contains(&at) { 5 } else { 20 });
        assert_eq!((seen.onset_ns, seen.recovery), (Some(s(2)), Recovery::After { after_ns: s(6) }));
        // 34 s of 15 too few; (680 − 170) of the 720 requests of 36 s are bad, and .05 of them may be.
        assert!((seen.loss.lost - 510.0).abs() < 1e-9 && seen.loss.total == 720, "{seen:?}");
        assert_eq!((seen.loss.depth, seen.absorbed_ns, seen.stuck), (Some(0.75), None, Stuck::No));
        let burn = seen.burn.unwrap();
        assert!((burn.rate - 510.0 / 720.0 / 0.05).abs() < 1e-9, "{burn:?}");
        assert_eq!(seen.until_s, (ON + LASTS + 6) as u64);
    }

    #[test]
    fn a_slow_recovery_counts_until_five_seconds_are_inside() {
        // One more answer every two seconds after the fault; with 19 of 20 a second lies inside.
        let in_time = |at: i64| match at {
            ..0 => 20,
            0..30 => 0,
            after => u32::try_from((after - 30) / 2).unwrap().min(20),
        };
        let seen = figures(250, in_time);
        assert_eq!((seen.onset_ns, seen.recovery), (Some(0), Recovery::After { after_ns: s(38) }));
        assert_eq!(seen.loss.depth, Some(1.0));
        // Flaps of four good seconds are no recovery.
        let flapping = figures(250, |at| if !(0..60).contains(&at) || at % 5 != 0 { 20 } else { 0 });
        assert_eq!(flapping.onset_ns, None, "single seconds are no impact");
        let flapping = figures(250, |at| if !(0..70).contains(&at) || at % 8 >= 4 { 20 } else { 0 });
        assert_eq!((flapping.onset_ns, flapping.recovery), (Some(0), Recovery::After { after_ns: s(38) }));
    }

    #[test]
    fn a_journey_that_is_never_back_is_censored_where_it_was_last_outside() {
        let seen = figures(160, |at| if at < 0 { 20 } else { 3 });
        assert_eq!(seen.recovery, Recovery::NotWithin { at_least_ns: s(30) });
        assert_eq!(seen.stuck, Stuck::NotWatched { needed_ns: s(90) }, "three times 30 s");
        // Its last three seconds were fine: it may have been back then, 27 s after, though nobody saw it for long enough.
        let nearly = figures(160, |at| if (0..57).contains(&at) { 3 } else { 20 });
        assert_eq!(nearly.recovery, Recovery::NotWithin { at_least_ns: s(27) });
        let long = figures(260, |at| if at < 0 { 20 } else { 3 });
        assert_eq!((long.recovery, long.stuck), (Recovery::NotWithin { at_least_ns: s(130) }, Stuck::Yes));
        let late = figures(260, |at| if !(0..121).contains(&at) { 20 } else { 3 });
        assert_eq!((late.recovery, late.stuck), (Recovery::After { after_ns: s(91) }, Stuck::Yes));
    }

    #[test]
    fn a_fault_that_nobody_notices_has_no_onset_and_needs_no_recovery() {
        let seen = figures(200, |at| if at == 7 { 12 } else { 20 });
        assert_eq!((seen.onset_ns, seen.recovery, seen.stuck), (None, Recovery::NotNeeded, Stuck::No));
        assert!(!seen.was_noticed() && seen.loss.total == 600, "{seen:?}");
    }

    #[test]
    fn what_is_back_while_the_fault_is_on_was_absorbed() {
        let seen = figures(200, |at| if (3..12).contains(&at) { 4 } else { 20 });
        assert_eq!((seen.onset_ns, seen.absorbed_ns), (Some(s(3)), Some(s(12))));
        assert_eq!(seen.recovery, Recovery::After { after_ns: 0 }, "it was back before the fault was gone");
        assert!((seen.loss.lost - 9.0 * 16.0).abs() < 1e-9, "{seen:?}");
    }

    #[test]
    fn an_impact_that_begins_when_the_fault_is_gone_is_one() {
        let seen = figures(250, |at| if (40..50).contains(&at) { 0 } else { 20 });
        assert_eq!((seen.onset_ns, seen.recovery), (Some(s(40)), Recovery::After { after_ns: s(20) }));
        let much_later = figures(300, |at| if (125..135).contains(&at) { 0 } else { 20 });
        assert_eq!(much_later.onset_ns, None, "not later than three times its length after it");
    }

    #[test]
    fn slower_answers_are_an_impact_too_and_quiet_seconds_say_nothing() {
        let second = |at: usize| Served {
            total: 20,
            in_time: 20,
            good: 20,
            p95_ns: if (ON..ON + LASTS + 4).contains(&at) { 90_000_000 } else { 40_000_000 },
            ..Served::default()
        };
        let mut course: Vec<Served> = (0..200).map(second).collect();
        let seen = judge(&course, SECOND_NS / 2);
        // Half a second after a full one it was gone, and from the fourth full second on all was well.
        assert_eq!((seen.onset_ns, seen.recovery), (Some(0), Recovery::After { after_ns: s(4) - SECOND_NS / 2 }));
        assert_eq!((seen.loss.depth, seen.loss.bad), (Some(0.0), 0), "slower, and still in time");
        for at in [ON + LASTS + 4, ON + LASTS + 6, ON + LASTS + 9] {
            course[at] = Served::default();
        }
        let seen = judge(&course, 0);
        assert_eq!(seen.recovery, Recovery::After { after_ns: s(5) });
    }
}
