//! The driver against real links: faults go on and off when they should, whatever happens to the run.
use chaos::{Control, FaultSettings, Timeline, drive};
use reports::record::{FaultEnd, FaultRecord};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

use crate::rig::{Rig, echo, eventually, ms, ping};

#[derive(Deserialize)]
struct File {
    faults: Vec<FaultSettings>,
}

pub(crate) fn timeline(faults: &[&str]) -> Timeline {
    let text: String = faults.iter().map(|fault| format!("[[faults]]\n{}\n", fault.replace("; ", "\n"))).collect();
    let file: File = toml::from_str(&text).unwrap();
    Timeline::new(&file.faults, &["link", "missing"], Duration::from_secs(60)).unwrap()
}

pub(crate) const SLOW: &str =
    r#"link = "link"; at = "100ms"; for = "400ms"; fault = { latency = { delay = "50ms" } }; lease = "200ms""#;
pub(crate) const DOWN: &str = r#"link = "link"; at = "600ms"; for = "300ms"; fault = "down"; lease = "200ms""#;

fn window_ms(record: &FaultRecord) -> (u64, u64) {
    let window = record.window.unwrap();
    (window.from_ns / 1_000_000, window.to_ns / 1_000_000)
}

async fn is_clean(rig: &Rig) -> bool {
    let link = rig.call("GET", "/proxies/link", Value::Null).await.json();
    link["enabled"] == true && link["toxics"] == json!([])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_go_on_are_renewed_go_off_and_are_recorded() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&rig.url()).unwrap();
    let (timeline, origin) = (timeline(&[SLOW, DOWN]), Instant::now());
    let mut stream = rig.connect().await;
    let driving = tokio::spawn(async move { drive(&timeline, &control, origin, CancellationToken::new()).await });
    let (mut slowest, mut pings) = (Duration::ZERO, 0);
    // Until the link goes down and the connection with it.
    while let Ok(rtt) = ping(&mut stream).await {
        slowest = slowest.max(rtt);
        pings += 1;
    }
    let records = driving.await.unwrap();
    let [slow, down] = &records[..] else { panic!("{records:?}") };
    assert!(slowest >= ms(50) && pings > 5, "{slowest:?} in {pings}");
    assert_eq!((slow.end, slow.error.as_ref()), (FaultEnd::Lifted, None));
    assert_eq!((slow.planned.from_ns, slow.planned.to_ns), (100_000_000, 500_000_000));
    let (from, to) = window_ms(slow);
    // Twice its lease, so it was renewed; late on a busy machine, never early.
    assert!((100..300).contains(&from) && (500..700).contains(&to), "{from} to {to}");
    let effect = slow.effect.unwrap();
    assert_eq!(effect.connections, 1);
    assert!(effect.chunks > 3 && effect.delayed_us >= 50_000 * effect.chunks, "{effect:?}");

    assert_eq!((down.kind.as_str(), down.end, down.error.as_ref()), ("down", FaultEnd::Lifted, None));
    let effect = down.effect.unwrap();
    assert_eq!(effect.connections, 1, "the open connection was cut");
    // When it went on, and at each renewal, 40 ms apart.
    assert!(effect.probes_refused >= 2, "{effect:?}");
    let (from, to) = window_ms(down);
    assert!((600..800).contains(&from) && (900..1100).contains(&to), "{from} to {to}");
    assert!(is_clean(&rig).await);
    ping(&mut rig.connect().await).await.unwrap();
    rig.links.stop().await;
}

#[tokio::test]
async fn refusal_and_silence_of_a_link_that_nobody_uses_are_told_apart() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&rig.url()).unwrap();
    let mut open = rig.connect().await;
    ping(&mut open).await.unwrap();
    let refuse = r#"link = "link"; at = "0ms"; for = "300ms"; fault = "refuse"; lease = "200ms""#;
    let silent = r#"link = "link"; at = "400ms"; for = "100ms"; fault = "blackhole"; lease = "200ms""#;
    let records = drive(&timeline(&[refuse, silent]), &control, Instant::now(), CancellationToken::new()).await;
    let [refuse, silent] = &records[..] else { panic!("{records:?}") };
    assert_eq!((refuse.end, refuse.error.as_ref()), (FaultEnd::Lifted, None));
    let effect = refuse.effect.unwrap();
    assert!(effect.probes_refused >= 2 && effect.connections == 0, "{effect:?}");
    assert_eq!(silent.effect.unwrap(), Default::default(), "nothing was sent, so nothing was silenced");
    ping(&mut open).await.expect("open connections live on");
    ping(&mut rig.connect().await).await.expect("new ones come in again");
    rig.links.stop().await;
}

