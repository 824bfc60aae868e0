//! What the LLM says: a text that uses what the tools found, or calls of tools; the same for the same conversation.

use std::ops::RangeInclusive;

use jiff::civil::Date;
use rand::{RngExt, seq::SliceRandom};
use serde_json::{Map, Value};

use super::{
    request::{ChatRequest, Role, ToolChoice, ToolMode},
    wish::Wish,
};
use crate::source::Source;

/// The most tools called at once.
const CALLS_MAX: usize = 5;

/// Letters of a tool call's arguments in one token.
const ARGUMENT_TOKEN_CHARS: usize = 6;

/// Other names of parameters.
const SYNONYMS: [(&str, &str); 8] = [
    ("checkin", "check_in"),
    ("checkout", "check_out"),
    ("location", "city"),
    ("location", "destination"),
    ("city", "location"),
    ("address", "query"),
    ("query", "text"),
    ("timezone", "time_zone"),
];

/// Advice that suits any journey.
#[rustfmt::skip]
const SENTENCES: [&str; 20] = [
    "Book early, since fares tend to rise in the last three weeks.",
    "A flight in the middle of the week is often cheaper.",
    "Check the baggage rules of your airline before you pack.",
    "The first morning is a good time for a slow walk.",
    "Keep half a day free for what you discover on the way.",
    "Public transport is usually faster than a taxi at rush hour.",
    "Small restaurants away from the main square are worth the walk.",
    "Museums are quietest in the hour before they close.",
    "Make sure your passport is valid for six more months.",
    "A night train can save you the price of a hotel.",
    "Bring a light jacket even if the days are warm.",
    "Compare the total price with taxes, not the base fare.",
    "A direct flight costs more but saves half a day.",
    "Reserve popular sights online to avoid the queue.",
    "Local markets open early and close before noon.",
    "Travel insurance is worth it for a journey like this.",
    "Consider an airport outside the city for a lower fare.",
    "Leave at least two hours between separate bookings.",
    "I can compare more dates if yours are flexible.",
    "Tell me your budget and I will narrow it down.",
];

/// What the LLM says to one request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// Words.
    Text {
        /// In order; together they are the text.
        tokens: Vec<String>,
        /// Whether the request's limit cut it short.
        is_cut: bool,
    },
    /// Calls of tools, at least one.
    Calls(Vec<Call>),
}

/// One call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    pub(crate) id: String,
    pub(crate) function: &'static str,
    /// A JSON object, in pieces of one token.
    pub(crate) arguments: Vec<String>,
}

/// The answer to `request`, with a text of a length within `tokens`.
pub(crate) fn answer(source: &Source, tokens: &RangeInclusive<u32>, request: &ChatRequest, today: Date) -> Answer {
    let (question, results) = request.last_turn();
    let wishes = wishes(request, &question, &results);
    if wishes.is_empty() {
        return text(source, tokens, request, &results);
    }
    let call = |wish: Wish| {
        let arguments = wish.arguments(source, &question, today);
        let arguments = fitted(arguments, request.parameters(wish.function())).to_string();
        let letters: Vec<_> = arguments.chars().collect();
        Call {
            id: format!("call_{}", source.id(&["call", wish.function(), &question])),
            function: wish.function(),
            arguments: letters.chunks(ARGUMENT_TOKEN_CHARS).map(|piece| piece.iter().collect()).collect(),
        }
    };
    Answer::Calls(wishes.into_iter().map(call).collect())
}

/// What to call tools for, at most five at once: nothing once they have answered.
fn wishes(request: &ChatRequest, question: &str, results: &[String]) -> Vec<Wish> {
    let offered: Vec<_> = Wish::ALL.into_iter().filter(|wish| request.offers(wish.function())).collect();
    let asked = || Wish::all_in(question, &offered);
    let mut wishes = match request.tool_choice() {
        ToolChoice::Named { function } => offered.into_iter().filter(|wish| wish.function() == function.name).collect(),
        ToolChoice::Mode(ToolMode::None) => Vec::new(),
        _ if !results.is_empty() => Vec::new(),
        ToolChoice::Mode(ToolMode::Auto) => asked(),
        ToolChoice::Mode(ToolMode::Required) => match asked() {
            none if none.is_empty() => offered.into_iter().take(1).collect(),
            asked => asked,
        },
    };
    wishes.truncate(if request.allows_parallel_calls() { CALLS_MAX } else { 1 });
    wishes
}

