//! Several instances of one MCP server: one that fails or hangs costs nothing once it is known, and comes back when it is well.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use rstest::rstest;
use serde_json::json;

use crate::{
    fakes::{Answers, FakeMcp},
    keys::{SECRET, flights_key, store},
    stack::{Answer, Stack, User, until},
};

const SECOND: &str = "tripsage_mcp_instance_ejected{server=\"flights\",instance=\"1\"}";
const ANY: &str = "tripsage_mcp_instance_ejected{server=\"flights\"";
const BREAKER: &str = "tripsage_mcp_breaker_state{server=\"flights\"}";

/// A service with two flight servers; the second one is not the stack's own.
struct Pair {
    stack: Stack,
    user: User,
    one: FakeMcp,
    two: FakeMcp,
    searches: AtomicUsize,
}

impl Pair {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let (one, two) = (FakeMcp::start().await, FakeMcp::start().await);
        let urls = format!("http://{}/mcp, http://{}/mcp", one.address, two.address);
        let mut all = vec![
            ("TRIPSAGE_MCP_FLIGHTS_URL", urls.as_str()),
            ("TRIPSAGE_MCP_ATTEMPT_TIMEOUT", "2s"),
            ("TRIPSAGE_REQUEST_DEADLINE", "30s"),
        ];
        all.extend(settings);
        let stack = Stack::start(&all).await;
        let user = stack.user().await;
        Self { stack, user, one, two, searches: AtomicUsize::new(0) }
    }

    /// A search that was never made before.
    async fn search(&self) -> Answer {
        let number = self.searches.fetch_add(1, Ordering::Relaxed);
        let letter = |place: usize| (b'A' + (number / 26_usize.pow(place as u32) % 26) as u8) as char;
        let destination = format!("{}{}{}", letter(2), letter(1), letter(0));
        let body = json!({"origin": "JFK", "destination": destination, "departure_date": "2099-05-01"});
        self.stack.post("/api/v1/flights/search", &self.user, &body).await
    }

    /// Searches, all of which succeed, until the metric has the value.
    async fn search_until(&self, metric: &str, value: f64) {
        let holds = || async {
            assert_eq!(self.search().await.status, 200);
            self.stack.metric(metric).await == value
        };
        until(metric, holds).await;
    }
}

fn all_are_well(answers: &[Answer]) {
    let ill: Vec<_> = answers.iter().filter(|answer| answer.status != 200).map(|answer| &answer.text).collect();
    assert!(ill.is_empty(), "{} of {}: {:?}", ill.len(), answers.len(), ill[0]);
}

#[tokio::test]
async fn both_instances_work() {
    let pair = Pair::start(&[]).await;
    let answers = join_all((0..40).map(|_| pair.search())).await;
    all_are_well(&answers);
    let (one, two) = (pair.one.calls().len(), pair.two.calls().len());
    assert_eq!(one + two, 40);
    assert!(one >= 10 && two >= 10, "{one} and {two}");
}

#[rstest]
#[case("fails", Answers::Status(500))]
#[case("hangs", Answers::Never)]
#[case("breaks off", Answers::CutOff)]
#[tokio::test]
async fn one_that_is_ill_is_found_out_and_then_costs_nothing(#[case] why: &str, #[case] answers: Answers) {
    let pair = Pair::start(&[]).await;
    pair.two.now_answers(answers);
    // The retry at the other instance hides each failure.
    pair.search_until(SECOND, 1.0).await;
    let before = pair.two.calls().len();
    assert!(before > 0, "{why}");
    // The first ejection is 60 s / 12 = 5 s, so that not even a probe goes there.
    all_are_well(&join_all((0..30).map(|_| pair.search())).await);
    assert_eq!(pair.two.calls().len(), before, "{why}");
    assert_eq!((pair.stack.metric(BREAKER).await, pair.stack.metric(ANY).await), (0.0, 1.0));
}

#[tokio::test]
async fn a_burst_that_meets_a_hanging_instance_does_not_open_the_breaker() {
    let pair = Pair::start(&[]).await;
    pair.two.now_answers(Answers::Never);
    // About twenty hang at once; the budget of retries (2 per second over 10 s, and a fifth of the calls) covers them.
    let answers = join_all((0..40).map(|_| pair.search())).await;
    assert!(pair.two.calls().len() >= 10, "{} met it", pair.two.calls().len());
    all_are_well(&answers);
    assert_eq!((pair.stack.metric(BREAKER).await, pair.stack.metric(SECOND).await), (0.0, 1.0));
}

#[tokio::test]
async fn one_that_is_well_again_is_found_by_a_probe_that_nobody_waits_for() {
    // The first ejection is 50 ms.
    let pair = Pair::start(&[("TRIPSAGE_BREAKER_OPEN", "600ms")]).await;
    pair.two.now_answers(Answers::Never);
    pair.search_until(SECOND, 1.0).await;
    let before = pair.two.calls().len();
    let is_probed = || async {
        assert_eq!(pair.search().await.status, 200);
        pair.two.calls().len() > before
    };
    until("a probe", is_probed).await;
    assert_eq!(pair.stack.metric(SECOND).await, 1.0);
    pair.two.now_answers(Answers::Well);
    pair.search_until(SECOND, 0.0).await;
    let before = pair.two.calls().len();
    let is_used = || async {
        join_all((0..4).map(|_| pair.search())).await;
        pair.two.calls().len() > before + 3
    };
    until("the instance is used again", is_used).await;
}

#[tokio::test]
async fn only_when_all_are_ill_the_breaker_opens_and_one_that_is_well_again_ends_that() {
    let pair = Pair::start(&[("TRIPSAGE_BREAKER_OPEN", "12s")]).await;
    for server in [&pair.one, &pair.two] {
        server.now_answers(Answers::Status(500));
    }
    let is_open = || async {
        assert!(pair.search().await.status.is_server_error());
        pair.stack.metric(BREAKER).await == 2.0
    };
    until("the breaker opens", is_open).await;
    let refused = pair.search().await;
    assert_eq!(refused.error(), (503, "FLIGHT_API_UNAVAILABLE".into()));
    // Never the last one.
    assert_eq!(pair.stack.metric(ANY).await, 1.0);
    let (ejected, last) =
        if pair.stack.metric(SECOND).await == 1.0 { (&pair.two, &pair.one) } else { (&pair.one, &pair.two) };
    let calls = last.calls().len();
    // After 12 s / 12 a search that is still refused carries a probe to the ejected one.
    ejected.now_answers(Answers::Well);
    until("searches work again", || async { pair.search().await.status == 200 }).await;
    for _ in 0..10 {
        assert_eq!(pair.search().await.status, 200);
    }
    assert_eq!((pair.stack.metric(BREAKER).await, pair.stack.metric(ANY).await), (0.0, 1.0));
    assert_eq!(last.calls().len(), calls, "the ill one is ejected in its turn");
}

#[tokio::test]
async fn a_users_key_that_is_refused_to_a_probe_is_not_held_against_the_instance() {
    // The first ejection is 50 ms.
    let pair = Pair::start(&[("TRIPSAGE_BREAKER_OPEN", "600ms")]).await;
    pair.two.now_answers(Answers::Status(500));
    pair.search_until(SECOND, 1.0).await;
    // The other instance takes the key still.
    pair.two.now_refuses(SECRET);
    store(&pair.stack, &pair.user, &flights_key("mine", SECRET)).await;
    let is_back = || async {
        pair.search().await;
        pair.stack.metric(SECOND).await == 0.0
    };
    until("the instance is used again", is_back).await;
}
