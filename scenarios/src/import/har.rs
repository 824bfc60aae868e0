//! From a recording of a browser (HAR 1.2) to a journey: the requests to one host, in order, with the user's pauses between them.
use super::{
    correlation::{Known, is_uuid},
    draft::{self, Draft, Journey, Step, escaped},
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
/// Headers of a recording that are part of what is asked.
const KEPT_HEADERS: [&str; 6] = ["accept", "content-type", "if-match", "if-none-match", "idempotency-key", "prefer"];

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
struct Entry {
    started_date_time: String,
    #[serde(default)]
    time: f64,
    request: Request,
    response: Response,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<Header>,
    post_data: Option<PostData>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PostData {
    #[serde(default)]
    mime_type: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
struct Response {
    status: i64,
    #[serde(default)]
    content: Content,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    #[serde(default)]
    mime_type: String,
    text: Option<String>,
    encoding: Option<String>,
}

/// The text of a scenario with one journey, from the recorded requests to `host`, or to the one that was asked most.
///
/// # Errors
/// When the text is no HAR, or has no request that could be kept.
pub(crate) fn import(text: &str, host: Option<&str>) -> anyhow::Result<String> {
    let har: Har = serde_json::from_str(text.trim_start_matches('\u{feff}')).context("this is not a HAR file")?;
    let mut draft = Draft { title: String::new(), ..Draft::default() };
    let entries = chosen(har.log.entries, host, &mut draft)?;
    let (steps, origin) = steps(&entries, &mut draft)?;
    draft.title = format!("A user of {origin}, as recorded");
    draft.url = Some(format!("http://{origin}"));
    draft.journeys.push(Journey { name: "recorded".to_owned(), login: false, steps });
    Ok(draft.text())
}

/// The entries of one host, without what is not a user's request; what was left out is noted.
fn chosen(entries: Vec<Entry>, host: Option<&str>, draft: &mut Draft) -> anyhow::Result<Vec<(Url, Entry)>> {
    let with_url = |entry: Entry| Some((Url::parse(&entry.request.url).ok().filter(Url::has_host)?, entry));
    let all: Vec<(Url, Entry)> = entries.into_iter().filter_map(with_url).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (url, entry) in &all {
        *counts.entry(authority(url)).or_default() += usize::from(!is_asset(url, entry));
    }
    let most = counts.iter().max_by_key(|(_, count)| **count).map(|(name, _)| name.clone());
    let Some(chosen) = host.map(str::to_owned).or(most) else { bail!("the recording has no request") };
    draft.notes.push(format!(
        "From a recording of {chosen}. Look through it before it is run: what users do is yours to say."
    ));
    let others: Vec<String> = counts.keys().filter(|name| **name != chosen).cloned().collect();
    if !others.is_empty() {
        draft
            .notes
            .push(format!("Left out: requests to other hosts ({}); --host HOST chooses one.", others.join(", ")));
    }
    let (of_host, _): (Vec<_>, Vec<_>) = all.into_iter().partition(|(url, _)| authority(url) == chosen);
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

fn steps(entries: &[(Url, Entry)], draft: &mut Draft) -> anyhow::Result<(Vec<Step>, String)> {
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
        Filling { known: &mut known, step: &mut step }.fill(url, entry, &mut dropped);
        step.name = draft::name(&format!("{}.{}", step.method.to_ascii_lowercase(), shape(&step.path)), &mut taken);
        note_answer(&mut step, entry);
        if let Some(answer) = json_of(&entry.response.content) {
            known.learn(index, &subject(url), &answer);
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
    Ok((steps, authority(&entries[0].0)))
}

fn pause(free_at: Timestamp, started: Timestamp) -> Option<Duration> {
    let pause = Duration::try_from(started.duration_since(free_at)).ok()?;
    let rounded = Duration::from_millis(u64::try_from(pause.as_millis()).ok()? / 10 * 10);
    (rounded >= THINK_MIN).then_some(rounded.min(THINK_MAX))
}

/// The last word of the path, for names: of `/api/trips/17`, `trips`.
fn subject(url: &Url) -> String {
    let mut words = url.path_segments().into_iter().flatten();
    let is_word = |word: &&str| !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()) && !is_uuid(word);
    words.rfind(is_word).unwrap_or("answer").replace('-', "_")
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

/// One request being carried over.
struct Filling<'a> {
    known: &'a mut Known,
    step: &'a mut Step,
}

impl Filling<'_> {
    fn fill(mut self, url: &Url, entry: &Entry, dropped: &mut BTreeSet<String>) {
        let words: Vec<String> = url.path().split('/').map(|word| self.encoded(word)).collect();
        self.step.path = words.join("/");
        let pairs = url.query().map(|query| self.pairs(query, "the query"));
        self.step.path.extend(pairs.map(|pairs| format!("?{pairs}")));
        for Header { name, value } in &entry.request.headers {
            self.header(&name.to_ascii_lowercase(), value, dropped);
        }
        if let Some(data) = &entry.request.post_data {
            self.body(data);
        }
        if self.step.body.is_none() {
            self.step.headers.retain(|(name, _)| name != "content-type");
        }
    }

    /// A word of a path or a query, as it is encoded there.
    fn encoded(&mut self, word: &str) -> String {
        let plain = decoded(word);
        match self.saved(&plain) {
            Some(place) => place,
            None => escaped(&tidy(word)),
        }
    }

    /// The place of a value that an answer has brought; else it is the client's own.
    fn saved(&mut self, plain: &str) -> Option<String> {
        let found = self.known.find(plain).map(|name| format!("${{saved.{name}}}"));
        if found.is_none() {
            self.known.sent(plain);
        }
        found
    }

    /// Pairs of a query or a form.
    fn pairs(&mut self, text: &str, place: &str) -> String {
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name_plain = decoded(&name.replace('+', " "));
            let saved = self.known.find(&decoded(&value.replace('+', " "))).map(|name| format!("${{saved.{name}}}"));
            let value = match saved {
                Some(place) => place,
                None if (secret::is_secret(&name_plain) && !value.is_empty()) || secret::looks_secret(value) => {
                    self.step.notes.push(secret::note(&format!("{name_plain} in {place}")));
                    secret::TEMPLATE.to_owned()
                }
                None => self.encoded(value),
            };
            pairs.push(format!("{}={value}", escaped(&tidy(name))));
        }
        pairs.join("&")
    }

    fn header(&mut self, name: &str, value: &str, dropped: &mut BTreeSet<String>) {
        let (scheme, credential) = match value.split_once(' ') {
            Some((scheme, rest)) if name == "authorization" => (format!("{scheme} "), rest),
            _ => (String::new(), value),
        };
        let saved = self.known.find(credential).map(|saved| format!("{}${{saved.{saved}}}", escaped(&scheme)));
        let is_kept = KEPT_HEADERS.contains(&name) || (name.starts_with("x-") && !name.starts_with("x-forwarded"));
        let value = match saved {
            Some(place) => place,
            None if name == "idempotency-key" => "${key}".to_owned(),
            None if secret::is_secret(name) || secret::looks_secret(credential) => {
                self.step.notes.push(secret::note(&format!("The header {name}")));
                return;
            }
            None if is_kept => escaped(value),
            None => {
                dropped.insert(name.trim_start_matches(':').to_owned());
                return;
            }
        };
        self.step.headers.push((name.to_owned(), value));
    }

    fn body(&mut self, data: &PostData) {
        let kind = data.mime_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if kind.starts_with("multipart/") || data.text.is_empty() {
            self.step.notes.push(format!("A body of type {kind} was not carried over."));
            return;
        }
        let has_type = self.step.headers.iter().any(|(name, _)| name == "content-type");
        if !has_type && !kind.is_empty() && kind != "application/json" {
            self.step.headers.push(("content-type".to_owned(), escaped(&data.mime_type)));
        }
        if kind == "application/x-www-form-urlencoded" {
            self.step.body = Some(self.pairs(&data.text, "the form"));
            return;
        }
        match serde_json::from_str::<Value>(&data.text) {
            Ok(mut value) => {
                self.json("", &mut value);
                self.step.body = Some(pretty(&value));
            }
            Err(_) => self.step.body = Some(escaped(&data.text)),
        }
    }

    /// Replaces what was saved and what is secret in a JSON body.
    fn json(&mut self, field: &str, value: &mut Value) {
        match value {
            Value::Object(members) => members.iter_mut().for_each(|(key, member)| self.json(key, member)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(field, item)),
            Value::String(text) => {
                let found = self.known.find(text);
                *text = match found {
                    Some(name) => format!("${{saved.{name}}}"),
                    None if (secret::is_secret(field) && !text.is_empty()) || secret::looks_secret(text) => {
                        self.step.notes.push(secret::note(&format!("{field} in the body")));
                        secret::TEMPLATE.to_owned()
                    }
                    None => {
                        self.known.sent(text);
                        escaped(text)
                    }
                };
            }
            Value::Number(number) => {
                if let Some(name) = self.known.find(&number.to_string()) {
                    *value = format!("{BARE}${{saved.{name}}}{BARE}").into();
                } else {
                    self.known.sent(&number.to_string());
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
    }
}

/// Marks a place that stands in JSON without quotes.
const BARE: &str = "\u{e000}";

fn pretty(value: &Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("JSON can be written as JSON");
    text.replace(&format!("\"{BARE}"), "").replace(&format!("{BARE}\""), "")
}

/// A text with its percent-encoded bytes as they are.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()).filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An encoded text in which nothing is left that an address cannot have.
fn tidy(text: &str) -> String {
    let mut tidy = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/?".contains(&byte) {
            tidy.push(char::from(byte));
        } else {
            tidy.push_str(&format!("%{byte:02X}"));
        }
    }
    tidy
}
