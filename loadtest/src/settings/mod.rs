//! The load's part of a scenario file: how long, how many users, which journeys, when they arrive.
mod error;

pub use self::error::Error;
use crate::{arrivals::Arrivals, connection::Connection, mix::Mix, oracle::OracleSettings, warm_up::WarmUp};
use reports::{record::LONGEST_NS, units};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The most users that one process drives.
pub const USERS_MAX: u32 = 50_000;
/// The most arrivals per second that a scenario may ask of one process.
pub const RATE_MAX: f64 = 1_000_000.0;
/// The most that the weights of a mix may add up to.
pub const WEIGHTS_MAX: u64 = 1_000;
/// The most arrivals that may wait for a free user.
pub const QUEUE_MAX: usize = 1_000_000;

/// `[load]`: how much of what is sent when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How long arrivals come, such as "40s". Answers may come in after it.
    #[serde(with = "units::duration")]
    #[schemars(with = "String")]
    pub duration: Duration,
    /// Part of the duration, from its start, that is not judged, such as "5s"; "auto": until the run is steady. Default: none.
    #[serde(default)]
    pub warm_up: WarmUp,
    /// Virtual users: the size of the pool (open models) or the population (closed). Each has a session of its own, and a connection.
    pub users: u32,
    /// Journeys with their weights, such as { flight-search = 3, chat = 2, trip-creation = 1 }.
    pub mix: Mix,
    /// When users arrive, such as { poisson = { rate = "25/s", ramp = "5s" } }.
    pub arrivals: Arrivals,
    /// How long a user thinks between two steps of a journey, on average; each pause is 0.5 to 1.5 times this. Default: none.
    #[serde(default, with = "units::duration")]
    #[schemars(with = "String")]
    pub think_time: Duration,
    /// How long a user waits for an answer, from sending the request; before that, as long for a free connection of a pool. Default:
    /// "10s".
    #[serde(default = "ten_seconds", with = "units::duration")]
    #[schemars(with = "String")]
    pub request_timeout: Duration,
    /// How long a user waits for the end of a chat answer, from sending the request. Default: "35s".
    #[serde(default = "thirty_five_seconds", with = "units::duration")]
    #[schemars(with = "String")]
    pub chat_timeout: Duration,
    /// How many arrivals may wait for a free user; further ones are dropped and counted. Default: 10000.
    #[serde(default = "ten_thousand")]
    pub queue_limit: usize,
    /// How users are connected to the target.
    #[serde(default, skip_serializing_if = "Connection::is_default")]
    pub connection: Connection,
    /// Whether every acknowledged write is read back after the load, and within which bounds, such as { within = "5m" }. Default: true.
    #[serde(default)]
    pub oracle: OracleSettings,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn thirty_five_seconds() -> Duration {
    Duration::from_secs(35)
}

fn ten_thousand() -> usize {
    10_000
}

/// What flags change in the settings of a scenario.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// Arrivals per second of an open model.
    pub rate: Option<f64>,
    /// Virtual users.
    pub users: Option<u32>,
    /// How long arrivals come.
    pub duration: Option<Duration>,
    /// Journeys with their weights.
    pub mix: Option<Mix>,
    /// Acknowledged writes are not read back.
    pub no_oracle: bool,
}

