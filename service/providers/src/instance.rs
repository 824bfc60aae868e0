//! More than one server of a provider: `flights`, `flights-2`, `flights-3`.

use std::{fmt, str::FromStr};

use crate::provider::{Provider, UnknownProvider};

/// The most servers of one provider.
const NUMBER_MAX: u8 = 9;

/// One server of a provider: the first is named for the provider, the others also have a number.
///
/// They give the same answers and share what they were told, such as orders; each has service times of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    number: u8,
    provider: Provider,
}

/// A text that names no server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidInstance {
    /// The name is none of a provider.
    #[error(transparent)]
    Provider(#[from] UnknownProvider),
    /// The number is none from 2 to 9.
    #[error("`{name}` does not end in a number from 2 to {NUMBER_MAX}")]
    Number {
        /// The text as given.
        name: String,
    },
}

impl Instance {
    /// The provider it is a server of.
    pub fn provider(self) -> Provider {
        self.provider
    }

    /// Whether it is the one that is always there.
    pub fn is_first(self) -> bool {
        self.number == 1
    }
}

impl From<Provider> for Instance {
    /// The first server of `provider`.
    fn from(provider: Provider) -> Self {
        Self { number: 1, provider }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => f.pad(self.provider.name()),
            number => f.pad(&format!("{}-{number}", self.provider.name())),
        }
    }
}

impl FromStr for Instance {
    type Err = InvalidInstance;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let Some((provider, number)) = name.rsplit_once('-') else {
            return Ok(name.parse::<Provider>()?.into());
        };
        let provider = provider.parse()?;
        match number.parse() {
            Ok(number) if number > 1 && number <= NUMBER_MAX => Ok(Self { number, provider }),
            _ => Err(InvalidInstance::Number { name: name.to_owned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("flights", true)]
    #[case("google_maps", true)]
    #[case("flights-2", false)]
    #[case("google_maps-9", false)]
    fn names_survive_a_round_trip(#[case] name: &str, #[case] is_first: bool) {
        let instance: Instance = name.parse().unwrap();
        assert_eq!((instance.to_string().as_str(), instance.is_first()), (name, is_first));
    }

    #[rstest]
    #[case("flights-1")]
    #[case("flights-10")]
    #[case("flights-")]
    #[case("flights-two")]
    fn numbers_are_2_to_9(#[case] name: &str) {
        let error = name.parse::<Instance>().unwrap_err();
        assert_eq!(error.to_string(), format!("`{name}` does not end in a number from 2 to 9"));
    }

    #[test]
    fn names_of_no_provider_are_refused() {
        for name in ["hotels", "hotels-2", ""] {
            assert!(matches!(name.parse::<Instance>(), Err(InvalidInstance::Provider(_))), "{name}");
        }
    }
}
