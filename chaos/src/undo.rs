//! Undoing faults on links that nobody drives any more: by hand, or after a harness that was killed.
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    control::{Control, Error, mismatch},
    link::wire::Proxy,
};

impl Control {
    /// Removes a toxic and sees that it is gone; says whether it was there.
    ///
    /// # Errors
    /// When there is no such link, the fault proxy does not answer, or the toxic is still there.
    pub async fn remove_toxic(&self, link: &str, toxic: &str) -> Result<bool, Error> {
        let attempt = format!("remove toxic `{toxic}` from link `{link}`");
        let is_there = async || Ok::<_, Error>(self.link(link).await?.toxics.iter().any(|seen| seen.name == toxic));
        self.remove(&attempt, ["proxies", link, "toxics", toxic], is_there).await
    }

    /// Removes a rule and sees that it is gone; says whether it was there.
    ///
    /// # Errors
    /// When there is no such link, the fault proxy does not answer, or the rule is still there.
    pub async fn remove_rule(&self, link: &str, rule: &str) -> Result<bool, Error> {
        let attempt = format!("remove rule `{rule}` from link `{link}`");
        let is_there = async || Ok::<_, Error>(self.link(link).await?.rules.iter().any(|seen| seen.name == rule));
        self.remove(&attempt, ["proxies", link, "rules", rule], is_there).await
    }

    async fn remove(
        &self,
        attempt: &str,
        path: [&str; 4],
        is_there: impl AsyncFn() -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        if !is_there().await? {
            return Ok(false);
        }
        match self.write(attempt, Method::DELETE, &path, &Value::Null).await {
            // Its lease ran out in between.
            Err(error) if error.is_not_found() => return Ok(false),
            other => other?,
        };
        if is_there().await? { Err(mismatch(attempt, "nothing", "the fault")) } else { Ok(true) }
    }

    /// Lets a link carry connections again, and sees that it does; says whether it was down.
    ///
    /// # Errors
    /// When there is no such link, the fault proxy does not answer, or the link is still down.
    pub async fn enable(&self, link: &str) -> Result<bool, Error> {
        let attempt = format!("enable link `{link}`");
        if self.link(link).await?.enabled {
            return Ok(false);
        }
        self.write(&attempt, Method::POST, &["proxies", link], &json!({ "enabled": true })).await?;
        if self.link(link).await?.enabled { Ok(true) } else { Err(mismatch(&attempt, "enabled", "disabled")) }
    }

    /// Lifts every fault of one link, and sees that none is left.
    ///
    /// # Errors
    /// When there is no such link, the fault proxy does not answer, or a fault is left.
    pub async fn clear(&self, link: &str) -> Result<(), Error> {
        let seen = self.link(link).await?;
        for toxic in &seen.toxics {
            self.remove_toxic(link, &toxic.name).await?;
        }
        for rule in &seen.rules {
            self.remove_rule(link, &rule.name).await?;
        }
        self.enable(link).await?;
        if has_fault(&self.link(link).await?) {
            return Err(mismatch(&format!("clear link `{link}`"), "no fault", "a fault"));
        }
        Ok(())
    }

    /// Lifts every fault of every link, and sees that none is left.
    ///
    /// # Errors
    /// When the fault proxy does not answer, or a fault is left.
    pub async fn reset(&self) -> Result<(), Error> {
        let attempt = "lift every fault";
        self.write(attempt, Method::POST, &["reset"], &Value::Null).await?;
        let left: Vec<String> = self.links().await?.into_values().filter(has_fault).map(|link| link.name).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(mismatch(attempt, "no fault", &format!("faults on {}", left.join(", "))))
        }
    }
}

fn has_fault(link: &Proxy) -> bool {
    !link.enabled || !link.toxics.is_empty() || !link.rules.is_empty()
}
