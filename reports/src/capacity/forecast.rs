//! When a growing demand reaches a limit: a line through the logarithm of past peaks, with a 90 % prediction interval.
//!
//! Source: measurement.md D4; Draper and Smith, Applied Regression Analysis, 3.1 (interval of a new observation).
use super::{refusal::Refusal, usl::Estimate};
use jiff::{ToSpan as _, civil::Date};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, StudentsT};

/// Peaks of different days that a trend needs.
const FEWEST_PEAKS: usize = 8;
/// Confidence of the interval, two-sided.
const CONFIDENCE: f64 = 0.90;

/// The highest demand of one day (or of the week that it stands for).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DayPeak {
    /// The day.
    pub day: Date,
    /// Requests per second.
    pub per_second: f64,
}

/// A trend of peaks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    first: Date,
    last: Date,
    count: usize,
    mean_day: f64,
    mean_log: f64,
    /// Growth of the logarithm per day.
    slope: f64,
    /// Σ(t − t̄)².
    spread: f64,
    deviation: f64,
}

/// When the demand may reach a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Crossing {
    /// The interval of the last day already holds it.
    Already,
    /// The first day whose interval holds it.
    On(Date),
    /// Not up to this day, which is as far as the history reaches back from its last day.
    NotUntil(Date),
}

impl Forecast {
    /// Fits the trend.
    ///
    /// # Errors
    /// With peaks of fewer than eight days, or one that is not positive.
    pub fn of(peaks: &[DayPeak]) -> Result<Self, Refusal> {
        if let Some(wrong) = peaks.iter().find(|peak| !(peak.per_second.is_finite() && peak.per_second > 0.0)) {
            return Err(Refusal::PeakNotPositive(wrong.per_second));
        }
        let mut days: Vec<Date> = peaks.iter().map(|peak| peak.day).collect();
        days.sort_unstable();
        days.dedup();
        if days.len() < FEWEST_PEAKS {
            return Err(Refusal::TooFewPeaks { found: days.len(), required: FEWEST_PEAKS });
        }
        let (first, last) = (days[0], days[days.len() - 1]);
        let count = peaks.len() as f64;
        let points: Vec<(f64, f64)> =
            peaks.iter().map(|peak| (days_between(first, peak.day), peak.per_second.ln())).collect();
        let mean_day = points.iter().map(|(day, _)| day).sum::<f64>() / count;
        let mean_log = points.iter().map(|(_, log)| log).sum::<f64>() / count;
        let spread: f64 = points.iter().map(|(day, _)| (day - mean_day).powi(2)).sum();
        let slope = points.iter().map(|(day, log)| (day - mean_day) * (log - mean_log)).sum::<f64>() / spread;
        let left: f64 = points.iter().map(|(day, log)| (log - mean_log - slope * (day - mean_day)).powi(2)).sum();
        let deviation = (left / (count - 2.0)).sqrt();
        Ok(Self { first, last, count: peaks.len(), mean_day, mean_log, slope, spread, deviation })
    }

    /// How much the demand grows in 30 days, as a share: 0.1 for 10 %.
    #[must_use]
    pub fn monthly_growth(&self) -> f64 {
        (30.0 * self.slope).exp_m1()
    }

    /// The last day of the history.
    #[must_use]
    pub fn last_day(&self) -> Date {
        self.last
    }

    /// The peak of a day with the 90 % interval of a single day, in requests per second.
    #[must_use]
    pub fn on(&self, day: Date) -> Estimate {
        let away = days_between(self.first, day) - self.mean_day;
        let count = self.count as f64;
        let freedom = StudentsT::new(0.0, 1.0, count - 2.0).expect("eight peaks or more");
        let quantile = freedom.inverse_cdf(f64::midpoint(1.0, CONFIDENCE));
        let half = quantile * self.deviation * (1.0 + 1.0 / count + away * away / self.spread).sqrt();
        let middle = self.mean_log + self.slope * away;
        Estimate { value: middle.exp(), lower: (middle - half).exp(), upper: (middle + half).exp() }
    }

