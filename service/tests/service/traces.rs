//! Traces: what a collector gets of a chat, the context that comes in and goes out, and a collector that is not there.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use prost::Message as _;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    fakes::{FakeLlm, FakeMcp, Says},
    program::{KEY, serving, terminate, tripsage},
    stack::{Answer, PASSWORD, Stack, client, read, until},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// What takes traces, over HTTP.
struct Collector {
    address: SocketAddr,
    got: Arc<Mutex<Got>>,
}

#[derive(Default)]
struct Got {
    spans: Vec<Span>,
    resource: HashMap<String, String>,
}

/// The program, and all that it talks to.
struct Traced {
    child: Child,
    address: String,
    log: JoinHandle<String>,
    token: String,
    flights: FakeMcp,
    memory: FakeMcp,
    llm: FakeLlm,
    _folder: TempDir,
}

impl Collector {
    async fn start() -> Self {
        let got = Arc::default();
        let app = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&got));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, got }
    }

    /// The spans of a trace.
    fn trace(&self, id: &str) -> Vec<Span> {
        let got = self.got.lock().unwrap();
        got.spans.iter().filter(|span| hex(&span.trace_id) == id).cloned().collect()
    }
}

async fn take(State(got): State<Arc<Mutex<Got>>>, body: Bytes) -> StatusCode {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let mut got = got.lock().unwrap();
    for of_resource in request.resource_spans {
        got.resource.extend(texts(&of_resource.resource.unwrap().attributes));
        got.spans.extend(of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
    StatusCode::OK
}

impl Traced {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap();
        let (flights, memory, llm) = (FakeMcp::start().await, FakeMcp::start().await, FakeLlm::start().await);
        let mut command: Command = tripsage();
        command
            .env("TRIPSAGE_JWT_KEY", KEY)
            .env("TRIPSAGE_LISTEN", "127.0.0.1:0")
            .env("TRIPSAGE_ARGON2_MEMORY_KIB", "8")
            .env("TRIPSAGE_RATE_LIMITS", "off")
            .env("TRIPSAGE_MCP_FLIGHTS_URL", format!("http://{}/mcp", flights.address))
            .env("TRIPSAGE_MCP_MEMORY_URL", format!("http://{}/mcp", memory.address))
            .env("TRIPSAGE_LLM_URL", format!("http://{}/v1", llm.address))
            .env("DATABASE_URL", format!("sqlite://{}/tripsage.db", folder.path().display()))
            .envs(settings.iter().copied());
        let (child, address, log) = serving(&mut command).await;
        let mut traced = Self { child, address, log, token: String::new(), flights, memory, llm, _folder: folder };
        let login = json!({"email": "ann@example.org", "password": PASSWORD});
        assert_eq!(traced.post("/auth/register", &login, &[]).await.status, 201);
        let answer = traced.post("/auth/login", &login, &[]).await;
        traced.token = answer.json()["access_token"].as_str().unwrap().to_owned();
        traced
    }

    async fn post(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
        let request = client().post(format!("http://{}/api/v1{path}", self.address)).bearer_auth(&self.token);
        read(headers.iter().fold(request.json(body), |request, (name, value)| request.header(*name, *value))).await
    }

    async fn search(&self, headers: &[(&str, &str)]) -> Answer {
        self.post("/flights/search", &search(), headers).await
    }

    async fn spans(&self, outcome: &str) -> bool {
        let page = read(client().get(format!("http://{}/metrics", self.address))).await.text;
        page.contains(&format!("tripsage_trace_spans_total{{outcome=\"{outcome}\"}}"))
    }

    async fn end(mut self) -> String {
        terminate(&mut self.child).await;
        timeout(Duration::from_secs(10), self.log).await.unwrap().unwrap()
    }
}

fn search() -> Value {
    json!({"origin": "JFK", "destination": "CDG", "departure_date": "2099-05-01"})
}

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{CALLER}-{flags}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The attributes that are texts or numbers, as texts.
fn texts(attributes: &[KeyValue]) -> HashMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        any_value::Value::IntValue(number) => Some(number.to_string()),
        _ => None,
    };
    attributes.iter().filter_map(|attribute| Some((attribute.key.clone(), text(attribute)?))).collect()
}

fn attributes<const N: usize>(span: &Span, names: [&str; N]) -> [String; N] {
    let texts = texts(&span.attributes);
    names.map(|name| texts.get(name).cloned().unwrap_or_default())
}

