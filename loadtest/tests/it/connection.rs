//! Connections as users have them: TLS, HTTP/2, pools, one per request, addresses.
use crate::{
    scene::{self, Done, drive, settings},
    wire::{Authority, Manner, Wire},
};
use loadtest::{
    Settings, Stop, Target, client,
    client::{Client, Failure},
    connection::{Connection, Connections},
    executor::Tasks,
};
use reports::record::{Measure, Outcome};
use std::{error::Error as _, sync::Arc, sync::atomic::Ordering::SeqCst, time::Duration};

fn connection(text: &str) -> Connection {
    toml::from_str(text).unwrap()
}

async fn target(url: &str) -> Arc<Target> {
    Arc::new(Target::resolve(url).await.unwrap())
}

async fn ask(client: &mut Client) -> client::Exchange {
    client.exchange(client::get("/path?q=1".parse().unwrap()), Duration::from_secs(10), None).await
}

async fn reach(url: &str, settings: Connection) -> Result<(), Failure> {
    let mut client = Client::with(target(url).await, settings).unwrap();
    ask(&mut client).await.end.map(|answer| assert_eq!(answer.body, b"ok"))
}

fn reason(end: Result<(), Failure>) -> String {
    let failure = end.unwrap_err();
    let cause = failure.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{failure}{cause}")
}

#[tokio::test]
async fn tls_is_spoken_with_whom_the_own_authority_vouches_for_and_nobody_else() {
    let authority = Authority::new();
    let trusting = Connection { ca_file: Some(authority.file()), ..Connection::default() };
    let start = async |name: &str, last_year| {
        let tls = Some(authority.server(name, last_year, &["http/1.1"]));
        Wire::start(Manner { tls, ..Manner::default() }).await
    };
    let good = start("localhost", 2999).await;
    let url = format!("https://localhost:{}", good.port);
    reach(&url, trusting.clone()).await.unwrap();
    let host = format!("localhost:{}", good.port);
    assert_eq!(good.requests(), [format!("HTTP/1.1 {host} /path")]);

    let unknown = reason(reach(&url, Connection::default()).await);
    assert_eq!(unknown, "no trusted TLS connection to localhost: invalid peer certificate: UnknownIssuer");
    let wrong = reason(reach(&format!("https://127.0.0.1:{}", good.port), trusting.clone()).await);
    assert!(wrong.starts_with("no trusted TLS connection to 127.0.0.1: invalid peer certificate"), "{wrong}");
    assert!(wrong.contains("not valid for name"), "{wrong}");
    let other = start("other.example", 2999).await;
    let wrong = reason(reach(&format!("https://localhost:{}", other.port), trusting.clone()).await);
    assert!(wrong.contains("not valid for name \"localhost\""), "{wrong}");
    let expired = start("localhost", 2020).await;
    let expired_url = format!("https://localhost:{}", expired.port);
    let text = reason(reach(&expired_url, trusting.clone()).await);
    assert!(text.contains("certificate expired"), "{text}");
    let plain = Wire::start(Manner::default()).await;
    let text = reason(reach(&format!("https://localhost:{}", plain.port), trusting).await);
    assert!(text.starts_with("no trusted TLS connection to localhost"), "{text}");
    assert_eq!([&good, &other, &expired, &plain].map(|wire| wire.requests().len()), [1, 0, 0, 0], "no downgrade");

    let anybody = Connection { insecure: true, ..Connection::default() };
    reach(&expired_url, anybody.clone()).await.unwrap();
    reach(&format!("https://localhost:{}", other.port), anybody.clone()).await.unwrap();
    let told = Connections::new(target(&url).await, &anybody).unwrap().description();
    assert_eq!(told, "HTTP/1.1 over TLS, one connection per user, certificate NOT checked");
}

