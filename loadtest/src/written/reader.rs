//! From the settings of a step to a step that can be sent: names looked up, places parsed, every mistake kept with its place.
use super::{
    answer::{Check, Condition, Expected, Kept},
    body::{Body, Node},
    expression::Names,
    problem::{Error, Problem},
    settings::{Expect, JsonCheck, Save, StepSettings},
    step::Step,
    template::{Template, plain, write_url},
};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use regex::Regex;
use reports::{record::LONGEST_NS, units};
use std::{collections::BTreeMap, ops::Range, time::Duration};
use toml::Spanned;

/// Methods that a step may use.
const METHODS: [Method; 7] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
/// Headers that follow from the connection and the body.
const RESERVED: [HeaderName; 4] = [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION];

/// Checks a step's settings; every mistake in it.
pub(super) fn read_step(settings: &StepSettings, names: &Names<'_>, login: bool) -> Result<Step, Vec<Error>> {
    let mut reader = Reader { names, errors: Vec::new() };
    let step = reader.step(settings, login);
    if reader.errors.is_empty() { Ok(step) } else { Err(reader.errors) }
}

/// Reads settings and keeps every mistake.
struct Reader<'a> {
    names: &'a Names<'a>,
    errors: Vec<Error>,
}

impl Reader<'_> {
    fn wrong(&mut self, span: Range<usize>, problem: impl Into<Problem>) {
        self.errors.push(Error { span, problem: problem.into() });
    }

    fn step(&mut self, settings: &StepSettings, login: bool) -> Step {
        let headers = self.headers(&settings.headers, login);
        let content_type = settings.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.map(|(_, value)| value.get_ref().as_str());
        let body =
            settings.body.as_ref().and_then(|body| match Body::parse(body.get_ref(), content_type, self.names) {
                Ok(parsed) => Some(parsed),
                Err(error) => {
                    self.wrong(body.span(), error);
                    None
                }
            });
        if settings.stream && (!settings.save.is_empty() || settings.expect.is_given()) {
            self.wrong(settings.name.span(), Problem::StreamIsJudged);
        }
        Step {
            method: self.method(settings),
            path: self.path(settings),
            headers,
            body,
            expected: self.expected(&settings.expect, &settings.save),
            is_streamed: settings.stream,
            think: settings.think.as_ref().and_then(|think| self.think(think)),
        }
    }

    fn method(&mut self, settings: &StepSettings) -> Method {
        let Some(written) = &settings.method else {
            return if settings.body.is_some() { Method::POST } else { Method::GET };
        };
        match METHODS.iter().find(|method| method.as_str() == written.get_ref()) {
            Some(method) => method.clone(),
            None => {
                self.wrong(written.span(), Problem::UnknownMethod { method: written.get_ref().clone() });
                Method::GET
            }
        }
    }

    fn path(&mut self, settings: &StepSettings) -> Vec<Template> {
        let mut parts: Vec<Template> = self.template(&settings.path).into_iter().collect();
        let mut separator = if settings.path.get_ref().contains('?') { '&' } else { '?' };
        for (name, value) in &settings.query {
            let Some(name) = self.plain(name, value.span()) else { continue };
            let mut encoded = String::from(separator);
            write_url(&mut encoded, &name);
            encoded.push('=');
            separator = '&';
            if let Some(value) = self.template(value) {
                parts.push(Template::literal(encoded));
                parts.push(value.with_literals_encoded());
            }
        }
        let outline: String = parts.iter().map(Template::outline).collect();
        let is_address = outline.starts_with('/') && !outline.contains('#') && outline.parse::<Uri>().is_ok();
        if !parts.is_empty() && !is_address {
            self.wrong(settings.path.span(), Problem::NotAPath { path: settings.path.get_ref().clone() });
        }
        parts
    }

    fn headers(&mut self, written: &BTreeMap<String, Spanned<String>>, login: bool) -> Vec<(HeaderName, Template)> {
        let mut headers = Vec::new();
        for (name, value) in written {
            let Some(header) = self.header_name(name, value.span()) else { continue };
            if RESERVED.contains(&header) || (login && header == header::AUTHORIZATION) {
                self.wrong(value.span(), Problem::ReservedHeader { name: name.clone() });
            }
            let Some(template) = self.template(value) else { continue };
            if HeaderValue::from_str(&template.outline()).is_err() {
                self.wrong(value.span(), Problem::NotAHeader { name: name.clone() });
            }
            headers.push((header, template));
        }
        headers
    }

    fn expected(&mut self, expect: &Expect, save: &BTreeMap<String, Spanned<Save>>) -> Expected {
        let statuses = expect.status.iter().filter_map(|status| self.status(status)).collect();
        let headers = expect.headers.iter().filter_map(|(name, value)| {
            let header = self.header_name(name, value.span())?;
            Some((header, self.wanted(value)?))
        });
        Expected {
            headers: headers.collect(),
            statuses,
            json: expect.json.iter().filter_map(|check| self.check(check)).collect(),
            contains: expect.contains.iter().filter_map(|text| self.wanted(text)).collect(),
            matches: expect.matches.iter().filter_map(|regex| self.regex(regex.get_ref(), regex.span())).collect(),
            degraded: expect.degraded.as_ref().and_then(|at| self.pointer(at.get_ref(), at.span())),
            kept: save.iter().filter_map(|(name, save)| Some((name.clone(), self.kept(name, save)?))).collect(),
        }
    }

    fn status(&mut self, status: &Spanned<u16>) -> Option<StatusCode> {
        let code = StatusCode::from_u16(*status.get_ref()).ok();
        let has_own_class = |code: &StatusCode| *code == StatusCode::TOO_MANY_REQUESTS || code.is_server_error();
        let found = code.filter(|code| !has_own_class(code) && code.as_u16() < 600);
        if found.is_none() {
            self.wrong(status.span(), Problem::StatusHasAClass { status: *status.get_ref() });
        }
        found
    }

    fn check(&mut self, check: &JsonCheck) -> Option<Check> {
        let at = self.pointer(check.at.get_ref(), check.at.span())?;
        let is_conditional = check.equals.is_some()
            || check.kind.is_some()
            || [check.length, check.length_min, check.length_max].iter().any(Option::is_some);
        if !check.exists && is_conditional {
            self.wrong(check.at.span(), Problem::MissingHasNothing);
            return None;
        }
        if !check.exists {
            return Some(Check { at, holds: Condition::Missing });
        }
        let equals = match &check.equals {
            Some(value) => Some(self.equals(value)?),
            None => None,
        };
        let length_min = check.length.or(check.length_min).unwrap_or(0);
        let length_max = check.length.or(check.length_max).unwrap_or(usize::MAX);
        if length_min > length_max || (check.length.is_some() && check.length_min.or(check.length_max).is_some()) {
            self.wrong(check.at.span(), Problem::NoSuchLength);
        }
        Some(Check { at, holds: Condition::There { equals, kind: check.kind, length_min, length_max } })
    }

    fn equals(&mut self, value: &Spanned<toml::Value>) -> Option<Node> {
        match Node::parse(value.get_ref(), self.names) {
            Ok(node) if node.is_random() => self.wrong(value.span(), Problem::DrawnAnew),
            Ok(node) => return Some(node),
            Err(error) => self.wrong(value.span(), error),
        }
        None
    }

    fn kept(&mut self, name: &str, save: &Spanned<Save>) -> Option<Kept> {
        if !is_name(name) {
            self.wrong(save.span(), Problem::NotAName { name: name.to_owned() });
        }
        match save.get_ref() {
            Save::Json(at) => self.pointer(at, save.span()).map(Kept::Json),
            Save::Header(name) => self.header_name(name, save.span()).map(Kept::Header),
            Save::Regex(text) => self.regex(text, save.span()).map(Kept::Regex),
        }
    }

    fn think(&mut self, think: &Spanned<String>) -> Option<Duration> {
        match units::parse_duration(think.get_ref()) {
            Ok(duration) if duration > Duration::from_nanos(LONGEST_NS) => {
                self.wrong(think.span(), Problem::ThinksTooLong { think: think.get_ref().clone() });
                None
            }
            Ok(duration) => Some(duration),
            Err(error) => {
                self.wrong(think.span(), Problem::Think(error.to_string()));
                None
            }
        }
    }

    fn pointer(&mut self, at: &str, span: Range<usize>) -> Option<String> {
        if at.is_empty() || at.starts_with('/') {
            return self.plain(at, span);
        }
        self.wrong(span, Problem::NotAPointer { at: at.to_owned() });
        None
    }

    fn regex(&mut self, text: &str, span: Range<usize>) -> Option<Regex> {
        match Regex::new(text) {
            Ok(regex) => Some(regex),
            Err(error) => {
                self.wrong(span, Problem::NotARegex(Box::new(error)));
                None
            }
        }
    }

    fn header_name(&mut self, name: &str, span: Range<usize>) -> Option<HeaderName> {
        let header = HeaderName::from_bytes(name.as_bytes()).ok();
        if header.is_none() {
            self.wrong(span, Problem::NotAHeader { name: name.to_owned() });
        }
        header
    }

    fn template(&mut self, text: &Spanned<String>) -> Option<Template> {
        match Template::parse(text.get_ref(), self.names) {
            Ok(template) => Some(template),
            Err(error) => {
                self.wrong(text.span(), error);
                None
            }
        }
    }

    /// A text in which nothing is filled.
    fn plain(&mut self, text: &str, span: Range<usize>) -> Option<String> {
        plain(text).map_err(|error| self.wrong(span, error)).ok()
    }

    /// A template for what an answer must contain, which cannot be drawn.
    fn wanted(&mut self, text: &Spanned<String>) -> Option<Template> {
        let template = self.template(text)?;
        if template.is_random() {
            self.wrong(text.span(), Problem::DrawnAnew);
        }
        Some(template)
    }
}

