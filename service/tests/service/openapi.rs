//! The OpenAPI document: committed, served, and with a page.

use crate::stack::Stack;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_committed_document_is_the_one_of_the_code() {
    let document = service::openapi();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(GOLDEN, &document).unwrap();
    }
    let committed = std::fs::read_to_string(GOLDEN).unwrap();
    assert!(document == committed, "service/openapi.json is out of date: UPDATE=1 cargo test -p service openapi");
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let stack = Stack::start(&[]).await;
    assert_eq!(stack.probe("/openapi.json").await.text, service::openapi());
    let page = stack.probe("/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("swagger-ui"), "{}", page.text);
    let script = stack.probe("/docs/swagger-initializer.js").await;
    assert!(script.text.contains("/openapi.json"), "{}", script.text);
}
