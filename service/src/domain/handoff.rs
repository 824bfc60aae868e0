//! Handing a conversation from one agent to another: by rules alone, the most urgent first.
//!
//! Source: TripSage's `orchestration/handoff_coordinator.py` and `agents/chat.py` of 2025-05-27. Of its triggers, timeout
//! and quality_threshold have no rule there either.

use std::cmp::Reverse;

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    agent::Agent,
    intent::Detected,
    known::{Known, Topic},
};

/// Confidence above which an intent is sure.
const SURE: f64 = 0.7;
/// Errors in a session after which the planner takes over.
pub(crate) const ERRORS_MAX: u32 = 3;

/// Control of a conversation going from one agent to another.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Handoff {
    pub(crate) from: Agent,
    pub(crate) to: Agent,
    pub(crate) trigger: Trigger,
    /// 0 to 1.
    pub(crate) confidence: f64,
    /// For the user.
    pub(crate) message: &'static str,
    /// What was found before and goes along.
    pub(crate) context: Vec<Topic>,
}

/// What made an agent hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Trigger {
    /// Too much went wrong in the session.
    ErrorRecovery,
    /// The user asked for something that a specialist does.
    UserRequest,
    /// Flights and stays are known: a journey can be planned.
    TaskCompletion,
    /// The specialist cannot do what the user asked for.
    MissingCapability,
}

/// How a conversation stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation<'a> {
    pub(crate) agent: Agent,
    /// What the user wants; none once that has been seen to.
    pub(crate) wish: Option<Detected>,
    /// In the session, since the last recovery.
    pub(crate) errors: u32,
    /// Whether flights and stays are both known since just now.
    pub(crate) is_complete: bool,
    pub(crate) known: &'a Known,
}

/// Hands over from any of `from` to `to` when its trigger is there.
struct Rule {
    priority: u8,
    trigger: Trigger,
    from: &'static [Agent],
    to: Agent,
}

const PLANNER: &[Agent] = &[Agent::General];
const SPECIALISTS: &[Agent] =
    &[Agent::Flight, Agent::Accommodation, Agent::Budget, Agent::DestinationResearch, Agent::Itinerary];

const fn rule(priority: u8, trigger: Trigger, from: &'static [Agent], to: Agent) -> Rule {
    Rule { priority, trigger, from, to }
}

/// The one of highest priority that fits is taken; of equals, the first.
const RULES: [Rule; 12] = [
    rule(15, Trigger::ErrorRecovery, SPECIALISTS, Agent::General),
    rule(10, Trigger::UserRequest, PLANNER, Agent::Flight),
    rule(10, Trigger::UserRequest, PLANNER, Agent::Accommodation),
    rule(9, Trigger::UserRequest, PLANNER, Agent::DestinationResearch),
    rule(8, Trigger::UserRequest, &Agent::ALL, Agent::Budget),
    rule(7, Trigger::TaskCompletion, &Agent::ALL, Agent::Itinerary),
    rule(7, Trigger::UserRequest, PLANNER, Agent::Itinerary),
    rule(6, Trigger::MissingCapability, SPECIALISTS, Agent::Flight),
    rule(6, Trigger::MissingCapability, SPECIALISTS, Agent::Accommodation),
    rule(5, Trigger::MissingCapability, SPECIALISTS, Agent::DestinationResearch),
    rule(5, Trigger::MissingCapability, SPECIALISTS, Agent::Itinerary),
    rule(5, Trigger::MissingCapability, SPECIALISTS, Agent::General),
];

/// The handoff that a situation calls for, if any.
pub(crate) fn decide(situation: Situation<'_>) -> Option<Handoff> {
    let fitting = RULES.iter().filter(|rule| rule.fits(situation));
    let rule = fitting.min_by_key(|rule| Reverse(rule.priority))?;
    let confidence = match rule.trigger {
        Trigger::UserRequest | Trigger::MissingCapability => situation.wish.map_or(1.0, |wish| wish.confidence),
        Trigger::ErrorRecovery | Trigger::TaskCompletion => 1.0,
    };
    Some(Handoff {
        from: situation.agent,
        to: rule.to,
        trigger: rule.trigger,
        confidence,
        message: rule.to.announcement(),
        context: situation.known.about(rule.to.topics()).map(|(topic, _)| topic).collect(),
    })
}

impl Rule {
    fn fits(&self, situation: Situation<'_>) -> bool {
        let Situation { agent, wish, errors, is_complete, .. } = situation;
        let is_wished = |intent| Agent::for_intent(intent) == Some(self.to);
        let sure = wish.filter(|wish| wish.confidence > SURE).map(|wish| wish.intent);
        let is_triggered = match self.trigger {
            Trigger::ErrorRecovery => errors >= ERRORS_MAX,
            Trigger::TaskCompletion => is_complete,
            Trigger::UserRequest => sure.is_some_and(is_wished),
            Trigger::MissingCapability => sure.is_some_and(|intent| is_wished(intent) && !agent.serves(intent)),
        };
        is_triggered && agent != self.to && self.from.contains(&agent)
    }
}

