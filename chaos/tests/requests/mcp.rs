//! Each MCP fault, on answers in JSON and as events: it happened, it was counted, it ended.
use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    rig::{Rig, Seen, eventually, see, tool_call},
    upstream::content,
};

const PATHS: [&str; 2] = ["/json", "/sse"];

/// Sets the rule, calls the tool, has `holds` look at what came, and sees that the fault was counted and is gone when lifted.
async fn check(rule: Value, holds: impl Fn(Option<Seen>, &Value)) {
    let rig = Rig::new("mcp").await;
    for path in PATHS {
        rig.works(path).await;
        rig.add(rule.clone()).await;
        let seen = rig.call(path).await;
        let effects = rig.effects().await;
        assert_eq!((&effects["matched"], &effects["hit"]), (&json!(1), &json!(1)), "{path} {effects}");
        holds(seen, &effects);
        rig.remove().await;
        rig.works(path).await;
        let effects = rig.effects().await;
        assert_eq!((&effects["hit"], &effects["removed"]), (&json!(1), &json!(true)), "{path}");
    }
    rig.links.stop().await;
}

fn rule(kind: &str, attributes: Value) -> Value {
    json!({ "kind": kind, "attributes": attributes })
}

fn came(seen: Option<Seen>) -> Seen {
    seen.expect("an answer")
}

#[tokio::test]
async fn http_error_answers_in_place_of_the_server() {
    check(rule("http_error", json!({ "status": 429, "retry_after": "60s" })), |seen, _| {
        let seen = came(seen);
        assert_eq!((seen.status, seen.headers["retry-after"].to_str().unwrap()), (429, "60"));
    })
    .await;
}

#[tokio::test]
async fn rpc_error_and_tool_error_answer_the_request() {
    check(rule("rpc_error", json!({ "code": -32000, "message": "busy" })), |seen, _| {
        assert_eq!(
            came(seen).answer(),
            json!({"jsonrpc": "2.0", "id": 7, "error": {"code": -32000, "message": "busy"}})
        );
    })
    .await;
    check(rule("tool_error", json!({ "message": "sold out" })), |seen, _| {
        let answer = came(seen).answer();
        assert_eq!((&answer["result"]["isError"], &answer["id"]), (&json!(true), &json!(7)));
    })
    .await;
}

#[tokio::test]
async fn malformed_json_comes_with_the_status_of_a_good_answer() {
    check(rule("malformed_json", json!({})), |seen, _| {
        let seen = came(seen);
        assert!(seen.status == 200 && !seen.is_cut && seen.answers().is_empty(), "{seen:?}");
        assert!(seen.text.contains("structuredContent"), "{seen:?}");
    })
    .await;
    check(rule("malformed_json", json!({ "as": "html" })), |seen, _| {
        assert!(came(seen).text.contains("502 Bad Gateway"))
    })
    .await;
}

#[tokio::test]
async fn wrong_id_and_duplicate_answer_confuse_who_asked() {
    check(rule("wrong_id", json!({})), |seen, _| {
        let answer = came(seen).answer();
        assert_eq!((&answer["id"], &answer["result"]["structuredContent"]), (&json!(1_000_000_014), &content()));
    })
    .await;
    check(rule("duplicate_answer", json!({})), |seen, _| {
        let seen = came(seen);
        let separated = seen.text.replace("}{", "}\n{");
        let answers = Seen { text: separated, ..seen }.answers();
        assert!(answers.len() == 2 && answers[0] == answers[1], "{answers:?}");
    })
    .await;
}

