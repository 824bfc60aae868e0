//! What a written step makes of an answer: its class, and what is saved of it.
use super::{
    body::Node,
    facts::Facts,
    rows::CELL_MAX,
    settings::JsonType,
    template::{Escape, Template},
};
use crate::{client::Answer, outcome::of_refusal};
use http::{HeaderName, StatusCode};
use regex::Regex;
use reports::record::Outcome;
use serde_json::Value;

/// What a good answer is, and what of it is kept.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// Empty: any from 200 to 299.
    pub(super) statuses: Vec<StatusCode>,
    pub(super) headers: Vec<(HeaderName, Template)>,
    pub(super) json: Vec<Check>,
    pub(super) contains: Vec<Template>,
    pub(super) matches: Vec<Regex>,
    pub(super) degraded: Option<String>,
    pub(super) kept: Vec<(String, Kept)>,
}

/// What must hold at one place of a JSON body.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) at: String,
    pub(super) holds: Condition,
}

#[derive(Debug)]
pub(super) enum Condition {
    Missing,
    There { equals: Option<Node>, kind: Option<JsonType>, length_min: usize, length_max: usize },
}

/// Where something to keep is.
#[derive(Debug)]
pub(super) enum Kept {
    Json(String),
    Header(HeaderName),
    Regex(Regex),
}

impl Expected {
    /// The class of an answer; what is to be kept of a good one goes into the facts.
    pub(super) fn judge(&self, answer: &Answer, facts: &mut Facts<'_>) -> Outcome {
        let is_good = match self.statuses.as_slice() {
            [] => answer.status.is_success(),
            statuses => statuses.contains(&answer.status),
        };
        if !is_good {
            return of_refusal(answer);
        }
        self.look_into(answer, facts).unwrap_or(Outcome::Wrong)
    }

    /// The class of an answer with a good status; `None` when it is not what was expected.
    fn look_into(&self, answer: &Answer, facts: &mut Facts<'_>) -> Option<Outcome> {
        let body = if self.needs_json() { serde_json::from_slice::<Value>(&answer.body).ok()? } else { Value::Null };
        let text = if self.needs_text() { String::from_utf8_lossy(&answer.body) } else { "".into() };
        let has_header = |(name, template): &(HeaderName, Template), facts: &mut Facts<'_>| {
            let wanted = template.fill(facts, Escape::None);
            let mut values = answer.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            values.any(|value| value.contains(&wanted))
        };
        let is_right = self.headers.iter().all(|header| has_header(header, facts))
            && self.json.iter().all(|check| check.holds(&body, facts))
            && self.contains.iter().all(|template| text.contains(&template.fill(facts, Escape::None)))
            && self.matches.iter().all(|regex| regex.is_match(&text));
        if !is_right {
            return None;
        }
        let outcome = match self.degraded.as_deref().and_then(|at| body.pointer(at)) {
            None | Some(Value::Bool(false) | Value::Null) => Outcome::Full,
            Some(Value::Bool(true)) => Outcome::Degraded,
            Some(_) => return None,
        };
        for (name, kept) in &self.kept {
            let value = kept.find(answer, &body, &text).filter(is_small)?;
            facts.saved.insert(name.clone(), value);
        }
        Some(outcome)
    }

    fn needs_json(&self) -> bool {
        let keeps_json = self.kept.iter().any(|(_, kept)| matches!(kept, Kept::Json(_)));
        !self.json.is_empty() || self.degraded.is_some() || keeps_json
    }

    fn needs_text(&self) -> bool {
        let keeps_match = self.kept.iter().any(|(_, kept)| matches!(kept, Kept::Regex(_)));
        !self.contains.is_empty() || !self.matches.is_empty() || keeps_match
    }
}

impl Check {
    fn holds(&self, body: &Value, facts: &mut Facts<'_>) -> bool {
        let found = body.pointer(&self.at);
        match (&self.holds, found) {
            (Condition::Missing, found) => found.is_none(),
            (Condition::There { .. }, None) => false,
            (Condition::There { equals, kind, length_min, length_max }, Some(found)) => {
                let bounds = *length_min..=*length_max;
                equals.as_ref().is_none_or(|wanted| is_same(found, &wanted.value(facts)))
                    && kind.is_none_or(|kind| kind.is_of(found))
                    && (bounds == (0..=usize::MAX) || length(found).is_some_and(|length| bounds.contains(&length)))
            }
        }
    }
}

