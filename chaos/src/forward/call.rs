//! What a request asks for, as far as rules can tell requests apart.
use hyper::{HeaderMap, Method, Request};
use serde_json::Value;

use super::Protocol;

/// The key of `_meta` by which a client of MCP 2026-07-28 names its version; older clients shook hands instead.
const VERSION_META: &str = "io.modelcontextprotocol/protocolVersion";

/// A request that rules may act on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// The JSON-RPC method; of a model the end of the path.
    pub(crate) method: String,
    pub(crate) tool: Option<String>,
    pub(crate) model: Option<String>,
    /// The JSON-RPC id; null towards a model.
    pub(crate) id: Value,
    /// The arguments of a tool; null when there are none.
    pub(crate) arguments: Value,
    /// Whether it belongs to a session of MCP before 2026-07-28.
    pub(crate) has_session: bool,
    /// Whether the client speaks MCP 2026-07-28, without handshake and session.
    pub(crate) is_stateless: bool,
    /// The trace it belongs to.
    pub(crate) trace: Option<String>,
}

impl Call {
    /// Reads a request; none when no rule can mean it: notifications, answers, batches, pushes and whatever is not understood.
    pub(super) fn read<B>(protocol: Protocol, request: &Request<B>, body: &[u8]) -> Option<Self> {
        match protocol {
            Protocol::Mcp => Self::of_mcp(request, body),
            Protocol::Llm => Self::of_llm(request, body),
        }
    }

    fn of_mcp<B>(request: &Request<B>, body: &[u8]) -> Option<Self> {
        if request.method() != Method::POST {
            return None;
        }
        let mut message: Value = serde_json::from_slice(body).ok()?;
        let id = message.get_mut("id").map(Value::take).filter(|id| !id.is_null())?;
        let method = message["method"].as_str()?.to_owned();
        let params = message.get_mut("params").map(Value::take).unwrap_or_default();
        let meta = &params["_meta"];
        let is_tool_call = method == "tools/call";
        Some(Self {
            tool: params["name"].as_str().filter(|_| is_tool_call).map(str::to_owned),
            model: None,
            id,
            has_session: request.headers().contains_key("mcp-session-id"),
            is_stateless: meta[VERSION_META].is_string(),
            trace: trace(request.headers(), meta),
            arguments: params.get("arguments").cloned().unwrap_or_default(),
            method,
        })
    }

    fn of_llm<B>(request: &Request<B>, body: &[u8]) -> Option<Self> {
        let path = request.uri().path().trim_end_matches('/');
        let method = ["chat/completions", "models"].into_iter().find(|end| path.ends_with(end))?;
        let message: Value = serde_json::from_slice(body).unwrap_or_default();
        Some(Self {
            method: method.to_owned(),
            tool: None,
            model: message["model"].as_str().map(str::to_owned),
            id: Value::Null,
            arguments: Value::Null,
            has_session: false,
            is_stateless: false,
            trace: trace(request.headers(), &Value::Null),
        })
    }

    /// Whether it calls a tool.
    pub(crate) fn is_tool_call(&self) -> bool {
        self.tool.is_some()
    }
}

/// The trace id of W3C Trace Context, from the header or from `_meta`.
fn trace(headers: &HeaderMap, meta: &Value) -> Option<String> {
    let header = headers.get("traceparent").and_then(|value| value.to_str().ok());
    let parent = header.or_else(|| meta["traceparent"].as_str())?;
    parent.split('-').nth(1).filter(|id| id.len() == 32).map(str::to_owned)
}

#[cfg(test)]
impl Call {
    /// A stateless call of a tool.
    pub(crate) fn of_tool(tool: &str) -> Self {
        Self {
            method: "tools/call".to_owned(),
            tool: Some(tool.to_owned()),
            model: None,
            id: Value::from(7),
            arguments: Value::Null,
            has_session: false,
            is_stateless: true,
            trace: None,
        }
    }

    /// A call of another method, in a session.
    pub(crate) fn of_method(method: &str) -> Self {
        let method = method.to_owned();
        Self { method, tool: None, has_session: true, is_stateless: false, ..Self::of_tool("") }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(method: &str, path: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn tool_calls_of_both_eras_are_read() {
        let message = json!({"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {
            "name": "search", "arguments": {"from": "LIS"},
            "_meta": {VERSION_META: "2026-07-28", "traceparent": PARENT}}});
        let call = Call::read(Protocol::Mcp, &request("POST", "/mcp", &[]), message.to_string().as_bytes()).unwrap();
        assert_eq!((call.method.as_str(), call.tool.as_deref(), &call.id), ("tools/call", Some("search"), &json!(4)));
        assert_eq!(call.arguments, json!({"from": "LIS"}));
        assert!(call.is_stateless && !call.has_session && call.is_tool_call());
        assert_eq!(call.trace.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));

        let headers = [("mcp-session-id", "s"), ("traceparent", &PARENT.replace("0af7", "ffff"))];
        let message = json!({"jsonrpc": "2.0", "id": "x", "method": "tools/list"}).to_string();
        let call = Call::read(Protocol::Mcp, &request("POST", "/mcp", &headers), message.as_bytes()).unwrap();
        assert!(call.has_session && !call.is_stateless && !call.is_tool_call());
        assert!(call.trace.unwrap().starts_with("ffff"));
    }

    #[test]
    fn what_no_rule_can_mean_is_not_a_call() {
        let read = |method: &str, body: &str| Call::read(Protocol::Mcp, &request(method, "/mcp", &[]), body.as_bytes());
        let ping = r#"{"id": 1, "method": "ping"}"#;
        assert!(read("POST", ping).is_some() && read("GET", "").is_none() && read("DELETE", ping).is_none());
        for body in ["", "{", "[]", "5", r#"{"method": "notifications/x"}"#, r#"{"id": 1, "result": {}}"#] {
            assert!(read("POST", body).is_none(), "{body}");
        }
        let bad_parent = request("POST", "/mcp", &[("traceparent", "nonsense")]);
        assert_eq!(Call::read(Protocol::Mcp, &bad_parent, ping.as_bytes()).unwrap().trace, None);
    }

    #[test]
    fn requests_to_a_model_are_told_by_their_path() {
        let read = |path: &str, body: &str| Call::read(Protocol::Llm, &request("POST", path, &[]), body.as_bytes());
        let call = read("/v1/chat/completions", r#"{"model": "m", "stream": true}"#).unwrap();
        assert_eq!((call.method.as_str(), call.model.as_deref()), ("chat/completions", Some("m")));
        assert_eq!(read("/v1/models", "").unwrap().method, "models");
        assert!(read("/v1/embeddings", "{}").is_none());
    }
}
