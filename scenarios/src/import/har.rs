//! From a recording of a browser (HAR 1.2) to a journey: the requests to one host, in order, with the user's pauses between them.
use super::{
    correlation::{Known, is_uuid},
    draft::{self, Draft, Journey, Step},
    request::Filling,
    secret,
};
use anyhow::{Context as _, bail};
use jiff::Timestamp;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Pauses shorter than this are the browser's, not the user's.
const THINK_MIN: Duration = Duration::from_millis(100);
/// Longer pauses are a user who went away.
const THINK_MAX: Duration = Duration::from_mins(5);

#[derive(Deserialize)]
struct Har {
    log: Log,
}

#[derive(Deserialize)]
struct Log {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    started_date_time: String,
    #[serde(default)]
    time: f64,
    pub(super) request: Request,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request {
    pub(super) method: String,
    url: String,
    #[serde(default)]
    pub(super) headers: Vec<Header>,
    pub(super) post_data: Option<PostData>,
}

#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PostData {
    #[serde(default)]
    pub(super) mime_type: String,
    #[serde(default)]
    pub(super) text: String,
}

#[derive(Deserialize)]
pub(super) struct Response {
    status: i64,
    #[serde(default)]
    content: Content,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content {
    #[serde(default)]
    mime_type: String,
    text: Option<String>,
    encoding: Option<String>,
}

/// The text of a scenario with one journey, from the recorded requests to `host`, or to the one that was asked most. One host over HTTP
/// and over HTTPS are two.
///
/// # Errors
/// When the text is no HAR, or has no request that could be kept.
pub(crate) fn import(text: &str, host: Option<&str>) -> anyhow::Result<String> {
    let har: Har = serde_json::from_str(text.trim_start_matches('\u{feff}')).context("this is not a HAR file")?;
    let mut draft = Draft { title: String::new(), ..Draft::default() };
    let entries = chosen(har.log.entries, host, &mut draft)?;
    let steps = steps(&entries, &mut draft)?;
    let (url, _) = &entries[0];
    draft.title = format!("A user of {}, as recorded", authority(url));
    draft.url = Some(origin(url));
    draft.journeys.push(Journey { name: "recorded".to_owned(), login: false, steps });
    Ok(draft.text())
}

/// The entries of one host, without what is not a user's request; what was left out is noted.
fn chosen(entries: Vec<Entry>, host: Option<&str>, draft: &mut Draft) -> anyhow::Result<Vec<(Url, Entry)>> {
    let with_url = |entry: Entry| Some((Url::parse(&entry.request.url).ok().filter(Url::has_host)?, entry));
    let all: Vec<(Url, Entry)> = entries.into_iter().filter_map(with_url).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (url, entry) in &all {
        *counts.entry(origin(url)).or_default() += usize::from(!is_asset(url, entry));
    }
    let is_meant = |origin: &str| host.is_none_or(|host| origin == host || origin.ends_with(&format!("://{host}")));
    let meant = counts.iter().filter(|(origin, _)| is_meant(origin));
    let most = meant.max_by_key(|(_, count)| **count).map(|(name, _)| name.clone());
    let Some(chosen) = most.or(host.map(str::to_owned)) else { bail!("the recording has no request") };
    draft.notes.push(format!(
        "From a recording of {chosen}. Look through it before it is run: what users do is yours to say."
    ));
    let others: Vec<String> = counts.keys().filter(|name| **name != chosen).cloned().collect();
    if !others.is_empty() {
        draft
            .notes
            .push(format!("Left out: requests to other hosts ({}); --host HOST chooses one.", others.join(", ")));
    }
    let (of_host, _): (Vec<_>, Vec<_>) = all.into_iter().partition(|(url, _)| origin(url) == chosen);
    let total = of_host.len();
    let is_kept = |url: &Url, entry: &Entry| !is_asset(url, entry);
    let (kept, assets): (Vec<_>, Vec<_>) = of_host.into_iter().partition(|(url, entry)| is_kept(url, entry));
    let (mut kept, unfit): (Vec<_>, Vec<_>) = kept.into_iter().partition(|(_, entry)| is_sendable(entry));
    if !assets.is_empty() {
        draft.notes.push(format!("Left out: pictures, styles, scripts and fonts ({}).", assets.len()));
    }
    if !unfit.is_empty() {
        draft
            .notes
            .push(format!("Left out: preflights, web sockets and requests without an answer ({}).", unfit.len()));
    }
    if kept.is_empty() {
        let known: Vec<&String> = counts.keys().collect();
        bail!("of {total} requests to {chosen} none can be kept; hosts in the recording: {known:?}");
    }
    kept.sort_by_key(|(_, entry)| entry.started_date_time.parse::<Timestamp>().ok());
    Ok(kept)
}

/// Scheme, host and port; a web socket counts to where it was opened from.
fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme().replace("ws", "http"), authority(url))
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Whether it is a picture, a style, a script or a font.
fn is_asset(url: &Url, entry: &Entry) -> bool {
    let kinds = ["image/", "font/", "video/", "audio/", "text/css", "javascript", "application/wasm", "font-woff"];
    let endings = [
        ".css", ".js", ".mjs", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".avif", ".ico", ".woff",
        ".woff2", ".ttf", ".otf", ".eot", ".mp4", ".webm", ".mp3", ".wasm",
    ];
    let kind = entry.response.content.mime_type.to_ascii_lowercase();
    let path = url.path().to_ascii_lowercase();
    entry.request.method == "GET"
        && (kinds.iter().any(|asset| kind.contains(asset)) || endings.iter().any(|ending| path.ends_with(ending)))
}

