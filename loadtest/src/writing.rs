//! How a visit writes, and reads what it wrote: as any step, and noted in the journal.
use crate::{
    client::{Answer, Failure},
    directory::Guest,
    oracle::{Found, Own, Write},
    outcome::{self, Said},
    visit::{Attempt, Visit},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use reports::record::{JournalEntry, Outcome, RecordKind};
use serde_json::{Value, json};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

impl Visit<'_> {
    /// A new record of this visit's user. What a trip, an item or a booking will be known by has to be in its request.
    #[must_use]
    pub fn new_record(&mut self, kind: RecordKind) -> Write {
        let reference = match self.written {
            0 => self.number().to_string(),
            further => format!("{}.{further}", self.number()),
        };
        self.written += 1;
        let key = format!("{}-{reference}", self.run());
        Write { kind, reference, owner: self.user_index(), parent: None, guest: None, key, is_change: false }
    }

    /// The share of a trip with another user.
    #[must_use]
    pub fn new_share(&mut self, trip_id: &str, guest: &Guest) -> Write {
        let share = self.new_record(RecordKind::Share).within(trip_id);
        Write { reference: guest.email.clone(), guest: Some(guest.index), ..share }
    }

    /// Another user of the load, from `start` on, who is none of `others` and not this one; `None` when nobody else is logged in.
    #[must_use]
    pub fn meet(&self, start: u32, others: &[&Guest]) -> Option<Guest> {
        let known: Vec<u32> = others.iter().map(|guest| guest.index).chain([self.user_index()]).collect();
        self.directory().find(start, &known)
    }

    /// As [`Visit::ask`], for a request that makes or changes a record. A new record gets its idempotency key.
    pub async fn write(
        &mut self,
        step: usize,
        mut request: Request<Full<Bytes>>,
        write: &Write,
        judge: impl FnOnce(&Answer) -> Outcome,
    ) -> Option<(Outcome, Answer)> {
        with_key(&mut request, write);
        let attempt = self.attempt(step, request, Some(write), judge).await?;
        self.settle(write, &attempt);
        Some((attempt.outcome, attempt.end.ok()?))
    }

    /// As [`Visit::ask`], for a request that reads a record which this visit has written.
    pub async fn read_own(
        &mut self,
        step: usize,
        request: Request<Full<Bytes>>,
        write: &Write,
        judge: impl FnOnce(&Answer) -> Outcome,
    ) -> Option<(Outcome, Answer)> {
        let attempt = self.attempt(step, request, None, judge).await?;
        let answer = attempt.end.ok()?;
        self.compare(write, attempt.sent_ns, &answer);
        Some((attempt.outcome, answer))
    }

    /// As [`Visit::ask_stream`], for a question that is kept with its answer in a session of this visit. `said_before` is what was said
    /// in the session, to which question and answer are added.
    pub async fn chat(
        &mut self,
        step: usize,
        mut request: Request<Full<Bytes>>,
        write: &Write,
        said_before: &mut Vec<Value>,
        question: &str,
    ) -> Option<(Outcome, Option<Said>)> {
        with_key(&mut request, write);
        let (outcome, end, said) = self.attempt_stream(step, request, Some(write)).await?;
        let is_kept = |said: &&Said| outcome.is_good() && said.is_kept;
        match (said.as_ref().filter(is_kept), &end) {
            (Some(said), _) => {
                said_before.extend([said_by("user", question), said_by("assistant", &said.content)]);
                self.acknowledge(write, &json!({ "session_id": said.session_id, "messages": said_before }));
            }
            (None, Ok(answer)) if !answer.status.is_success() => self.refuse_if_final(write, answer.status),
            (None, Err(failure)) => self.refuse_if_unsent(write, failure),
            // Begun, and not ended: the question may be there.
            (None, Ok(_)) => {}
        }
        Some((outcome, said))
    }

    fn settle(&mut self, write: &Write, attempt: &Attempt) {
        match &attempt.end {
            Ok(answer) if answer.status.is_success() => {
                let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                let is_skipped = write.kind == RecordKind::Share && body["added"] == json!([]);
                match is_skipped {
                    true => self.note(write.refused(self.done_ns())),
                    false => self.acknowledge(write, &body),
                }
            }
            Ok(answer) => self.refuse_if_final(write, answer.status),
            Err(failure) => self.refuse_if_unsent(write, failure),
        }
    }

    /// Of a request that was sent, nobody knows what became of it.
    fn refuse_if_unsent(&self, write: &Write, failure: &Failure) {
        // One that never had its turn is not in the journal.
        let had_turn = !matches!(failure, Failure::PoolTimeout(_));
        if failure.is_unsent() && had_turn {
            self.note(write.refused(self.done_ns()));
        }
    }

    fn refuse_if_final(&self, write: &Write, status: StatusCode) {
        if is_final(status) {
            self.note(write.refused(self.done_ns()));
        }
    }

    fn acknowledge(&mut self, write: &Write, body: &Value) {
        if !self.is_journaled() {
            return;
        }
        let (at_ns, found) = (self.done_ns(), Found::of_acknowledgement(write.kind, body));
        self.note(write.acknowledged(at_ns, found.as_ref()));
        let Some(found) = found else { return };
        match self.own.iter_mut().find(|own| own.write.is_of(write)) {
            Some(own) => own.acknowledge(at_ns, &found),
            None => self.own.push(Own::new(write.clone(), at_ns, &found)),
        }
    }

    fn compare(&mut self, write: &Write, sent_ns: u64, answer: &Answer) {
        let shown = (answer.status == StatusCode::OK).then(|| serde_json::from_slice::<Value>(&answer.body).ok());
        let body = shown.flatten();
        if body.is_none() && !outcome::is_absence(answer) {
            return;
        }
        let (at_ns, bound_ns) = (self.done_ns(), self.own_writes_ns());
        let own = self.own.iter_mut().find(|own| own.write.is_of(write));
        let entry: Option<JournalEntry> = own.and_then(|own| own.read(sent_ns, at_ns, body.as_ref(), bound_ns));
        entry.into_iter().for_each(|entry| self.note(entry));
    }
}

