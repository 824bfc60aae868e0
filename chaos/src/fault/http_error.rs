//! `http_error`: the request is answered with an HTTP error, as an overloaded server or a gateway in front of it would.
use std::fmt;

use hyper::{
    StatusCode,
    header::{HeaderValue, RETRY_AFTER},
};
use reports::units::format_duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::setting::Error;
use crate::{
    Length,
    forward::{Call, Deed, Reply, RequestFault},
};

/// Settings of an HTTP error in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpError {
    /// The status of the answer, 400 to 599, such as 503 or 429.
    #[schemars(range(min = 400, max = 599))]
    pub status: u16,
    /// What `Retry-After` says, such as `"60s"`; whole seconds. No such header unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Length>,
}

impl RequestFault for HttpError {
    fn kind(&self) -> &'static str {
        "http_error"
    }

    fn check(&self) -> Result<(), Error> {
        if !(400..=599).contains(&self.status) {
            return Err(Error::Setting { name: "status", value: self.status.to_string(), must: "400 to 599" });
        }
        match self.retry_after {
            Some(Length(wait)) if wait.subsec_nanos() != 0 => {
                Err(Error::Setting { name: "retry_after", value: format_duration(wait), must: "whole seconds" })
            }
            _ => Ok(()),
        }
    }

    fn deed(&self, _: &Call) -> Deed {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let message = status.canonical_reason().unwrap_or("error");
        let mut reply = Reply::json(status, &json!({ "error": { "message": message, "code": self.status } }));
        if let Some(Length(wait)) = self.retry_after {
            reply.headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        Deed::Answer(reply)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http_error {}", self.status)?;
        match self.retry_after {
            Some(Length(wait)) => write!(f, ", retry after {}", format_duration(wait)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> HttpError {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_status_and_the_wait_are_those_that_were_asked_for() {
        let fault = read("status = 429\nretry_after = \"60s\"");
        let Deed::Answer(reply) = fault.deed(&Call::of_tool("search")) else { panic!("it answers") };
        assert_eq!((reply.status.as_u16(), &reply.headers["retry-after"]), (429, &HeaderValue::from_static("60")));
        assert_eq!(fault.to_string(), "http_error 429, retry after 1m");
        assert_eq!(read("status = 503").to_string(), "http_error 503");
    }

    #[test]
    fn what_is_no_error_or_cannot_be_said_is_refused() {
        assert_eq!(read("status = 200").check().unwrap_err().to_string(), "`status` is 200, but must be 400 to 599");
        let text = read("status = 429\nretry_after = \"1500ms\"").check().unwrap_err().to_string();
        assert_eq!(text, "`retry_after` is 1.5s, but must be whole seconds");
        assert!(read("status = 599").check().is_ok());
    }
}
