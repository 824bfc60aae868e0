//! Each LLM fault: it happened, it was counted, it ended.
use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    rig::{Rig, Seen, see},
    upstream::TOKENS,
};

async fn ask(rig: &Rig, is_streamed: bool) -> Option<Seen> {
    let message = json!({"model": "m", "stream": is_streamed, "messages": []});
    see(rig.request("/v1/chat/completions", &message)).await
}

/// How many tokens came whole.
fn tokens(seen: &Seen) -> usize {
    seen.answers().iter().filter(|chunk| chunk["choices"][0]["delta"]["content"].is_string()).count()
}

fn is_whole(seen: &Seen) -> bool {
    tokens(seen) == TOKENS && seen.text.ends_with("data: [DONE]\n\n") && !seen.is_cut
}

/// Sets the rule, asks the model, has `holds` look at what came, and sees that the fault was counted and is gone when lifted.
async fn check(kind: &str, attributes: Value, holds: impl Fn(Seen, &Value)) {
    let rig = Rig::new("llm").await;
    rig.add(json!({ "kind": kind, "attributes": attributes, "match": { "model": "m" } })).await;
    let seen = ask(&rig, true).await.expect("an answer");
    let effects = rig.effects().await;
    assert_eq!((&effects["matched"], &effects["hit"]), (&json!(1), &json!(1)), "{kind} {effects}");
    holds(seen, &effects);
    rig.remove().await;
    let after = ask(&rig, true).await.unwrap();
    assert!(is_whole(&after), "{kind}: {after:?}");
    assert_eq!(ask(&rig, false).await.unwrap().answer()["choices"][0]["message"]["content"], "whole");
    rig.links.stop().await;
}

#[tokio::test]
async fn http_error_and_key_refused_answer_in_place_of_the_model() {
    check("http_error", json!({ "status": 429, "retry_after": "5s" }), |seen, _| {
        assert_eq!((seen.status, seen.headers["retry-after"].to_str().unwrap()), (429, "5"));
    })
    .await;
    check("key_refused", json!({}), |seen, _| {
        assert_eq!((seen.status, &seen.answer()["error"]["code"]), (401, &json!("invalid_api_key")));
    })
    .await;
}

#[tokio::test]
async fn slow_tokens_are_late_and_all_there() {
    check("slow_first_token", json!({ "delay": "300ms" }), |seen, effects| {
        assert!(is_whole(&seen) && seen.took >= Duration::from_millis(300), "{seen:?}");
        assert!(effects["delayed_us"].as_u64().unwrap() >= 300_000, "{effects}");
    })
    .await;
    check("slow_tokens", json!({ "delay": "50ms" }), |seen, effects| {
        let least = 50 * (TOKENS as u64 - 1);
        assert!(is_whole(&seen) && seen.took >= Duration::from_millis(least), "{seen:?}");
        assert!(effects["delayed_us"].as_u64().unwrap() >= least * 1_000, "{effects}");
    })
    .await;
}

#[tokio::test]
async fn a_cut_stream_has_the_tokens_before_it() {
    for before in [0, 2] {
        check("cut", json!({ "after_events": before }), |seen, effects| {
            assert_eq!((seen.status, tokens(&seen), seen.is_cut), (200, before, true), "{seen:?}");
            assert_eq!(effects["cut"], 1);
        })
        .await;
    }
}

#[tokio::test]
async fn an_invalid_chunk_is_one_of_many() {
    check("invalid_chunk", json!({ "after_events": 1 }), |seen, _| {
        assert_eq!((tokens(&seen), seen.is_cut), (TOKENS - 1, false), "{seen:?}");
        let invalid = seen.text.lines().filter_map(|line| line.strip_prefix("data: ")).nth(1).unwrap();
        assert!(serde_json::from_str::<Value>(invalid).is_err() && invalid.starts_with('{'), "{invalid}");
    })
    .await;
}

#[tokio::test]
async fn a_slow_answer_goes_on_when_its_rule_is_lifted() {
    let rig = Rig::new("llm").await;
    rig.add(json!({ "kind": "slow_first_token", "attributes": { "delay": "1h" } })).await;
    let message = json!({"model": "m", "stream": true, "messages": []});
    let asking = tokio::spawn(see(rig.request("/v1/chat/completions", &message)));
    crate::rig::eventually("the request is hit", async || rig.hits().await == 1).await;
    assert!(!asking.is_finished());
    rig.remove().await;
    assert!(is_whole(&asking.await.unwrap().unwrap()));
    rig.links.stop().await;
}
