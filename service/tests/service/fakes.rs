//! Providers that do what a test says: an MCP server and a language model.

use std::{
    collections::HashMap,
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Barrier, Notify},
};

use crate::order_book::OrderBook;

/// How an MCP server answers its next calls.
#[derive(Clone, Debug)]
pub(crate) enum Answers {
    /// As it should.
    Well,
    /// As it should, once all that wait at the barrier are there.
    Together(Arc<Barrier>),
    /// As it should, after a while.
    Late(Duration),
    /// With an HTTP status.
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    RateLimited(u64),
    /// Not at all.
    Never,
    /// With these bytes, as JSON.
    Bytes(&'static str),
    /// With the first half of an answer.
    CutOff,
    /// With `isError`.
    ToolError,
    /// With the id of another request.
    OtherId,
    /// With a JSON-RPC error.
    RpcError(i32),
    /// With content of another shape.
    OtherShape,
    /// The tool does what it should, and then it answers so.
    DoneThen(&'static Answers),
}

/// What the model says next.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// So many words.
    Words(usize),
    /// So many texts of 64 KiB.
    Long(usize),
    /// That it wants a tool, with so many pieces of arguments of 64 KiB.
    LongArguments(usize),
    /// One event of 3 MiB.
    LongEvent,
    /// First that it wants a tool, then so many words.
    Tool { name: &'static str, arguments: &'static str },
    /// First that it wants these tools, with these arguments, all at once; then something else.
    Tools { calls: &'static [(&'static str, &'static str)], then: &'static Self },
    /// One word, as soon as it is told to go on.
    Waits(Arc<Notify>),
    /// So many words, then the connection breaks.
    Cut(usize),
    /// So many words, then nothing more.
    Stalls(usize),
    /// So many words, then an error chunk.
    Fails(usize),
    /// An HTTP status.
    Status(u16),
    /// No answer at all.
    Nothing,
}

/// Bytes of one piece of a long completion.
const PIECE_BYTES: usize = 64 * 1024;

/// An MCP server that plays any tool.
pub(crate) struct FakeMcp {
    pub(crate) address: SocketAddr,
    state: Arc<McpState>,
}

struct McpState {
    answers: Mutex<Answers>,
    answers_of_tools: Mutex<HashMap<&'static str, Answers>>,
    orders: OrderBook,
    first: Mutex<VecDeque<Answers>>,
    calls: Mutex<Vec<(String, Value)>>,
    /// Tools called, with the bearer key of each call.
    keys: Mutex<Vec<(String, String)>>,
    /// Bearer keys that are answered with 401.
    refused: Mutex<Vec<String>>,
    /// Tools called, with the trace that each call said it belongs to.
    traces: Mutex<Vec<(String, Trace)>>,
}

/// The headers `traceparent` and `tracestate` of a call, empty when there were none.
pub(crate) type Trace = (String, String);

/// A language model.
pub(crate) struct FakeLlm {
    pub(crate) address: SocketAddr,
    state: Arc<LlmState>,
}

struct LlmState {
    says: Mutex<Says>,
    requests: Mutex<Vec<Value>>,
    keys: Mutex<Vec<String>>,
    traces: Mutex<Vec<Trace>>,
    count: AtomicUsize,
}

impl FakeMcp {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(McpState {
            answers: Mutex::new(Answers::Well),
            first: Mutex::default(),
            answers_of_tools: Mutex::default(),
            orders: OrderBook::new(),
            calls: Mutex::default(),
            keys: Mutex::default(),
            refused: Mutex::default(),
            traces: Mutex::default(),
        });
        let app = Router::new().route("/mcp", post(mcp)).with_state(Arc::clone(&state));
        Self { address: serve(app).await, state }
    }

    pub(crate) fn now_answers(&self, answers: Answers) {
        *self.state.answers.lock().unwrap() = answers;
    }

    /// How this tool answers, whatever the others do.
    pub(crate) fn tool_now_answers(&self, tool: &'static str, answers: Answers) {
        self.state.answers_of_tools.lock().unwrap().insert(tool, answers);
    }