#[tokio::test]
async fn http2_is_spoken_by_agreement_over_tls_and_at_once_over_plain_tcp() {
    let authority = Authority::new();
    let http2 = connection("http = \"2\"");
    let trusting = Connection { ca_file: Some(authority.file()), ..http2.clone() };
    let secure =
        Manner { tls: Some(authority.server("localhost", 2999, &["h2"])), is_http2: true, ..Manner::default() };
    for (manner, scheme, settings) in
        [(secure, "https", &trusting), (Manner { is_http2: true, ..Manner::default() }, "http", &http2)]
    {
        let wire = Wire::start(manner).await;
        let host = format!("localhost:{}", wire.port);
        let mut client = Client::with(target(&format!("{scheme}://{host}")).await, settings.clone()).unwrap();
        let first = ask(&mut client).await;
        assert!(first.opened.is_some() && first.end.is_ok(), "{first:?}");
        let second = ask(&mut client).await;
        assert!(second.opened.is_none() && second.end.is_ok(), "{second:?}");
        assert_eq!((wire.opened(), wire.requests()), (1, vec![format!("HTTP/2.0 {host} /path"); 2]));
    }

    // A server that knows only HTTP/1.1 is not spoken to in HTTP/1.1.
    for protocols in [&["http/1.1"][..], &[]] {
        let tls = Some(authority.server("localhost", 2999, protocols));
        let old = Wire::start(Manner { tls, ..Manner::default() }).await;
        let text = reason(reach(&format!("https://localhost:{}", old.port), trusting.clone()).await);
        assert!(text.contains("NoApplicationProtocol") || text.contains("did not agree to HTTP/2"), "{text}");
        assert_eq!(old.requests().len(), 0);
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_over_http2_leaves_the_connection_to_the_others() {
    let manner = Manner { is_http2: true, delay: Duration::from_millis(200), ..Manner::default() };
    let wire = Wire::start(manner).await;
    let url = format!("http://127.0.0.1:{}", wire.port);
    let shared = Connections::new(target(&url).await, &connection("http = \"2\"\npool = 1")).unwrap();
    let (mut hasty, mut patient) = (shared.client(0), shared.client(1));
    let request = || client::get("/".parse().unwrap());
    let (given_up, answered) =
        tokio::join!(hasty.exchange(request(), Duration::from_millis(50), None), ask(&mut patient));
    assert!(matches!(given_up.end, Err(Failure::Timeout(_))), "{:?}", given_up.end);
    assert_eq!(answered.end.unwrap().body, b"ok");
    assert_eq!(ask(&mut hasty).await.end.unwrap().body, b"ok");
    assert_eq!(wire.opened(), 1);
}

#[test]
fn settings_of_tls_are_refused_without_tls_and_files_that_hold_no_certificate_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = |url: &str, settings: Connection| {
        let made = Client::with(runtime.block_on(target(url)), settings);
        made.map(drop).unwrap_err().to_string()
    };
    let with_file = Connection { ca_file: Some(file.clone()), ..Connection::default() };
    let plain = refused("http://127.0.0.1:1", with_file.clone());
    assert_eq!(plain, "`load.connection.ca_file` is for https, and the target is http://127.0.0.1:1");
    let insecure = Connection { insecure: true, ..Connection::default() };
    assert!(refused("http://127.0.0.1:1", insecure).starts_with("`load.connection.insecure` is for https"));
    let missing = refused("https://127.0.0.1:1", with_file.clone());
    assert_eq!(missing, format!("cannot read certificates from {}", file.display()));
    std::fs::write(&file, "no certificate\n").unwrap();
    assert_eq!(refused("https://127.0.0.1:1", with_file), format!("{} holds no certificate", file.display()));
}

/// Four users who all want something at once, of a server that takes 40 ms for each.
async fn four_at_once(connection: &str, wire: &Wire) -> Done {
    let text = "duration = \"200ms\"\nusers = 4\narrivals = { bursts = { size = 4, every = \"100ms\" } }";
    let settings = Settings { connection: toml::from_str(connection).unwrap(), ..settings(text) };
    let done = drive(scene::plan(settings), &format!("http://127.0.0.1:{}", wire.port)).await;
    done.assert_conserved();
    assert_eq!(done.outcome(Outcome::Full), 4, "{:?}", done.by_class(Measure::Response));
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_a_free_connection_of_a_pool_counts_and_shows() {
    let delay = Duration::from_millis(40);
    let wire = Wire::start(Manner { delay, ..Manner::default() }).await;
    let done = four_at_once("pool = 1", &wire).await;
    assert_eq!(done.result.load.connection, "HTTP/1.1, 1 connection shared by all users");
    assert_eq!((wire.opened(), wire.seen.most_at_once.load(SeqCst)), (1, 1));
    // One after the other: the last one waits for the three before it.
    for measure in [Measure::PoolWait, Measure::SendLag] {
        assert!(done.histogram(measure).max() >= 119_000_000, "{measure}: {}", done.histogram(measure).max());
    }
    assert!(done.histogram(Measure::Response).max() >= 159_000_000);
    assert!(done.histogram(Measure::Service).min() >= 39_000_000);
    assert_eq!(done.histogram(Measure::PoolWait).len(), 4);

    let wire = Wire::start(Manner { delay, is_http2: true, ..Manner::default() }).await;
    let done = four_at_once("pool = 1\nhttp = \"2\"", &wire).await;
    assert_eq!((wire.opened(), wire.seen.most_at_once.load(SeqCst)), (1, 4), "streams share the connection");
    let waits = done.histogram(Measure::PoolWait);
    assert_eq!((waits.len(), waits.max()), (4, 1), "nobody waits for a stream; the least that is recorded is 1 ns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_stream_that_the_server_allows_is_not_sent_yet() {
    let (delay, streams_max) = (Duration::from_millis(40), Some(2));
    let wire = Wire::start(Manner { delay, streams_max, is_http2: true, ..Manner::default() }).await;
    let done = four_at_once("pool = 1\nhttp = \"2\"", &wire).await;
    assert_eq!((wire.opened(), wire.seen.most_at_once.load(SeqCst)), (1, 2));
    // Two at a time: the third and the fourth wait for the first and the second.
    for measure in [Measure::PoolWait, Measure::SendLag] {
        let waits = done.histogram(measure);
        assert_eq!(waits.len(), 4);
        assert!(waits.value_at_quantile(0.75) >= 39_000_000, "{measure}: {}", waits.value_at_quantile(0.75));
    }
    assert!(done.histogram(Measure::Response).max() >= 79_000_000);
    let done_ns = done.histogram(Measure::Service).min();
    assert!(done_ns >= 39_000_000, "{done_ns}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_is_open_before_the_start_however_few_prepare_at_once() {
    let delay = Duration::from_millis(40);
    let wire = Wire::start(Manner { delay, ..Manner::default() }).await;
    let text = "duration = \"200ms\"\nusers = 20\narrivals = { bursts = { size = 20, every = \"100ms\" } }";
    let settings = Settings { connection: connection("pool = 12"), ..settings(text) };
    let done = drive(scene::plan(settings), &format!("http://127.0.0.1:{}", wire.port)).await;
    done.assert_conserved();
    assert_eq!((wire.opened(), wire.seen.most_at_once.load(SeqCst)), (12, 12));
    assert_eq!(done.histogram(Measure::Connect).len(), 0, "no request had to open one");
}

#[tokio::test]
async fn who_waits_too_long_for_a_connection_gets_no_answer_and_nothing_is_sent() {
    let wire = Wire::start(Manner { delay: Duration::from_millis(300), ..Manner::default() }).await;
    let target = target(&format!("http://127.0.0.1:{}", wire.port)).await;
    let pool = Connections::new(target, &connection("pool = 1")).unwrap();
    let (mut first, mut second) = (pool.client(0), pool.client(1));
    let limit = Duration::from_millis(50);
    let late = second.exchange(client::get("/".parse().unwrap()), limit, None);
    let (answered, late) = tokio::join!(ask(&mut first), late);
    assert_eq!((answered.waited, answered.end.unwrap().body), (Some(Duration::ZERO), b"ok".to_vec()));
    assert!(matches!(late.end, Err(Failure::PoolTimeout(_))), "{:?}", late.end);
    assert!(late.waited.is_some_and(|waited| waited >= limit) && late.sent == late.done);
    assert_eq!(wire.requests().len(), 1);
    assert_eq!(ask(&mut second).await.end.unwrap().body, b"ok");
    assert_eq!(wire.opened(), 1, "the connection was given back");
}

#[tokio::test]
async fn who_got_its_turn_late_has_the_whole_time_for_its_request() {
    let wire = Wire::start(Manner { delay: Duration::from_millis(500), ..Manner::default() }).await;
    let target = target(&format!("http://127.0.0.1:{}", wire.port)).await;
    let pool = Connections::new(target, &connection("pool = 1")).unwrap();
    let (mut first, mut second) = (pool.client(0), pool.client(1));
    // Together the wait and the answer take longer than this, each of them does not.
    let limit = Duration::from_millis(900);
    let late = second.exchange(client::get("/".parse().unwrap()), limit, None);
    let (answered, late) = tokio::join!(ask(&mut first), late);
    assert_eq!(answered.end.unwrap().body, b"ok");
    assert!(late.waited.is_some_and(|waited| waited >= Duration::from_millis(400)), "{:?}", late.waited);
    assert_eq!(late.end.unwrap().body, b"ok");
    assert_eq!(wire.opened(), 1, "the connection was not closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_opened_for_each_request_where_the_scenario_says_so_and_its_time_is_recorded() {
    let wire = Wire::start(Manner::default()).await;
    let done = four_at_once("keep_alive = false", &wire).await;
    // One more before the start, to see that the target can be reached.
    assert_eq!((wire.opened(), wire.requests().len()), (5, 4));
    assert_eq!(done.histogram(Measure::Connect).len(), 4);
    assert_eq!(done.result.load.connection, "HTTP/1.1, a new connection for each request");

    let wire = Wire::start(Manner::default()).await;
    let done = four_at_once("resolve = \"per_connection\"", &wire).await;
    assert_eq!((wire.opened(), done.histogram(Measure::Connect).len()), (4, 0), "kept, and opened before the start");
}

#[tokio::test]
async fn a_handshake_that_does_not_come_to_its_end_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let settings = connection("connect_timeout = \"50ms\"");
    let mut client = Client::with(target(&url).await, settings).unwrap();
    let given_up = ask(&mut client).await;
    let (failure, limit) = (given_up.end.unwrap_err(), Duration::from_millis(50));
    assert!(matches!(failure, Failure::ConnectTimeout(after) if after == limit), "{failure:?}");
    assert!(given_up.opened.is_some_and(|opened| opened >= limit), "{:?}", given_up.opened);
}

#[tokio::test]
async fn a_connection_that_was_not_opened_counts_with_the_time_that_it_was_tried() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let limit = Duration::from_millis(50);
    for settings in ["", "pool = 1", "http = \"2\"\npool = 1"] {
        let mut client = Connections::new(target(&url).await, &connection(settings)).unwrap().client(0);
        let given_up = client.exchange(client::get("/".parse().unwrap()), limit, None).await;
        assert!(matches!(given_up.end, Err(Failure::Timeout(_))), "{:?}", given_up.end);
        assert!(given_up.opened.is_some_and(|opened| opened >= limit), "{settings}: {:?}", given_up.opened);
    }
    drop(silent);
    let mut client = Client::with(target(&url).await, Connection::default()).unwrap();
    let refused = ask(&mut client).await;
    assert!(matches!(refused.end, Err(Failure::Connect(_))), "{:?}", refused.end);
    assert!(refused.opened.is_some_and(|opened| opened <= refused.done - refused.sent), "{:?}", refused.opened);
}

#[tokio::test]
async fn more_connections_than_local_ports_are_refused_before_the_start() {
    let wire = Wire::start(Manner::default()).await;
    let text = "duration = \"1s\"\nusers = 2\narrivals = { constant = { rate = \"200000/s\" } }";
    let settings = Settings { connection: connection("keep_alive = false"), ..settings(text) };
    let target = Target::resolve(&format!("http://127.0.0.1:{}", wire.port)).await.unwrap();
    let refused = loadtest::prepare(scene::plan(settings), target, "run-1", Tasks, &Stop::default()).await;
    let text = refused.err().unwrap().to_string();
    assert!(text.contains("opens up to") && text.contains("sysctl net.ipv4.ip_local_port_range"), "{text}");
    assert_eq!(wire.opened(), 0);
}

#[tokio::test]
async fn a_name_without_an_address_is_refused_before_the_start() {
    let error = Target::resolve("https://service.invalid").await.unwrap_err();
    assert_eq!(error.to_string(), "cannot find the address of service.invalid:443");
}
