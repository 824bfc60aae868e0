//! From a description of an API (OpenAPI 3) to journeys: one per tag, each asking every operation of it once.
use super::{
    draft::{self, Draft, Journey, Step, escaped},
    sample::{Document, Notes},
};
use anyhow::{Context as _, bail};
use reqwest::Url;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Methods in the order in which a user would use them: make, look, change, remove.
const METHODS: [&str; 6] = ["post", "get", "head", "put", "patch", "delete"];

/// One operation of the description.
struct Operation<'a> {
    method: &'static str,
    path: &'a str,
    value: &'a Value,
    /// Its own parameters, and those of its path that it does not have itself.
    parameters: Vec<&'a Value>,
}

/// The text of a scenario with a journey for each tag of an OpenAPI document in JSON or YAML.
///
/// # Errors
/// When the text is no OpenAPI 3 document, or describes nothing that can be asked.
pub(crate) fn import(text: &str) -> anyhow::Result<String> {
    let document = read(text)?;
    let version = document.get("openapi").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("3.") {
        bail!("this is not an OpenAPI 3 document: `openapi` is {version:?}");
    }
    let resolver = Document(&document);
    let title = document.pointer("/info/title").and_then(Value::as_str).unwrap_or("an API");
    let mut draft = Draft { title: format!("Every operation of {title}"), ..Draft::default() };
    draft.notes.push(format!("From the OpenAPI {version} description of {title}. It asks every operation once; which of them users ask, in which order and how often, is yours to say."));
    let mut names = draft::built_in_names();
    for (tag, operations) in by_tag(&resolver, &document, &mut draft.notes) {
        let name = draft::name(&tag, &mut names);
        draft.journeys.push(journey(&resolver, &document, name, operations, &mut names));
    }
    if draft.journeys.is_empty() {
        bail!("the document describes no operation");
    }
    if draft.journeys.iter().any(|journey| journey.login) {
        draft.notes.push("login = true: users register and log in as TripSage has it. For another service, log in by a step of its own, save the token, and send it: headers = { authorization = \"Bearer ${saved.token}\" }.".to_owned());
    }
    let (origin, base) = server(&document);
    draft.url = origin;
    let steps = draft.journeys.iter_mut().flat_map(|journey| &mut journey.steps);
    steps.for_each(|step| step.path = format!("{base}{}", step.path));
    Ok(draft.text())
}

/// Where the first server is, and the path that all paths are below.
fn server(document: &Value) -> (Option<String>, String) {
    let url = document.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
    let url = url.split(['{', '?', '#']).next().unwrap_or_default();
    match Url::parse(url) {
        Ok(url) if url.has_host() => {
            (Some(url.origin().ascii_serialization()), url.path().trim_end_matches('/').to_owned())
        }
        _ if url.starts_with('/') => (None, draft::encoded_path(url.trim_end_matches('/'))),
        _ => (None, String::new()),
    }
}

fn read(text: &str) -> anyhow::Result<Value> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).context("this is not JSON");
    }
    serde_saphyr::from_str(text).context("this is neither JSON nor YAML")
}

/// The operations of each tag, in the order in which a user would use them.
fn by_tag<'a>(
    resolver: &Document<'a>,
    document: &'a Value,
    notes: &mut Vec<String>,
) -> BTreeMap<String, Vec<Operation<'a>>> {
    let mut tags: BTreeMap<String, Vec<Operation<'a>>> = BTreeMap::new();
    for (path, item) in document.get("paths").and_then(Value::as_object).into_iter().flatten() {
        let item = resolver.resolve(item);
        for (method, value) in item.as_object().into_iter().flatten() {
            let Some(method) = METHODS.into_iter().find(|known| known == method) else {
                if ["options", "trace"].contains(&method.as_str()) {
                    notes.push(format!("Left out: {} {path}.", method.to_uppercase()));
                }
                continue;
            };
            let tag = value.pointer("/tags/0").and_then(Value::as_str).unwrap_or("untagged").to_owned();
            let parameters = parameters(resolver, item, value);
            tags.entry(tag).or_default().push(Operation { method, path, value, parameters });
        }
    }
    for operations in tags.values_mut() {
        operations.sort_by_key(|operation| {
            let depth = operation.path.split('/').count();
            let rank = METHODS.iter().position(|method| *method == operation.method);
            // What is removed is removed last, and parts before the whole.
            let is_last = operation.method == "delete";
            (is_last, if is_last { usize::MAX - depth } else { depth }, operation.path, rank)
        });
    }
    tags
}

