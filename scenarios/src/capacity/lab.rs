//! Where the trials are made: one stack, one search after the other, then a look beyond the limit.
use super::{
    Aim, StandingFault,
    trial::{self, Course, Left, Order},
};
use crate::{
    exit::{Exit, Failure},
    output,
    stack::Stack,
};
use anyhow::Context as _;
use jiff::civil::Date;
use loadtest::Stop;
use reports::{
    capacity::{
        Claim, Finding, Lens, Observed, Purpose, Reading, Recovery, Rung, Search, Settings, Trial, TrialResult, Tried,
    },
    number,
    proportion::Tally,
    record::{Run, RunEnd},
    summary::Summary,
    units::nanos,
    validity::Check,
};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// How many times the limit is offered beyond it.
const BEYOND: [f64; 2] = [1.5, 2.0];
/// How long recovery is watched.
const AFTERWARDS: Duration = Duration::from_secs(60);
/// How many times as many users a trial gets when those before it were all busy.
const MORE_USERS: u32 = 4;
/// The most that this may be repeated.
const MOST_TIMES_USERS: u32 = 64;

/// What trials are made with.
pub(crate) struct Lab<'a> {
    aim: &'a Aim,
    stack: &'a Stack,
    trials: PathBuf,
    day: Date,
    stop: &'a Stop,
    tells: bool,
    number: u32,
    times_users: u32,
    requests_per_arrival: Option<f64>,
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What it proved.
    pub(crate) claim: Claim,
    /// What came back in every trial that can be trusted, by promise.
    pub(crate) rungs: Vec<Vec<Rung>>,
    /// The checks of the trials that count; of those that do not, where none does or the target died.
    pub(crate) checks: Vec<Vec<Check>>,
    /// Resources in the last trial that was kept.
    pub(crate) resources: Vec<Reading>,
    /// Violations per second in the confirmation, by promise.
    confirmed: Vec<Vec<Tally>>,
}

/// What became of the target beyond its limit.
#[derive(Debug, Default)]
pub(crate) struct Overloaded {
    /// What came back, by promise.
    pub(crate) rungs: Vec<Vec<Rung>>,
    /// Violations per second before the overload and after it, by promise.
    before: Vec<Vec<Tally>>,
    after: Vec<Vec<Tally>>,
}

impl Overloaded {
    /// How long violations of one promise went on; `None` when too little was watched to say.
    pub(crate) fn recovery(&self, promise: usize) -> Option<Recovery> {
        Recovery::of(self.before.get(promise)?, self.after.get(promise)?)
    }
}

impl<'a> Lab<'a> {
    /// A lab whose trials get their folders below a study's folder.
    pub(crate) fn new(aim: &'a Aim, stack: &'a Stack, folder: &Path, day: Date, stop: &'a Stop, tells: bool) -> Self {
        let trials = folder.join("trials");
        Self { aim, stack, trials, day, stop, tells, number: 0, times_users: 1, requests_per_arrival: None }
    }

    /// Says which fault stands from now on.
    pub(crate) fn announce(&self, fault: &StandingFault) {
        self.tell(&format!("under    {}", fault.description));
    }

    /// Requests of one arrival, as seen in the first trial that can be trusted; 1 before that.
    pub(crate) fn requests_per_arrival(&self) -> f64 {
        self.requests_per_arrival.unwrap_or(1.0)
    }