/// The spans of that name, in the order of their beginning.
fn named(spans: &[Span], name: &str) -> Vec<Span> {
    let mut named: Vec<_> = spans.iter().filter(|span| span.name == name).cloned().collect();
    named.sort_by_key(|span| span.start_time_unix_nano);
    named
}

/// What a call says when it is made within that span.
fn told(span: &Span) -> (String, String) {
    (format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id)), "vendor=1".into())
}

#[rstest]
#[case::streamed(true)]
#[case::as_json(false)]
#[tokio::test]
async fn a_chat_is_one_tree_of_spans_that_is_complete_when_the_service_has_ended(#[case] stream: bool) {
    let collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    // Nothing is sent before the end, unless the queue is full.
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "600000")];
    let traced = Traced::start(&settings).await;
    let arguments = r#"{"origin":"JFK","destination":"CDG","departure_date":"2099-05-01"}"#;
    traced.llm.now_says(Says::Tool { name: "search_flights", arguments });
    let message = "find flights from JFK to CDG, book the cheapest flight";
    let body = json!({"messages": [{"role": "user", "content": message}], "stream": stream});
    let (traceparent, headers) = (parent("01"), |parent| [("traceparent", parent), ("tracestate", "vendor=1")]);
    let answer = traced.post("/chat", &body, &headers(traceparent.as_str())).await;
    if stream {
        assert_eq!(answer.events().last().unwrap()["type"], "final");
    }
    assert_eq!(answer.status, 200);
    let memory = &traced.memory;
    until("the memory is told", || async { memory.calls_of("add_observations") == 1 }).await;
    let (of_flights, of_memory) = (traced.flights.traces("search_flights"), memory.traces("add_observations"));
    let of_llm = traced.llm.traces();
    let log = traced.end().await;

    let spans = collector.trace(TRACE);
    let [server] = &named(&spans, "POST /api/v1/chat")[..] else { panic!("{spans:#?}\n{log}") };
    assert_eq!((hex(&server.parent_span_id), server.kind), (CALLER.into(), 2));
    let names = ["http.request.method", "http.route", "url.scheme", "http.response.status_code", "tripsage.request_id"];
    let id = answer.header("x-request-id");
    assert_eq!(attributes(server, names), ["POST", "/api/v1/chat", "http", "200", id]);
    for span in spans.iter().filter(|span| span.name != server.name) {
        let is_inside = spans.iter().any(|other| other.span_id == span.parent_span_id);
        assert!(is_inside, "{} has a parent in the trace", span.name);
    }
    let [handoff] = &named(&spans, "agent_handoff")[..] else { panic!("{spans:#?}") };
    assert_eq!(handoff.parent_span_id, server.span_id);
    let names = ["from", "to", "trigger", "result"];
    assert_eq!(attributes(handoff, names), ["general", "flight", "user_request", "success"]);
    let [call] = &named(&spans, "tools/call search_flights")[..] else { panic!("{spans:#?}") };
    assert_eq!((&call.parent_span_id, call.kind), (&server.span_id, 3));
    let names = ["mcp.method.name", "gen_ai.tool.name", "gen_ai.operation.name", "tripsage.mcp.server", "error.type"];
    assert_eq!(attributes(call, names), ["tools/call", "search_flights", "execute_tool", "flights", ""]);
    assert_eq!(of_flights, [told(call)]);
    let completions = named(&spans, "chat gpt-4o-mini");
    assert_eq!(of_llm, completions.iter().map(told).collect::<Vec<_>>());
    let names = ["gen_ai.provider.name", "gen_ai.request.model", "gen_ai.usage.output_tokens"];
    assert_eq!(attributes(&completions[1], names), ["openai", "gpt-4o-mini", "3"]);
    assert_eq!(of_memory, named(&spans, "tools/call add_observations").iter().map(told).collect::<Vec<_>>());
    // The request lasts until its stream has ended.
    let last = &completions[1];
    assert!(server.end_time_unix_nano >= last.end_time_unix_nano, "{server:#?} {last:#?}");
    let inserts = named(&spans, "INSERT");
    assert!(!inserts.is_empty() && inserts.iter().all(|span| attributes(span, ["db.system.name"]) == ["sqlite"]));
    assert!(!format!("{spans:?}").contains("cheapest"), "what users say is in no span");
    let resource = collector.got.lock().unwrap().resource.clone();
    assert_eq!((resource["service.name"].as_str(), resource["service.version"].is_empty()), ("tripsage", false));
}

