//! What the failure of each dependency does to each hot endpoint: the table of the contract's section 8.6, observed.

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{
    fakes::{Answers, Says},
    stack::{Answer, Obstacle, Stack, User},
};

const QUICK: &[(&str, &str)] = &[
    ("TRIPSAGE_FLIGHTS_CACHE_TTL", "1ms"),
    ("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "300ms"),
    ("TRIPSAGE_LLM_FIRST_TOKEN_TIMEOUT", "300ms"),
    ("TRIPSAGE_DATABASE_POOL_WAIT", "300ms"),
    ("TRIPSAGE_DATABASE_STATEMENT_TIMEOUT", "600ms"),
];

/// What fails, and how.
#[derive(Debug)]
enum Failing {
    Nothing,
    Flights(Answers),
    Memory(Answers),
    Weather(Answers),
    Llm(Says),
    Database,
}

/// How an endpoint answers.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Full,
    /// 200 from a stale entry that says so.
    Stale,
    /// An error with this status and code.
    Error(u16, &'static str),
}
use Seen::{Error, Full, Stale};

const FLIGHTS_BAD: Seen = Error(502, "FLIGHT_API_ERROR");
const FLIGHTS_GONE: Seen = Error(503, "FLIGHT_API_UNAVAILABLE");
const FLIGHTS_LATE: Seen = Error(504, "FLIGHT_API_TIMEOUT");
const LLM_BAD: Seen = Error(502, "AI_SERVICE_ERROR");
const LLM_GONE: Seen = Error(503, "AI_SERVICE_UNAVAILABLE");
const LLM_LATE: Seen = Error(504, "AI_SERVICE_TIMEOUT");
const DATABASE: Seen = Error(503, "DATABASE_ERROR");

/// A search never made before, one made before, a new trip, a chat.
#[rstest]
#[case::nothing(Failing::Nothing, [Full, Full, Full, Full])]
#[case::flights_answer_500(Failing::Flights(Answers::Status(500)), [FLIGHTS_BAD, Stale, Full, Full])]
#[case::flights_hang(Failing::Flights(Answers::Never), [FLIGHTS_LATE, Stale, Full, Full])]
#[case::flights_limit_us(Failing::Flights(Answers::RateLimited(60)), [FLIGHTS_GONE, Stale, Full, Full])]
#[case::flights_answer_nonsense(Failing::Flights(Answers::Bytes("{")), [FLIGHTS_BAD, Stale, Full, Full])]
#[case::flights_break_off(Failing::Flights(Answers::CutOff), [FLIGHTS_BAD, Stale, Full, Full])]
#[case::memory_answers_500(Failing::Memory(Answers::Status(500)), [Full, Full, Full, Full])]
#[case::memory_hangs(Failing::Memory(Answers::Never), [Full, Full, Full, Full])]
#[case::weather_hangs(Failing::Weather(Answers::Never), [Full, Full, Full, Full])]
#[case::llm_answers_503(Failing::Llm(Says::Status(503)), [Full, Full, Full, LLM_BAD])]
#[case::llm_limits_us(Failing::Llm(Says::Status(429)), [Full, Full, Full, LLM_GONE])]
#[case::llm_hangs(Failing::Llm(Says::Nothing), [Full, Full, Full, LLM_LATE])]
#[case::database_does_not_write(Failing::Database, [Full, Full, DATABASE, DATABASE])]
#[tokio::test]
async fn each_failure_stays_where_it_belongs(#[case] failing: Failing, #[case] expected: [Seen; 4]) {
    let stack = Stack::start(QUICK).await;
    let user = stack.user().await;
    assert_eq!(search(&stack, &user, "CDG").await, Full);
    // The entry is past its time as soon as another instant has begun.
    tokio::task::yield_now().await;
    let mut obstacle = None;
    match &failing {
        Failing::Nothing => {}
        Failing::Flights(answers) => stack.flights.now_answers(answers.clone()),
        Failing::Memory(answers) => stack.memory.now_answers(answers.clone()),
        Failing::Weather(answers) => stack.weather.now_answers(answers.clone()),
        Failing::Llm(says) => stack.llm.now_says(says.clone()),
        Failing::Database => obstacle = Some(Obstacle::put(&stack.database_url).await),
    }
    let asked_before = stack.llm.requests().len();
    let trip = json!({"title": "Alps", "start_date": "2099-01-01", "end_date": "2099-01-08",
        "destinations": [{"name": "Zermatt"}]});
    let chat = json!({"stream": false, "messages": [{"role": "user", "content": "Hello"}]});
    let observed = [
        search(&stack, &user, "LIS").await,
        search(&stack, &user, "CDG").await,
        seen(&stack.post("/api/v1/trips", &user, &trip).await),
        seen(&stack.post("/api/v1/chat", &user, &chat).await),
    ];
    assert_eq!(observed, expected, "{failing:?}");
    if matches!(failing, Failing::Database) {
        assert_eq!(stack.llm.requests().len(), asked_before, "tokens are spent on a turn that cannot be kept");
        assert_eq!(stack.probe("/health/ready").await.status, 503);
    }
    assert_eq!(stack.send(Method::GET, "/health/live", None, None).await.status, 200);
    if let Some(obstacle) = obstacle {
        obstacle.lift().await;
    }
}

async fn search(stack: &Stack, user: &User, destination: &str) -> Seen {
    let body = json!({"origin": "JFK", "destination": destination, "departure_date": "2099-05-01"});
    seen(&stack.post("/api/v1/flights/search", user, &body).await)
}

fn seen(answer: &Answer) -> Seen {
    let body = answer.json();
    match answer.status.as_u16() {
        200 | 201 if body["meta"]["degraded"] == true => {
            assert_eq!((&body["meta"]["source"], &body["cached"]), (&json!("stale"), &json!(true)), "{body}");
            Stale
        }
        200 | 201 => Full,
        status => Error(status, known(&body["code"])),
    }
}

fn known(code: &Value) -> &'static str {
    let all = [FLIGHTS_BAD, FLIGHTS_GONE, FLIGHTS_LATE, LLM_BAD, LLM_GONE, LLM_LATE, DATABASE];
    let codes = all.into_iter().filter_map(|seen| if let Error(_, code) = seen { Some(code) } else { None });
    codes.into_iter().find(|known| code == known).unwrap_or("something else")
}
