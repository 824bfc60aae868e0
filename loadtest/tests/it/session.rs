//! The journeys against the stand-in: accounts, the mix, follow-up steps, payloads, lies.
use crate::{
    records::{Bookings, Records},
    scene::{drive_with, plan, until},
    service::{Chats, Service},
};
use loadtest::{Settings, Stop, Target, executor::Tasks};
use reports::record::{Measure, Outcome};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::atomic::Ordering};

fn settings(rest: &str) -> Settings {
    let text = format!(
        "duration = \"600ms\"\nusers = 30\nmix = {{ flight-search = 3, chat = 2, trip-creation = 1 }}
         arrivals = {{ constant = {{ rate = \"100/s\" }} }}\n{rest}"
    );
    toml::from_str(&text).unwrap()
}

fn honest() -> Service {
    Service { expires_in: 3_600, ..Service::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_make_the_three_journeys_in_their_exact_shares() {
    let (server, service) = honest().start().await;
    let done = drive_with(Tasks, plan(settings("think_time = \"20ms\"")), &server.url, &Stop::default(), |_| {
        Box::pin(async {})
    })
    .await;
    done.assert_conserved();
    let mix: Vec<_> =
        done.result.load.mix.iter().map(|entry| (entry.journey.as_str(), entry.weight, entry.arrivals)).collect();
    assert_eq!(mix, [("flight-search", 3, 30), ("chat", 2, 20), ("trip-creation", 1, 10)]);
    let full = |step: &str| (step.to_owned(), Outcome::Full);
    let expected = [
        (full("flights.search"), 30),
        (full("chat.message"), 20),
        (full("trips.create"), 10),
        (full("trips.read"), 10),
    ];
    assert_eq!(done.by_class(Measure::Response), BTreeMap::from(expected));
    assert_eq!(
        (done.counts().planned, done.counts().offered),
        (60, 70),
        "the reading of a trip is a request of its own"
    );
    assert_eq!(service.accounts.lock().unwrap().len(), 30, "every user has an account of its own");

    // Chat: five events, 10 ms apart; the text is events two and three.
    assert_eq!(done.histogram(Measure::Gap).len(), 20);
    let median_ms = |measure| done.histogram(measure).value_at_quantile(0.5) as f64 / 1e6;
    assert!((9.0..60.0).contains(&median_ms(Measure::FirstEvent)), "{} ms", median_ms(Measure::FirstEvent));
    assert!(median_ms(Measure::FirstToken) >= median_ms(Measure::FirstEvent) + 9.0);
    assert!((8.0..60.0).contains(&median_ms(Measure::Gap)), "{} ms", median_ms(Measure::Gap));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_asks_for_the_same_things_byte_for_byte() {
    let mut asked = Vec::new();
    for _ in 0..2 {
        let (server, service) = honest().start().await;
        drive_with(Tasks, plan(settings("")), &server.url, &Stop::default(), |_| Box::pin(async {})).await;
        let mut searches = service.searches.lock().unwrap().clone();
        // Users send at the same time, so the order at the service may differ.
        searches.sort();
        asked.push(searches);
    }
    assert_eq!(asked[0].len(), 30);
    assert_eq!(asked[0], asked[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_answer_that_does_not_say_so_is_found_out() {
    let (server, _) = Service { lies: true, ..honest() }.start().await;
    let done = drive_with(Tasks, plan(settings("")), &server.url, &Stop::default(), |_| Box::pin(async {})).await;
    assert_eq!(done.outcome(Outcome::Undeclared), 30);
    assert_eq!(done.outcome(Outcome::Full), 40);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_end_are_renewed() {
    let (server, service) = Service { expires_in: 0, ..Service::default() }.start().await;
    let done = drive_with(Tasks, plan(settings("")), &server.url, &Stop::default(), |_| Box::pin(async {})).await;
    assert_eq!(done.outcome(Outcome::Full), done.counts().completed);
    assert!(*service.refreshes.lock().unwrap() >= 60, "before every journey, as they end at once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_hangs_is_given_up_as_any_request_is() {
    let (server, service) = Service { hangs_refreshes: true, ..Service::default() }.start().await;
    // A second arrival of a user that waited for longer would come too late.
    let plan = plan(settings("request_timeout = \"1s\"\nchat_timeout = \"5s\""));
    let done = drive_with(Tasks, plan, &server.url, &Stop::default(), |_| Box::pin(async {})).await;
    done.assert_conserved();
    assert!(*service.refreshes.lock().unwrap() >= 30, "it hung for every user");
    assert_eq!((done.counts().completed, done.outcome(Outcome::Full)), (70, 70), "they log in anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_drained_waits_for_no_renewal_and_sends_nothing_after_it() {
    let (server, service) = Service { hangs_refreshes: true, ..Service::default() }.start().await;
    let stop = Stop::default();
    let drain = stop.drain.clone();
    let is_hanging = move || *service.refreshes.lock().unwrap() >= 30;
    let done = drive_with(Tasks, plan(settings("request_timeout = \"60s\"")), &server.url, &stop, |_| {
        Box::pin(async move {
            until("every user renews", is_hanging).await;
            drain.cancel();
        })
    });
    let done = done.await;
    done.assert_conserved();
    assert_eq!((done.counts().completed, done.counts().unfinished), (0, done.counts().offered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_that_cannot_be_had_stop_the_run_before_it_starts() {
    let chain = |error: &dyn std::error::Error| {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    };
    let prepare = async |server: &crate::scene::Server| {
        let target = Target::resolve(&server.url).await.unwrap();
        loadtest::prepare(plan(settings("")), target, "Run-1", Tasks, &Stop::default())
            .await
            .err()
            .map(|error| chain(&error))
    };
    let (server, _) = Service { refused_logins: u64::MAX.into(), ..honest() }.start().await;
    let error = prepare(&server).await.unwrap();
    assert!(error.contains("the service answered 503 Service Unavailable (DATABASE_ERROR)"), "{error}");
    assert!(error.contains("cannot log in as run-1-"), "{error}");

    let (server, service) = Service { refused_logins: 3.into(), ..honest() }.start().await;
    assert_eq!(prepare(&server).await, None, "it is asked again");
    assert_eq!(service.refused_logins.load(Ordering::SeqCst), 0);

    let (server, service) = honest().start().await;
    service.accounts.lock().unwrap().insert("\"run-1-3@load.example.com\"".into());
    let error = prepare(&server).await.unwrap();
    assert!(
        error.contains("cannot register as run-1-3@load.example.com: the service answered 409 Conflict (DUPLICATE)"),
        "{error}"
    );
}

/// Classes by step of a mix, against a stand-in.
async fn classes(mix: &str, service: Service) -> BTreeMap<(String, Outcome), u64> {
    let (server, _) = service.start().await;
    let settings = Settings { mix: mix.parse().unwrap(), ..settings("") };
    let done = drive_with(Tasks, plan(settings), &server.url, &Stop::default(), |_| Box::pin(async {})).await;
    done.assert_conserved();
    done.by_class(Measure::Response)
}

fn classes_of(seen: &BTreeMap<(String, Outcome), u64>, step: &str) -> Vec<Outcome> {
    seen.keys().filter(|(name, _)| name == step).map(|(_, outcome)| *outcome).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_that_must_come_are_right_and_their_absence_is_wrong() {
    let seen = classes("collaboration=1,token-refresh=1", honest()).await;
    assert!(seen.keys().all(|(_, outcome)| *outcome == Outcome::Full), "{seen:?}");
    for step in ["trips.guest-edit", "trips.stranger-read", "auth.reuse"] {
        assert_eq!(classes_of(&seen, step), [Outcome::Full], "{step}: {seen:?}");
    }

    let records = Records { lets_anybody_in: true, ..Records::default() };
    let service = Service { records, takes_spent_tokens: true, ..honest() };
    let seen = classes("collaboration=1,token-refresh=1", service).await;
    assert_eq!(classes_of(&seen, "auth.reuse"), [Outcome::Wrong]);
    assert_eq!(classes_of(&seen, "trips.stranger-read"), [Outcome::Wrong]);
    assert_eq!(classes_of(&seen, "trips.guest-edit"), [Outcome::Full, Outcome::Wrong], "half of the guests may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_traveller_does_it_all_and_waits_for_a_booking_that_is_not_confirmed_yet() {
    let records = Records { booking: Bookings::Later, ..Records::default() };
    let seen = classes("traveller=1", Service { records, ..honest() }).await;
    let count = |step: &str, outcome| seen.get(&(step.to_owned(), outcome)).copied().unwrap_or(0);
    for step in [
        "flights.search",
        "chat.message",
        "trips.create",
        "itinerary.add",
        "itinerary.read",
        "bookings.poll",
        "bookings.read",
    ] {
        assert_eq!(count(step, Outcome::Full), 60, "{step}: {seen:?}");
    }
    assert_eq!(count("bookings.create", Outcome::Degraded), 60, "it says that it is not confirmed");
}

/// Trips, items and passengers of a load of travellers, in the order of what they are known by.
async fn asked_for(chats: Chats) -> BTreeMap<String, Value> {
    let (server, service) = Service { chats, ..honest() }.start().await;
    let settings = Settings { mix: "traveller=1".parse().unwrap(), ..settings("") };
    let done = drive_with(Tasks, plan(settings), &server.url, &Stop::default(), |_| Box::pin(async {})).await;
    let is_answered = done.by_class(Measure::Response).contains_key(&("chat.message".to_owned(), Outcome::Full));
    assert_eq!(is_answered, chats == Chats::Answered);
    let trips = service.trips.lock().unwrap().values().cloned().collect::<Vec<_>>();
    let items = service.records.items.lock().unwrap().clone();
    let bookings = service.records.bookings.lock().unwrap().values().map(|(booking, _)| booking.clone()).collect();
    let known = |record: &Value| match record["title"].as_str() {
        Some(title) => (title.to_owned(), json!([record["destinations"], record["preferences"], record["date"]])),
        None => (record["metadata"]["reference"].to_string(), record["passengers"].clone()),
    };
    [trips, items, bookings].iter().flatten().map(known).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_traveller_saves_and_books_does_not_depend_on_the_answers_to_its_chats() {
    let (up, down) = (asked_for(Chats::Answered).await, asked_for(Chats::Refused).await);
    assert_eq!(up.len(), 180, "a trip, an item and a booking of each");
    assert_eq!(up, down);
}
