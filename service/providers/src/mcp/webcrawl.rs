//! The webcrawl server: pages of a web that does not exist, each a pure function of its address; nothing leaves the machine.

use axum::http::Uri;
use rmcp::{
    Json, ServerHandler,
    handler::server::{router::tool::ToolRouter, wrapper::Parameters},
    tool, tool_handler, tool_router,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    endpoint,
    page::Page,
    refusal::{Coded, Refused},
};
use crate::{Settings, provider::Mount, source::Source};

const URL_BYTES_MAX: usize = 2000;
const URLS_MAX: usize = 10;
const PROMPT_BYTES_MAX: usize = 2000;

pub(crate) fn open(settings: &Settings) -> Mount {
    endpoint::mount(Webcrawl { tools: Webcrawl::tool_router(), source: Source::new(settings.seed, "places") })
}

struct Webcrawl {
    tools: ToolRouter<Self>,
    source: Source,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Scrape {
    /// Starts with http:// or https://; at most 2000 bytes.
    url: String,
    /// What to answer with; by default markdown.
    formats: Option<Vec<Format>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    Markdown,
    Html,
    Links,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ScrapedPage {
    url: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Vec<String>>,
    metadata: Metadata,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Metadata {
    status_code: u16,
    language: &'static str,
    word_count: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Extract {
    /// 1 to 10.
    urls: Vec<String>,
    /// What to look for, in words; at most 2000 bytes. Facts that share a word with it come first.
    prompt: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ExtractedFacts {
    /// One per page, in the order asked for.
    results: Vec<FactsOfPage>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FactsOfPage {
    url: String,
    title: String,
    /// The city that the page is about, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'static str>,
    /// Sentences of the page.
    facts: Vec<String>,
}

/// Why a call is understood and still not answered.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("`{0}` is not the address of a page")]
    Url(String),
    #[error("there is no page at `{0}`")]
    Missing(String),
    #[error("the number of urls must be 1 to {URLS_MAX}, not {0}")]
    Count(usize),
    #[error("a prompt must have at most {PROMPT_BYTES_MAX} bytes, not {0}")]
    Prompt(usize),
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "invalid_url",
            Self::Missing(_) => "page_not_found",
            Self::Count(_) => "invalid_count",
            Self::Prompt(_) => "invalid_prompt",
        }
    }
}

#[tool_router]
impl Webcrawl {
    #[tool(description = "Read one page of the web.")]
    async fn scrape(&self, Parameters(arguments): Parameters<Scrape>) -> Result<Json<ScrapedPage>, Refused> {
        let page = self.page(&arguments.url)?;
        let formats = arguments.formats.unwrap_or_else(|| vec![Format::Markdown]);
        let wants = |format| formats.contains(&format);
        Ok(Json(ScrapedPage {
            url: arguments.url,
            markdown: wants(Format::Markdown).then(|| page.markdown()),
            html: wants(Format::Html).then(|| page.html()),
            links: wants(Format::Links).then(|| page.links.clone()),
            metadata: Metadata { status_code: 200, language: "en", word_count: page.word_count() },
            title: page.title,
        }))
    }

    #[tool(description = "Read what pages of the web say about something.")]
    async fn extract(&self, Parameters(arguments): Parameters<Extract>) -> Result<Json<ExtractedFacts>, Refused> {
        Ok(Json(self.facts(arguments)?))
    }
}

impl Webcrawl {
    fn facts(&self, arguments: Extract) -> Result<ExtractedFacts, Refusal> {
        let prompt = arguments.prompt.unwrap_or_default();
        if prompt.len() > PROMPT_BYTES_MAX {
            return Err(Refusal::Prompt(prompt.len()));
        }
        if !(1..=URLS_MAX).contains(&arguments.urls.len()) {
            return Err(Refusal::Count(arguments.urls.len()));
        }
        let facts = |url: String| {
            let page = self.page(&url)?;
            Ok(FactsOfPage {
                url,
                city: page.city.map(|city| city.name),
                facts: page.facts_about(&prompt),
                title: page.title,
            })
        };
        Ok(ExtractedFacts { results: arguments.urls.into_iter().map(facts).collect::<Result<_, _>>()? })
    }

    fn page(&self, url: &str) -> Result<Page, Refusal> {
        let invalid = || Refusal::Url(url.to_owned());
        if url.len() > URL_BYTES_MAX {
            return Err(invalid());
        }
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        let (Some("http" | "https"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(invalid());
        };
        Page::at(&self.source, host, uri.path()).ok_or_else(|| Refusal::Missing(url.to_owned()))
    }
}

#[tool_handler(router = self.tools, name = "webcrawl")]
impl ServerHandler for Webcrawl {}