    /// The first day whose interval holds a limit; looked for as far ahead as the history reaches back, and no farther.
    #[must_use]
    pub fn reaches(&self, limit_per_second: f64) -> Crossing {
        if self.on(self.last).upper >= limit_per_second {
            return Crossing::Already;
        }
        let horizon = days_between(self.first, self.last) as i64;
        let day = |ahead: i64| self.last.saturating_add(ahead.days());
        match (1..=horizon).map(day).find(|day| self.on(*day).upper >= limit_per_second) {
            Some(day) => Crossing::On(day),
            None => Crossing::NotUntil(day(horizon)),
        }
    }
}

fn days_between(from: Date, to: Date) -> f64 {
    f64::from((to - from).get_days())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn weekly(values: &[f64]) -> Vec<DayPeak> {
        let day = |index: usize| date(2026, 9, 1).saturating_add((7 * index as i64).days());
        values
            .iter()
            .enumerate()
            .map(|(index, per_second)| DayPeak { day: day(index), per_second: *per_second })
            .collect()
    }

    #[test]
    fn an_exact_trend_is_followed_exactly() {
        // Doubles every 70 days.
        let values: Vec<f64> = (0..12).map(|week| 100.0 * 2.0_f64.powf(f64::from(week) / 10.0)).collect();
        let found = Forecast::of(&weekly(&values)).unwrap();
        let then = found.on(date(2026, 9, 1).saturating_add(140.days()));
        assert!((then.value - 400.0).abs() < 1e-6 && then.upper - then.lower < 1e-5, "{then:?}");
        assert!((found.monthly_growth() - (2.0_f64.powf(3.0 / 7.0) - 1.0)).abs() < 1e-9);
        // 100·2^(d/70) = 320 on day 117.5: the first whole day is 118, and the last peak was on day 77.
        assert_eq!(found.reaches(320.0), Crossing::On(date(2026, 9, 1).saturating_add(118.days())));
        assert_eq!(found.reaches(100.0), Crossing::Already);
        assert_eq!(found.reaches(1e9), Crossing::NotUntil(date(2026, 9, 1).saturating_add(154.days())));
    }

    #[test]
    fn the_interval_is_that_of_a_new_observation() {
        // ln of the peaks is 0 or 0.2 by turns about no trend that is known: n = 8, t̄ = 24.5, Σ(t−t̄)² = 49·42 = 2058.
        let values: Vec<f64> = (0..8).map(|week| if week % 2 == 0 { 1.0 } else { 0.2_f64.exp() }).collect();
        let found = Forecast::of(&weekly(&values)).unwrap();
        // slope = Σ(t−t̄)(y−ȳ)/2058 = 7·0.1·4/2058; s² = (0.08 − slope²·2058)/6; t_{.95,6} = 1.943180.
        let slope: f64 = 2.8 / 2_058.0;
        let deviation = ((0.08 - slope * slope * 2_058.0) / 6.0).sqrt();
        let half = 1.943_180 * deviation * (1.0_f64 + 0.125 + 24.5 * 24.5 / 2_058.0).sqrt();
        let last = found.on(found.last_day());
        assert!((last.value.ln() - (0.1 + slope * 24.5)).abs() < 1e-9, "{last:?}");
        assert!((last.upper.ln() - last.value.ln() - half).abs() < 1e-6, "{last:?} {half}");
        assert!((last.value.ln() - last.lower.ln() - half).abs() < 1e-6);
    }

    #[test]
    fn too_little_history_is_no_trend() {
        assert_eq!(Forecast::of(&weekly(&[1.0; 7])), Err(Refusal::TooFewPeaks { found: 7, required: 8 }));
        let same_day = vec![DayPeak { day: date(2026, 1, 1), per_second: 5.0 }; 30];
        assert_eq!(Forecast::of(&same_day), Err(Refusal::TooFewPeaks { found: 1, required: 8 }));
        assert_eq!(Forecast::of(&weekly(&[0.0; 9])), Err(Refusal::PeakNotPositive(0.0)));
        assert!(matches!(Forecast::of(&weekly(&[f64::NAN; 9])), Err(Refusal::PeakNotPositive(_))));
    }
}
