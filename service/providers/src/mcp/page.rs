//! A made-up page of the web: a travel guide if its address names a city, otherwise advice for travellers.

use std::collections::BTreeSet;

use rand::seq::IndexedRandom;

use super::sights::{Kind, sights};
use crate::{city::City, source::Source};

/// Paths that lead nowhere end in this.
const MISSING: &str = "/404";

/// Sights that a guide names.
const SIGHTS: usize = 6;

#[rustfmt::skip]
const ADVICE: [&str; 10] = [
    "Fares are lowest six to eight weeks before departure.",
    "A carry-on of 55 by 40 by 20 centimetres fits into most cabins.",
    "Many museums are free on the first Sunday of the month.",
    "Day passes pay off from the third ride.",
    "Tap water is safe wherever locals drink it.",
    "Keep a copy of your passport apart from the passport.",
    "Markets are cheapest in the last hour before they close.",
    "A power adapter with two USB ports replaces three chargers.",
    "Restaurants two streets from a sight cost a third less.",
    "Trains between neighbouring cities are often faster than flights.",
];

/// What is at an address.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) city: Option<&'static City>,
    /// Sentences.
    facts: Vec<String>,
    /// URLs.
    pub(super) links: Vec<String>,
}

impl Page {
    /// The page at this address; none if it ends in `/404`.
    pub(super) fn at(source: &Source, host: &str, path: &str) -> Option<Self> {
        if path.ends_with(MISSING) {
            return None;
        }
        let city =
            City::all().find(|city| is_in(path, city.name)).or_else(|| City::all().find(|city| is_in(host, city.name)));
        let mut page = match city {
            Some(city) => Self::guide(source, city),
            None => {
                Self { title: format!("Travel notes from {host}"), city: None, facts: Vec::new(), links: Vec::new() }
            }
        };
        let mut rng = source.of(&["page", host, path]);
        page.facts.extend(ADVICE.sample(&mut rng, 4).map(|advice| (*advice).to_owned()));
        page.links.push(format!("https://{host}/"));
        Some(page)
    }

    fn guide(source: &Source, city: &'static City) -> Self {
        let sights = sights(source, city);
        let mut facts = vec![
            format!("{} is a city in {}.", city.name, city.country),
            format!("The airport of {} is {}.", city.name, city.airport),
            format!("Clocks in {} keep the time of {}.", city.name, city.zone),
        ];
        let rated = |kind: fn(Kind) -> bool| sights.iter().filter(move |sight| kind(sight.kind));
        let worth = rated(|kind| kind != Kind::Restaurant).take(SIGHTS);
        facts.extend(
            worth.map(|sight| format!("{} is worth a visit; visitors rate it {:.1}.", sight.name, sight.rating)),
        );
        let eating = rated(|kind| kind == Kind::Restaurant).take(2);
        facts.extend(eating.map(|sight| format!("For food, try {} at {}.", sight.name, sight.address)));
        Self {
            title: format!("{} travel guide", city.name),
            city: Some(city),
            facts,
            links: sights.iter().take(SIGHTS).map(|sight| format!("https://guide.example/{}", sight.id)).collect(),
        }
    }

    pub(super) fn markdown(&self) -> String {
        let facts = self.facts.iter().fold(String::new(), |text, fact| text + "\n- " + fact);
        format!("# {}\n{facts}\n", self.title)
    }

    pub(super) fn html(&self) -> String {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
        let facts = self.facts.iter().fold(String::new(), |text, fact| text + "<li>" + &escaped(fact) + "</li>");
        let title = escaped(&self.title);
        format!(
            "<!DOCTYPE html><html lang=\"en\"><head><title>{title}</title></head><body><h1>{title}</h1><ul>{facts}</ul></body></html>"
        )
    }

    pub(super) fn word_count(&self) -> usize {
        self.facts.iter().map(|fact| fact.split_whitespace().count()).sum()
    }

    /// All facts, those that share most words with `prompt` first.
    pub(super) fn facts_about(&self, prompt: &str) -> Vec<String> {
        let wanted: BTreeSet<_> = words(prompt).collect();
        let mut facts = self.facts.clone();
        facts.sort_by_key(|fact| {
            let known: BTreeSet<_> = words(fact).collect();
            std::cmp::Reverse(wanted.intersection(&known).count())
        });
        facts
    }
}

/// Whether part of an address names the city: `/guides/new-york`, `newyork.example`.
fn is_in(text: &str, city: &str) -> bool {
    let letters =
        |text: &str| text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    text.split(['/', '.']).any(|part| letters(part).contains(&letters(city)))
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn page(host: &str, path: &str) -> Option<Page> {
        Page::at(&Source::new(1, "places"), host, path)
    }

    #[rstest]
    #[case("guide.example", "/city/lisbon", Some("Lisbon"))]
    #[case("guide.example", "/New-York_2027", Some("New York"))]
    #[case("newyork.example", "/", Some("New York"))]
    #[case("newyork.example", "/oslo", Some("Oslo"))]
    #[case("guide.example", "/", None)]
    fn an_address_names_a_city(#[case] host: &str, #[case] path: &str, #[case] city: Option<&str>) {
        assert_eq!(page(host, path).unwrap().city.map(|city| city.name), city);
    }

    #[test]
    fn a_page_is_a_pure_function_of_seed_and_address() {
        assert_eq!(page("a.example", "/oslo"), page("a.example", "/oslo"));
        assert_ne!(page("a.example", "/oslo"), page("b.example", "/oslo"));
        assert_ne!(page("a.example", "/oslo"), Page::at(&Source::new(2, "places"), "a.example", "/oslo"));
        assert_eq!(page("a.example", "/oslo/404"), None);
    }

    #[test]
    fn html_and_markdown_say_the_same() {
        let page = page("a.example", "/oslo").unwrap();
        let (markdown, html) = (page.markdown(), page.html());
        for fact in &page.facts {
            assert!(markdown.contains(fact.as_str()) && html.contains(&fact.replace('&', "&amp;")), "{fact}");
        }
        assert!(page.word_count() > 50);
    }

    #[test]
    fn what_was_asked_for_comes_first() {
        let facts = page("a.example", "/oslo").unwrap().facts_about("Which airport?");
        assert_eq!(facts[0], "The airport of Oslo is OSL.");
    }
}
