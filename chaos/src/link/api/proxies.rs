//! `/proxies`, `/populate` and `/reset`.
use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::error::{Result, status};
use crate::link::{body::read_object, draft::NewProxy, registry::Registry, wire::Proxy};

type Links = State<Arc<Registry>>;

pub(super) async fn list(State(links): Links) -> Json<BTreeMap<String, Proxy>> {
    Json(links.list().await)
}

pub(super) async fn create(State(links): Links, body: Bytes) -> Result<(StatusCode, Json<Proxy>)> {
    let new = NewProxy::read(&read_object(&body)?)?;
    Ok((StatusCode::CREATED, Json(links.create(new).await?)))
}

pub(super) async fn populate(State(links): Links, body: Bytes) -> Response {
    let (proxies, outcome) = match NewProxy::read_all(&body) {
        Ok(all) => links.populate(all).await,
        Err(error) => (Vec::new(), Err(error)),
    };
    match outcome {
        Ok(()) => (StatusCode::CREATED, Json(json!({ "proxies": proxies }))).into_response(),
        Err(error) => {
            let status = status(&error);
            let answer = json!({ "error": error.to_string(), "status": status.as_u16(), "proxies": proxies });
            (status, Json(answer)).into_response()
        }
    }
}

pub(super) async fn show(State(links): Links, Path(proxy): Path<String>) -> Result<Json<Proxy>> {
    Ok(Json(links.get(&proxy).await?))
}

pub(super) async fn update(State(links): Links, Path(proxy): Path<String>, body: Bytes) -> Result<Json<Proxy>> {
    links.get(&proxy).await?;
    Ok(Json(links.update(&proxy, &read_object(&body)?).await?))
}

pub(super) async fn delete(State(links): Links, Path(proxy): Path<String>) -> Result<StatusCode> {
    links.delete(&proxy).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn reset(State(links): Links) -> Result<StatusCode> {
    links.reset().await?;
    Ok(StatusCode::NO_CONTENT)
}
