//! The HTTP side of the LLM: key, model, and the answer at the pace of its tokens.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;
use tokio::time::Instant;

use super::{
    answer::answer,
    completion::{Chunk, Completion},
    refusal::Refusal,
    request::ChatRequest,
};
use crate::{
    LlmSettings, Settings,
    key::{self, ACCOUNT_HEADER, Account},
    pace::Pace,
    provider::{Context, Mount},
    source::Source,
};

/// The most tokens of a prompt, as many as gpt-4o's.
const CONTEXT_TOKENS_MAX: u64 = 128_000;

pub(crate) fn open(settings: &Settings) -> Mount {
    let (settings, seed) = (settings.llm.clone(), settings.seed);
    Box::new(move |context| routes(context, settings.clone(), seed))
}

fn routes(context: &Context, settings: LlmSettings, seed: u64) -> Router {
    let llm = Llm {
        settings,
        pace: Arc::clone(&context.pace),
        gaps: Source::new(seed, "gaps between tokens"),
        words: Source::new(seed, "words"),
    };
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(models))
        .fallback(async || Refusal::Path)
        .method_not_allowed_fallback(async || Refusal::Method)
        .with_state(Arc::new(llm))
}

struct Llm {
    settings: LlmSettings,
    /// The time to the first token.
    pace: Arc<Pace>,
    gaps: Source,
    words: Source,
}

async fn complete(
    State(llm): State<Arc<Llm>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let started = Instant::now();
    let account = llm.account(&headers)?;
    let body =
        body.map_err(|rejection| Refusal::Body { status: rejection.status(), message: rejection.body_text() })?;
    let request = llm.read(&body)?;
    let mut response = llm.respond(&request, started).await;
    response.headers_mut().insert(ACCOUNT_HEADER, account.header());
    Ok(response)
}

/// The models that there are: what a client asks for to find out whether its key is good.
async fn models(State(llm): State<Arc<Llm>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let account = llm.account(&headers)?;
    let model = |id: &String| json!({"id": id, "object": "model", "created": 0, "owned_by": "tripsage"});
    let list = json!({"object": "list", "data": llm.settings.models.iter().map(model).collect::<Vec<_>>()});
    Ok(([(ACCOUNT_HEADER, account.header())], Json(list)).into_response())
}

impl Llm {
    /// Whom the key of a request belongs to.
    fn account(&self, headers: &HeaderMap) -> Result<Account, Refusal> {
        let given = key::given(headers).map_err(|_| Refusal::NoKey)?;
        match (given, &self.settings.api_key) {
            (None, None) => Ok(Account::platform()),
            (None, Some(_)) => Err(Refusal::NoKey),
            (Some(given), Some(own)) if given == own => Ok(Account::platform()),
            (Some(given), _) => Ok(Account::of(given)?),
        }
    }

    /// The request, if it is for a model that there is and fits into its context.
    fn read(&self, body: &[u8]) -> Result<ChatRequest, Refusal> {
        let request = ChatRequest::read(body)?;
        if !self.settings.models.contains(&request.model) {
            return Err(Refusal::Model(request.model));
        }
        let tokens = request.prompt_tokens();
        if tokens > CONTEXT_TOKENS_MAX {
            return Err(Refusal::Context { limit: CONTEXT_TOKENS_MAX, tokens });
        }
        Ok(request)
    }

    async fn respond(&self, request: &ChatRequest, started: Instant) -> Response {
        let call = self.pace.next_call();
        let completion = self.completion(call, request);
        let times = self.token_times(call, completion.token_count());
        if request.is_streamed() {
            let chunks = completion.chunks(request.wants_usage());
            return streamed(Arc::clone(&self.pace), chunks, times, started);
        }
        let last = times.last().copied().unwrap_or_default();
        self.pace.wait_until(started + last).await;
        Json(completion.whole()).into_response()
    }

    fn completion(&self, call: u64, request: &ChatRequest) -> Completion {
        let now = Timestamp::now();
        let today = now.to_zoned(TimeZone::UTC).date();
        Completion {
            id: format!("chatcmpl-{}", self.words.id(&["completion", &call.to_string()])),
            created: now.as_second(),
            model: request.model.clone(),
            answer: answer(&self.words, &self.settings.tokens, request, today),
            prompt_tokens: request.prompt_tokens(),
        }
    }

    /// When each of `count` tokens is due, from the start of call number `call`.
    fn token_times(&self, call: u64, count: usize) -> Vec<Duration> {
        let mut rng = self.gaps.nth(call);
        let first = self.pace.draw(call);
        let gaps = std::iter::repeat_with(|| self.settings.gap.draw(&mut rng));
        std::iter::once(first)
            .chain(gaps)
            .scan(Duration::ZERO, |due, time| {
                *due += time;
                Some(*due)
            })
            .take(count)
            .collect()
    }
}

/// Server-sent events, each when its token is due; a slow reader gets those that are late at once.
fn streamed(pace: Arc<Pace>, chunks: Vec<Chunk>, times: Vec<Duration>, started: Instant) -> Response {
    let last = times.last().copied().unwrap_or_default();
    let due_of = move |chunk: &Chunk| times.get(chunk.token_count - 1).copied().unwrap_or(last);
    let events: Vec<_> = chunks
        .iter()
        .map(|chunk| (due_of(chunk), chunk.body.to_string()))
        .chain([(last, "[DONE]".to_owned())])
        .collect();
    let events = stream::iter(events).then(move |(due, data)| {
        let pace = Arc::clone(&pace);
        async move {
            pace.wait_until(started + due).await;
            Ok::<_, Infallible>(Event::default().data(data))
        }
    });
    Sse::new(events).into_response()
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;

    fn llm(seed: u64) -> Llm {
        let service_time = "lognormal:250ms:0.3".parse().unwrap();
        Llm {
            settings: LlmSettings::default(),
            pace: Arc::new(Pace::new(service_time, seed, "llm", CancellationToken::new())),
            gaps: Source::new(seed, "gaps between tokens"),
            words: Source::new(seed, "words"),
        }
    }

    #[test]
    fn token_times_are_a_pure_function_of_seed_and_call() {
        let times = llm(1).token_times(3, 40);
        assert_eq!(times, llm(1).token_times(3, 40));
        assert_eq!(times[..10], llm(1).token_times(3, 10));
        assert_ne!(times, llm(1).token_times(4, 40));
        assert_ne!(times, llm(2).token_times(3, 40));
        assert!(times.is_sorted() && times.len() == 40);
    }

    #[test]
    fn gaps_have_their_median() {
        let mut gaps: Vec<_> = (0..500)
            .flat_map(|call| llm(1).token_times(call, 40).windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>())
            .collect();
        gaps.sort_unstable();
        let median_ms = gaps[gaps.len() / 2].as_secs_f64() * 1e3;
        // 19 500 gaps: the standard error of the median is 10 * 0.5 * 1.25 / sqrt(19500) = 0.05 ms.
        assert!((median_ms - 10.0).abs() < 0.4, "{median_ms}");
    }
}