#[tokio::test]
async fn schema_violation_and_wrong_content_change_what_the_tool_found() {
    check(rule("schema_violation", json!({ "field": "total_amount" })), |seen, _| {
        let answer = came(seen).answer();
        let offer = &answer["result"]["structuredContent"]["offers"][0];
        assert!(offer["id"] == "off_1" && offer.get("total_amount").is_none(), "{answer}");
    })
    .await;
    check(rule("wrong_content", json!({ "price_factor": 0.1, "currency": "JPY", "shift_days": 1 })), |seen, _| {
        let offer = came(seen).answer()["result"]["structuredContent"]["offers"][0].clone();
        let expected = json!({"id": "off_1", "total_amount": 12.05, "total_currency": "JPY", "departure_time": "2027-02-01T08:00:00Z"});
        assert_eq!(offer, expected);
    })
    .await;
}

#[tokio::test]
async fn oversized_answers_are_right_and_large() {
    check(rule("oversized", json!({ "size": "1MiB" })), |seen, _| {
        let seen = came(seen);
        assert!(seen.text.len() > 1 << 20);
        assert_eq!(seen.answer()["result"]["structuredContent"], content());
    })
    .await;
}

#[tokio::test]
async fn truncated_answers_break_off() {
    check(rule("truncated", json!({})), |seen, effects| {
        let seen = came(seen);
        assert!(seen.is_cut && seen.answers().is_empty() && seen.text.contains("{\"id\":7"), "{seen:?}");
        assert_eq!(effects["cut"], 1);
    })
    .await;
}

#[tokio::test]
async fn slow_drip_takes_its_time() {
    check(rule("slow_drip", json!({ "rate": "1KB/s" })), |seen, effects| {
        let seen = came(seen);
        let size = seen.answer().to_string().len() as u64;
        // 50 B each 50 ms; a timer is never early.
        let least_ms = size / 50 * 50;
        assert!(seen.took >= Duration::from_millis(least_ms), "{:?} for {size} B", seen.took);
        assert!(effects["delayed_us"].as_u64().unwrap() >= least_ms * 1_000, "{effects}");
    })
    .await;
}

#[tokio::test]
async fn no_answer_and_answer_lost_differ_in_what_the_server_did() {
    for (kind, is_asked) in [("no_answer", 0), ("answer_lost", 1)] {
        let rig = Rig::new("mcp").await;
        for path in PATHS {
            rig.add(rule(kind, json!({ "close_after": "0s" }))).await;
            let before = rig.asked.count();
            assert!(rig.call(path).await.is_none(), "{kind} {path}: no answer");
            // A client may ask once more when a connection is closed under it.
            let effects = rig.effects().await;
            let hits = effects["hit"].as_u64().unwrap();
            assert!(hits >= 1 && effects["cut"] == hits, "{effects}");
            assert_eq!(rig.asked.count() - before, is_asked * hits, "{kind} {path}");
            assert_eq!(effects["dropped_bytes"].as_u64().unwrap() > 0, is_asked == 1, "{effects}");
            rig.remove().await;
            rig.works(path).await;
        }
        rig.links.stop().await;
    }
}

#[tokio::test]
async fn a_held_request_ends_when_its_rule_is_lifted() {
    for (kind, is_released) in [("no_answer", false), ("stalled", true)] {
        let rig = Rig::new("mcp").await;
        for path in PATHS {
            rig.add(rule(kind, json!({}))).await;
            let asking = tokio::spawn(see(rig.request(path, &tool_call("search"))));
            eventually("the request is hit", async || rig.hits().await == 1).await;
            assert!(!asking.is_finished(), "{kind} {path} holds");
            rig.remove().await;
            let seen = asking.await.unwrap();
            match is_released {
                true => assert_eq!(seen.unwrap().answer()["result"]["structuredContent"], content(), "{path}"),
                false => assert!(seen.is_none(), "{seen:?}"),
            }
            rig.works(path).await;
        }
        rig.links.stop().await;
    }
}

#[tokio::test]
async fn a_wait_counts_although_the_client_has_left() {
    let rig = Rig::new("mcp").await;
    for path in PATHS {
        rig.add(rule("stalled", json!({}))).await;
        let asking = tokio::spawn(see(rig.request(path, &tool_call("search"))));
        eventually("the request is hit", async || rig.hits().await == 1).await;
        assert_eq!(rig.effects().await["delayed_us"], 0, "it waits still");
        asking.abort();
        eventually("the wait is counted", async || rig.effects().await["delayed_us"].as_u64() > Some(0)).await;
        rig.remove().await;
        rig.works(path).await;
    }
    rig.links.stop().await;
}