impl Trigger {
    /// Its name in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ErrorRecovery => "error_recovery",
            Self::UserRequest => "user_request",
            Self::TaskCompletion => "task_completion",
            Self::MissingCapability => "missing_capability",
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{super::intent::Intent, *};

    fn wish(intent: Intent, confidence: f64) -> Option<Detected> {
        Some(Detected { intent, confidence })
    }

    #[rstest]
    #[case::flight(Agent::General, wish(Intent::Flight, 0.8), 0, Some((Agent::Flight, Trigger::UserRequest)))]
    #[case::not_sure(Agent::General, wish(Intent::Flight, 0.7), 0, None)]
    #[case::already_there(Agent::Flight, wish(Intent::Flight, 1.0), 0, None)]
    #[case::stay(Agent::General, wish(Intent::Accommodation, 1.0), 0, Some((Agent::Accommodation, Trigger::UserRequest)))]
    #[case::place(Agent::General, wish(Intent::Destination, 1.0), 0, Some((Agent::DestinationResearch, Trigger::UserRequest)))]
    #[case::plan(Agent::General, wish(Intent::Itinerary, 1.0), 0, Some((Agent::Itinerary, Trigger::UserRequest)))]
    #[case::any_to_budget(Agent::Flight, wish(Intent::Budget, 1.0), 0, Some((Agent::Budget, Trigger::UserRequest)))]
    #[case::a_tool_is_enough(Agent::General, wish(Intent::Weather, 1.0), 0, None)]
    #[case::nothing(Agent::General, wish(Intent::General, 0.5), 0, None)]
    #[case::other_specialist(Agent::Flight, wish(Intent::Accommodation, 1.0), 0, Some((Agent::Accommodation, Trigger::MissingCapability)))]
    #[case::other_specialist_unsure(Agent::Flight, wish(Intent::Accommodation, 0.6), 0, None)]
    #[case::no_weather(Agent::Flight, wish(Intent::Weather, 1.0), 0, Some((Agent::General, Trigger::MissingCapability)))]
    #[case::has_weather(Agent::DestinationResearch, wish(Intent::Weather, 1.0), 0, None)]
    #[case::two_errors(Agent::Flight, None, 2, None)]
    #[case::three_errors(Agent::Flight, None, 3, Some((Agent::General, Trigger::ErrorRecovery)))]
    #[case::errors_come_first(Agent::Flight, wish(Intent::Budget, 1.0), 3, Some((Agent::General, Trigger::ErrorRecovery)))]
    #[case::the_planner_stays(Agent::General, None, 9, None)]
    fn the_most_urgent_rule_hands_over(
        #[case] agent: Agent,
        #[case] wish: Option<Detected>,
        #[case] errors: u32,
        #[case] expected: Option<(Agent, Trigger)>,
    ) {
        let known = Known::default();
        let handoff = decide(Situation { agent, wish, errors, is_complete: false, known: &known });
        assert_eq!(handoff.map(|handoff| (handoff.to, handoff.trigger)), expected);
    }

    #[rstest]
    #[case(Agent::General, 0, Some((Agent::Itinerary, Trigger::TaskCompletion)))]
    #[case(Agent::Accommodation, 0, Some((Agent::Itinerary, Trigger::TaskCompletion)))]
    #[case(Agent::Itinerary, 0, None)]
    #[case(Agent::Accommodation, 3, Some((Agent::General, Trigger::ErrorRecovery)))]
    fn what_is_complete_is_planned(
        #[case] agent: Agent,
        #[case] errors: u32,
        #[case] expected: Option<(Agent, Trigger)>,
    ) {
        let known = Known::default();
        let handoff = decide(Situation { agent, wish: None, errors, is_complete: true, known: &known });
        assert_eq!(handoff.map(|handoff| (handoff.to, handoff.trigger)), expected);
    }

    #[test]
    fn what_suits_the_next_agent_goes_along() {
        let mut known = Known::default();
        known.learn(Topic::Flights, &json!([]));
        known.learn(Topic::Weather, &json!({}));
        let handoff = |agent, intent| {
            let situation = Situation { agent, wish: wish(intent, 1.0), errors: 0, is_complete: false, known: &known };
            decide(situation).unwrap()
        };
        assert_eq!(handoff(Agent::General, Intent::Flight).context, [Topic::Flights]);
        assert_eq!(handoff(Agent::Flight, Intent::Budget).context, [Topic::Flights, Topic::Weather]);
        assert!(handoff(Agent::General, Intent::Accommodation).context.is_empty());
    }

    #[test]
    fn rules_are_in_order_of_priority_and_triggers_have_one_name() {
        assert!(RULES.is_sorted_by(|first, second| first.priority >= second.priority));
        for rule in RULES {
            assert_eq!(json!(rule.trigger), rule.trigger.as_str());
        }
    }
}
