//! The OpenAPI 3.1 document, made from the routes themselves, and its interactive page.
//!
//! A handler states its request, its success and the errors that are its own; what is true of every route is added here.

use axum::{Router, routing::get};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use utoipa::{
    OpenApi, ToSchema,
    openapi::{OpenApi as Document, PathItem},
};
use utoipa_swagger_ui::SwaggerUi;

use crate::domain::chat::ChatEvent;

/// Where the document is served.
const PATH: &str = "/openapi.json";
/// Where the interactive page is.
const PAGE: &str = "/docs";
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];
/// What any route may answer, and what it means.
const ANY_ROUTE: [(&str, &str); 3] = [
    ("429", "Too many requests; `Retry-After` says when to come back."),
    ("500", "A bug of the service."),
    ("503", "Overloaded, stopping, or something it needs is not available; `Retry-After` says when to come back."),
];
/// What any route that needs a token may answer too.
const AUTHENTICATED: (&str, &str) = ("401", "No valid access token.");
/// What any route with a body may answer too.
const WITH_BODY: [(&str, &str); 4] = [
    ("400", "The body cannot be read as JSON."),
    ("408", "The body did not arrive in time."),
    ("413", "The body is too large."),
    ("422", "Fields are wrong; `details.errors` names them."),
];
/// What the statuses mean where a handler says nothing more.
const STATUSES: [(&str, &str); 13] = [
    ("200", "Done."),
    ("201", "Created."),
    ("202", "Accepted."),
    ("204", "Done; there is nothing to say."),
    ("400", "The request makes no sense."),
    ("403", "Not allowed for this user."),
    ("404", "There is no such thing, or it is not visible to this user."),
    ("409", "The state of the thing does not allow it."),
    ("410", "It has expired."),
    ("413", "The body is too large."),
    ("422", "Fields are wrong; `details.errors` names them."),
    ("502", "A provider answered badly."),
    ("504", "Something that the service needs did not answer in time."),
];

/// Every method of every path. Where there is a `GET`, there is a `HEAD`.
pub(super) fn methods(document: &Document) -> Vec<(&'static str, String)> {
    let methods_of = |(path, item): (&String, &PathItem)| {
        let methods = [
            ("GET", item.get.is_some()),
            ("HEAD", item.get.is_some()),
            ("PUT", item.put.is_some()),
            ("POST", item.post.is_some()),
            ("DELETE", item.delete.is_some()),
            ("PATCH", item.patch.is_some()),
        ];
        methods.map(|(method, is_there)| is_there.then(|| (method, path.clone())))
    };
    document.paths.paths.iter().flat_map(methods_of).flatten().collect()
}

/// What is true of the whole API.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "TripSage",
        description = "Flight search, chat, trips and bookings. Every error has one envelope, `Error`; its `type` and `code` say what to do about it."
    ),
    components(schemas(ErrorBody, ChatEvent)),
    modifiers(&Bearer)
)]
pub(super) struct Base;

/// The body of every error.
#[derive(ToSchema)]
#[schema(as = Error)]
#[expect(dead_code, reason = "it is the schema of what `ApiError::body` writes")]
struct ErrorBody {
    /// Always true.
    error: bool,
    /// Stable name of what went wrong.
    #[schema(example = "VALIDATION_ERROR")]
    code: String,
    /// A sentence for people.
    message: String,
    r#type: ErrorType,
    /// More about it; `errors` lists wrong fields.
    #[schema(value_type = Object)]
    details: Value,
    /// The same as in the header `X-Request-Id`.
    request_id: String,
    timestamp: jiff::Timestamp,
}

/// What kind of error it is.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it is the schema of what `ApiError::body` writes")]
enum ErrorType {
    Authentication,
    Authorization,
    Validation,
    Ratelimit,
    External,
    Internal,
}

/// The one security scheme: an access token.
struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut Document) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        let mut scheme = Http::new(HttpAuthScheme::Bearer);
        scheme.bearer_format = Some("JWT".into());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Completes the document that the routes made.
pub(super) fn complete(document: &Document) -> Value {
    let mut document = serde_json::to_value(document).expect("an OpenAPI document is plain data");
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method) {
                complete_operation(operation, path.starts_with("/api/"));
            }
        }
    }
    document
}

/// The document as text, in the form in which it is committed and served.
pub(super) fn text(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a JSON value can be written");
    text.push('\n');
    text
}

/// Serves the document and its page.
pub(super) fn router<S: Clone + Send + Sync + 'static>(document: Value) -> Router<S> {
    // Shared by all answers: the text is large, and anybody may ask for it.
    let text = Bytes::from(text(&document));
    let serve = move || std::future::ready(([(CONTENT_TYPE, "application/json")], text));
    Router::from(SwaggerUi::new(PAGE).config(utoipa_swagger_ui::Config::from(PATH))).route(PATH, get(serve))
}

fn complete_operation(operation: &mut Value, is_api: bool) {
    // Handlers of different resources may have the same name; operations may not.
    operation["operationId"] =
        format!("{}_{}", text_of(&operation["tags"][0]), text_of(&operation["operationId"])).into();
    let is_authenticated = operation.get("security").is_some();
    let has_body = operation.get("requestBody").is_some();
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    let mut add = |(status, description): (&str, &str)| {
        responses.entry(status).or_insert_with(|| json!({"description": description}));
    };
    if is_api {
        ANY_ROUTE.into_iter().for_each(&mut add);
        add(("504", "The request took too long."));
    }
    if is_authenticated {
        add(AUTHENTICATED);
    }
    if has_body {
        WITH_BODY.into_iter().for_each(&mut add);
    }
    for (status, response) in responses {
        if response["description"].as_str().is_none_or(str::is_empty) {
            let known = STATUSES.into_iter().chain(ANY_ROUTE).find(|(known, _)| known == status);
            response["description"] = known.map_or("", |(_, description)| description).into();
        }
        if status.as_str() >= "400" && response.get("content").is_none() {
            response["content"] = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
        }
    }
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
