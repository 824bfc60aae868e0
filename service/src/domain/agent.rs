//! The agents of a conversation, and handing it from one to another.

use serde::Serialize;
use utoipa::ToSchema;

use super::intent::{Detected, Intent};

/// Confidence above which the conversation is handed to a specialist.
const HANDOFF_CONFIDENCE: f64 = 0.7;

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

/// Control of a conversation going from one agent to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Handoff {
    pub(crate) from: Agent,
    pub(crate) to: Agent,
    pub(crate) trigger: Trigger,
    /// 0 to 1.
    pub(crate) confidence: f64,
}

/// What made an agent hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trigger {
    /// The user asked for something that a specialist does.
    UserRequest,
}

impl Agent {
    const ALL: [Self; 6] =
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
                "You are TripSage's accommodation specialist. Say so when you have no live listings."
            }
            Self::Budget => {
                "You are TripSage's budget specialist. Show the arithmetic; say which prices are estimates."
            }
            Self::DestinationResearch => {
                "You are TripSage's destination specialist. Use get_current_weather for weather."
            }
            Self::Itinerary => "You are TripSage's itinerary specialist. Plan day by day; leave time to travel.",
        }
    }

    /// The handoff that a detected intent calls for, if any.
    pub(crate) fn hand_over(self, detected: Detected) -> Option<Handoff> {
        let to = match detected.intent {
            Intent::Flight => Self::Flight,
            Intent::Accommodation => Self::Accommodation,
            Intent::Budget => Self::Budget,
            Intent::Destination => Self::DestinationResearch,
            Intent::Itinerary => Self::Itinerary,
            Intent::Weather | Intent::Maps | Intent::General => return None,
        };
        let is_sure = detected.confidence > HANDOFF_CONFIDENCE;
        (is_sure && to != self).then_some(Handoff {
            from: self,
            to,
            trigger: Trigger::UserRequest,
            confidence: detected.confidence,
        })
    }
}

impl Trigger {
    /// Its name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::UserRequest => "user_request",
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Agent::General, Intent::Flight, 0.8, Some(Agent::Flight))]
    #[case(Agent::General, Intent::Flight, 0.7, None)]
    #[case(Agent::Flight, Intent::Flight, 1.0, None)]
    #[case(Agent::Flight, Intent::Budget, 1.0, Some(Agent::Budget))]
    #[case(Agent::General, Intent::Weather, 1.0, None)]
    #[case(Agent::General, Intent::General, 0.5, None)]
    fn only_a_sure_intent_of_another_agent_hands_over(
        #[case] from: Agent,
        #[case] intent: Intent,
        #[case] confidence: f64,
        #[case] to: Option<Agent>,
    ) {
        assert_eq!(from.hand_over(Detected { intent, confidence }).map(|handoff| handoff.to), to);
    }
}
