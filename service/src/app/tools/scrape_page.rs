//! `scrape_page`: the text of a page of the web, its beginning if it is long.
//!
//! Who fetches the page is the webcrawl server, not this service. What a page says is data for the model; whatever it
//! asks for, the model can do no more than call the tools offered.

use futures_util::FutureExt as _;
use garde::Validate;
use http::Uri;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finders, Tool, ToolError, valid};
use crate::{
    dependency::Failure,
    domain::{agent::Agent, meta::Meta},
    llm,
    mcp::{Caller, webcrawl::Page},
};

const PROVIDER: &str = "webcrawl";
/// Longest text that the model is shown, in bytes.
const TEXT_BYTES_MAX: usize = 4_000;
/// Longest title that the model is shown, in bytes.
const TITLE_BYTES_MAX: usize = 200;
/// What the server calls an address with no page.
const NOT_FOUND: &str = "page_not_found";

pub(super) const TOOL: Tool = Tool {
    told: llm::Tool { name: "scrape_page", description: "Reads one page of the web.", parameters },
    provider: PROVIDER,
    specialists: &[Agent::DestinationResearch, Agent::Itinerary],
    topic: None,
    run: |finders, arguments, asker, meta| run(finders, arguments, &asker.caller, meta).boxed(),
};

#[derive(Deserialize, Validate)]
struct Arguments {
    #[garde(length(bytes, max = 2_000), custom(is_web_address))]
    url: String,
}

async fn run(finders: &Finders, arguments: Value, caller: &Caller, meta: &mut Meta) -> Result<Value, ToolError> {
    let Arguments { url } = valid(arguments)?;
    meta.queried(PROVIDER);
    let pages = finders.pages.as_ref().ok_or(Failure::Absent)?;
    match pages.read(&url, caller).await {
        Ok(page) => Ok(shown(page)),
        Err(failure) if failure.refusal_code() == Some(NOT_FOUND) => Err(ToolError::NotFound),
        Err(failure) => Err(failure.into()),
    }
}

fn shown(page: Page) -> Value {
    let Page { url, mut title, markdown: mut text } = page;
    let is_whole = text.len() <= TEXT_BYTES_MAX;
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    title.truncate(title.floor_char_boundary(TITLE_BYTES_MAX));
    json!({"url": url, "title": title, "text": text, "is_whole": is_whole})
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature is garde's")]
fn is_web_address(url: &str, (): &()) -> garde::Result {
    let uri: Option<Uri> = url.parse().ok();
    let is_web = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    if uri.as_ref().is_some_and(is_web) { Ok(()) } else { Err(garde::Error::new("is not the address of a page")) }
}

fn parameters() -> Value {
    json!({
        "type": "object",
        "properties": {"url": {"type": "string", "description": "Begins with https:// or http://"}},
        "required": ["url"],
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://guide.example/lisbon", true)]
    #[case("http://guide.example", true)]
    #[case("ftp://guide.example", false)]
    #[case("file:///etc/passwd", false)]
    #[case("/lisbon", false)]
    #[case("", false)]
    fn only_pages_of_the_web_are_read(#[case] url: &str, #[case] is_read: bool) {
        assert_eq!(is_web_address(url, &()).is_ok(), is_read, "{url}");
    }

    #[test]
    fn a_long_page_is_cut_at_a_character_and_says_so() {
        let page = |text: String| shown(Page { url: String::new(), title: String::new(), markdown: text });
        let long = page(format!("x{}", "é".repeat(TEXT_BYTES_MAX)));
        assert_eq!((long["text"].as_str().unwrap().len(), &long["is_whole"]), (TEXT_BYTES_MAX - 1, &json!(false)));
        assert_eq!(page("short".into())["is_whole"], true);
    }
}
