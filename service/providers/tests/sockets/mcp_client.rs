//! A real rmcp client, and what must hold for every server.

use std::{net::SocketAddr, path::Path};

use providers::{Provider, Providers};
use rmcp::{
    ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceError, ServiceExt,
    model::{CallToolRequestParams, CallToolResult, ErrorCode, ProtocolVersion, Tool},
    service::RunningService,
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Value, json};

use crate::{http, instant};

pub(crate) struct Client {
    service: RunningService<RoleClient, ()>,
    /// Those that it has to itself; dropping them stops them.
    _providers: Option<Providers>,
}

impl Client {
    /// Of providers that it has to itself.
    pub(crate) async fn alone(seed: u64, provider: Provider) -> Self {
        let providers = instant(seed).await;
        let client = Self::of(&providers, provider).await;
        Self { _providers: Some(providers), ..client }
    }

    /// As the service does it: no handshake, each call by itself.
    pub(crate) async fn of(providers: &Providers, provider: Provider) -> Self {
        Self::at(providers.addresses()[&provider], None).await
    }

    /// With a key of its own, if any.
    pub(crate) async fn at(address: SocketAddr, key: Option<&str>) -> Self {
        let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
        let service = ().serve_with_lifecycle(transport(address, key), lifecycle).await.unwrap();
        Self { service, _providers: None }
    }

    /// With a handshake and a session, as before MCP 2026-07-28.
    pub(crate) async fn in_session(providers: &Providers, provider: Provider) -> Self {
        let service = ().serve(transport(providers.addresses()[&provider], None)).await.unwrap();
        Self { service, _providers: None }
    }

    pub(crate) async fn tools(&self) -> Vec<Tool> {
        self.service.list_all_tools().await.unwrap()
    }

    pub(crate) async fn try_call(&self, tool: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        let arguments = arguments.as_object().unwrap().clone();
        self.service.call_tool(CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments)).await
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
        self.refusal(tool, arguments).await.1
    }

    /// Code and text of a result that is an error.
    pub(crate) async fn refusal(&self, tool: &str, arguments: Value) -> (String, String) {
        let result = self.try_call(tool, arguments).await.unwrap();
        assert_eq!(result.is_error, Some(true), "{result:?}");
        let structured = result.structured_content.clone().unwrap();
        assert_eq!(structured["message"], text(&result));
        (structured["code"].as_str().unwrap().to_owned(), text(&result))
    }
}

fn transport(address: SocketAddr, key: Option<&str>) -> StreamableHttpClientTransport<reqwest::Client> {
    let mut config = StreamableHttpClientTransportConfig::with_uri(format!("http://{address}/mcp"));
    config.auth_header = key.map(str::to_owned);
    StreamableHttpClientTransport::with_client(http(), config)
}

fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| block.as_text()).map(|block| block.text.as_str()).collect()
}

/// Every MCP server, and a tool of it that needs arguments.
const TOOLS: [(Provider, &str); 7] = [
    (Provider::Flights, "search_flights"),
    (Provider::Memory, "search_nodes"),
    (Provider::Weather, "get_forecast"),
    (Provider::Airbnb, "search_accommodations"),
    (Provider::GoogleMaps, "geocode"),
    (Provider::Time, "get_current_time"),
    (Provider::Webcrawl, "scrape"),
];

/// The committed list of all tools; `UPDATE=1` writes it anew.
#[tokio::test]
async fn tools_are_listed_as_in_the_golden_file() {
    let providers = instant(1).await;
    let mut lists = serde_json::Map::new();
    for (provider, _) in TOOLS {
        let client = Client::of(&providers, provider).await;
        let mut tools = client.tools().await;
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        lists.insert(provider.to_string(), serde_json::to_value(&tools).unwrap());
        let name = client.service.peer_info().unwrap().server_info.clone().unwrap().name;
        assert_eq!(name, provider.to_string());
    }
    let seen = serde_json::to_string_pretty(&lists).unwrap() + "\n";
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tools.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&golden, &seen).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap();
    assert!(seen == expected, "the tools differ from {}; UPDATE=1 writes them anew", golden.display());
}

#[tokio::test]
async fn every_tool_has_a_description_and_closed_schemas_in_both_protocols() {
    let providers = instant(1).await;
    for (provider, _) in TOOLS {
        let tools = Client::of(&providers, provider).await.tools().await;
        assert_eq!(Client::in_session(&providers, provider).await.tools().await, tools, "{provider}");
        assert!(tools.iter().any(|tool| tool.name == "validate_key"));
        for tool in tools {
            assert_eq!(tool.input_schema["additionalProperties"], json!(false), "{}", tool.name);
            let output = tool.output_schema.as_ref().unwrap();
            assert_eq!(output["type"], "object");
            assert!(!output["properties"].as_object().unwrap().is_empty(), "{}", tool.name);
            assert!(tool.description.is_some());
        }
    }
}

#[tokio::test]
async fn wrong_calls_are_errors_of_the_right_kind_in_both_protocols() {
    let providers = instant(1).await;
    for (provider, tool) in TOOLS {
        for client in [Client::of(&providers, provider).await, Client::in_session(&providers, provider).await] {
            let Err(ServiceError::McpError(error)) = client.try_call("no_such_tool", json!({})).await else {
                panic!("an unknown tool must be a protocol error");
            };
            assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
            let (code, text) = client.refusal(tool, json!({})).await;
            assert!(code == "invalid_arguments" && text.contains("missing field"), "{text}");
            for tool in [tool, "validate_key"] {
                let (code, text) = client.refusal(tool, json!({"surprise": 1})).await;
                assert_eq!(code, "invalid_arguments");
                assert!(text.contains("unknown field `surprise`") || tool == "validate_key", "{text}");
            }
        }
    }
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
