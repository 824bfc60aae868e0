//! Rules over the HTTP API of our links: put on, read back, renewed, lifted.
use reqwest::Method;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::{
    control::{Control, Error, Written, lease_ms, mismatch},
    forward::Protocol,
    link::wire::Rule,
    timeline::TimedFault,
};

impl Control {
    pub(crate) async fn apply_rule(
        &self,
        attempt: &str,
        fault: &TimedFault,
        protocol: Protocol,
        kind: &str,
        attributes: &Map<String, Value>,
    ) -> Result<Written, Error> {
        // A real Toxiproxy answers 404 to rules, as it does for a link that is not there.
        if self.link(&fault.link).await?.protocol != Some(protocol) {
            let link = fault.link.clone();
            return Err(Error::NoRules { attempt: attempt.to_owned(), link, protocol });
        }
        let rule = Rule {
            name: fault.name.clone(),
            kind: kind.to_owned(),
            attributes: attributes.clone(),
            selector: fault.selector.clone(),
            share: fault.share,
            ttl_ms: Some(lease_ms(fault)),
        };
        let body = serde_json::to_value(&rule).unwrap_or_default();
        let written = self.write(attempt, Method::POST, &["proxies", &fault.link, "rules"], &body).await?;
        let seen: Rule = self.read(attempt, &rule_path(fault)).await?;
        if seen == rule { Ok(written) } else { Err(mismatch(attempt, &format!("{rule:?}"), &format!("{seen:?}"))) }
    }

    pub(crate) async fn renew_rule(&self, attempt: &str, fault: &TimedFault) -> Result<(), Error> {
        let body = json!({ "ttl_ms": lease_ms(fault) });
        self.write(attempt, Method::POST, &rule_path(fault), &body).await.map(drop)
    }

    pub(crate) async fn lift_rule(&self, attempt: &str, fault: &TimedFault) -> Result<Written, Error> {
        let before = Instant::now();
        match self.write(attempt, Method::DELETE, &rule_path(fault), &Value::Null).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        let after = Instant::now();
        let is_on = self.link(&fault.link).await?.rules.iter().any(|rule| rule.name == fault.name);
        if is_on { Err(mismatch(attempt, "no fault", "the fault")) } else { Ok(Written { before, after }) }
    }
}

fn rule_path(fault: &TimedFault) -> [&str; 4] {
    ["proxies", &fault.link, "rules", &fault.name]
}