/// The arguments that a function has parameters for, some under another name; all if its parameters are not known.
fn fitted(arguments: Value, parameters: Option<&Map<String, Value>>) -> Value {
    let (Value::Object(arguments), Some(parameters)) = (&arguments, parameters) else {
        return arguments;
    };
    let fitted = arguments.iter().filter_map(|(name, value)| {
        let synonyms = SYNONYMS.iter().filter(|(known, _)| known == name).map(|(_, synonym)| *synonym);
        let name = std::iter::once(name.as_str()).chain(synonyms).find(|name| parameters.contains_key(*name))?;
        Some((name.to_owned(), value.clone()))
    });
    fitted.collect()
}

fn text(source: &Source, tokens: &RangeInclusive<u32>, request: &ChatRequest, results: &[String]) -> Answer {
    // Results hold instants (offers expire), so they choose no words; what is taken from them is in the facts.
    let said = request.messages.iter().filter(|message| message.role != Role::Tool);
    let said: Vec<_> = said.map(|message| message.text()).collect();
    let mut rng = source.of(&said.iter().map(String::as_str).collect::<Vec<_>>());

    let facts: Vec<_> = results.iter().filter_map(|result| fact(result)).collect();
    let mut words: Vec<_> = facts.iter().flat_map(|fact| fact.split(' ')).collect();
    let length = words.len().max(rng.random_range(tokens.clone()) as usize);
    let mut sentences = SENTENCES;
    sentences.shuffle(&mut rng);
    words.extend(sentences.iter().cycle().flat_map(|sentence| sentence.split(' ')).take(length - words.len()));

    let limit = request.max_tokens().map_or(length, |max| length.min(max as usize));
    let tokens = words.iter().take(limit).enumerate().map(|(index, word)| match index {
        0 => (*word).to_owned(),
        _ if index + 1 == length => format!(" {}.", word.trim_end_matches(['.', ','])),
        _ => format!(" {word}"),
    });
    Answer::Text { tokens: tokens.collect(), is_cut: limit < length }
}

/// One sentence about what a tool found; none if it found nothing that needs saying.
fn fact(result: &str) -> Option<String> {
    let failed = || Some("One of my sources did not answer, so this is incomplete.".to_owned());
    let Ok(result) = serde_json::from_str::<Value>(result) else {
        return failed();
    };
    let found = FACTS.iter().find_map(|(key, say)| object_with(&result, key).and_then(say));
    if found.is_some() {
        return found;
    }
    if object_with(&result, "error").is_some() || result["status"] == "error" {
        return failed();
    }
    None
}

