//! The agents of a conversation: what each is for, and what it is told.

use serde::Serialize;
use utoipa::ToSchema;

use super::{intent::Intent, known::Topic};

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Agent {
    General,
    Flight,
    Accommodation,
    Budget,
    DestinationResearch,
    Itinerary,
}

impl Agent {
    /// All of them.
    pub(crate) const ALL: [Self; 6] =
        [Self::General, Self::Flight, Self::Accommodation, Self::Budget, Self::DestinationResearch, Self::Itinerary];

    /// Its name in JSON, metrics and the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Flight => "flight",
            Self::Accommodation => "accommodation",
            Self::Budget => "budget",
            Self::DestinationResearch => "destination_research",
            Self::Itinerary => "itinerary",
        }
    }

    /// The agent of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|agent| agent.as_str() == name)
    }

    /// What it is told it is.
    pub(crate) fn instructions(self) -> &'static str {
        match self {
            Self::General => {
                "You are TripSage, a travel planner. Answer briefly. Use tools for facts that change; never invent them."
            }
            Self::Flight => {
                "You are TripSage's flight specialist. Use search_flights for offers; never invent prices or times."
            }
            Self::Accommodation => {
                "You are TripSage's accommodation specialist. Use search_accommodations for stays; say so when you have no live listings."
            }
            Self::Budget => {
                "You are TripSage's budget specialist. Show the arithmetic; say which prices are estimates."
            }
            Self::DestinationResearch => {
                "You are TripSage's destination specialist. Use search_destinations for places and get_current_weather for weather."
            }
            Self::Itinerary => "You are TripSage's itinerary specialist. Plan day by day; leave time to travel.",
        }
    }

    /// What the user is told when it takes over.
    pub(crate) fn announcement(self) -> &'static str {
        match self {
            Self::General => "The travel planner takes over.",
            Self::Flight => "The flight specialist takes over.",
            Self::Accommodation => "The accommodation specialist takes over.",
            Self::Budget => "The budget specialist takes over.",
            Self::DestinationResearch => "The destination specialist takes over.",
            Self::Itinerary => "The itinerary specialist takes over.",
        }
    }

    /// Who is best at an intent; nobody in particular when it is none.
    pub(crate) fn for_intent(intent: Intent) -> Option<Self> {
        match intent {
            Intent::Flight => Some(Self::Flight),
            Intent::Accommodation => Some(Self::Accommodation),
            Intent::Budget => Some(Self::Budget),
            Intent::Destination => Some(Self::DestinationResearch),
            Intent::Itinerary => Some(Self::Itinerary),
            // A tool is enough, and the planner has every tool.
            Intent::Weather | Intent::Maps => Some(Self::General),
            Intent::General => None,
        }
    }

    /// Whether it can do by itself what an intent asks for.
    pub(crate) fn serves(self, intent: Intent) -> bool {
        let has_weather_and_map = matches!(self, Self::DestinationResearch | Self::Itinerary);
        match intent {
            Intent::General => true,
            Intent::Weather => has_weather_and_map || self == Self::General,
            Intent::Maps => has_weather_and_map || matches!(self, Self::General | Self::Accommodation),
            _ => Self::for_intent(intent) == Some(self),
        }
    }

    /// What it is told of what was found before it took over.
    pub(crate) fn topics(self) -> &'static [Topic] {
        match self {
            Self::General | Self::Budget | Self::Itinerary => &Topic::ALL,
            Self::Flight => &[Topic::Flights, Topic::Destinations],
            Self::Accommodation => &[Topic::Stays, Topic::Destinations],
            Self::DestinationResearch => &[Topic::Destinations, Topic::Weather],
        }
    }
}