fn parameters<'a>(resolver: &Document<'a>, item: &'a Value, operation: &'a Value) -> Vec<&'a Value> {
    let list =
        |value: &'a Value| value.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut found: Vec<&Value> = Vec::new();
    for parameter in list(operation).iter().chain(list(item)) {
        let parameter = resolver.resolve(parameter);
        let is_same = |other: &&Value| other["name"] == parameter["name"] && other["in"] == parameter["in"];
        if !found.iter().any(is_same) {
            found.push(parameter);
        }
    }
    found
}

fn journey(
    resolver: &Document<'_>,
    document: &Value,
    name: String,
    operations: Vec<Operation<'_>>,
    names: &mut BTreeSet<String>,
) -> Journey {
    let mut journey = Journey { name, ..Journey::default() };
    let mut makers: Vec<Maker> = Vec::new();
    for operation in operations {
        journey.login |= needs_login(document, operation.value);
        let mut drafting = Drafting { resolver, operation: &operation, step: Step::default(), makers: &makers };
        let used = drafting.draft(names);
        let step = drafting.step;
        makers.iter_mut().filter(|maker| used.contains(&maker.name)).for_each(|maker| maker.is_used = true);
        if let Some(maker) = Maker::of(resolver, &operation, journey.steps.len(), &makers) {
            makers.push(maker);
        }
        journey.steps.push(step);
    }
    for maker in makers.into_iter().filter(|maker| maker.is_used) {
        journey.steps[maker.step].saves.push((maker.name, maker.pointer));
    }
    journey
}

fn needs_login(document: &Value, operation: &Value) -> bool {
    let security = operation.get("security").or_else(|| document.get("security"));
    let schemes = security.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    !schemes.is_empty() && schemes.iter().all(|scheme| scheme.as_object().is_some_and(|names| !names.is_empty()))
}

/// A step that makes something, whose id later steps can use.
struct Maker {
    /// The path below which its things are.
    path: String,
    step: usize,
    name: String,
    pointer: String,
    is_used: bool,
}

impl Maker {
    fn of(resolver: &Document<'_>, operation: &Operation<'_>, step: usize, others: &[Self]) -> Option<Self> {
        if operation.method != "post" {
            return None;
        }
        let (_, answer) = good_answer(operation.value)?;
        let schema = resolver.resolve(resolver.resolve(answer).pointer("/content/application~1json/schema")?);
        schema.get("properties")?.get("id")?;
        let word = operation.path.rsplit('/').find(|word| !word.is_empty() && !word.starts_with('{'))?;
        let mut taken: BTreeSet<String> = others.iter().map(|maker| maker.name.clone()).collect();
        let name = draft::name(&format!("{word}_id"), &mut taken);
        Some(Self { path: operation.path.to_owned(), step, name, pointer: "/id".to_owned(), is_used: false })
    }
}

/// The answer with the lowest status from 200 to 299.
fn good_answer(operation: &Value) -> Option<(u16, &Value)> {
    let answers = operation.get("responses")?.as_object()?;
    let with_status = answers.iter().filter_map(|(status, answer)| Some((status.parse::<u16>().ok()?, answer)));
    let good = with_status.filter(|(status, _)| (200..300).contains(status));
    good.min_by_key(|(status, _)| *status)
}

/// A step being drafted from an operation.
struct Drafting<'a> {
    resolver: &'a Document<'a>,
    operation: &'a Operation<'a>,
    step: Step,
    makers: &'a [Maker],
}

