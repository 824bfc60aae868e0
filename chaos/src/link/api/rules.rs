//! `/proxies/{proxy}/rules`: faults of single requests, on links that speak a protocol. Not in a real Toxiproxy.
use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};

use super::error::Result;
use crate::link::{body::read_object, registry::Registry, wire::Rule};

type Links = State<Arc<Registry>>;
type Names = Path<(String, String)>;

pub(super) async fn list(State(links): Links, Path(proxy): Path<String>) -> Result<Json<Vec<Rule>>> {
    Ok(Json(links.with_rules(&proxy, |rules| Ok(rules.shapes())).await?))
}

/// Answers 200, not 201, as for toxics.
pub(super) async fn create(State(links): Links, Path(proxy): Path<String>, body: Bytes) -> Result<Json<Rule>> {
    links.get(&proxy).await?;
    let fields = read_object(&body)?;
    Ok(Json(links.with_rules(&proxy, |rules| rules.add(&fields)).await?))
}

pub(super) async fn show(State(links): Links, Path((proxy, rule)): Names) -> Result<Json<Rule>> {
    Ok(Json(links.with_rules(&proxy, |rules| rules.get(&rule)).await?))
}

pub(super) async fn update(State(links): Links, Path((proxy, rule)): Names, body: Bytes) -> Result<Json<Rule>> {
    links.with_rules(&proxy, |rules| rules.get(&rule)).await?;
    let fields = read_object(&body)?;
    Ok(Json(links.with_rules(&proxy, |rules| rules.update(&rule, &fields)).await?))
}

pub(super) async fn delete(State(links): Links, Path((proxy, rule)): Names) -> Result<StatusCode> {
    links.with_rules(&proxy, |rules| rules.remove_named(&rule)).await?;
    Ok(StatusCode::NO_CONTENT)
}
