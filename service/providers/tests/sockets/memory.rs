//! The memory server.

use providers::Provider;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{instant, mcp_client::Client};

fn search(user_id: &str, query: &str) -> Value {
    json!({"query": query, "user_id": user_id, "limit": 5})
}

#[tokio::test]
async fn an_observation_is_found_by_its_user_only() {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Memory).await;
    let observations = json!({"user_id": "ann", "name": "seat", "observations": ["prefers a window", "never row 13"]});
    assert_eq!(client.call("add_observations", observations).await, json!({"added": 2}));
    let entity = json!({"name": "seat", "entity_type": "topic", "observations": ["prefers a window", "never row 13"]});
    assert_eq!(client.call("search_nodes", search("ann", "which WINDOW?")).await, json!({"entities": [entity]}));
    assert_eq!(client.call("search_nodes", search("ann", "submarine")).await, json!({"entities": []}));
    assert_eq!(client.call("search_nodes", search("bob", "window")).await, json!({"entities": []}));
}

#[tokio::test]
async fn a_user_has_a_graph_until_it_is_forgotten() {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Memory).await;
    let entities = json!([{"name": "Oslo", "entity_type": "city", "observations": ["too cold"]},
        {"name": "trip", "entity_type": "journey"}, {"name": "Rome", "entity_type": "city"}]);
    let arguments = json!({"user_id": "ann", "entities": entities});
    assert_eq!(client.call("create_entities", arguments.clone()).await, json!({"created": 3}));
    assert_eq!(client.call("create_entities", arguments).await, json!({"created": 0}));
    let relation = json!({"from": "trip", "to": "Oslo", "relation_type": "leads_to"});
    let relations =
        json!({"user_id": "ann", "relations": [relation, {"from": "trip", "to": "Rome", "relation_type": "leads_to"}]});
    assert_eq!(client.call("create_relations", relations).await, json!({"created": 2}));

    let opened = client.call("open_nodes", json!({"user_id": "ann", "names": ["Oslo", "trip", "Paris"]})).await;
    let oslo = json!({"name": "Oslo", "entity_type": "city", "observations": ["too cold"]});
    let trip = json!({"name": "trip", "entity_type": "journey", "observations": []});
    assert_eq!(opened, json!({"entities": [oslo, trip], "relations": [relation]}));

    let names = json!({"user_id": "ann", "entity_names": ["Rome", "Paris"]});
    assert_eq!(client.call("delete_entities", names).await, json!({"deleted": 1}));
    let graph = client.call("read_graph", json!({"user_id": "ann"})).await;
    assert_eq!((graph["entities"].as_array().unwrap().len(), &graph["relations"]), (2, &json!([relation])));

    let nothing = json!({"entities": [], "relations": []});
    assert_eq!(client.call("read_graph", json!({"user_id": "bob"})).await, nothing);
    assert_eq!(client.call("delete_user", json!({"user_id": "ann"})).await, json!({"deleted": 2}));
    assert_eq!(client.call("delete_user", json!({"user_id": "ann"})).await, json!({"deleted": 0}));
    assert_eq!(client.call("read_graph", json!({"user_id": "ann"})).await, nothing);
}

#[tokio::test]
async fn a_user_keeps_only_the_latest_observations() {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Memory).await;
    for number in 0..20 {
        let observations: Vec<_> = (0..10).map(|index| format!("{number}.{index} {}", "x".repeat(500))).collect();
        client.call("add_observations", json!({"user_id": "ann", "name": "log", "observations": observations})).await;
    }
    let found = client.call("search_nodes", search("ann", "")).await;
    let kept = found["entities"][0]["observations"].as_array().unwrap();
    // 16 KiB hold 32 observations of about 508 bytes.
    assert_eq!(kept.len(), 32);
    assert!(kept[31].as_str().unwrap().starts_with("19.9 "));
}

#[rstest]
#[case("search_nodes", json!({"query": "x", "user_id": "", "limit": 5}), "user_id must have 1 to 200 bytes, not 0")]
#[case("search_nodes", json!({"query": "x", "user_id": "ann", "limit": 0}), "limit must be 1 to 100, not 0")]
#[case("add_observations", json!({"user_id": "ann", "name": "", "observations": ["x"]}), "name must have 1 to 200 bytes, not 0")]
#[case("add_observations", json!({"user_id": "ann", "name": "x", "observations": []}), "the number of observations must be 1 to 100, not 0")]
#[case("add_observations", json!({"user_id": "ann", "name": "x", "observations": ["ok", ""]}), "an observation must have 1 to 2000 bytes, not 0")]
#[case("create_entities", json!({"user_id": "ann", "entities": []}), "the number of entities must be 1 to 100, not 0")]
#[case("create_entities", json!({"user_id": "ann", "entities": [{"name": "x", "entity_type": ""}]}), "entity_type must have 1 to 200 bytes, not 0")]
#[case("create_relations", json!({"user_id": "ann", "relations": [{"from": "x", "to": "", "relation_type": "y"}]}), "to must have 1 to 200 bytes, not 0")]
#[case("open_nodes", json!({"user_id": "ann", "names": []}), "the number of names must be 1 to 100, not 0")]
#[case("delete_user", json!({"user_id": ""}), "user_id must have 1 to 200 bytes, not 0")]
#[tokio::test]
async fn impossible_calls_are_errors(#[case] tool: &str, #[case] arguments: Value, #[case] message: &str) {
    let providers = instant(1).await;
    let client = Client::of(&providers, Provider::Memory).await;
    assert_eq!(client.refused(tool, arguments).await, message);
    assert_eq!(client.call("search_nodes", search("ann", "")).await, json!({"entities": []}));
}
