//! The webcrawl server.

use providers::Provider;
use rstest::rstest;
use serde_json::{Value, json};

use crate::mcp_client::Client;

async fn client(seed: u64) -> Client {
    Client::alone(seed, Provider::Webcrawl).await
}

const OSLO: &str = "https://guide.example/oslo";

#[tokio::test]
async fn a_page_is_read_in_the_formats_asked_for() {
    let client = client(1).await;
    let page = client.call("scrape", json!({"url": OSLO})).await;
    assert_eq!((&page["title"], &page["metadata"]["status_code"]), (&json!("Oslo travel guide"), &json!(200)));
    assert!(page["markdown"].as_str().unwrap().starts_with("# Oslo travel guide\n\n- Oslo is a city in Norway."));
    assert!(page.get("html").is_none() && page.get("links").is_none());
    let formats = client.call("scrape", json!({"url": OSLO, "formats": ["html", "links"]})).await;
    assert!(formats["html"].as_str().unwrap().contains("<h1>Oslo travel guide</h1>"));
    assert!(!formats["links"].as_array().unwrap().is_empty() && formats.get("markdown").is_none());
}

#[tokio::test]
async fn pages_depend_on_seed_and_address_alone() {
    let page = async |seed, url: &str| client(seed).await.call("scrape", json!({"url": url})).await["markdown"].clone();
    assert_eq!(page(1, OSLO).await, page(1, OSLO).await);
    assert_ne!(page(1, OSLO).await, page(2, OSLO).await);
    assert_ne!(page(1, OSLO).await, page(1, "https://guide.example/rome").await);
}

#[tokio::test]
async fn facts_are_extracted_from_each_page() {
    let urls = json!({"urls": [OSLO, "http://a.example/"], "prompt": "the airport"});
    let results = client(1).await.call("extract", urls).await["results"].clone();
    assert_eq!((&results[0]["city"], &results[0]["facts"][0]), (&json!("Oslo"), &json!("The airport of Oslo is OSL.")));
    assert_eq!((&results[1]["title"], results[1].get("city")), (&json!("Travel notes from a.example"), None));
}

#[rstest]
#[case("scrape", json!({"url": "guide.example"}), "invalid_url")]
#[case("scrape", json!({"url": "file:///etc/passwd"}), "invalid_url")]
#[case("scrape", json!({"url": ""}), "invalid_url")]
#[case("scrape", json!({"url": "https://guide.example/oslo/404"}), "page_not_found")]
#[case("extract", json!({"urls": []}), "invalid_count")]
#[case("extract", json!({"urls": [OSLO, "oslo"]}), "invalid_url")]
#[tokio::test]
async fn impossible_calls_are_errors(#[case] tool: &str, #[case] arguments: Value, #[case] code: &str) {
    assert_eq!(client(1).await.refusal(tool, arguments).await.0, code);
}