/// What to say about the outermost object that has a key.
type Fact = (&'static str, fn(&Value) -> Option<String>);

const FACTS: [Fact; 7] = [
    ("offer_count", |found| Some(flights(&found["offer_count"], &found["cheapest_price"], &found["currency"]))),
    ("offers", |found| {
        let (offers, first) = (found["offers"].as_array()?, &found["offers"][0]);
        Some(flights(&offers.len().into(), &first["total_price"], &first["currency"]))
    }),
    ("temperature_celsius", |weather| {
        let (city, description) = (plain(&weather["city"]), plain(&weather["description"]));
        Some(format!("In {city} it is {} °C with {description}.", weather["temperature_celsius"]))
    }),
    ("daily", |forecast| {
        let days = forecast["daily"].as_array()?;
        let (first, city) = (days.first()?, plain(&forecast["city"]));
        let (from, to) = (&first["minimum_celsius"], &first["maximum_celsius"]);
        Some(format!("The forecast for {city} has {} days and starts with {from} to {to} °C.", days.len()))
    }),
    ("listings", |found| {
        let (listings, first) = (found["listings"].as_array()?, &found["listings"][0]);
        let (price, currency) = (first.get("price_per_night")?, plain(&first["currency"]));
        Some(format!("I found {} places to stay; the first costs {price} {currency} a night.", listings.len()))
    }),
    ("utc_offset", |clock| {
        Some(format!("It is {} on {} in {}.", plain(&clock["time"]), plain(&clock["date"]), plain(&clock["timezone"])))
    }),
    ("results", |found| {
        let names: Vec<_> =
            found["results"].as_array()?.iter().filter_map(|place| place["name"].as_str()).take(3).collect();
        (!names.is_empty()).then(|| format!("Have a look at {}.", names.join(", ")))
    }),
];

fn flights(count: &Value, price: &Value, currency: &Value) -> String {
    match price {
        Value::Null => "I found no flights.".to_owned(),
        _ => format!("I found {count} flights; the cheapest costs {price} {}.", plain(currency)),
    }
}

/// The outermost object, within objects, that has `key`.
fn object_with<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let object = value.as_object()?;
    if object.contains_key(key) {
        return Some(value);
    }
    object.values().find_map(|inner| object_with(inner, key))
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn request(question: &str, change: Value) -> ChatRequest {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": question}]});
        for (key, value) in change.as_object().unwrap() {
            if key == "results" {
                let results = value
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|result| json!({"role": "tool", "tool_call_id": "1", "content": result}));
                body["messages"].as_array_mut().unwrap().extend(results);
            } else {
                body[key] = value.clone();
            }
        }
        ChatRequest::read(body.to_string().as_bytes()).unwrap()
    }

    fn answer_to(seed: u64, question: &str, change: Value) -> Answer {
        answer(&Source::new(seed, "llm"), &(20..=60), &request(question, change), "2027-01-01".parse().unwrap())
    }

    fn text_of(answer: &Answer) -> String {
        match answer {
            Answer::Text { tokens, .. } => tokens.concat(),
            Answer::Calls(calls) => panic!("{calls:?}"),
        }
    }

    fn tools(names: &[&str]) -> Value {
        names.iter().map(|name| json!({"type": "function", "function": {"name": name}})).collect()
    }

    const BOTH: [&str; 2] = ["search_flights", "get_current_weather"];

    #[rstest]
    #[case("flights to Rome", json!({"tools": tools(&BOTH)}), &["search_flights"])]
    #[case("flights and weather in Rome", json!({"tools": tools(&BOTH)}), &["search_flights", "get_current_weather"])]
    #[case::not_offered("flights to Rome", json!({"tools": tools(&["get_current_weather"])}), &[])]
    #[case::no_tools("flights to Rome", json!({}), &[])]
    #[case::not_asked_for("hello", json!({"tools": tools(&BOTH)}), &[])]
    #[case::answered("flights to Rome", json!({"tools": tools(&BOTH), "results": ["{}"]}), &[])]
    #[case::forbidden("flights to Rome", json!({"tools": tools(&BOTH), "tool_choice": "none"}), &[])]
    #[case::nulls("flights to Rome", json!({"tools": tools(&BOTH), "tool_choice": null, "stream": null}), &["search_flights"])]
    #[case::required("hello", json!({"tools": tools(&BOTH), "tool_choice": "required"}), &["search_flights"])]
    #[case::named("hello", json!({"tools": tools(&BOTH), "tool_choice": {"type": "function", "function": {"name": "get_current_weather"}}}), &["get_current_weather"])]
    fn tools_are_called_when_asked_for(#[case] question: &str, #[case] change: Value, #[case] expected: &[&str]) {
        let called: Vec<_> = match answer_to(1, question, change) {
            Answer::Calls(calls) => calls.iter().map(|call| call.function).collect(),
            Answer::Text { .. } => Vec::new(),
        };
        assert_eq!(called, expected);
    }

    const ALL: [&str; 8] = [
        "search_flights",
        "search_accommodations",
        "get_current_weather",
        "get_forecast",
        "search_destinations",
        "geocode",
        "get_current_time",
        "scrape_page",
    ];

    #[rstest]
    #[case("Plan a trip to Lisbon: flights, hotels and weather", json!({}), &ALL[..3])]
    #[case::at_most_five("Flights, hotel, weather, museums, local time, https://a.example", json!({}), &["search_flights", "search_accommodations", "get_current_weather", "search_destinations", "get_current_time"])]
    #[case::one_at_a_time("flights, hotels and weather", json!({"parallel_tool_calls": false}), &["search_flights"])]
    #[case("Will it rain in Rome? And the forecast for 3 days?", json!({}), &["get_forecast"])]
    #[case("Where is Oslo, and what time is it there?", json!({}), &["geocode", "get_current_time"])]
    fn several_tools_are_called_at_once(#[case] question: &str, #[case] mut change: Value, #[case] expected: &[&str]) {
        change["tools"] = tools(&ALL);
        let Answer::Calls(calls) = answer_to(1, question, change) else { panic!("no calls") };
        assert_eq!(calls.iter().map(|call| call.function).collect::<Vec<_>>(), expected);
        let ids: std::collections::BTreeSet<_> = calls.iter().map(|call| &call.id).collect();
        assert_eq!(ids.len(), calls.len());
    }

    #[test]
    fn arguments_fit_the_parameters_of_the_function() {
        let tool = |properties: Value| {
            json!([{"type": "function", "function": {"name": "search_accommodations",
                "parameters": {"type": "object", "properties": properties}}}])
        };
        let arguments = |properties| {
            let Answer::Calls(calls) = answer_to(1, "hotels in Rome", json!({"tools": tool(properties)})) else {
                panic!("no calls")
            };
            let arguments: Map<String, Value> = serde_json::from_str(&calls[0].arguments.concat()).unwrap();
            arguments.keys().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(arguments(json!({"check_in": {}, "check_out": {}, "location": {}})), "check_in check_out location");
        assert_eq!(arguments(json!({"checkin": {}, "destination": {}})), "checkin destination");
        assert_eq!(arguments(json!({})), "");
    }

    #[test]
    fn a_text_is_a_pure_function_of_seed_and_conversation() {
        assert_eq!(answer_to(1, "hello", json!({})), answer_to(1, "hello", json!({})));
        assert_ne!(answer_to(1, "hello", json!({})), answer_to(2, "hello", json!({})));
        assert_ne!(answer_to(1, "hello", json!({})), answer_to(1, "hello!", json!({})));
    }

    #[test]
    fn texts_have_20_to_60_tokens_about_40_on_average() {
        let lengths: Vec<_> = (0..2000)
            .map(|seed| match answer_to(seed, "hello", json!({})) {
                Answer::Text { tokens, is_cut: false } => tokens.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((lengths.iter().min(), lengths.iter().max()), (Some(&20), Some(&60)));
        let mean = lengths.iter().sum::<usize>() as f64 / 2000.0;
        // 41 values, each as likely: the standard error of the mean is 11.8 / sqrt(2000) = 0.26.
        assert!((mean - 40.0).abs() < 1.5, "{mean}");
    }

    #[test]
    fn a_limit_cuts_the_text_and_says_so() {
        let whole = text_of(&answer_to(1, "hello", json!({})));
        let cut = answer_to(1, "hello", json!({"max_tokens": 5}));
        assert!(matches!(&cut, Answer::Text { tokens, is_cut: true } if tokens.len() == 5));
        assert!(whole.starts_with(&text_of(&cut)));
        assert!(whole.ends_with('.') && !whole.contains("  "), "{whole}");
    }

    #[rstest]
    #[case(
        r#"{"offer_count":5,"cheapest_price":345.2,"currency":"USD"}"#,
        "I found 5 flights; the cheapest costs 345.2 USD."
    )]
    #[case(
        r#"{"status":"ok","result":{"city":"Rome","temperature_celsius":18.5,"description":"clear sky"}}"#,
        "In Rome it is 18.5 °C with clear sky."
    )]
    #[case(
        r#"{"total_results":9,"offers":[{"total_price":345.2,"currency":"USD"},{"total_price":400,"currency":"USD"}]}"#,
        "I found 2 flights; the cheapest costs 345.2 USD."
    )]
    #[case(r#"{"total_results":0,"offers":[]}"#, "I found no flights.")]
    #[case(
        r#"{"city":"Rome","daily":[{"minimum_celsius":8.5,"maximum_celsius":17}]}"#,
        "The forecast for Rome has 1 days and starts with 8.5 to 17 °C."
    )]
    #[case(
        r#"{"listings":[{"price_per_night":80,"currency":"EUR"}]}"#,
        "I found 1 places to stay; the first costs 80 EUR a night."
    )]
    #[case(
        r#"{"timezone":"Asia/Tokyo","date":"2027-01-02","time":"09:30","utc_offset":"+09:00"}"#,
        "It is 09:30 on 2027-01-02 in Asia/Tokyo."
    )]
    #[case(
        r#"{"results":[{"name":"Rome Zoo"},{"name":"Rome Cathedral"}]}"#,
        "Have a look at Rome Zoo, Rome Cathedral."
    )]
    #[case(r#"{"status":"error"}"#, "One of my sources did not answer, so this is incomplete.")]
    #[case(r#"{"error":{"code":"TIMEOUT"}}"#, "One of my sources did not answer, so this is incomplete.")]
    #[case("upstream timed out", "One of my sources did not answer, so this is incomplete.")]
    fn the_text_starts_with_what_tools_found(#[case] result: &str, #[case] start: &str) {
        let text = text_of(&answer_to(1, "flights", json!({"results": [result]})));
        assert!(text.starts_with(start), "{text}");
    }

    #[test]
    fn other_results_need_no_words() {
        assert_eq!(fact(r#"{"entities":[]}"#), None);
    }
}
