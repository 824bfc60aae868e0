//! The HTTP side of the LLM: key, model, and the answer at the pace of its tokens.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, header::AUTHORIZATION},
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::post,
};
use futures_util::{StreamExt, stream};
use jiff::{Timestamp, tz::TimeZone};
use tokio::time::Instant;

use super::{
    answer::answer,
    completion::{Chunk, Completion},
    refusal::Refusal,
    request::ChatRequest,
};
use crate::{LlmSettings, pace::Pace, provider::Context, source::Source};

pub(crate) fn router(context: &Context) -> Router {
    let llm = Llm {
        settings: context.llm.clone(),
        pace: Arc::clone(&context.pace),
        gaps: Source::new(context.seed, "gaps between tokens"),
        words: Source::new(context.seed, "words"),
    };
    Router::new()
        .route("/v1/chat/completions", post(complete))
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
    llm.authorize(&headers)?;
    let body =
        body.map_err(|rejection| Refusal::Body { status: rejection.status(), message: rejection.body_text() })?;
    let request = ChatRequest::read(&body)?;
    if !llm.settings.models.contains(&request.model) {
        return Err(Refusal::Model(request.model));
    }
    let call = llm.pace.next_call();
    let completion = llm.completion(call, &request);
    let times = llm.token_times(call, completion.token_count());
    if request.is_streamed() {
        let chunks = completion.chunks(request.wants_usage());
        return Ok(streamed(Arc::clone(&llm.pace), chunks, times, started));
    }
    let last = times.last().copied().unwrap_or_default();
    llm.pace.wait_until(started + last).await;
    Ok(Json(completion.whole()).into_response())
}

impl Llm {
    fn authorize(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let Some(api_key) = &self.settings.api_key else {
            return Ok(());
        };
        let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match given {
            None => Err(Refusal::NoKey),
            Some(given) if given == api_key => Ok(()),
            Some(_) => Err(Refusal::WrongKey),
        }
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