#[tokio::test]
async fn what_fails_is_an_error_in_its_span() {
    let collector = Collector::start().await;
    let endpoint = format!("http://{}/v1/traces", collector.address);
    let traced =
        Traced::start(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint), ("TRIPSAGE_BREAKER_FAILURES", "1")]).await;
    traced.flights.now_answers(crate::fakes::Answers::Status(500));
    let traceparent = parent("01");
    assert_eq!(traced.search(&[("traceparent", &traceparent)]).await.status, 502);
    assert_eq!(traced.search(&[("traceparent", &traceparent)]).await.status, 503);
    traced.end().await;
    let spans = collector.trace(TRACE);
    let errors = |name: &str| -> Vec<_> {
        let failed =
            |span: &Span| (span.status.clone().unwrap_or_default().code, attributes(span, ["error.type"])[0].clone());
        named(&spans, name).iter().map(failed).collect()
    };
    let error = |kind: &str| (2, kind.to_owned());
    assert_eq!(errors("tools/call search_flights"), [error("bad_status"), error("breaker_open")]);
    let of_requests = errors("POST /api/v1/flights/search");
    assert!(
        of_requests.len() == 2 && of_requests.iter().all(|(code, kind)| *code == 2 && !kind.is_empty()),
        "{of_requests:?}"
    );
}

#[rstest]
#[case::the_caller_does_not_want_it(Some("00"), "")]
#[case::none_is_wanted(None, "0")]
#[tokio::test]
async fn a_trace_that_is_not_sampled_is_told_of_but_not_sent(#[case] flags: Option<&str>, #[case] ratio: &str) {
    let collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let mut settings = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    if !ratio.is_empty() {
        settings.extend([("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", ratio)]);
    }
    let traced = Traced::start(&settings).await;
    let given = flags.map(parent);
    let headers: Vec<_> = given.iter().map(|given| ("traceparent", given.as_str())).collect();
    assert_eq!(traced.search(&headers).await.status, 200);
    let (told, _) = traced.flights.traces("search_flights").remove(0);
    assert!(told.ends_with("-00") && !told.contains(CALLER), "{told}");
    let id = told.split('-').nth(1).unwrap().to_owned();
    assert_eq!(given.is_some(), id == TRACE);
    traced.end().await;
    assert!(collector.trace(&id).is_empty());
}

#[tokio::test]
async fn a_collector_that_is_down_is_noticed_by_nobody_but_the_operator() {
    // Nobody listens on the port of a socket that is closed.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let endpoint = format!("http://{free}");
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_BSP_SCHEDULE_DELAY", "10")];
    let traced = Traced::start(&settings).await;
    assert_eq!(traced.search(&[]).await.status, 200);
    until("spans are lost", || traced.spans("failed")).await;
    assert_eq!(traced.search(&[]).await.status, 200);
    assert!(!traced.spans("exported").await);
    let log = traced.end().await;
    assert_eq!(log.matches("the collector does not take the traces").count(), 1, "{log}");
}

#[rstest]
#[case::of_the_caller("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true)]
#[case::not_sampled("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true)]
#[case::nothing("", false)]
#[case::no_trace("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false)]
#[case::nonsense("00-xyz-01", false)]
#[tokio::test]
async fn without_a_collector_no_span_is_made_and_the_context_goes_through(#[case] given: &str, #[case] is_good: bool) {
    let stack = Stack::start(&[]).await;
    let user = stack.user().await;
    let headers = [("traceparent", given), ("tracestate", "vendor=1")];
    let token = Some(user.token.as_str());
    let found = stack.send_with(Method::POST, "/api/v1/flights/search", token, Some(&search()), &headers).await;
    assert_eq!(found.status, 200);
    let body = json!({"messages": [{"role": "user", "content": "Hello"}]});
    stack.send_with(Method::POST, "/api/v1/chat", token, Some(&body), &headers).await.events();
    let expected = if is_good { (given.to_owned(), "vendor=1".to_owned()) } else { Default::default() };
    assert_eq!(stack.flights.traces("search_flights"), std::slice::from_ref(&expected));
    assert_eq!(stack.llm.traces(), [expected]);
}
