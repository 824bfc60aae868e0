//! A real rmcp client, and what must hold for every server.

use std::collections::BTreeMap;

use providers::{Provider, Providers};
use rmcp::{
    ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceError, ServiceExt,
    model::{CallToolRequestParams, CallToolResult, ErrorCode, ProtocolVersion},
    service::RunningService,
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::{http, instant};

pub(crate) struct Client(RunningService<RoleClient, ()>);

impl Client {
    pub(crate) async fn of(providers: &Providers, provider: Provider) -> Self {
        let url = format!("http://{}/mcp", providers.addresses()[&provider]);
        Self(().serve(transport(url)).await.unwrap())
    }

    pub(crate) async fn try_call(&self, tool: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        let arguments = arguments.as_object().unwrap().clone();
        self.0.call_tool(CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments)).await
    }

    /// The structured content, after checking that the text is the same JSON.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let result = self.try_call(tool, arguments).await.unwrap();
        assert_eq!(result.is_error, Some(false), "{result:?}");
        let structured = result.structured_content.clone().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text(&result)).unwrap(), structured);
        structured
    }

    /// The text of a result that is an error.
    pub(crate) async fn refused(&self, tool: &str, arguments: Value) -> String {
        let result = self.try_call(tool, arguments).await.unwrap();
        assert_eq!(result.is_error, Some(true), "{result:?}");
        text(&result)
    }
}

fn transport(url: String) -> StreamableHttpClientTransport<reqwest::Client> {
    StreamableHttpClientTransport::with_client(http(), StreamableHttpClientTransportConfig::with_uri(url))
}

fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).map(|block| block.text.as_str()).collect()
}

#[rstest]
#[case(Provider::Flights, &["get_offer_details", "search_flights"])]
#[case(Provider::Memory, &["add_observations", "search_nodes"])]
#[case(Provider::Weather, &["get_current_weather", "get_forecast"])]
#[tokio::test]
async fn tools_are_listed_with_both_schemas(#[case] provider: Provider, #[case] expected: &[&str]) {
    let providers = instant(1).await;
    let client = Client::of(&providers, provider).await;
    let tools: BTreeMap<_, _> =
        client.0.list_all_tools().await.unwrap().into_iter().map(|tool| (tool.name.to_string(), tool)).collect();
    assert_eq!(tools.keys().collect::<Vec<_>>(), expected);
    for tool in tools.values() {
        assert_eq!(tool.input_schema["additionalProperties"], json!(false), "{}", tool.name);
        let output = tool.output_schema.as_ref().unwrap();
        assert_eq!(output["type"], "object");
        assert!(!output["properties"].as_object().unwrap().is_empty());
        assert!(tool.description.is_some());
    }
    let name = client.0.peer_info().unwrap().server_info.clone().unwrap().name;
    assert_eq!(name, provider.to_string());
}

#[rstest]
#[case(Provider::Flights, "search_flights")]
#[case(Provider::Memory, "search_nodes")]
#[case(Provider::Weather, "get_current_weather")]
#[tokio::test]
async fn wrong_calls_are_errors_of_the_right_kind(#[case] provider: Provider, #[case] tool: &str) {
    let providers = instant(1).await;
    let client = Client::of(&providers, provider).await;
    let Err(ServiceError::McpError(error)) = client.try_call("no_such_tool", json!({})).await else {
        panic!("an unknown tool must be a protocol error");
    };
    assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
    assert!(client.refused(tool, json!({})).await.contains("missing field"));
    assert!(client.refused(tool, json!({"surprise": 1})).await.contains("unknown field `surprise`"));
}

#[tokio::test]
async fn clients_of_the_revision_without_handshake_are_served() {
    let providers = instant(1).await;
    let url = format!("http://{}/mcp", providers.addresses()[&Provider::Weather]);
    let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
    let client = ().serve_with_lifecycle(transport(url), lifecycle).await.unwrap();
    let weather = Client(client).call("get_current_weather", json!({"city": "Paris"})).await;
    assert_eq!(
        weather,
        Client::of(&providers, Provider::Weather).await.call("get_current_weather", json!({"city": "Paris"})).await
    );
}

#[tokio::test]
async fn hosts_other_than_loopback_are_refused() {
    let providers = instant(1).await;
    let url = format!("http://{}/mcp", providers.addresses()[&Provider::Flights]);
    let request = http().post(url).header("host", "evil.example");
    let response = request
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .body(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 403);
}