    /// The orders made here.
    pub(crate) fn orders(&self) -> &OrderBook {
        &self.state.orders
    }

    /// How often a tool was called so far.
    pub(crate) fn calls_of(&self, tool: &str) -> usize {
        self.calls().iter().filter(|(called, _)| called == tool).count()
    }

    /// Each of the next calls in its own way; then as before.
    pub(crate) fn first_answers(&self, answers: impl IntoIterator<Item = Answers>) {
        self.state.first.lock().unwrap().extend(answers);
    }

    /// Tools called so far, with their arguments.
    pub(crate) fn calls(&self) -> Vec<(String, Value)> {
        self.state.calls.lock().unwrap().clone()
    }

    /// The bearer keys of the calls of a tool so far; empty for a call without one.
    pub(crate) fn keys(&self, tool: &str) -> Vec<String> {
        let keys = self.state.keys.lock().unwrap();
        keys.iter().filter(|(called, _)| called == tool).map(|(_, key)| key.clone()).collect()
    }

    /// The traces that the calls of a tool said they belong to.
    pub(crate) fn traces(&self, tool: &str) -> Vec<Trace> {
        let traces = self.state.traces.lock().unwrap();
        traces.iter().filter(|(called, _)| called == tool).map(|(_, trace)| trace.clone()).collect()
    }

    /// From now on this key is answered with 401.
    pub(crate) fn now_refuses(&self, key: &str) {
        self.state.refused.lock().unwrap().push(key.to_owned());
    }
}

impl FakeLlm {
    pub(crate) async fn start() -> Self {
        let state = LlmState {
            says: Mutex::new(Says::Words(3)),
            requests: Mutex::default(),
            keys: Mutex::default(),
            traces: Mutex::default(),
            count: AtomicUsize::new(0),
        };
        let state = Arc::new(state);
        let app = Router::new()
            .route("/v1/chat/completions", post(llm))
            .route("/v1/models", get(models))
            .with_state(Arc::clone(&state));
        Self { address: serve(app).await, state }
    }

    pub(crate) fn now_says(&self, says: Says) {
        *self.state.says.lock().unwrap() = says;
    }

    /// The bearer keys of the completions so far.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.state.keys.lock().unwrap().clone()
    }

    /// The traces that completions so far said they belong to.
    pub(crate) fn traces(&self) -> Vec<Trace> {
        self.state.traces.lock().unwrap().clone()
    }

    /// Requests got so far.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.state.requests.lock().unwrap().clone()
    }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn bearer(headers: &HeaderMap) -> String {
    let header = headers.get("authorization").map_or("", |value| value.to_str().unwrap());
    header.strip_prefix("Bearer ").unwrap_or_default().to_owned()
}

fn trace(headers: &HeaderMap) -> Trace {
    let header = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    (header("traceparent"), header("tracestate"))
}