impl JsonType {
    fn is_of(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
            Self::Null => value.is_null(),
        }
    }
}

/// Characters, elements or members.
fn length(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(members) => Some(members.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// Whether two values are the same, however their numbers are written.
fn is_same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| is_same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, left)| right.get(key).is_some_and(|right| is_same(left, right)))
        }
        (left, right) => left == right,
    }
}

fn is_small(value: &Value) -> bool {
    value.as_str().map_or_else(|| value.to_string().len(), str::len) <= CELL_MAX
}

impl Kept {
    fn find(&self, answer: &Answer, body: &Value, text: &str) -> Option<Value> {
        match self {
            Self::Json(at) => body.pointer(at).filter(|found| !found.is_null()).cloned(),
            Self::Header(name) => Some(answer.headers.get(name)?.to_str().ok()?.into()),
            Self::Regex(regex) => {
                let found = regex.captures(text)?;
                Some(found.get(1).or_else(|| found.get(0))?.as_str().into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{facts::tests::facts, tests::step},
        *,
    };
    use crate::outcome::tests::answer;
    use http::HeaderValue;
    use rstest::rstest;

    fn judge(settings: &str, status: u16, body: &str) -> (Outcome, Facts<'static>) {
        let step = step(&format!("name = \"a\"\npath = \"/\"\n{settings}")).unwrap();
        let mut answered = answer(status, body);
        answered.headers.insert("location", HeaderValue::from_static("/trips/17"));
        answered.headers.append("set-cookie", HeaderValue::from_static("a=1"));
        answered.headers.append("set-cookie", HeaderValue::from_static("b=2"));
        let mut facts = facts();
        let outcome = step.expected.judge(&answered, &mut facts);
        (outcome, facts)
    }

    const BODY: &str = r#"{"id":"17","n":3,"f":3.0,"tags":["a","b"],"none":null,"yes":true,"meta":{"degraded":false}}"#;

    #[rstest]
    #[case("", 204, Outcome::Full)]
    #[case("", 301, Outcome::Wrong)]
    #[case("", 404, Outcome::Wrong)]
    #[case("", 429, Outcome::Limited)]
    #[case("expect.status = [404, 410]", 404, Outcome::Full)]
    #[case("expect.status = [404, 410]", 200, Outcome::Wrong)]
    fn the_status_comes_first(#[case] settings: &str, #[case] status: u16, #[case] expected: Outcome) {
        assert_eq!(judge(settings, status, "not json").0, expected);
    }

    #[test]
    fn refusals_keep_their_class() {
        let body = |code: &str| format!(r#"{{"error":true,"code":"{code}","message":"m"}}"#);
        assert_eq!(judge("", 503, &body("CONCURRENT_LIMIT_EXCEEDED")).0, Outcome::Shed);
        assert_eq!(judge("", 502, &body("MCP_ERROR")).0, Outcome::DependencyError);
        assert_eq!(judge("expect.contains = ['x']", 503, "x").0, Outcome::Wrong, "no error body");
    }

    #[rstest]
    #[case("{ at = '/id' }", true)]
    #[case("{ at = '/none' }", true)]
    #[case("{ at = '/no' }", false)]
    #[case("{ at = '/no', exists = false }", true)]
    #[case("{ at = '/none', exists = false }", false)]
    #[case("{ at = '/id', equals = '17' }", true)]
    #[case("{ at = '/id', equals = '${saved.id}' }", true)]
    #[case("{ at = '/id', equals = 17 }", false)]
    #[case("{ at = '/n', equals = 3 }", true)]
    #[case("{ at = '/f', equals = 3 }", true)]
    #[case("{ at = '/n', equals = 3.5 }", false)]
    #[case("{ at = '/n', equals = '${saved.id|number}' }", false)]
    #[case("{ at = '/tags', equals = ['a', 'b'] }", true)]
    #[case("{ at = '/tags', equals = ['a'] }", false)]
    #[case("{ at = '/meta', equals = { degraded = false } }", true)]
    #[case("{ at = '/meta', equals = {} }", false)]
    #[case("{ at = '/id', type = 'string' }", true)]
    #[case("{ at = '/id', type = 'number' }", false)]
    #[case("{ at = '/n', type = 'integer' }", true)]
    #[case("{ at = '/f', type = 'integer' }", true)]
    #[case("{ at = '/yes', type = 'boolean' }", true)]
    #[case("{ at = '/none', type = 'null' }", true)]
    #[case("{ at = '', type = 'object', length_min = 7 }", true)]
    #[case("{ at = '/tags', type = 'array', length = 2 }", true)]
    #[case("{ at = '/tags', length = 3 }", false)]
    #[case("{ at = '/tags', length_min = 3 }", false)]
    #[case("{ at = '/tags', length_max = 1 }", false)]
    #[case("{ at = '/tags/1', length_min = 1, length_max = 1 }", true)]
    #[case("{ at = '/n', length_min = 1 }", false)]
    fn every_check_can_hold_and_can_fail(#[case] check: &str, #[case] holds: bool) {
        let expected = if holds { Outcome::Full } else { Outcome::Wrong };
        let settings = format!("expect.json = [{check}]");
        assert_eq!(judge(&settings, 200, BODY).0, expected);
        assert_eq!(judge(&settings, 200, "not json").0, Outcome::Wrong);
    }

    #[rstest]
    #[case("expect.headers = { Location = '/trips/${saved.id}' }", true)]
    #[case("expect.headers = { location = '/trips/18' }", false)]
    #[case("expect.headers = { set-cookie = 'b=' }", true)]
    #[case("expect.headers = { etag = '' }", false)]
    #[case("expect.contains = ['\"n\":3', '${saved.id}']", true)]
    #[case("expect.contains = ['\"n\":4']", false)]
    #[case(r#"expect.matches = ['"id":"\d+"']"#, true)]
    #[case(r#"expect.matches = ['^\d+$']"#, false)]
    fn headers_and_texts_are_looked_for(#[case] settings: &str, #[case] holds: bool) {
        let expected = if holds { Outcome::Full } else { Outcome::Wrong };
        assert_eq!(judge(settings, 200, BODY).0, expected);
    }

    #[rstest]
    #[case("/meta/degraded", r#"{"meta":{"degraded":true}}"#, Outcome::Degraded)]
    #[case("/meta/degraded", r#"{"meta":{"degraded":false}}"#, Outcome::Full)]
    #[case("/meta/degraded", "{}", Outcome::Full)]
    #[case("/meta/degraded", r#"{"meta":{"degraded":"yes"}}"#, Outcome::Wrong)]
    #[case("/meta/degraded", "", Outcome::Wrong)]
    fn an_answer_may_say_that_it_is_less(#[case] at: &str, #[case] body: &str, #[case] expected: Outcome) {
        assert_eq!(judge(&format!("expect.degraded = '{at}'"), 200, body).0, expected);
    }

    #[rstest]
    #[case("{ json = '/tags' }", Some(r#"["a","b"]"#))]
    #[case("{ json = '/none' }", None)]
    #[case("{ json = '/no' }", None)]
    #[case("{ header = 'Location' }", Some(r#""/trips/17""#))]
    #[case("{ header = 'etag' }", None)]
    #[case(r#"{ regex = '"id":"(\d+)"' }"#, Some(r#""17""#))]
    #[case("{ regex = 'n.{2}' }", Some(r#""n\":""#))]
    #[case("{ regex = 'x+' }", None)]
    fn what_is_to_be_saved_must_be_there(#[case] save: &str, #[case] expected: Option<&str>) {
        let (outcome, facts) = judge(&format!("save.new = {save}"), 200, BODY);
        assert_eq!(facts.saved.get("new").map(Value::to_string).as_deref(), expected);
        assert_eq!(outcome, if expected.is_some() { Outcome::Full } else { Outcome::Wrong });
        let (outcome, facts) = judge("save.new = { json = '/id' }\nexpect.contains = ['absent']", 200, BODY);
        assert_eq!((outcome, facts.saved.get("new")), (Outcome::Wrong, None), "of a wrong answer nothing is kept");
    }

    #[test]
    fn what_is_too_large_to_be_saved_is_wrong() {
        let body = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
        assert_eq!(judge("save.a = { json = '/a' }", 200, &body(CELL_MAX)).0, Outcome::Full);
        assert_eq!(judge("save.a = { json = '/a' }", 200, &body(CELL_MAX + 1)).0, Outcome::Wrong);
    }
}
