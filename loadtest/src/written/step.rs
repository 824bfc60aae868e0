//! A written step, ready to be sent: the request that it makes for one arrival.
use super::{
    answer::Expected,
    body::{Body, JSON},
    facts::Facts,
    template::{Escape, Template},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use std::time::Duration;

/// A step that can be sent.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) method: Method,
    /// Path and query.
    pub(super) path: Vec<Template>,
    pub(super) headers: Vec<(HeaderName, Template)>,
    pub(super) body: Option<Body>,
    pub(super) expected: Expected,
    pub(super) is_streamed: bool,
    pub(super) think: Option<Duration>,
}

impl Step {
    /// The request of one arrival; `None` when its address is longer than HTTP allows.
    pub(super) fn request(&self, facts: &mut Facts<'_>) -> Option<Request<Full<Bytes>>> {
        let path: String = self.path.iter().map(|part| part.fill(facts, Escape::Url)).collect();
        let mut request = Request::new(Full::default());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = Uri::try_from(path).ok()?;
        for (name, value) in &self.headers {
            let value = value.fill(facts, Escape::Header);
            let value = HeaderValue::from_str(&value).expect("what a header cannot carry is encoded");
            request.headers_mut().append(name.clone(), value);
        }
        if let Some(body) = &self.body {
            if !request.headers().contains_key(header::CONTENT_TYPE) {
                request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
            }
            *request.body_mut() = Full::new(body.fill(facts).into());
        }
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{facts::tests::facts, tests::step};
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_request_is_filled_from_the_facts() {
        let step = step(
            "name = 'a'\npath = '/u/${users.name}/x?a=${arrival}'\nquery = { 'q r' = 'x y${users.age}', z = '' }
             headers = { Idempotency-Key = '${key}', x-name = '${users.name}' }\nbody = { n = '${users.name}' }",
        );
        let request = step.unwrap().request(&mut facts()).unwrap();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri().to_string(), "/u/Zo%C3%AB%20%22Z%22%2F%3F%26/x?a=7&q%20r=x%20y31&z=");
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("idempotency-key"), "run-1-7-2");
        assert_eq!((header("x-name"), header("content-type")), ("Zo%C3%AB \"Z\"/?&".into(), "application/json".into()));
        let body = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, r#"{"n":"Zoë \"Z\"/?&"}"#.as_bytes());
    }

    #[test]
    fn an_address_longer_than_http_allows_cannot_be_sent() {
        let step = step("name = 'a'\npath = '/${saved.id}'").unwrap();
        let mut facts = facts();
        facts.saved.insert("id".into(), " ".repeat(30_000).into());
        assert!(step.request(&mut facts).is_none());
        facts.saved.insert("id".into(), " ".repeat(100).into());
        assert!(step.request(&mut facts).is_some());
    }
}
