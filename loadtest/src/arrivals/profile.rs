//! A rate over time, piecewise linear, for every model with a rate.
//!
//! Arrivals are first placed on a scale where one arrival is expected per unit, then carried over to time with the inverse of the
//! expected number of arrivals. Within a piece that is a quadratic; square root and division are exact to the last bit on every
//! machine (IEEE 754), so due times are the same everywhere.
use std::time::Duration;

/// A rate over time: pieces one after the other; after the last one its end rate holds for ever.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Profile {
    pieces: Vec<Piece>,
}

/// A part of the time in which the rate changes linearly.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    /// When it begins, in seconds since clock zero.
    from_s: f64,
    length_s: f64,
    /// Arrivals per second at its beginning and its end.
    first_rate: f64,
    last_rate: f64,
    /// Arrivals expected before it.
    before: f64,
}

impl Profile {
    /// A rate that grows from nothing to its full value over a ramp, and holds.
    pub(super) fn ramped(rate: f64, ramp: Duration) -> Self {
        Self::default().then(0.0, rate, ramp)
    }

    /// Adds a piece with these rates at its beginning and its end; one without a length is a jump.
    pub(super) fn then(mut self, first_rate: f64, last_rate: f64, length: Duration) -> Self {
        let (from_s, before) =
            self.pieces.last().map_or((0.0, 0.0), |last| (last.end_s(), last.before + last.expected()));
        self.pieces.push(Piece { from_s, length_s: length.as_secs_f64(), first_rate, last_rate, before });
        self
    }

    /// The instant at which `expected` arrivals are expected, in nanoseconds since clock zero; the largest number when they never are.
    pub(super) fn instant_of(&self, expected: f64) -> u64 {
        let index = self.pieces.partition_point(|piece| piece.before + piece.expected() <= expected);
        let seconds = match (self.pieces.get(index), self.pieces.last()) {
            (Some(piece), _) => piece.from_s + piece.time_of(expected - piece.before),
            (None, Some(last)) => last.end_s() + (expected - last.before - last.expected()) / last.last_rate,
            (None, None) => f64::INFINITY,
        };
        // NaN when nothing more is expected of a rate that has come down to nothing.
        // To the nearest nanosecond: cut off, what is due at 4.1 s would be due before it, as 4.1 is not exact in binary.
        if seconds.is_finite() { (seconds * 1e9).round() as u64 } else { u64::MAX }
    }

    /// How many arrivals are expected before an instant.
    pub(super) fn expected_before(&self, instant: Duration) -> f64 {
        let at = instant.as_secs_f64();
        let index = self.pieces.partition_point(|piece| piece.end_s() <= at);
        match (self.pieces.get(index), self.pieces.last()) {
            (Some(piece), _) => piece.before + piece.expected_within(at - piece.from_s),
            (None, Some(last)) => last.before + last.expected() + last.last_rate * (at - last.end_s()),
            (None, None) => 0.0,
        }
    }

    /// The highest rate, in arrivals per second.
    pub(super) fn peak(&self) -> f64 {
        self.pieces.iter().flat_map(|piece| [piece.first_rate, piece.last_rate]).fold(0.0, f64::max)
    }

    /// Whether it goes from nothing, or at once, to one rate and stays there.
    pub(super) fn is_one_ramp(&self) -> bool {
        matches!(self.pieces.as_slice(), [piece] if piece.first_rate == 0.0)
    }

    /// When its last piece ends.
    pub(super) fn length(&self) -> Duration {
        self.pieces.last().map_or(Duration::ZERO, |last| Duration::from_secs_f64(last.end_s()))
    }
}

impl Piece {
    fn end_s(&self) -> f64 {
        self.from_s + self.length_s
    }

    fn expected(&self) -> f64 {
        (self.first_rate + self.last_rate) / 2.0 * self.length_s
    }

    /// `first_rate t + slope t² / 2`.
    fn expected_within(&self, time_s: f64) -> f64 {
        let slope = if self.length_s > 0.0 { (self.last_rate - self.first_rate) / self.length_s } else { 0.0 };
        time_s * (self.first_rate + slope * time_s / 2.0)
    }