impl Settings {
    /// Changes what the flags say and returns them as text, such as `--rate 50/s`.
    ///
    /// # Errors
    /// When a rate is given for a model that has not exactly one.
    pub fn apply(&mut self, overrides: &Overrides) -> Result<Vec<String>, Error> {
        let mut texts = Vec::new();
        if let Some(rate) = overrides.rate {
            self.arrivals.set_rate(rate)?;
            texts.push(format!("--rate {}", units::format_rate(rate)));
        }
        if let Some(users) = overrides.users {
            self.users = users;
            texts.push(format!("--users {users}"));
        }
        if let Some(duration) = overrides.duration {
            self.duration = duration;
            texts.push(format!("--duration {}", units::format_duration(duration)));
        }
        if let Some(mix) = &overrides.mix {
            texts.push(format!("--mix {mix}"));
            self.mix = mix.clone();
        }
        if overrides.no_oracle {
            texts.push("--no-oracle".to_owned());
            self.oracle.is_on = false;
        }
        Ok(texts)
    }

    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// With the first key that cannot be carried out.
    pub fn check(&self) -> Result<(), Error> {
        let longest = Duration::from_nanos(LONGEST_NS);
        more_than_zero("duration", self.duration.is_zero())?;
        more_than_zero("users", self.users == 0)?;
        Error::unless_at_most("users", self.users, USERS_MAX)?;
        self.warm_up.check(self.duration, self.arrivals.level_from(self.duration))?;
        self.check_mix()?;
        self.check_arrivals()?;
        self.connection.check()?;
        for (key, timeout) in [("request_timeout", self.request_timeout), ("chat_timeout", self.chat_timeout)] {
            more_than_zero(key, timeout.is_zero())?;
            no_longer_than(key, timeout, longest)?;
        }
        no_longer_than("think_time", self.think_time, longest)?;
        self.oracle.check()?;
        more_than_zero("queue_limit", self.queue_limit == 0)?;
        Error::unless_at_most("queue_limit", self.queue_limit, QUEUE_MAX)
    }

    fn check_mix(&self) -> Result<(), Error> {
        if let Some(name) = self.mix.unknown() {
            let known: Vec<_> = self.mix.known().map(|name| format!("`{name}`")).collect();
            return Err(Error::UnknownJourney { name: name.to_owned(), known: known.join(", ") });
        }
        let weights = self.mix.weights();
        more_than_zero("mix", weights.is_empty() || weights.contains(&0))?;
        Error::unless_at_most("mix", weights.iter().copied().map(u64::from).sum(), WEIGHTS_MAX)?;
        match self.mix.entries().find(|(journey, _)| journey.users_min() > self.users) {
            Some((journey, _)) => {
                let (journey, needed) = (journey.name().to_owned(), journey.users_min());
                Err(Error::TooFewUsers { users: self.users, journey, needed })
            }
            None => Ok(()),
        }
    }

    fn check_arrivals(&self) -> Result<(), Error> {
        self.arrivals.check(self.duration)?;
        if self.arrivals.expected(self.users, self.duration) < 1.0 {
            return Err(Error::NoArrivals { duration: units::format_duration(self.duration) });
        }
        Ok(())
    }

    /// The longest that a user waits for an answer.
    #[must_use]
    pub fn longest_timeout(&self) -> Duration {
        self.request_timeout.max(self.chat_timeout)
    }
}

fn more_than_zero(key: &'static str, is_zero: bool) -> Result<(), Error> {
    if is_zero { Err(Error::Zero { key }) } else { Ok(()) }
}