async fn mcp(State(state): State<Arc<McpState>>, headers: HeaderMap, Json(request): Json<Value>) -> Response {
    let tool = request["params"]["name"].as_str().unwrap().to_owned();
    let arguments = request["params"]["arguments"].clone();
    state.calls.lock().unwrap().push((tool.clone(), arguments.clone()));
    let trace = trace(&headers);
    // It is told twice, for servers behind something else than HTTP.
    assert_eq!(request["params"]["_meta"]["traceparent"].as_str().unwrap_or_default(), trace.0);
    state.traces.lock().unwrap().push((tool.clone(), trace));
    let of_tool = state.answers_of_tools.lock().unwrap().get(tool.as_str()).cloned();
    let first = state.first.lock().unwrap().pop_front();
    let mut answers = first.or(of_tool).unwrap_or_else(|| state.answers.lock().unwrap().clone());
    let key = bearer(&headers);
    state.keys.lock().unwrap().push((tool.clone(), key.clone()));
    if state.refused.lock().unwrap().contains(&key) {
        return http::StatusCode::UNAUTHORIZED.into_response();
    }
    let result = |structured: Value| json!({"content": [], "structuredContent": structured, "resultType": "complete"});
    let rpc = |result: Value| json!({"jsonrpc": "2.0", "id": request["id"], "result": result});
    let played = || match unknown(&tool, &arguments) {
        None => state.orders.play(&tool, &arguments),
        Some(code) => Some(Err(code)),
    };
    let done = || match played() {
        None => rpc(result(content(&tool, &arguments))),
        Some(Ok(content)) => rpc(result(content)),
        Some(Err(code)) => rpc(json!({"content": [{"type": "text", "text": "no"}], "isError": true,
            "structuredContent": {"code": code, "message": "no"}, "resultType": "complete"})),
    };
    if let Answers::DoneThen(then) = answers {
        done();
        answers = then.clone();
    }
    match answers {
        Answers::Well => Json(done()).into_response(),
        Answers::Together(barrier) => {
            barrier.wait().await;
            Json(done()).into_response()
        }
        Answers::Late(wait) => {
            tokio::time::sleep(wait).await;
            Json(done()).into_response()
        }
        Answers::DoneThen(_) => panic!("done once is enough"),
        Answers::Status(status) => http::StatusCode::from_u16(status).unwrap().into_response(),
        Answers::RateLimited(seconds) => {
            (http::StatusCode::TOO_MANY_REQUESTS, [("retry-after", seconds.to_string())]).into_response()
        }
        Answers::Never => std::future::pending().await,
        Answers::Bytes(bytes) => ([("content-type", "application/json")], bytes).into_response(),
        Answers::CutOff => {
            let half = stream::once(async { Ok("{\"jsonrpc\":") });
            let cut = stream::once(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(std::io::Error::other("cut"))
            });
            ([("content-type", "application/json")], Body::from_stream(half.chain(cut))).into_response()
        }
        Answers::ToolError => {
            let text = json!({"type": "text", "text": "no such route"});
            Json(rpc(json!({"content": [text], "isError": true, "resultType": "complete"}))).into_response()
        }
        Answers::OtherId => {
            Json(json!({"jsonrpc": "2.0", "id": 999_999, "result": result(content(&tool, &arguments))})).into_response()
        }
        Answers::RpcError(code) => {
            let error = json!({"code": code, "message": "no"});
            Json(json!({"jsonrpc": "2.0", "id": request["id"], "error": error})).into_response()
        }
        Answers::OtherShape => Json(rpc(result(json!({"offers": "many"})))).into_response(),
    }
}

/// The code of a refusal, when the arguments name what is not there.
fn unknown(tool: &str, arguments: &Value) -> Option<&'static str> {
    match tool {
        "get_listing_details" | "check_availability" if arguments["listing_id"] == "unknown" => {
            Some("listing_not_found")
        }
        "place_details" if arguments["place_id"] == "unknown" => Some("place_not_found"),
        "scrape" if arguments["url"] == "https://unknown.example/" => Some("page_not_found"),
        _ => None,
    }
}

fn listing(id: &str, price: f64, kind: &str) -> Value {
    json!({"id": id, "name": "A place", "property_type": kind, "price_per_night": price, "currency": "USD",
        "location": {"city": "Lisbon", "country": "Portugal", "latitude": 38.7, "longitude": -9.1,
            "distance_to_center_km": 1.5},
        "rating": 4.5, "review_count": 10, "amenities": ["wifi"], "images": [], "max_guests": 4, "bedrooms": 2,
        "beds": 2, "bathrooms": 1, "cancellation_policy": "flexible", "url": "https://stays.example/x", "extra": 1})
}

fn place(id: &str, name: &str, kind: &Value) -> Value {
    json!({"place_id": id, "name": name, "formatted_address": format!("{name}, Portugal"), "types": [kind],
        "geometry": {"location": {"lat": 38.7, "lng": -9.1}}, "country": "Portugal", "timezone": "Europe/Lisbon",
        "airport": "LIS"})
}

