//! Keys: whose account a call is for, at every provider.

use std::collections::BTreeSet;

use providers::{Provider, Providers};
use reqwest::Response;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{http, instant, mcp_client::Client};

/// Any call of `provider` that works, with this `Authorization`.
async fn call(providers: &Providers, provider: Provider, authorization: Option<&str>) -> Response {
    let address = providers.addresses()[&provider];
    let (path, body) = match provider {
        Provider::Llm => {
            ("/v1/chat/completions", json!({"model": "gpt-4o", "messages": [{"role": "user", "content": "hello"}]}))
        }
        _ => (
            "/mcp",
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "validate_key",
            "arguments": {}, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"}}}}),
        ),
    };
    let mut request = http()
        .post(format!("http://{address}{path}"))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "validate_key")
        .json(&body);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.send().await.unwrap()
}

#[rstest]
#[case::none(None, 200)]
#[case::valid(Some("Bearer sk-0123456789abcdef"), 200)]
#[case::revoked(Some("Bearer revoked-0123456789abcdef"), 401)]
#[case::short(Some("Bearer short"), 401)]
#[case::other_scheme(Some("Basic c2stMDEyMzQ1Njc4OWFiY2RlZg=="), 401)]
#[case::limited(Some("Bearer limited-0123456789abcdef"), 429)]
#[case::broken(Some("Bearer broken-0123456789abcdef"), 500)]
#[tokio::test]
async fn every_provider_judges_keys_alike(#[case] authorization: Option<&str>, #[case] status: u16) {
    let providers = instant(1).await;
    for provider in Provider::ALL {
        let response = call(&providers, provider, authorization).await;
        assert_eq!(response.status(), status, "{provider}");
        let headers = response.headers().clone();
        assert_eq!(headers.get("retry-after").map(|value| value.to_str().unwrap()), (status == 429).then_some("60"));
        assert_eq!(headers.contains_key("x-provider-account"), status == 200);
        let body: Value = response.json().await.unwrap();
        assert_eq!(body.get("error").is_some(), status != 200, "{body}");
    }
}

#[tokio::test]
async fn an_answer_says_whose_account_it_was_for() {
    let providers = instant(1).await;
    let mut accounts = BTreeSet::new();
    for (key, platform) in [(None, true), (Some("sk-0123456789abcdef"), false), (Some("sk-0123456789abcdeg"), false)] {
        let authorization = key.map(|key| format!("Bearer {key}"));
        for provider in Provider::ALL {
            let response = call(&providers, provider, authorization.as_deref()).await;
            let account = response.headers()["x-provider-account"].to_str().unwrap().to_owned();
            assert_eq!(account == "platform", platform, "{provider}");
            if provider != Provider::Llm {
                let result = response.json::<Value>().await.unwrap()["result"].clone();
                assert_eq!(result["structuredContent"], json!({"valid": true, "account": account}), "{provider}");
                assert_eq!(result["_meta"]["tripsage/account"], account);
            }
            accounts.insert(account);
        }
    }
    assert_eq!(accounts.len(), 3, "{accounts:?}");
}

#[tokio::test]
async fn every_result_names_the_account_and_so_do_refusals() {
    let providers = instant(1).await;
    let address = providers.addresses()[&Provider::Weather];
    let client = Client::at(address, Some("sk-0123456789abcdef")).await;
    let account = client.call("validate_key", json!({})).await["account"].clone();
    for arguments in [json!({"city": "Paris"}), json!({"city": ""}), json!({"surprise": 1})] {
        let result = client.try_call("get_current_weather", arguments).await.unwrap();
        assert_eq!(result.meta.unwrap().0["tripsage/account"], account);
    }
}