fn is_sendable(entry: &Entry) -> bool {
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    methods.contains(&entry.request.method.as_str()) && (200..600).contains(&entry.response.status)
}

fn steps(entries: &[(Url, Entry)], draft: &mut Draft) -> anyhow::Result<Vec<Step>> {
    let mut known = Known::default();
    let mut taken = draft::built_in_names();
    taken.insert("recorded".to_owned());
    let mut steps = Vec::new();
    let mut free_at: Option<Timestamp> = None;
    let mut dropped = BTreeSet::new();
    let mut at_once_count = 0;
    for (index, (url, entry)) in entries.iter().enumerate() {
        let started: Timestamp = entry.started_date_time.parse().with_context(|| {
            format!("request {} of the recording has no time: {}", index + 1, entry.started_date_time)
        })?;
        let mut step = Step { method: entry.request.method.clone(), ..Step::default() };
        at_once_count += usize::from(free_at.is_some_and(|free_at| started < free_at));
        step.think = free_at.and_then(|free_at| pause(free_at, started));
        let took = Duration::try_from_secs_f64(entry.time.max(0.0) / 1e3).unwrap_or_default();
        let ended = started.checked_add(took).unwrap_or(started);
        free_at = Some(free_at.map_or(ended, |before| before.max(ended)));
        Filling::new(&mut known, &mut step).fill(url, entry, &mut dropped);
        step.name = draft::name(&format!("{}.{}", step.method.to_ascii_lowercase(), shape(&step.path)), &mut taken);
        note_answer(&mut step, entry);
        if let Some(answer) = json_of(&entry.response.content) {
            known.learn(index, &subject(&step.path), &answer);
        }
        steps.push(step);
    }
    for (index, step) in steps.iter_mut().enumerate() {
        step.saves = known.saves(index);
    }
    if at_once_count > 0 {
        draft
            .notes
            .push(format!("Made one after the other, though the browser did not wait: {at_once_count} requests."));
    }
    if !dropped.is_empty() {
        let names: Vec<String> = dropped.into_iter().collect();
        draft.notes.push(format!("Left out: headers that the browser sets by itself ({}).", names.join(", ")));
    }
    if steps.iter().any(|step| step.notes.iter().any(|note| note.contains("secret"))) {
        draft.notes.push(secret::ADVICE.to_owned());
    }
    Ok(steps)
}

fn pause(free_at: Timestamp, started: Timestamp) -> Option<Duration> {
    let pause = Duration::try_from(started.duration_since(free_at)).ok()?;
    let rounded = Duration::from_millis(u64::try_from(pause.as_millis()).ok()? / 10 * 10);
    (rounded >= THINK_MIN).then_some(rounded.min(THINK_MAX))
}

/// The last word of a filled path, for names: of `/api/trips/17`, `trips`.
fn subject(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let is_word = |word: &&str| {
        !word.is_empty() && !word.contains("${") && !word.starts_with(|c: char| c.is_ascii_digit()) && !is_uuid(word)
    };
    path.rsplit('/').find(is_word).unwrap_or("answer").replace('-', "_")
}

/// The path with what changes replaced by `id`, as a name: names of steps do not depend on what fills them.
fn shape(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let word = |word: &str| {
        let changes =
            word.contains("${") || is_uuid(word) || (!word.is_empty() && word.chars().all(|c| c.is_ascii_digit()));
        if changes { "id".to_owned() } else { word.to_owned() }
    };
    path.split('/').filter(|part| !part.is_empty()).map(word).collect::<Vec<_>>().join(".")
}

