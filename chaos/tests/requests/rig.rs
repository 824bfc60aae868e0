//! A server of links with one link that speaks a protocol, a server behind it, and a client in front.
use std::time::Duration;

use chaos::link::{Links, Settings, serve};
use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::upstream::{self, Asked};

/// Nothing here takes longer, however busy the machine is.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The name of the link.
pub(crate) const LINK: &str = "mcp.flights";

pub(crate) struct Rig {
    pub(crate) links: Links,
    pub(crate) url: String,
    pub(crate) asked: Asked,
    pub(crate) http: Client,
}

/// An answer that came, as far as it came.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Whether it broke off.
    pub(crate) is_cut: bool,
    pub(crate) took: Duration,
}

impl Seen {
    /// The JSON-RPC answers in it, be it JSON or events.
    pub(crate) fn answers(&self) -> Vec<Value> {
        let lines = self.text.lines().map(|line| line.strip_prefix("data: ").unwrap_or(line));
        let messages = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        messages.filter(|message| message.is_object() && message.get("method").is_none()).collect()
    }

    /// The only answer, whole.
    pub(crate) fn answer(&self) -> Value {
        let answers = self.answers();
        assert!(answers.len() == 1 && !self.is_cut, "{self:?}");
        answers[0].clone()
    }
}

impl Rig {
    pub(crate) async fn new(protocol: &str) -> Self {
        Self::seeded(protocol, 42).await
    }

    pub(crate) async fn seeded(protocol: &str, seed: u64) -> Self {
        let (server, asked) = upstream::start().await;
        let links = serve(Settings { api: "127.0.0.1:0".parse().unwrap(), seed }).await.unwrap();
        let http = Client::builder().no_proxy().timeout(DEADLINE).build().unwrap();
        let mut rig = Self { links, url: String::new(), asked, http };
        let body = json!({"name": LINK, "listen": "127.0.0.1:0", "upstream": server.to_string(), "protocol": protocol});
        let (status, made) = rig.api(Method::POST, "/proxies", body).await;
        assert_eq!(
            (status, &made["upstream"]),
            (201, &json!(server.to_string())),
            "the upstream is what was asked for"
        );
        rig.url = format!("http://{}", made["listen"].as_str().unwrap());
        rig
    }

    /// A request to the API: status and answer.
    pub(crate) async fn api(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let mut request = self.http.request(method, format!("http://{}{path}", self.links.api_address()));
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// Sets a rule, which is called `rule`.
    pub(crate) async fn add(&self, mut rule: Value) {
        rule["name"] = json!("rule");
        let (status, said) = self.api(Method::POST, &format!("/proxies/{LINK}/rules"), rule).await;
        assert_eq!(status, 200, "{said}");
    }

    pub(crate) async fn remove(&self) {
        let (status, said) = self.api(Method::DELETE, &format!("/proxies/{LINK}/rules/rule"), Value::Null).await;
        assert_eq!(status, 204, "{said}");
    }

    /// The effects of the last rule.
    pub(crate) async fn effects(&self) -> Value {
        let (_, effects) = self.api(Method::GET, "/effects", Value::Null).await;
        effects["proxies"][LINK]["rules"].as_array().and_then(|rules| rules.last().cloned()).unwrap_or_default()
    }

    pub(crate) async fn hits(&self) -> u64 {
        self.effects().await["hit"].as_u64().unwrap_or(0)
    }

    pub(crate) fn request(&self, path: &str, message: &Value) -> RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).json(message)
    }

    /// Calls the tool `search`; what came of it, or none when nothing did.
    pub(crate) async fn call(&self, path: &str) -> Option<Seen> {
        see(self.request(path, &tool_call("search"))).await
    }

    /// Calls the tool `search` and sees that the answer is right.
    pub(crate) async fn works(&self, path: &str) {
        let answer = self.call(path).await.expect("an answer").answer();
        assert_eq!((&answer["id"], &answer["result"]["structuredContent"]), (&json!(7), &upstream::content()));
    }
}

pub(crate) fn tool_call(tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}})
}

/// Sends a request and reads the answer as far as it comes.
pub(crate) async fn see(request: RequestBuilder) -> Option<Seen> {
    let started = Instant::now();
    let mut answer = timeout(DEADLINE, request.send()).await.expect("an answer or an end").ok()?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let (mut bytes, mut is_cut) = (Vec::new(), false);
    loop {
        match timeout(DEADLINE, answer.chunk()).await.expect("more or an end") {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(_) => {
                is_cut = true;
                break;
            }
        }
    }
    Some(Seen { status, headers, text: String::from_utf8(bytes).unwrap(), is_cut, took: started.elapsed() })
}

/// Asks again and again until the answer is yes.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}