fn content(tool: &str, arguments: &Value) -> Value {
    match tool {
        "search_flights" => {
            let segment = json!({"departure_airport": arguments["origin"], "arrival_airport": arguments["destination"],
                "departure_time": "2099-05-01T08:00:00", "arrival_time": "2099-05-01T15:00:00", "flight_number": "TS1",
                "duration_minutes": 420});
            let expires_at =
                if arguments["destination"] == "OLD" { "2020-05-01T00:00:00Z" } else { "2099-05-01T00:00:00Z" };
            let offer = |id: &str, price: f64| {
                json!({"id": id, "total_amount": price, "base_amount": price, "tax_amount": 0.0, "total_currency": "USD",
                    "cabin_class": "economy", "airlines": ["TS"], "expires_at": expires_at, "bookable": true,
                    "slices": [{"segments": [segment]}], "passenger_count": 1})
            };
            json!({"search_id": "s", "offers": [offer("dear", 600.0), offer("cheap", 300.5)], "offer_count": 2,
                "currency": "USD", "cheapest_price": 300.5})
        }
        "validate_key" => json!({"valid": true, "account": "acct_1"}),
        "search_nodes" => {
            json!({"entities": [{"name": "x", "entity_type": "traveller", "observations": ["likes trains"]}]})
        }
        "add_observations" => json!({"added": 1}),
        "delete_user" => {
            assert_eq!(arguments.as_object().unwrap().keys().collect::<Vec<_>>(), ["user_id"]);
            json!({"deleted": 1})
        }
        "get_current_weather" => {
            json!({"city": arguments["city"], "temperature_celsius": 7.5, "humidity_percent": 60.0,
            "wind_metres_per_second": 3.0, "description": "rain"})
        }
        "get_forecast" => {
            let day =
                json!({"date": "2099-05-01", "minimum_celsius": 7.0, "maximum_celsius": 15.5, "precipitation_mm": 0.2});
            json!({"city": arguments["city"], "daily": vec![day; arguments["days"].as_u64().unwrap() as usize]})
        }
        // Two pages in Porto, one anywhere else.
        "search_accommodations" => match (arguments["location"] == "Porto", arguments["cursor"].as_str()) {
            (true, None) => json!({"count": 2, "listings": [listing("stay-1", 80.0, "house")], "next_cursor": "2"}),
            (true, Some("2")) => json!({"count": 2, "listings": [listing("stay-2", 60.0, "apartment")]}),
            _ => {
                json!({"count": 2, "listings": [listing("stay-1", 120.0, "houseboat"), listing("stay-2", 60.0, "apartment")]})
            }
        },
        "get_listing_details" => {
            json!({"listing": listing(arguments["listing_id"].as_str().unwrap(), 60.0, "apartment"), "description": "x"})
        }
        "check_availability" => json!({"listing_id": arguments["listing_id"], "available": true, "nights": 3,
            "price_per_night": 60.0, "total_price": 170.0, "currency": "USD"}),
        "place_search" => match arguments["type"].as_str() {
            Some("tourist_attraction") => {
                json!({"status": "OK", "results": [place("plc_LIS_01", "Tower", &arguments["type"])]})
            }
            _ => json!({"status": "OK", "results": [
                place("plc_LIS", "Lisbon", &arguments["type"]), place("plc_OPO", "Porto", &arguments["type"])]}),
        },
        "place_details" => json!({"status": "OK", "description": "A city.",
            "result": place(arguments["place_id"].as_str().unwrap(), "Lisbon", &json!("locality"))}),
        "get_current_time" => json!({"timezone": arguments["timezone"], "datetime": "2099-05-01T12:00:00+01:00",
            "utc_offset": "+01:00"}),
        "scrape" => json!({"url": arguments["url"], "title": "Lisbon", "markdown": "Seven hills.",
            "metadata": {"status_code": 200}}),
        other => panic!("nobody plays {other}"),
    }
}

/// Takes no key that begins with `bad`.
async fn models(headers: HeaderMap) -> Response {
    if bearer(&headers).starts_with("bad") {
        return http::StatusCode::UNAUTHORIZED.into_response();
    }
    Json(json!({"object": "list", "data": []})).into_response()
}

