//! Handoffs from agent to agent: what triggers them, what goes along, and that the session stays with the last one.

use serde_json::{Value, json};

use crate::{
    chat::{FLIGHTS_PLEASE, say, types},
    fakes::{Answers, Says},
    stack::{Stack, User},
};

const FLIGHT: (&str, &str) =
    ("search_flights", r#"{"origin":"JFK","destination":"LIS","departure_date":"2099-05-01"}"#);
const STAY: (&str, &str) =
    ("search_accommodations", r#"{"location":"Lisbon","checkin":"2099-05-01","checkout":"2099-05-04"}"#);
const STAYS_PLEASE: &str = "Find a hotel in Lisbon, any hotels in the centre";

/// A turn of a session, answered as JSON.
async fn turn(stack: &Stack, user: &User, session: &Value, message: &str) -> Value {
    let more = match session {
        Value::Null => json!({"stream": false}),
        session => json!({"stream": false, "session_id": session}),
    };
    let answer = say(stack, user, message, more).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// From, to and trigger of each handoff.
fn handoffs(answer: &Value) -> Vec<[&str; 3]> {
    let text = |handoff: &Value, name: &str| -> &'static str {
        Box::leak(handoff[name].as_str().unwrap().to_owned().into_boxed_str())
    };
    let all = answer["handoffs"].as_array().unwrap();
    all.iter().map(|handoff| [text(handoff, "from"), text(handoff, "to"), text(handoff, "trigger")]).collect()
}

#[tokio::test]
async fn a_session_stays_with_its_agent_until_the_user_wants_what_that_cannot_do() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Tools { calls: &[FLIGHT], then: &Says::Words(1) });
    let first = turn(&stack, &user, &Value::Null, FLIGHTS_PLEASE).await;
    assert_eq!(handoffs(&first), [["general", "flight", "user_request"]]);
    assert_eq!(first["handoffs"][0]["message"], "The flight specialist takes over.");
    let session = &first["session_id"];
    stack.llm.now_says(Says::Words(1));
    let second = turn(&stack, &user, session, "Thank you").await;
    assert!(handoffs(&second).is_empty() && second.get("routed_to").is_none(), "{second}");
    let prompt = stack.llm.requests().pop().unwrap();
    let instructions = prompt["messages"][0]["content"].as_str().unwrap();
    assert!(instructions.contains("flight specialist") && instructions.contains("cheap"), "{instructions}");

    let third = turn(&stack, &user, session, STAYS_PLEASE).await;
    assert_eq!(handoffs(&third), [["flight", "accommodation", "missing_capability"]]);
    assert_eq!(third["handoffs"][0]["context"], json!([]));
    let fourth = turn(&stack, &user, session, "How much does it cost, what is the price and the travel budget?").await;
    assert_eq!(handoffs(&fourth), [["accommodation", "budget", "user_request"]]);
    assert_eq!(fourth["handoffs"][0]["context"], json!(["flights"]));
    let prompt = stack.llm.requests().pop().unwrap();
    assert!(prompt["messages"][0]["content"].as_str().unwrap().contains("Found earlier, flights:"), "{prompt}");
    let sessions = stack.get("/api/v1/chat/sessions", &user).await.json();
    assert_eq!(sessions["sessions"][0]["agent"], "budget");
    let labels = "{from=\"flight\",to=\"accommodation\",trigger=\"missing_capability\",result=\"success\"}";
    assert_eq!(stack.metric(&format!("tripsage_agent_handoffs_total{labels}")).await, 1.0);
    assert_eq!(stack.metric(&format!("tripsage_agent_handoff_duration_seconds_count{labels}")).await, 1.0);
}

#[tokio::test]
async fn flights_and_stays_that_are_known_are_planned() {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    // In one turn: the planner asks, the specialist answers.
    stack.llm.now_says(Says::Tools { calls: &[FLIGHT, STAY], then: &Says::Words(1) });
    let events = say(&stack, &user, "Hello", json!({})).await.events();
    assert_eq!(types(&events), ["started", "tool_call", "tool_result", "handoff", "delta", "final"]);
    let last = events.last().unwrap();
    assert_eq!(handoffs(last), [["general", "itinerary", "task_completion"]]);
    assert_eq!(last["handoffs"][0]["context"], json!(["flights", "stays"]));
    let prompt = stack.llm.requests().pop().unwrap();
    assert!(prompt["messages"][0]["content"].as_str().unwrap().contains("itinerary specialist"), "{prompt}");
    // It is no news a second time.
    let again = turn(&stack, &user, &last["session_id"], "Hello").await;
    assert!(handoffs(&again).is_empty(), "{again}");

    // In two turns, across a handoff.
    stack.llm.now_says(Says::Tools { calls: &[FLIGHT], then: &Says::Words(1) });
    let first = turn(&stack, &user, &Value::Null, FLIGHTS_PLEASE).await;
    stack.llm.now_says(Says::Tools { calls: &[STAY], then: &Says::Words(1) });
    let second = turn(&stack, &user, &first["session_id"], STAYS_PLEASE).await;
    let expected =
        [["flight", "accommodation", "missing_capability"], ["accommodation", "itinerary", "task_completion"]];
    assert_eq!(handoffs(&second), expected);
    assert_eq!(second["routed_to"], "itinerary");
}

#[tokio::test]
async fn after_three_errors_the_planner_takes_over_once() {
    let stack = Stack::start(&[("TRIPSAGE_BREAKER_FAILURES", "100")]).await;
    let user = stack.user().await;
    let first = turn(&stack, &user, &Value::Null, FLIGHTS_PLEASE).await;
    let session = &first["session_id"];
    // Two of the model, one of a tool.
    stack.llm.now_says(Says::Status(500));
    for _ in 0..2 {
        let failed = say(&stack, &user, "Hello", json!({"session_id": session, "stream": false})).await;
        assert_eq!(failed.status, 502);
    }
    stack.flights.now_answers(Answers::Status(500));
    stack.llm.now_says(Says::Tools { calls: &[FLIGHT], then: &Says::Words(1) });
    let third = turn(&stack, &user, session, "Hello").await;
    assert_eq!(handoffs(&third), [["flight", "general", "error_recovery"]]);
    let sessions = stack.get("/api/v1/chat/sessions", &user).await.json();
    assert_eq!(sessions["sessions"][0]["agent"], "general");
    // A new start: a specialist may take over again, and keeps the session.
    stack.llm.now_says(Says::Words(1));
    let fourth = turn(&stack, &user, session, FLIGHTS_PLEASE).await;
    assert_eq!(handoffs(&fourth), [["general", "flight", "user_request"]]);
    assert!(handoffs(&turn(&stack, &user, session, "Hello").await).is_empty());
}

#[tokio::test]
async fn three_failed_turns_hand_the_next_one_to_the_planner() {
    let stack = Stack::start(&[("TRIPSAGE_BREAKER_FAILURES", "100")]).await;
    let user = stack.user().await;
    stack.llm.now_says(Says::Status(500));
    let events = say(&stack, &user, FLIGHTS_PLEASE, json!({})).await.events();
    assert_eq!(types(&events), ["started", "handoff", "error"]);
    let session = &events[0]["session_id"];
    for _ in 0..2 {
        let events = say(&stack, &user, "Hello", json!({"session_id": session})).await.events();
        assert_eq!(types(&events), ["started", "error"]);
    }
    stack.llm.now_says(Says::Words(1));
    let next = turn(&stack, &user, session, "Hello").await;
    assert_eq!(handoffs(&next), [["flight", "general", "error_recovery"]]);
}