fn no_longer_than(key: &'static str, value: Duration, limit: Duration) -> Result<(), Error> {
    let (text, limit_text) = (units::format_duration(value), units::format_duration(limit));
    if value > limit { Err(Error::TooMuch { key, value: text, limit: limit_text }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICKSTART: &str = r#"
        duration = "40s"
        warm_up = "5s"
        users = 100
        mix = { flight-search = 3, chat = 2, trip-creation = 1 }
        arrivals = { poisson = { rate = "25/s", ramp = "5s" } }
    "#;

    fn read(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_is_not_written_has_its_documented_default() {
        let settings = read(QUICKSTART);
        settings.check().unwrap();
        assert_eq!(settings.request_timeout, Duration::from_secs(10));
        assert_eq!(settings.chat_timeout, Duration::from_secs(35));
        assert_eq!((settings.queue_limit, settings.think_time), (10_000, Duration::ZERO));
        assert_eq!(settings.arrivals.to_string(), "open, poisson 25/s, ramp 5s");
        let closed =
            read(&QUICKSTART.replace(r#"poisson = { rate = "25/s", ramp = "5s" }"#, r#"closed = { pacing = "4s" }"#));
        closed.check().unwrap();
        let Arrivals::Closed(closed) = closed.arrivals else { panic!("closed") };
        assert_eq!((closed.jitter, closed.ramp), (0.25, Duration::ZERO));
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        let settings = read(QUICKSTART);
        assert_eq!(read(&toml::to_string(&settings).unwrap()), settings);
    }

    #[test]
    fn every_model_is_read_written_and_described() {
        for (model, description) in [
            (r#"constant = { rate = "10/s", ramp = "2s" }"#, "open, constant 10/s, ramp 2s"),
            (
                r#"poisson = { stages = [{ rate = "50/s", for = "10s" }, { rate = "0/s", for = "5s" }] }"#,
                "open, poisson stages 50/s in 10s, 0/s in 5s",
            ),
            (
                r#"spike = { base = "5/s", peak = "50/s", at = "10s", for = "5s", spacing = "constant" }"#,
                "open, constant 5/s, spike of 50/s at 10s for 5s",
            ),
            (
                r#"step = { from = "5/s", to = "50/s", by = "5/s", every = "4s" }"#,
                "open, poisson from 5/s to 50/s, 5/s more every 4s",
            ),
            (r#"soak = { rate = "5/s", swing = 0.5, wave = "10s" }"#, "open, poisson 5/s ± 50 % in waves of 10s"),
            (r#"bursts = { size = 5, every = "10s" }"#, "open, bursts of 5 every 10s"),
            (r#"closed = { pacing = "4s" }"#, "closed, one journey per 4s"),
        ] {
            let settings = read(&QUICKSTART.replace(r#"poisson = { rate = "25/s", ramp = "5s" }"#, model));
            settings.check().unwrap();
            assert_eq!(settings.arrivals.to_string(), description);
            assert_eq!(read(&toml::to_string(&settings).unwrap()), settings, "{model}");
        }
    }

    #[test]
    fn a_rate_can_be_set_only_where_there_is_exactly_one() {
        let overrides = Overrides { rate: Some(9.0), ..Overrides::default() };
        let model = |model: &str| read(&QUICKSTART.replace(r#"poisson = { rate = "25/s", ramp = "5s" }"#, model));
        let mut soak = model(r#"soak = { rate = "5/s" }"#);
        assert_eq!(soak.arrivals.single_rate(), Some(5.0));
        assert_eq!(
            (soak.apply(&overrides), soak.arrivals.to_string()),
            (Ok(vec!["--rate 9/s".into()]), "open, poisson 9/s".into())
        );
        for many in [
            r#"constant = { stages = [{ rate = "5/s", for = "1s" }] }"#,
            r#"spike = { base = "5/s", peak = "50/s", at = "10s", for = "5s" }"#,
        ] {
            assert_eq!(model(many).apply(&overrides), Err(Error::NoSingleRate), "{many}");
            assert_eq!(model(many).arrivals.single_rate(), None, "{many}");
        }
    }

    #[track_caller]
    fn refused(line: &str, instead: &str, key: &str, text: &str) {
        assert!(QUICKSTART.contains(line), "{line}");
        let settings = read(&QUICKSTART.replace(line, instead));
        let error = settings.check().unwrap_err();
        assert_eq!((error.key(), error.to_string().as_str()), (key, text));
    }

    #[test]
    fn what_cannot_be_carried_out_is_refused_by_key() {
        refused("40s", "0s", "duration", "`duration` must be more than 0");
        refused("users = 100", "users = 0", "users", "`users` must be more than 0");
        refused("users = 100", "users = 50001", "users", "`users` is 50001, more than 50000");
        refused(
            "warm_up = \"5s\"",
            "warm_up = \"40s\"",
            "warm_up",
            "`warm_up` (40s) must be shorter than `duration` (40s)",
        );
        refused("chat = 2", "chat = 0", "mix", "`mix` must be more than 0");
        refused("chat = 2", "chat = 1000", "mix", "`mix` is 1004, more than 1000");
        refused(
            "chat = 2",
            "chart = 2",
            "mix",
            "unknown journey `chart`; known are `flight-search`, `flight-search-cached`, `flight-search-uncached`, `chat`, `chat-long`, \
             `trip-creation`, `trip-creation-large`, `booking`, `collaboration`, `token-refresh`, `traveller`",
        );
        refused(
            "users = 100\n        mix = { flight-search = 3,",
            "users = 2\n        mix = { collaboration = 3,",
            "users",
            "`users` is 2, but journey `collaboration` takes 3: its user meets others",
        );
        refused("25/s", "0/s", "arrivals.rate", "`arrivals.rate` must be more than 0");
        refused("25/s", "2000000/s", "arrivals.rate", "`arrivals.rate` is 2000000, more than 1000000");
        refused("25/s", "0.001/s", "arrivals", "`arrivals` brings no user within `duration` (40s)");
        refused(
            "ramp = \"5s\"",
            "ramp = \"1h\"",
            "arrivals.ramp",
            "`arrivals.ramp` (1h) must be shorter than `duration` (40s)",
        );
        let closed = |settings: &'static str| (r#"poisson = { rate = "25/s", ramp = "5s" }"#, settings);
        let (line, instead) = closed(r#"closed = { pacing = "0s" }"#);
        refused(line, instead, "arrivals.closed.pacing", "`arrivals.closed.pacing` must be more than 0");
        let (line, instead) = closed(r#"closed = { pacing = "1s", jitter = 1.5 }"#);
        refused(line, instead, "arrivals.closed.jitter", "`arrivals.closed.jitter` is 1.5, more than 1");
        let more = |line: &'static str| ("users = 100", format!("users = 100\n{line}"));
        let (line, instead) = more("request_timeout = \"0s\"");
        refused(line, &instead, "request_timeout", "`request_timeout` must be more than 0");
        let (line, instead) = more("chat_timeout = \"11m\"");
        refused(line, &instead, "chat_timeout", "`chat_timeout` is 11m, more than 10m");
        let auto = "`warm_up` cannot be \"auto\": ";
        let short = format!("{auto}at least 20s without a fault are needed to find its end");
        let text = QUICKSTART.replace("40s", "19s").replace("\"5s\"\n        users", "\"auto\"\n        users");
        assert_eq!(read(&text).check().unwrap_err().to_string(), short);
        read(&text.replace("19s", "20s")).check().unwrap();
        let spike = "spike = { base = \"5/s\", peak = \"9/s\", at = \"9s\", for = \"1s\" }";
        let never = text.replace("19s", "40s").replace(r#"poisson = { rate = "25/s", ramp = "5s" }"#, spike);
        let error = read(&never).check().unwrap_err();
        let changes =
            format!("{auto}the planned rate changes all along, so no part of the run is steady; give it a length");
        assert_eq!((error.key(), error.to_string()), ("warm_up", changes));
        let (line, instead) = more("queue_limit = 0");
        refused(line, &instead, "queue_limit", "`queue_limit` must be more than 0");
    }

    #[test]
    fn unknown_keys_and_models_are_refused_while_reading() {
        for (line, instead, expected) in [
            ("users", "user", "unknown field `user`"),
            ("poisson", "poison", "unknown variant `poison`"),
            ("ramp", "ramps", "unknown field `ramps`"),
            ("25/s", "25", "has no unit of rate"),
            ("\"40s\"", "40", "invalid type"),
        ] {
            let error = toml::from_str::<Settings>(&QUICKSTART.replace(line, instead)).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn flags_change_the_settings_and_say_so() {
        let mut settings = read(QUICKSTART);
        let overrides = Overrides {
            rate: Some(250.0),
            users: Some(400),
            duration: Some(Duration::from_secs(90)),
            mix: Some("chat=1".parse().unwrap()),
            no_oracle: true,
        };
        let texts = settings.apply(&overrides).unwrap();
        assert_eq!(texts, ["--rate 250/s", "--users 400", "--duration 90s", "--mix chat=1", "--no-oracle"]);
        assert_eq!(settings.arrivals.to_string(), "open, poisson 250/s, ramp 5s");
        settings.arrivals = Arrivals::Closed(toml::from_str("pacing = \"4s\"").unwrap());
        assert_eq!(settings.apply(&overrides), Err(Error::ClosedHasNoRate));
    }
}