async fn llm(State(state): State<Arc<LlmState>>, headers: HeaderMap, Json(request): Json<Value>) -> Response {
    let has_tool_result = request["messages"].as_array().unwrap().iter().any(|message| message["role"] == "tool");
    state.requests.lock().unwrap().push(request);
    let key = bearer(&headers);
    state.keys.lock().unwrap().push(key.clone());
    state.traces.lock().unwrap().push(trace(&headers));
    if key.starts_with("bad") || key.ends_with("revoked") {
        return http::StatusCode::UNAUTHORIZED.into_response();
    }
    state.count.fetch_add(1, Ordering::SeqCst);
    let says = match state.says.lock().unwrap().clone() {
        Says::Tools { then, .. } if has_tool_result => then.clone(),
        says => says,
    };
    let end = || vec![finish("stop"), usage(), "data: [DONE]\n\n".to_owned()];
    match says {
        Says::Words(count) => events(words(count).chain(end()).collect()),
        Says::Long(count) => {
            let text = chunk(json!({"choices": [{"index": 0, "delta": {"content": "x".repeat(PIECE_BYTES)}}]}));
            events(vec![text; count].into_iter().chain(end()).collect())
        }
        Says::LongArguments(count) => {
            let call = json!({"index": 0, "function": {"arguments": "x".repeat(PIECE_BYTES)}});
            let piece = chunk(json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}));
            events(vec![piece; count].into_iter().chain(end()).collect())
        }
        Says::LongEvent => events(vec![format!("data: {}", "x".repeat(3 << 20))]),
        Says::Tool { .. } if has_tool_result => events(words(2).chain(end()).collect()),
        Says::Tool { name, arguments } => {
            events(wishes(&[(name, arguments)]).into_iter().chain(["data: [DONE]\n\n".to_owned()]).collect())
        }
        Says::Tools { calls, .. } => events(wishes(calls).into_iter().chain(["data: [DONE]\n\n".to_owned()]).collect()),
        Says::Waits(go_on) => {
            go_on.notified().await;
            events(words(1).chain(end()).collect())
        }
        Says::Cut(count) => {
            let lines = stream::iter(words(count).map(Ok).collect::<Vec<_>>());
            // Later, so that what came before is on its way.
            let cut = stream::once(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(std::io::Error::other("cut"))
            });
            body(Body::from_stream(lines.chain(cut)))
        }
        Says::Stalls(count) => {
            let lines = stream::iter(words(count).map(Ok::<_, std::io::Error>).collect::<Vec<_>>());
            body(Body::from_stream(lines.chain(stream::pending())))
        }
        Says::Fails(count) => {
            events(words(count).chain([chunk(json!({"error": {"message": "overloaded"}}))]).collect())
        }
        Says::Status(status) => http::StatusCode::from_u16(status).unwrap().into_response(),
        Says::Nothing => std::future::pending().await,
    }
}

fn chunk(value: Value) -> String {
    format!("data: {value}\n\n")
}

fn words(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|_| chunk(json!({"choices": [{"index": 0, "delta": {"content": "word "}, "finish_reason": null}]})))
}

fn finish(reason: &str) -> String {
    chunk(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}))
}

fn usage() -> String {
    chunk(json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}}))
}

/// Tool calls, each in two parts, as models stream them.
fn wishes(calls: &[(&str, &str)]) -> Vec<String> {
    let delta =
        |call: Value| chunk(json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null}]}));
    let parts = calls.iter().enumerate().flat_map(|(index, (name, arguments))| {
        let (head, tail) = arguments.split_at(arguments.len() / 2);
        let id = format!("call-{}", index + 1);
        [
            delta(json!({"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": head}})),
            delta(json!({"index": index, "function": {"arguments": tail}})),
        ]
    });
    parts.chain([finish("tool_calls")]).collect()
}

/// The lines, and a little later the end: models end their answer apart from its last line.
fn events(lines: Vec<String>) -> Response {
    let lines = stream::iter(lines.into_iter().map(Ok::<_, std::io::Error>));
    let end = stream::once(async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(String::new())
    });
    body(Body::from_stream(lines.chain(end)))
}

fn body(body: Body) -> Response {
    ([("content-type", "text/event-stream")], body).into_response()
}