impl Expect {
    fn is_given(&self) -> bool {
        let lists = self.status.len() + self.headers.len() + self.json.len() + self.contains.len() + self.matches.len();
        lists > 0 || self.degraded.is_some()
    }
}

/// Whether a text may name a journey, a step, a feeder, or something saved.
pub(super) fn is_name(text: &str) -> bool {
    let is_fitting = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=64).contains(&text.len()) && text.chars().all(is_fitting)
}

#[cfg(test)]
mod tests {
    use super::super::tests::step;
    use rstest::rstest;

    /// Mistakes of a step with what they point at.
    fn mistakes(text: &str) -> Vec<(String, String)> {
        let mistake = |error: super::Error| (text[error.span.clone()].to_owned(), error.to_string());
        step(text).err().unwrap_or_default().into_iter().map(mistake).collect()
    }

    #[rstest]
    #[case(
        "path = '/a'\nmethod = 'FETCH'",
        "'FETCH'",
        "unknown method `FETCH`; known are `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, \
        `DELETE`, `OPTIONS`"
    )]
    #[case(
        "path = 'a'",
        "'a'",
        "`a` is not a path such as /api/v1/trips; it begins with `/` and has no spaces and no `#`"
    )]
    #[case(
        "path = '/a b'",
        "'/a b'",
        "`/a b` is not a path such as /api/v1/trips; it begins with `/` and has no spaces and no `#`"
    )]
    #[case(
        "path = '/a#b'",
        "'/a#b'",
        "`/a#b` is not a path such as /api/v1/trips; it begins with `/` and has no spaces and no `#`"
    )]
    #[case("path = '/${saved.trip}'", "'/${saved.trip}'", "`trip` is saved by no earlier step; saved are `id`, `list`")]
    #[case(
        "path = '/'\nquery.q = '${users.nme}'",
        "'${users.nme}'",
        "unknown column `nme` of feeder users; known are `name`, `age`"
    )]
    #[case("path = '/'\nheaders.'a b' = 'c'", "'c'", "`a b` is not a header with a value of visible characters")]
    #[case("path = '/'\nheaders.a = \"c\\n\"", "\"c\\n\"", "`a` is not a header with a value of visible characters")]
    #[case("path = '/'\nheaders.Host = 'c'", "'c'", "the header `Host` is set by the generator")]
    #[case(
        "path = '/'\nbody = { a = ['${arrival'] }",
        "{ a = ['${arrival'] }",
        "`${arrival` has no closing brace; write `$${` \
        for `${` as it is"
    )]
    #[case("path = '/'\nthink = '3'", "'3'", "`3` has no unit of time; use one of ns, us, ms, s, m, h")]
    #[case(
        "path = '/'\nexpect.status = [200, 503]",
        "503",
        "503 cannot be expected: 429 and 5xx have classes of their own, and \
        statuses go from 100 to 499"
    )]
    #[case(
        "path = '/'\nexpect.status = [99]",
        "99",
        "99 cannot be expected: 429 and 5xx have classes of their own, and \
        statuses go from 100 to 499"
    )]
    #[case(
        "path = '/'\nexpect.json = [{ at = 'id' }]",
        "'id'",
        "`id` is not a JSON pointer such as /offers/0/id; it begins with \
        `/` or is empty"
    )]
    #[case(
        "path = '/'\nexpect.json = [{ at = '/a', exists = false, length = 1 }]",
        "'/a'",
        "what may not exist has no value, type \
        or length"
    )]
    #[case(
        "path = '/'\nexpect.json = [{ at = '/a', length_min = 2, length_max = 1 }]",
        "'/a'",
        "`length` stands alone, and \
        `length_min` is not more than `length_max`"
    )]
    #[case(
        "path = '/'\nexpect.json = [{ at = '/a', equals = '${random.uuid}' }]",
        "'${random.uuid}'",
        "a random value in what is \
        expected would be drawn anew and could not be met"
    )]
    #[case(
        "path = '/'\nexpect.contains = ['${random.uuid}']",
        "'${random.uuid}'",
        "a random value in what is expected would be \
        drawn anew and could not be met"
    )]
    #[case(
        "path = '/'\nsave.'a b' = { json = '/a' }",
        "{ json = '/a' }",
        "`a b` is not a name: 1 to 64 letters, digits, `.`, `_` \
        and `-`"
    )]
    #[case(
        "path = '/'\nsave.a = { json = 'a' }",
        "{ json = 'a' }",
        "`a` is not a JSON pointer such as /offers/0/id; it begins \
        with `/` or is empty"
    )]
    #[case(
        "path = '/'\nstream = true\nexpect.status = [200]",
        "'a'",
        "a stream is judged by its events and has neither `expect` \
        nor `save`"
    )]
    fn mistakes_are_shown_at_their_place(#[case] text: &str, #[case] place: &str, #[case] expected: &str) {
        assert_eq!(mistakes(&format!("name = 'a'\n{text}")), [(place.to_owned(), expected.to_owned())]);
    }

    #[test]
    fn places_where_nothing_is_filled_are_refused() {
        for (text, place) in [
            ("query.'${saved.id}' = 'b'", "'b'"),
            ("body = { a = [{ '${saved.id}' = 1 }] }", "{ a = [{ '${saved.id}' = 1 }] }"),
            ("expect.json = [{ at = '/items/${saved.id}', exists = false }]", "'/items/${saved.id}'"),
            ("expect.json = [{ at = '/a', equals = { '${saved.id}' = 1 } }]", "{ '${saved.id}' = 1 }"),
            ("expect.degraded = '/${saved.id}'", "'/${saved.id}'"),
            ("save.a = { json = '/${saved.id}' }", "{ json = '/${saved.id}' }"),
        ] {
            let found = mistakes(&format!("name = 'a'\npath = '/'\n{text}"));
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].0, place, "{}", found[0].1);
            assert!(found[0].1.starts_with("`${saved.id}` is not filled in here"), "{}", found[0].1);
            let escaped = text.replace("${", "$${");
            assert_eq!(mistakes(&format!("name = 'a'\npath = '/'\n{escaped}")), []);
        }
    }

    #[test]
    fn every_mistake_of_a_step_is_found_at_once() {
        let found = mistakes("name = 'a'\npath = '${no}'\nmethod = 'X'\nexpect.matches = ['(']");
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found.iter().any(|(place, text)| place == "'('" && text.starts_with("not a regular expression: ")));
    }
}
