//! Collaboration: a user shares a trip with another user of the load, who reads it and may or may not change it; a third must not see it.
use super::{
    Journey, Step,
    trip::{self, Saved, Size},
};
use crate::{
    client::{Answer, get, post, put},
    directory::Guest,
    outcome::of_refusal,
    visit::Visit,
    writing::of_expected_refusal,
};
use futures_util::future::BoxFuture;
use http::StatusCode;
use reports::record::Outcome;
use serde::Deserialize;
use serde_json::{Value, json};

const CREATE: usize = 0;
const SHARE: usize = 1;
const GUEST_READ: usize = 2;
const GUEST_EDIT: usize = 3;
const STRANGER_READ: usize = 4;
const READ: usize = 5;

/// The journey of one trip of several people.
pub(super) struct Collaboration;

impl Journey for Collaboration {
    fn name(&self) -> &'static str {
        "collaboration"
    }

    fn steps(&self) -> &'static [Step] {
        &[
            trip::CREATE,
            Step { name: "trips.share", is_streamed: false },
            Step { name: "trips.guest-read", is_streamed: false },
            Step { name: "trips.guest-edit", is_streamed: false },
            Step { name: "trips.stranger-read", is_streamed: false },
            trip::READ,
        ]
    }

    fn writes(&self) -> bool {
        true
    }

    fn users_min(&self) -> u32 {
        3
    }

    fn travel<'a>(&'a self, visit: &'a mut Visit<'_>) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            collaborate(visit).await;
        })
    }
}

async fn collaborate(visit: &mut Visit<'_>) -> Option<()> {
    let mut draw = visit.draw();
    let mut trip = trip::create(visit, CREATE, &mut draw, Size::Usual).await?;
    let guest = visit.meet(draw.between(0, u32::MAX - 1), &[])?;
    let stranger = visit.meet(draw.between(0, u32::MAX - 1), &[&guest])?;
    let role = *draw.one_of(&["view", "edit"]);
    share(visit, &trip, &guest, role).await?;

    let judge = |answer: &Answer| trip.draft.judge_read(&trip.id, answer);
    visit.ask(GUEST_READ, guest.signed(get(trip.path("")?)), judge).await?;
    edit(visit, &mut trip, &guest, role).await?;
    let is_hidden = |answer: &Answer| of_expected_refusal(answer, &[StatusCode::NOT_FOUND, StatusCode::FORBIDDEN]);
    visit.ask(STRANGER_READ, stranger.signed(get(trip.path("")?)), is_hidden).await?;
    // What another user has changed is no write of one's own: an old answer is wrong, but breaks no promise about own writes.
    visit.ask(READ, get(trip.path("")?), |answer| trip.draft.judge_read(&trip.id, answer)).await?;
    Some(())
}

async fn share(visit: &mut Visit<'_>, trip: &Saved, guest: &Guest, role: &str) -> Option<()> {
    let write = visit.new_share(&trip.id, guest);
    let body = json!({ "user_emails": [guest.email()], "permission_level": role });
    let request = post(trip.path("/share")?, body.to_string().into_bytes());
    let (outcome, _) = visit.write(SHARE, request, &write, |answer| judge_share(guest.email(), role, answer)).await?;
    (outcome == Outcome::Full).then_some(())
}

/// The guest gives the trip another title, which only one who may edit can do.
async fn edit(visit: &mut Visit<'_>, trip: &mut Saved, guest: &Guest, role: &str) -> Option<()> {
    let mut draft = trip.draft.clone();
    draft.title = format!("Shared: {}", draft.title);
    let body = json!({ "title": draft.title, "version": trip.version? });
    let request = guest.signed(put(trip.path("")?, body.to_string().into_bytes()));
    let change = trip.write.change();
    let may_edit = role == "edit";
    let judge = |answer: &Answer| match may_edit {
        true => draft.judge_read(&trip.id, answer),
        false => of_expected_refusal(answer, &[StatusCode::FORBIDDEN]),
    };
    let (outcome, _) = visit.write(GUEST_EDIT, request, &change, judge).await?;
    if outcome == Outcome::Full && may_edit {
        trip.draft = draft;
    }
    (outcome == Outcome::Full).then_some(())
}

#[derive(Deserialize)]
struct Shared {
    added: Vec<Collaborator>,
    skipped: Vec<Value>,
}

#[derive(Deserialize)]
struct Collaborator {
    email: String,
    permission_level: String,
}

fn judge_share(email: &str, role: &str, answer: &Answer) -> Outcome {
    if answer.status != StatusCode::OK {
        return of_refusal(answer);
    }
    let is_it = |shared: &Shared| {
        matches!(shared.added.as_slice(), [only] if only.email == email && only.permission_level == role)
            && shared.skipped.is_empty()
    };
    match serde_json::from_slice::<Shared>(&answer.body) {
        Ok(shared) if is_it(&shared) => Outcome::Full,
        _ => Outcome::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::tests::answer;

    #[test]
    fn a_trip_is_shared_with_whom_it_was_to_be_and_no_further() {
        let check = |body: Value, expected| {
            assert_eq!(judge_share("a@b.c", "view", &answer(200, &body.to_string())), expected, "{body}");
        };
        let added = |email: &str, role: &str| json!({ "email": email, "permission_level": role, "user_id": "u" });
        check(json!({ "added": [added("a@b.c", "view")], "skipped": [] }), Outcome::Full);
        check(json!({ "added": [added("a@b.c", "edit")], "skipped": [] }), Outcome::Wrong);
        check(json!({ "added": [added("x@b.c", "view")], "skipped": [] }), Outcome::Wrong);
        check(json!({ "added": [added("a@b.c", "view"), added("x@b.c", "view")], "skipped": [] }), Outcome::Wrong);
        check(json!({ "added": [], "skipped": [{ "email": "a@b.c", "reason": "unknown_user" }] }), Outcome::Wrong);
        assert_eq!(judge_share("a@b.c", "view", &answer(404, "")), Outcome::Wrong);
    }

    #[test]
    fn a_refusal_that_was_expected_is_all_that_was_asked_for_and_an_answer_is_wrong() {
        let judge = |status| of_expected_refusal(&answer(status, "{}"), &[StatusCode::FORBIDDEN]);
        assert_eq!(
            (judge(403), judge(404), judge(200), judge(429)),
            (Outcome::Full, Outcome::Wrong, Outcome::Wrong, Outcome::Limited)
        );
    }
}