/// Whether nothing was written, for certain: such a refusal comes before it. After an error of the server nobody knows, nor after an
/// answer with which somebody on the way gives up waiting for the service (408, 425, 499).
fn is_final(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 401 | 403 | 404 | 405 | 409 | 410 | 413 | 415 | 422 | 429)
}

fn said_by(role: &str, content: &str) -> Value {
    json!({ "role": role, "content": content })
}

impl Guest {
    /// The request as this user sends it.
    #[must_use]
    pub fn signed(&self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        request.headers_mut().insert(header::AUTHORIZATION, self.bearer.clone());
        request
    }

    /// Its e-mail address.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }
}

/// Kinds whose requests may be sent again with the same key, and make one record.
fn with_key(request: &mut Request<Full<Bytes>>, write: &Write) {
    let has_key = matches!(write.kind, RecordKind::Trip | RecordKind::Booking | RecordKind::Chat);
    if has_key && !write.is_change {
        let key = HeaderValue::try_from(&write.key).expect("the name of a run and a number are visible ASCII");
        request.headers_mut().insert(IDEMPOTENCY_KEY, key);
    }
}

/// The class of an answer that must be a refusal because its sender may not do that: 403, 404 or 401 are then all that was asked for.
#[must_use]
pub(crate) fn of_expected_refusal(answer: &Answer, expected: &[StatusCode]) -> Outcome {
    if expected.contains(&answer.status) { Outcome::Full } else { outcome::of_refusal(answer) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_that_comes_before_the_write_says_that_nothing_was_written() {
        let judge = |status: u16| is_final(StatusCode::from_u16(status).unwrap());
        let statuses: Vec<u16> = (300..600).filter(|status| judge(*status)).collect();
        assert_eq!(statuses, [400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429]);
    }
}