impl Drafting<'_> {
    /// Drafts the step, and says which saved ids it uses.
    fn draft(&mut self, names: &mut BTreeSet<String>) -> Vec<String> {
        let Operation { method, path, value, .. } = *self.operation;
        let id = value.get("operationId").and_then(Value::as_str).map(str::to_owned);
        self.step.method = method.to_uppercase();
        self.step.name =
            draft::name(&id.unwrap_or_else(|| format!("{method}.{}", path.trim_matches('/').replace('/', "."))), names);
        let used = self.path();
        self.query_and_headers();
        self.body();
        match good_answer(value) {
            Some((status, _)) => self.step.statuses = vec![status],
            None => self
                .step
                .notes
                .push("No answer from 200 to 299 is described; any of them is taken for good.".to_owned()),
        }
        used
    }

    fn path(&mut self) -> Vec<String> {
        let mut used = Vec::new();
        let mut filled = String::new();
        for word in self.operation.path.split('/').skip(1) {
            // What was made at the path before the parameter has its id there.
            let maker = self.makers.iter().rev().find(|maker| shape(&maker.path) == shape(&filled));
            filled.push('/');
            let mut rest = word;
            while let Some((before, name, after)) = parameter_in(rest) {
                filled.push_str(&escaped(before));
                match maker.filter(|_| name == "id" || name.ends_with("_id") || name.ends_with("Id")) {
                    Some(maker) => {
                        filled.push_str(&format!("${{saved.{}}}", maker.name));
                        used.push(maker.name.clone());
                    }
                    None => {
                        let sample = self.parameter("path", name);
                        self.step.notes.push(format!(
                            "{{{name}}} is made up. Take real ones from a file: [feeders.data] file = \"data.csv\", and write ${{data.{name}}}."
                        ));
                        filled.push_str(&draft::encoded_around_places(&sample));
                    }
                }
                rest = after;
            }
            filled.push_str(&escaped(rest));
        }
        self.step.path = if filled.is_empty() { "/".to_owned() } else { filled };
        used
    }

    fn parameter(&self, place: &str, name: &str) -> String {
        let found =
            self.operation.parameters.iter().find(|parameter| parameter["in"] == place && parameter["name"] == name);
        found.map_or_else(|| "1".to_owned(), |parameter| self.sample_of(parameter))
    }

    fn sample_of(&self, parameter: &Value) -> String {
        let given = parameter.get("example").filter(|example| !example.is_null());
        let sample = match (given, parameter.get("schema")) {
            (Some(example), _) => example.clone(),
            (None, Some(schema)) => {
                let mut notes = Notes::default();
                let named = self.resolver.resolve(schema);
                Document(self.resolver.0).sample(named, &mut notes)
            }
            (None, None) => Value::Null,
        };
        match sample {
            Value::Null => "1".to_owned(),
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    fn query_and_headers(&mut self) {
        let mut optional = Vec::new();
        for parameter in &self.operation.parameters {
            let (name, place) =
                (parameter["name"].as_str().unwrap_or_default(), parameter["in"].as_str().unwrap_or_default());
            let is_key = name.eq_ignore_ascii_case("idempotency-key");
            if place == "path" || name.is_empty() {
                continue;
            }
            if is_key {
                self.step.headers.push((name.to_ascii_lowercase(), "${key}".to_owned()));
            } else if parameter["required"] != true {
                optional.push(format!("{name} ({place})"));
            } else if place == "query" {
                self.step.query.push((escaped(name), self.sample_of(parameter)));
            } else if place == "header" && !super::secret::is_secret(name) {
                let sample = self.sample_of(parameter).replace(|c: char| c.is_control() || !c.is_ascii(), "?");
                self.step.headers.push((name.to_ascii_lowercase(), sample));
            } else {
                self.step.notes.push(format!("The {place} {name} is required and was not made up."));
            }
        }
        if !optional.is_empty() {
            self.step.notes.push(format!("Left out, as they are optional: {}.", optional.join(", ")));
        }
    }

    fn body(&mut self) {
        let Some(body) = self.operation.value.get("requestBody") else { return };
        let content = self.resolver.resolve(body).get("content").and_then(Value::as_object);
        let json = content.and_then(|content| {
            content.iter().find(|(kind, _)| kind.starts_with("application/json") || kind.ends_with("+json"))
        });
        let Some((_, media)) = json else {
            let kinds: Vec<&String> = content.into_iter().flat_map(|content| content.keys()).collect();
            self.step.notes.push(format!("A body of type {kinds:?} is left out."));
            return;
        };
        let mut notes = Notes::default();
        let example = media
            .get("example")
            .or_else(|| media.pointer("/examples").and_then(|all| all.as_object()?.values().next()?.get("value")));
        let value = match (example, media.get("schema")) {
            (Some(example), _) => example.clone(),
            (None, Some(schema)) => Document(self.resolver.0).sample(schema, &mut notes),
            (None, None) => Value::Null,
        };
        self.step.notes.append(&mut notes.list);
        if !notes.left_out.is_empty() {
            self.step.notes.push(format!("Left out of the body, as they are optional: {}.", notes.left_out.join(", ")));
        }
        let text = serde_json::to_string_pretty(&value).expect("JSON can be written as JSON");
        self.step.body = Some(if example.is_some() { escaped(&text) } else { text });
    }
}

/// The first parameter in a word of a path, with what is before and after it.
fn parameter_in(word: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = word.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

/// A path with all that fills it made the same, to tell which paths are below which.
fn shape(path: &str) -> String {
    let word = |word: &str| if word.contains('{') { "{}".to_owned() } else { word.to_owned() };
    path.split('/').filter(|word| !word.is_empty()).map(word).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "
openapi: 3.1.0
info: {title: Shop}
servers: [{url: 'https://shop.example.com/v1'}]
security: [{key: []}]
paths:
  /orders:
    parameters:
      - {name: tenant, in: query, required: true, schema: {type: integer, minimum: 7}}
    post:
      requestBody: {content: {application/json: {example: {note: 'costs ${5}'}}}}
      responses:
        default: {description: else}
        201: {description: made, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
        202: {description: later}
  /orders/{order_id}:
    delete: {responses: {'204': {description: gone}}}
    get:
      parameters:
        - {name: order_id, in: path, required: true, schema: {type: string}}
        - {name: x-token, in: header, required: true, schema: {type: string}}
      responses: {'404': {description: none}}
  /files:
    post:
      security: []
      tags: [files]
      requestBody: {content: {multipart/form-data: {schema: {type: object}}}}
      responses: {'2XX': {description: ok}}
components: {schemas: {Order: {type: object, properties: {id: {type: string}}}}}
";

    #[test]
    fn a_description_becomes_steps_in_the_order_of_their_use() {
        let text = import(YAML).unwrap();
        let scenario: toml::Table = text.parse().unwrap();
        let journeys = scenario["journeys"].as_table().unwrap();
        let steps = journeys["untagged"]["steps"].as_array().unwrap();
        let line =
            |step: &toml::Value| format!("{} {}", step["method"].as_str().unwrap(), step["path"].as_str().unwrap());
        let order = "/v1/orders/${saved.orders_id}";
        let expected = ["POST /v1/orders".to_owned(), format!("GET {order}"), format!("DELETE {order}")];
        assert_eq!(steps.iter().map(line).collect::<Vec<_>>(), expected);
        assert_eq!(steps[0]["expect"].to_string(), "{ status = [201] }");
        assert_eq!(steps[0]["query"].to_string(), r#"{ tenant = "7" }"#);
        assert_eq!(steps[0]["body"].as_str(), Some("{\n  \"note\": \"costs $${5}\"\n}"));
        assert!(steps[1].get("expect").is_none());
        let login = |journey: &str| journeys[journey]["login"].as_bool();
        let relative = import(&YAML.replace("https://shop.example.com/v1", "/a b/")).unwrap();
        assert!(relative.contains(r#""/a%20b/orders""#), "{relative}");
        assert_eq!((login("untagged"), login("files")), (Some(true), Some(false)));
        for note in [
            "No answer from 200 to 299 is described",
            "The header x-token is required and was not made up.",
            r#"A body of type ["multipart/form-data"] is left out."#,
            r#"# url = "https://shop.example.com""#,
        ] {
            assert!(text.contains(note), "{note}: {text}");
        }
    }

    #[test]
    fn parameters_are_filled_wherever_they_stand_in_a_word() {
        let more = "  /orders/{order_id}.json:\n    get: {}\n  /maps/v{zoom}-{scale}/all:\n    get: {tags: [maps]}\n  /files:\n";
        let text = import(&YAML.replace("  /files:\n", more)).unwrap();
        for path in ["/v1/orders/${saved.orders_id}.json", "/v1/maps/v1-1/all"] {
            assert!(text.contains(&format!("path    = \"{path}\"")), "{path}: {text}");
        }
        assert!(text.contains("{zoom} is made up.") && text.contains("{scale} is made up."), "{text}");
    }
}
