//! `/proxies/{proxy}/toxics`.
use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
};

use super::error::Result;
use crate::link::{body::read_object, draft::NewToxic, registry::Registry, wire::Toxic};

type Links = State<Arc<Registry>>;
type Names = Path<(String, String)>;

pub(super) async fn list(State(links): Links, Path(proxy): Path<String>) -> Result<Json<Vec<Toxic>>> {
    Ok(Json(links.toxics(&proxy).await?))
}

/// Answers 200, not 201, as Toxiproxy does.
pub(super) async fn create(State(links): Links, Path(proxy): Path<String>, body: Bytes) -> Result<Json<Toxic>> {
    links.get(&proxy).await?;
    Ok(Json(links.add_toxic(&proxy, &NewToxic::read(&read_object(&body)?)?).await?))
}

pub(super) async fn show(State(links): Links, Path((proxy, toxic)): Names) -> Result<Json<Toxic>> {
    Ok(Json(links.toxic(&proxy, &toxic).await?))
}

pub(super) async fn update(State(links): Links, Path((proxy, toxic)): Names, body: Bytes) -> Result<Json<Toxic>> {
    links.toxic(&proxy, &toxic).await?;
    Ok(Json(links.update_toxic(&proxy, &toxic, &read_object(&body)?).await?))
}

pub(super) async fn delete(State(links): Links, Path((proxy, toxic)): Names) -> Result<StatusCode> {
    links.remove_toxic(&proxy, &toxic).await?;
    Ok(StatusCode::NO_CONTENT)
}