#[tokio::test]
async fn a_fault_of_a_scenario_hits_the_connections_that_it_chooses() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&rig.url()).unwrap();
    let fault = r#"link = "link"; at = "0s"; for = "50s"; fault = { limit_data = { bytes = "1B" } }; connections = { skip = 1, first = 1 }"#;
    let (timeline, stop) = (timeline(&[fault]), CancellationToken::new());
    let of_driver = stop.clone();
    let driving = tokio::spawn(async move { drive(&timeline, &control, Instant::now(), of_driver).await });
    eventually("the fault is on", async || !is_clean(&rig).await).await;
    let mut is_hit = Vec::new();
    for _ in 0..3 {
        is_hit.push(ping(&mut rig.connect().await).await.is_err());
    }
    stop.cancel();
    assert_eq!(is_hit, [false, true, false]);
    assert_eq!(driving.await.unwrap()[0].effect.unwrap().connections, 1);
    rig.links.stop().await;
}

const FOR_LONG: [&str; 3] = [
    r#"link = "link"; at = "0s"; for = "50s"; fault = { timeout = { after = "0ms" } }"#,
    r#"link = "link"; at = "0s"; for = "50s"; fault = { bandwidth = { rate = "1KB/s" } }; direction = "upstream""#,
    r#"link = "link"; at = "40s"; for = "5s"; fault = "down""#,
];

#[tokio::test]
async fn a_stop_lifts_everything_at_once() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&rig.url()).unwrap();
    let stop = CancellationToken::new();
    let (timeline, of_driver) = (timeline(&FOR_LONG), stop.clone());
    let driving = tokio::spawn(async move { drive(&timeline, &control, Instant::now(), of_driver).await });
    eventually("both faults are on", async || {
        rig.call("GET", "/proxies/link/toxics", Value::Null).await.json().as_array().unwrap().len() == 2
    })
    .await;
    let stopped = Instant::now();
    stop.cancel();
    let records = driving.await.unwrap();
    assert!(stopped.elapsed() < ms(20_000), "{:?}", stopped.elapsed());
    let ends: Vec<FaultEnd> = records.iter().map(|record| record.end).collect();
    assert_eq!(ends, [FaultEnd::LiftedEarly, FaultEnd::LiftedEarly, FaultEnd::NeverOn]);
    assert!(records[2].error.as_ref().unwrap().contains("stopped before"));
    assert!(is_clean(&rig).await);
    rig.links.stop().await;
}

#[tokio::test]
async fn a_driver_that_is_dropped_lifts_its_faults() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&rig.url()).unwrap();
    let timeline = timeline(&FOR_LONG);
    let driving =
        tokio::spawn(async move { drive(&timeline, &control, Instant::now(), CancellationToken::new()).await });
    eventually("a fault is on", async || !is_clean(&rig).await).await;
    driving.abort();
    eventually("the faults are lifted", async || is_clean(&rig).await).await;
    rig.links.stop().await;
}

#[tokio::test]
async fn a_fault_that_cannot_be_put_on_does_not_stop_the_others() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&rig.url()).unwrap();
    let missing = SLOW.replace("\"link\"", "\"missing\"");
    let records = drive(&timeline(&[&missing, SLOW]), &control, Instant::now(), CancellationToken::new()).await;
    assert_eq!((records[0].end, records[0].window), (FaultEnd::NeverOn, None));
    assert!(records[0].error.as_ref().unwrap().contains("404 Not Found: proxy not found"), "{records:?}");
    assert_eq!(records[1].end, FaultEnd::Lifted);
    rig.links.stop().await;
}

#[tokio::test]
async fn a_fault_that_somebody_else_lifts_is_recorded_as_lost() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&rig.url()).unwrap();
    let timeline = timeline(&[&SLOW.replace("400ms", "20s")]);
    let driving =
        tokio::spawn(async move { drive(&timeline, &control, Instant::now(), CancellationToken::new()).await });
    eventually("the fault is on", async || !is_clean(&rig).await).await;
    rig.remove("link%20latency").await;
    let records = driving.await.unwrap();
    assert_eq!(records[0].end, FaultEnd::LeaseExpired);
    assert!(records[0].error.as_ref().unwrap().contains("toxic not found"), "{records:?}");
    rig.links.stop().await;
}

#[tokio::test]
async fn a_fault_whose_links_are_gone_is_left_behind() {
    let rig = Rig::new(echo().await).await;
    let control = Control::new(&rig.url()).unwrap();
    let timeline = timeline(&[SLOW]);
    let driving =
        tokio::spawn(async move { drive(&timeline, &control, Instant::now(), CancellationToken::new()).await });
    eventually("the fault is on", async || !is_clean(&rig).await).await;
    let mut open = rig.connect().await;
    open.write_all(b"x").await.unwrap();
    rig.links.stop().await;
    let records = driving.await.unwrap();
    assert_eq!(records[0].end, FaultEnd::LeftBehind);
    assert!(records[0].error.is_some());
}