fn note_answer(step: &mut Step, entry: &Entry) {
    match entry.response.status {
        429 | 500.. => step.notes.push(format!(
            "The recording has the answer {}, which is not expected of a service that works.",
            entry.response.status
        )),
        304 => step.statuses = vec![200, 304],
        status => step.statuses = u16::try_from(status).into_iter().collect(),
    }
    if entry.response.content.mime_type.starts_with("text/event-stream") {
        step.notes.push(
            "The answer was a stream. If it is TripSage's chat, write stream = true and remove expect.".to_owned(),
        );
    }
}

fn json_of(content: &Content) -> Option<Value> {
    let is_text = content.encoding.is_none();
    content.text.as_ref().filter(|_| is_text).and_then(|text| serde_json::from_str(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A recording of requests: second of the start, milliseconds that they took, path or URL, status.
    fn imported(requests: &[(&str, u64, &str, u16)]) -> String {
        import(&recording(requests), None).unwrap()
    }

    fn recording(requests: &[(&str, u64, &str, u16)]) -> String {
        let entry = |(at, took_ms, path, status): &(&str, u64, &str, u16)| {
            let origin = if path.starts_with('/') { "http://127.0.0.1:9000" } else { "" };
            json!({ "startedDateTime": format!("2026-05-01T10:00:{at}Z"), "time": took_ms,
                "request": { "method": "GET", "url": format!("{origin}{path}"), "headers": [] },
                "response": { "status": status, "content": { "mimeType": "application/json", "text": "{}" } } })
        };
        let entries: Vec<Value> = requests.iter().map(entry).collect();
        json!({ "log": { "entries": entries } }).to_string()
    }

    #[test]
    fn the_scheme_is_that_of_the_recording_and_tells_hosts_apart() {
        let requests = [
            ("00.000", 1, "http://a.example/old", 301),
            ("01.000", 1, "https://a.example/new", 200),
            ("02.000", 1, "https://a.example/more", 200),
            ("03.000", 1, "wss://a.example/live", 101),
        ];
        let text = imported(&requests);
        assert!(text.contains(r#"# url = "https://a.example""#) && !text.contains("/old"), "{text}");
        assert!(text.contains("requests to other hosts (http://a.example);"), "{text}");
        assert!(text.contains("web sockets and requests without an answer (1)."), "{text}");
        let chosen = |host| import(&recording(&requests), Some(host)).unwrap();
        assert_eq!(chosen("a.example"), text);
        assert!(chosen("http://a.example").contains(r#"# url = "http://a.example""#));
    }

    #[test]
    fn pauses_are_those_between_the_end_of_one_request_and_the_start_of_the_next() {
        let text = imported(&[("05.000", 900, "/b", 200), ("00.000", 1_000, "/a", 200), ("05.500", 10, "/c", 200)]);
        let scenario: toml::Table = text.parse().unwrap();
        let steps = scenario["journeys"]["recorded"]["steps"].as_array().unwrap();
        let think = |step: &toml::Value| step.get("think").map(|think| think.as_str().unwrap().to_owned());
        let seen: Vec<_> = steps.iter().map(|step| (step["path"].as_str().unwrap().to_owned(), think(step))).collect();
        assert_eq!(
            seen,
            [("/a".into(), None), ("/b".into(), Some("4s".into())), ("/c".into(), None)],
            "in order of time"
        );
        assert!(text.contains("though the browser did not wait: 1 requests."), "{text}");
        assert!(text.contains(r#"# url = "http://127.0.0.1:9000""#), "{text}");
    }

    #[test]
    fn steps_are_named_by_their_shape_and_a_journey_has_no_more_than_it_may() {
        let uuid = "/trips/0b9f4a52-6c1e-4a57-8f0e-0a4a3c1d2e3f/days/17";
        let text = imported(&[("00.000", 1, uuid, 304), ("00.002", 1, uuid, 200)]);
        assert!(
            text.contains(r#"name    = "get.trips.id.days.id""#) && text.contains("get.trips.id.days.id-2"),
            "{text}"
        );
        assert!(text.contains("expect  = { status = [200, 304] }"), "{text}");
        let many = imported(&vec![("00.000", 0, "/a", 200); 70]);
        assert_eq!(many.matches("[[journeys.recorded.steps]]").count(), 64);
        assert!(many.contains("Journey recorded had 70 steps and keeps the first 64"), "{many}");
    }

    #[test]
    fn what_is_saved_is_not_named_after_a_secret_in_the_path() {
        let token = "/reset/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";
        let recording = recording(&[("00.000", 1, token, 200), ("01.000", 1, "/resets/made-by-the-service-1", 200)]);
        let text = import(&recording.replace(r#""{}""#, r#""{\"id\":\"made-by-the-service-1\"}""#), None).unwrap();
        assert!(!text.contains("eyJ"), "{text}");
        assert!(text.contains(r#"save    = { reset_id = { json = "/id" } }"#), "{text}");
    }
}