    /// The inverse, in the form that loses no digits when the slope is small: `2 n / (r + sqrt(r² + 2 slope n))`.
    fn time_of(&self, expected: f64) -> f64 {
        let slope = (self.last_rate - self.first_rate) / self.length_s;
        let root = (self.first_rate * self.first_rate + 2.0 * slope * expected).max(0.0).sqrt();
        if expected > 0.0 { 2.0 * expected / (self.first_rate + root) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[rstest]
    #[case(100.0, 0, 0, 0.0)]
    #[case(100.0, 0, 1_000, 100.0)]
    #[case(100.0, 10_000, 5_000, 125.0)]
    #[case(100.0, 10_000, 10_000, 500.0)]
    #[case(100.0, 10_000, 20_000, 1_500.0)]
    #[case(0.5, 4_000, 60_000, 29.0)]
    fn a_ramp_and_its_inverse_agree(
        #[case] rate: f64,
        #[case] ramp_ms: u64,
        #[case] at_ms: u64,
        #[case] expected: f64,
    ) {
        check(&Profile::ramped(rate, ms(ramp_ms)), at_ms, expected);
    }

    #[track_caller]
    fn check(profile: &Profile, at_ms: u64, expected: f64) {
        let seen = profile.expected_before(ms(at_ms));
        assert!((seen - expected).abs() < 1e-9, "{seen} instead of {expected}");
        let back_ms = profile.instant_of(expected) as f64 / 1e6;
        assert!((back_ms - at_ms as f64).abs() < 1e-3, "{back_ms} ms instead of {at_ms} ms");
    }

    #[test]
    fn what_is_due_when_the_time_ends_is_not_due_before_it() {
        for (rate, end_ms) in [(10.0, 4_100), (10.0, 300), (100.0, 1_230), (1_000.0, 8_001)] {
            let profile = Profile::ramped(rate, Duration::ZERO);
            let before = (0..).take_while(|k| profile.instant_of(f64::from(*k)) < end_ms * 1_000_000).count();
            assert_eq!(before as f64, (rate * end_ms as f64 / 1e3).round(), "{rate}/s for {end_ms} ms");
        }
    }

    #[test]
    fn pieces_follow_one_another() {
        // Up to 10/s in 2 s, 10/s for 3 s, a jump to 40/s, down to 20/s in 1 s, then 20/s for ever.
        let pieces = [(0.0, 10.0, 2), (10.0, 10.0, 3), (10.0, 40.0, 0), (40.0, 20.0, 1)];
        let profile = pieces.into_iter().fold(Profile::default(), |profile, (first, last, seconds)| {
            profile.then(first, last, Duration::from_secs(seconds))
        });
        for (at_ms, expected) in
            [(1_000, 2.5), (2_000, 10.0), (4_000, 30.0), (5_500, 57.5), (6_000, 70.0), (8_000, 110.0)]
        {
            check(&profile, at_ms, expected);
        }
        assert_eq!((profile.peak(), profile.length()), (40.0, Duration::from_secs(6)));
    }

    #[test]
    fn a_rate_that_has_come_down_to_nothing_brings_nobody_any_more() {
        let profile = Profile::default().then(10.0, 0.0, ms(2_000));
        check(&profile, 1_000, 7.5);
        assert_eq!(profile.expected_before(ms(60_000)), 10.0);
        assert_eq!([profile.instant_of(10.0), profile.instant_of(11.0)], [u64::MAX; 2]);
        let pause = profile.then(0.0, 0.0, ms(1_000)).then(10.0, 10.0, ms(0));
        assert_eq!(pause.instant_of(15.0), 3_500_000_000);
    }

    proptest::proptest! {
        #[test]
        fn instants_never_go_back(rates in proptest::collection::vec(0.0..1000.0_f64, 2..6), seconds in 1_u64..100) {
            let profile = rates.windows(2).fold(Profile::default(), |profile, pair| {
                profile.then(pair[0], pair[1], Duration::from_secs(seconds))
            });
            let instants: Vec<u64> = (0..500).map(|k| profile.instant_of(f64::from(k) * 3.7)).collect();
            proptest::prop_assert!(instants.is_sorted());
        }
    }
}