#[tokio::test]
async fn sessions_are_lost_for_those_who_have_one() {
    let rig = Rig::new("mcp").await;
    for path in PATHS {
        rig.add(rule("session_lost", json!({}))).await;
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
        let in_session = || rig.request(path, &list).header("mcp-session-id", "session-1");
        assert_eq!(see(in_session()).await.unwrap().status, 404);
        rig.works(path).await;
        assert_eq!(rig.effects().await["matched"], 1, "without a session there is none to lose");
        rig.remove().await;
        assert_eq!(see(in_session()).await.unwrap().answer()["result"]["tools"][0]["name"], "search");
    }
    rig.links.stop().await;
}

#[tokio::test]
async fn tools_vanish_and_change_in_the_list_and_when_called() {
    let rig = Rig::new("mcp").await;
    for path in PATHS {
        let list = async || {
            let request = rig.request(path, &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
            see(request).await.unwrap().answer()["result"]["tools"].clone()
        };
        let right = list().await;
        rig.add(rule("tool_missing", json!({ "tool": "search" }))).await;
        assert_eq!(list().await, json!([{"name": "book"}]));
        assert_eq!(rig.call(path).await.unwrap().answer()["error"]["code"], -32602);
        assert_eq!(rig.hits().await, 2);
        rig.remove().await;

        rig.add(rule("tool_changed", json!({ "tool": "search", "argument": "market" }))).await;
        assert_eq!(list().await[0]["inputSchema"]["required"], json!(["market"]));
        assert_eq!(rig.call(path).await.unwrap().answer()["result"]["isError"], true);
        assert_eq!(rig.hits().await, 2);
        rig.remove().await;
        assert_eq!(list().await, right);
        rig.works(path).await;
    }
    rig.links.stop().await;
}

#[tokio::test]
async fn the_protocol_is_refused_in_the_manner_of_each_era() {
    let rig = Rig::new("mcp").await;
    for path in PATHS {
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}});
        let version =
            async || see(rig.request(path, &hello)).await.unwrap().answer()["result"]["protocolVersion"].clone();
        rig.add(rule("protocol_refused", json!({ "version": "2024-11-05" }))).await;
        assert_eq!(version().await, "2024-11-05");
        let refused = rig.call(path).await.unwrap();
        assert_eq!((refused.status, &refused.answer()["error"]["code"]), (400, &json!(-32022)));
        assert_eq!(rig.hits().await, 2);
        rig.remove().await;
        assert_eq!(version().await, "2025-11-25");
        rig.works(path).await;
    }
    rig.links.stop().await;
}

#[tokio::test]
async fn only_the_requests_that_are_meant_are_hit() {
    let rig = Rig::new("mcp").await;
    let status = async |tool: &str| see(rig.request("/json", &tool_call(tool))).await.unwrap().status;
    rig.add(json!({"kind": "http_error", "attributes": {"status": 503}, "match": {"tool": "book"}})).await;
    assert_eq!([status("search").await, status("book").await], [200, 503]);
    rig.remove().await;
    rig.add(json!({"kind": "http_error", "attributes": {"status": 503}, "every": 2, "first": 4})).await;
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(status("search").await);
    }
    assert_eq!(seen, [200, 503, 200, 503, 200, 200]);
    let effects = rig.effects().await;
    assert_eq!((&effects["matched"], &effects["chosen"], &effects["hit"]), (&json!(6), &json!(2), &json!(2)));
    // Notifications are no requests, and are never hit.
    let told = see(rig.request("/json", &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))).await;
    assert_eq!((told.unwrap().status, &rig.effects().await["matched"]), (202, &json!(6)));
    rig.links.stop().await;
}
