//! What every MCP server does alike: it takes its service time, says whose account a call was for, and validates keys.

use std::sync::Arc;

use axum::http::request::Parts;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    handler::server::{common::schema_for_empty_input, tool::schema_for_output},
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ListToolsResult, MetaObject, PaginatedRequestParams,
        ServerConfig, Tool,
    },
    service::RequestContext,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::refusal::{INVALID_ARGUMENTS, Refused};
use crate::{key::Account, pace::Pace};

/// The tool that every server has besides its own.
const VALIDATE_KEY: &str = "validate_key";

/// The key of `_meta` that says whose account a call was for.
const ACCOUNT: &str = "tripsage/account";

/// One instance of a server, on its own pace.
pub(super) struct Hosted<S> {
    server: Arc<S>,
    pace: Arc<Pace>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ValidKey {
    /// Always true: calls with a key that is not valid are answered with HTTP 401.
    valid: bool,
    /// `platform` without a key, otherwise 12 hexadecimal digits that stand for the key.
    account: String,
}

impl<S: ServerHandler> Hosted<S> {
    pub(super) fn new(server: Arc<S>, pace: Arc<Pace>) -> Self {
        Self { server, pace }
    }

    async fn answer(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
        account: &Account,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name != VALIDATE_KEY {
            return self.server.call_tool(request, context).await;
        }
        if request.arguments.is_some_and(|arguments| !arguments.is_empty()) {
            let message = format!("{VALIDATE_KEY} takes no arguments");
            return Ok(Refused { code: INVALID_ARGUMENTS, message }.into_result().into());
        }
        Ok(CallToolResult::structured(json!(ValidKey { valid: true, account: account.to_string() })).into())
    }
}

impl<S: ServerHandler> ServerHandler for Hosted<S> {
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let account = account(&context);
        let answer = self.pace.around(self.answer(request, context, &account)).await;
        match answer? {
            CallToolResponse::Complete(result) => Ok(finished(result, &account).into()),
            other => Ok(other),
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut list = self.server.list_tools(request, context).await?;
        list.tools.push(validate_key());
        Ok(list)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        if name == VALIDATE_KEY { Some(validate_key()) } else { self.server.get_tool(name) }
    }

    fn get_info(&self) -> ServerConfig {
        self.server.get_info()
    }
}

fn validate_key() -> Tool {
    let description = "Say whether the API key of this call is valid, and whose account it is.";
    let mut input = (*schema_for_empty_input()).clone();
    input.insert("additionalProperties".to_owned(), json!(false));
    Tool::new(VALIDATE_KEY, description, input).with_raw_output_schema(schema_for_output::<ValidKey>())
}

/// Whom the key of the HTTP request belongs to.
fn account(context: &RequestContext<RoleServer>) -> Account {
    let of_request = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get());
    of_request.cloned().unwrap_or_else(Account::platform)
}

/// With the account, and with a code where rmcp itself refused the arguments.
fn finished(mut result: CallToolResult, account: &Account) -> CallToolResult {
    if result.is_error == Some(true) && result.structured_content.is_none() {
        let text = result.content.iter().find_map(|block| block.as_text()).map(|block| block.text.clone());
        result = Refused { code: INVALID_ARGUMENTS, message: text.unwrap_or_default() }.into_result();
    }
    result.meta.get_or_insert_with(MetaObject::new).0.insert(ACCOUNT.to_owned(), json!(account.to_string()));
    result
}