    /// Searches for the highest rate that is kept, while a fault stands or not. Ends early, with what is proven by then, when it is
    /// interrupted or the target ends.
    ///
    /// # Errors
    /// When a trial cannot be begun or its record cannot be written.
    pub(crate) async fn search(&mut self, fault: Option<&StandingFault>, settings: Settings) -> Result<Found, Failure> {
        let mut search = Search::new(settings).context("the settings of the search were checked")?;
        let mut found = Found { rungs: vec![Vec::new(); self.aim.promises.len()], ..Found::default() };
        let mut untrusted: Vec<Vec<Check>> = Vec::new();
        while let Some(asked) = search.next() {
            let course = Course::Steady { per_second: asked.rate_per_second, length: asked.length };
            let left = match self.make(course, fault).await {
                Ok(Some(left)) => left,
                Ok(None) => break,
                // What is known by then is worth more than an error, and the next attempt may succeed.
                Err(failure) if self.may_go_on(&failure) => {
                    let observed = Observed::Invalid(format!("it could not begin: {:#}", failure.error));
                    self.tell(&line(self.number, &asked, &observed));
                    search.observe(observed);
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            let observation = self.lens(course, asked.windows).look(&left.report);
            if observation.is_short_of_users && self.times_users < MOST_TIMES_USERS {
                self.times_users *= MORE_USERS;
            }
            if let RunEnd::Broken(how) = &left.report.run.end {
                self.tell(&format!("the target ended: {how}"));
                found.checks.push(observation.checks);
                break;
            }
            match &observation.observed {
                Observed::Invalid(_) => untrusted.push(observation.checks),
                _ => {
                    self.requests_per_arrival.get_or_insert(observation.requests_per_arrival);
                    found.checks.push(observation.checks);
                    found.rungs.iter_mut().zip(&observation.rungs).for_each(|(all, rung)| all.push(*rung));
                }
            }
            let was_kept = matches!(&observation.observed, Observed::Judged { judgement, .. } if judgement.finding == Finding::Kept);
            if was_kept {
                found.resources = observation.resources;
            }
            if was_kept && asked.purpose == Purpose::Confirm {
                found.confirmed = observation.seconds;
            }
            self.tell(&line(self.number, &asked, &observation.observed));
            search.observe(observation.observed);
        }
        if found.checks.is_empty() {
            found.checks = untrusted;
        }
        found.claim = search.finish();
        Ok(found)
    }

    /// Offers more than the limit, the last time with a return to the confirmed rate. Trials that cannot be trusted are left out, and so are
    /// rates above the highest of the search.
    ///
    /// # Errors
    /// When a trial cannot be begun or its record cannot be written.
    pub(crate) async fn overload(&mut self, found: &Found) -> Result<Overloaded, Failure> {
        let mut seen = Overloaded { rungs: vec![Vec::new(); self.aim.promises.len()], ..Overloaded::default() };
        let Some(sustained) = found.claim.sustained_per_second else { return Ok(seen) };
        let limit = found.claim.violated_per_second.unwrap_or(sustained);
        let length = self.aim.settings.trial;
        let [first, last] = BEYOND.map(|times| times * limit);
        let courses = [
            Course::Steady { per_second: first, length },
            Course::Overload { base_per_second: sustained, peak_per_second: last, length, afterwards: AFTERWARDS },
        ];
        // What was not to be tried in the search is not tried beyond it.
        let is_allowed = |course: &Course| course.highest() <= self.aim.settings.highest_per_second;
        for course in courses.into_iter().filter(is_allowed) {
            let left = match self.make(course, None).await {
                Ok(Some(left)) => left,
                Ok(None) => return Ok(seen),
                Err(failure) if self.may_go_on(&failure) => {
                    self.tell(&format!("{:>3}  overload      could not begin: {:#}", self.number, failure.error));
                    return Ok(seen);
                }
                Err(failure) => return Err(failure),
            };
            let lens = self.lens(course, usize::try_from(length.as_secs()).unwrap_or(usize::MAX));
            let observation = lens.look(&left.report);
            let (rate, run) = (number::rate(course.highest()), &left.report.run);
            match &observation.observed {
                Observed::Invalid(why) => {
                    self.tell(&format!("{:>3}  overload      {rate:>9}  invalid: {why}", self.number))
                }
                Observed::Judged { .. } | Observed::Measured { .. } => {
                    let good = observation.rungs.first().map_or(0.0, |rung| rung.good_per_second);
                    self.tell(&format!(
                        "{:>3}  overload      {rate:>9}  {} good in time",
                        self.number,
                        number::rate(good)
                    ));
                    seen.rungs.iter_mut().zip(&observation.rungs).for_each(|(all, rung)| all.push(*rung));
                    if matches!(course, Course::Overload { .. }) {
                        seen.after = self.afterwards(course, run, &left.folder)?;
                        seen.before.clone_from(&found.confirmed);
                    }
                }
            }
        }
        Ok(seen)
    }

    /// Violations per second after an overload, by promise: its record is read once more with the gates on those seconds.
    fn afterwards(&self, course: Course, run: &Run, folder: &Path) -> Result<Vec<Vec<Tally>>, Failure> {
        let from = course.span(self.aim.settle).end;
        let span = from..from + AFTERWARDS.as_secs();
        let run = Run { gates: self.aim.gates(&span), ..run.clone() };
        let summary = Summary::read(folder, &run).context("reading the trial once more")?;
        let lens = Lens { span, ..self.lens(course, 1) };
        Ok((0..self.aim.promises.len()).map(|index| lens.violations(&summary, index)).collect())
    }

    /// Whether a trial could not begin, which is no reason to give up once others were made.
    fn may_go_on(&self, failure: &Failure) -> bool {
        self.number > 1 && failure.exit == Exit::TryAgain
    }

    async fn make(&mut self, course: Course, fault: Option<&StandingFault>) -> Result<Option<Left>, Failure> {
        self.number += 1;
        if self.stop.drain.is_cancelled() {
            return Ok(None);
        }
        let order = Order { course, fault, number: self.number, times_users: self.times_users };
        trial::run(self.aim, order, self.stack, &self.trials, self.day, self.stop).await
    }

    fn lens(&self, course: Course, windows: usize) -> Lens<'a> {
        Lens {
            promises: &self.aim.promises,
            bounds: self.aim.bounds.len(),
            span: course.span(self.aim.settle),
            windows,
            requests_per_arrival: self.requests_per_arrival,
        }
    }

    fn tell(&self, text: &str) {
        if self.tells {
            output::note(text);
        }
    }
}

/// One trial in one line.
fn line(number: u32, asked: &Trial, observed: &Observed) -> String {
    let purpose = match asked.purpose {
        Purpose::Ramp => "ramp",
        Purpose::Bisect => "bisection",
        Purpose::Confirm => "confirmation",
        Purpose::Prove => "proof",
    };
    let (rate, length) = (number::rate(asked.rate_per_second), number::seconds(nanos(asked.length)));
    let came = match observed {
        Observed::Invalid(why) => format!("invalid: {why}"),
        Observed::Judged { judgement, by } => {
            let word = match judgement.finding {
                Finding::Kept => "kept",
                Finding::Violated => "violated",
                Finding::Growing => "requests pile up",
                Finding::Unknown => "not sure",
            };
            format!(
                "{word}: {} violate {by}, at most {}",
                number::percent(judgement.share),
                number::percent(judgement.upper)
            )
        }
        Observed::Measured { .. } => String::new(),
    };
    format!("{number:>3}  {purpose:<12}  {rate:>9}  {length:>6}  {came}")
}

/// The promise that gave way at the lowest rate that was not kept; else the one that was closest in the last trial.
pub(crate) fn gave_way(claim: &Claim) -> Option<&str> {
    let judged = |tried: &'_ Tried| match &tried.result {
        TrialResult::Judged(judgement) => Some(judgement.finding),
        TrialResult::Invalid(_) => None,
    };
    let broken = claim.tried.iter().filter(|tried| judged(tried).is_some_and(|finding| finding != Finding::Kept));
    let lowest = broken.min_by(|a, b| a.trial.rate_per_second.total_cmp(&b.trial.rate_per_second));
    lowest.or(claim.tried.last()).and_then(|tried| tried.by.as_deref())
}
