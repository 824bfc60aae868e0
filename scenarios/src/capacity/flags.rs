//! The flags of `harness capacity`.
use crate::cli::Format;
use clap::Args;
use reports::{capacity::Price, units};
use std::{path::PathBuf, time::Duration};

/// Flags of `capacity`.
#[derive(Debug, Args)]
#[command(
    after_help = "Rates are arrivals per second, as in scenario files. A rate is kept when every gate of the scenario without a window of its \
own is: shares of requests with 95 % confidence, confirmed by a trial of twice the length. Exit codes: 0 the expected demand is within the \
confirmed rate, 3 it is proven to be too much, 7 neither is proven, 8 the trials cannot be trusted."
)]
pub struct Flags {
    /// A shipped scenario's name, a name in ./scenarios, or a path to a file: its mix, its users and its gates.
    pub scenario: String,
    /// A service level in place of the scenario's gates, such as 'p95 < 500ms for flights.search' (repeat for more).
    #[arg(long = "slo", value_name = "GATE")]
    pub slo: Vec<String>,
    /// The demand to be carried, such as 25/s. Default: the rate of the scenario.
    #[arg(long, value_name = "RATE", value_parser = units::parse_rate)]
    pub expected: Option<f64>,
    /// Lowest rate worth finding. Default: the lowest that one trial can show anything at.
    #[arg(long, value_name = "RATE", value_parser = units::parse_rate)]
    pub min_rate: Option<f64>,
    /// Highest rate to try. Default: what a calibrated generator can be trusted with, or 10000/s.
    #[arg(long, value_name = "RATE", value_parser = units::parse_rate)]
    pub max_rate: Option<f64>,
    /// Length of a trial, in whole seconds, at least 5s; confirmations take twice as long.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = units::parse_duration)]
    pub trial_duration: Duration,
    /// The part before each trial in which the target settles, in whole seconds, at least 1s.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = units::parse_duration)]
    pub settle: Duration,
    /// Longest time under load of one search.
    #[arg(long, value_name = "TIME", default_value = "20m", value_parser = units::parse_duration)]
    pub budget: Duration,
    /// The same search once more while a fault stands (repeat for more): the name of a fault of the scenario, or one written as in it,
    /// such as 'link = "mcp.flights", fault = { latency = { delay = "1s" } }'.
    #[arg(long, value_name = "FAULT")]
    pub under: Vec<String>,
    /// Do not look at what becomes of the target beyond its limit.
    #[arg(long)]
    pub no_overload: bool,
    /// Seed of every random decision; trial k takes it plus k.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Virtual users of every trial. Default: those of the scenario, and more in proportion to the rate above the expected one.
    #[arg(short, long, value_name = "N")]
    pub users: Option<u32>,
    /// Journeys with their weights, such as flight-search=3,chat=2,trip-creation=1.
    #[arg(long, value_name = "JOURNEY=WEIGHT,…")]
    pub mix: Option<loadtest::Mix>,
    /// Base URL of a service that runs already, instead of the bundled one.
    #[arg(short, long, value_name = "URL")]
    pub target: Option<String>,
    /// A host beyond loopback that may be loaded and broken (repeat for more).
    #[arg(long = "allow-host", value_name = "HOST")]
    pub allow_hosts: Vec<String>,
    /// Replicas that may be lost at the peak (N+k).
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub spare: u32,
    /// Share of the confirmed rate that is planned with, such as 75%.
    #[arg(long, value_name = "SHARE", default_value = "75%", value_parser = parse_share)]
    pub plan_with: f64,
    /// What a replica costs an hour, such as '0.12 EUR'.
    #[arg(long, value_name = "PRICE", value_parser = parse_price)]
    pub price: Option<Price>,
    /// Peaks of the past for a forecast: a CSV file with the columns date,rate, one peak of a day or week per line.
    #[arg(long, value_name = "FILE")]
    pub growth: Option<PathBuf>,
    /// Folder that gets the study's folder.
    #[arg(short, long, value_name = "DIR", default_value = "reports/capacity")]
    pub out: PathBuf,
    /// What to print on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print what would be tried, and stop.
    #[arg(long)]
    pub dry_run: bool,
}

fn parse_share(text: &str) -> Result<f64, String> {
    let share = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = share.map(|percent| percent / 100.0).filter(|share| *share > 0.0 && *share <= 1.0);
    share.ok_or_else(|| format!("`{text}` is not a share above 0% and up to 100%, such as 75%"))
}

fn parse_price(text: &str) -> Result<Price, String> {
    let text = text.trim();
    let number = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (amount, currency) = (text[..number].parse::<f64>().ok(), text[number..].trim());
    match amount {
        Some(per_hour) if per_hour > 0.0 && !currency.is_empty() && currency.chars().all(char::is_alphabetic) => {
            Ok(Price { per_hour, currency: currency.to_owned() })
        }
        _ => Err(format!("`{text}` is not a price above 0 with its currency, such as '0.12 EUR'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_has_an_amount_and_a_currency() {
        let price = parse_price("0.12 EUR").unwrap();
        assert!((price.per_hour - 0.12).abs() < 1e-12 && price.currency == "EUR");
        assert_eq!(parse_price("3USD").unwrap().currency, "USD");
        for wrong in ["", "EUR", "0 EUR", "0.12", "1 2", "-1 EUR", "1..2 EUR"] {
            assert!(parse_price(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_is_in_percent() {
        assert_eq!(parse_share("75%"), Ok(0.75));
        assert_eq!(parse_share("100 %"), Ok(1.0));
        for wrong in ["0%", "101%", "0.75", "x%", "NaN%"] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
    }
}
