//! The same seed hits the same requests, whatever the concurrency.
use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use serde_json::json;

use crate::rig::{Rig, see, tool_call};

const REQUESTS: u32 = 200;

/// The traces that are hit when so many requests go at once.
async fn hit(seed: u64, at_once: usize) -> BTreeSet<u32> {
    let rig = Rig::seeded("mcp", seed).await;
    rig.add(json!({ "kind": "http_error", "attributes": { "status": 503 }, "share": 0.5 })).await;
    let request = |number: u32| {
        let parent = format!("00-{:032x}-00000000000000aa-01", number + 1);
        let request = rig.request("/json", &tool_call("search")).header("traceparent", parent);
        async move { (number, see(request).await.unwrap().status) }
    };
    let statuses: Vec<(u32, u16)> = stream::iter((0..REQUESTS).map(request)).buffer_unordered(at_once).collect().await;
    let hit: BTreeSet<u32> = statuses.iter().filter(|(_, status)| *status == 503).map(|(number, _)| *number).collect();
    let effects = rig.effects().await;
    assert_eq!((&effects["matched"], &effects["hit"]), (&json!(REQUESTS), &json!(hit.len())));
    rig.links.stop().await;
    hit
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_seed_hits_the_same_traces_one_by_one_and_all_at_once() {
    let one_by_one = hit(7, 1).await;
    assert_eq!(one_by_one, hit(7, 32).await);
    assert_ne!(one_by_one, hit(8, 32).await);
    // Binomial: 100 of 200 expected, standard deviation 7.1; four of them.
    assert!((72..=128).contains(&one_by_one.len()), "{}", one_by_one.len());
}
