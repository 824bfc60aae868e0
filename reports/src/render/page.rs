//! What every HTML page is made of: its head, its sections, tables and charts. No script, no network.
use super::{
    DrawError,
    chart::{Form, Mark, Picture, css_variables},
    table::{Column, Kind, Table},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A whole page.
pub(crate) fn page(title: &str, body: &Markup) -> String {
    let css = include_str!("../../assets/page.css")
        .replace("/*light*/", &css_variables(false))
        .replace("/*dark*/", &css_variables(true));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(css)) }
            }
            body { main { (body) } }
        }
    }
    .into_string()
}

/// A section with its heading, and a line that says what is shown.
pub(crate) fn section(heading: &str, note: &str, content: &Markup) -> Markup {
    html! {
        section {
            h2 { (heading) }
            @if !note.is_empty() { p.note { (note) } }
            (content)
        }
    }
}

/// A table of figures, which scrolls within the page where it is too wide.
pub(crate) fn table(table: &Table) -> Markup {
    html! { div.scroll { table { (rows(table)) } } }
}

/// A table of sentences, whose cells stand one below the other on a phone.
pub(crate) fn records(table: &Table) -> Markup {
    html! { table.records { (rows(table)) } }
}

fn rows(table: &Table) -> Markup {
    let has_heads = table.columns.iter().any(|column| !column.head.is_empty());
    html! {
        @if has_heads {
            thead { tr { @for column in &table.columns { th class=[class(column, "")] scope="col" { (column.head) } } } }
        }
        tbody {
            @for row in &table.rows {
                tr {
                    @for (column, cell) in table.columns.iter().zip(row) {
                        td class=[class(column, cell)] data-head=[Some(&column.head).filter(|head| !head.is_empty())] {
                            (unbroken(cell))
                        }
                    }
                }
            }
        }
    }
}

/// A chart with its title, its legend and its data.
pub(crate) fn figure(picture: &dyn Picture) -> Result<Markup, DrawError> {
    let (wide, narrow) = (picture.svg(Form::Wide)?, picture.svg(Form::Narrow)?);
    Ok(html! {
        figure id=(picture.name()) {
            figcaption { (picture.heading()) }
            ul.legend {
                @for key in picture.keys() {
                    li { span class=(mark_class(key.mark)) style={ "--ink:var(--" (key.ink.name()) ")" } {} (key.label) }
                }
            }
            (PreEscaped(wide))
            (PreEscaped(narrow))
            details { summary { "Data" } (table(&picture.data())) }
        }
    })
}

/// Keeps the parts of a number, and a number and its unit, on one line.
pub(crate) fn unbroken(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        out.push_str(word);
        let is_number = word.ends_with(|c: char| c.is_ascii_digit()) && !word.contains(char::is_alphabetic);
        match words.peek() {
            Some(next) if is_number && (is_unit(next) || is_thousands(next)) => out.push('\u{a0}'),
            Some(_) => out.push(' '),
            None => {}
        }
    }
    out
}

fn is_thousands(word: &str) -> bool {
    word.chars().take_while(char::is_ascii_digit).count() == 3
}

fn is_unit(word: &str) -> bool {
    let unit = word.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%');
    ["%", "ms", "s", "µs", "ns", "KB", "MB", "GB", "B", "pp"].contains(&unit)
}

/// How a cell looks: by the mark that it begins with, else by its column.
fn class(column: &Column, cell: &str) -> Option<&'static str> {
    match cell.chars().next() {
        Some('✓') => Some("good"),
        Some('✗') => Some("bad"),
        Some('?' | '!') => Some("unsure"),
        _ => match column.kind {
            Kind::Words => (cell.chars().count() <= 20).then_some("short"),
            Kind::Number => Some("n"),
            Kind::Code => Some("code"),
        },
    }
}

fn mark_class(mark: Mark) -> &'static str {
    match mark {
        Mark::Line => "line",
        Mark::Dashes => "dashes",
        Mark::Area => "area",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_with_its_unit() {
        assert_eq!(
            unbroken("p95 212 ms of 1 480 requests, 6.1 % so"),
            "p95 212\u{a0}ms of 1\u{a0}480 requests, 6.1\u{a0}% so"
        );
    }

    #[test]
    fn what_comes_from_a_run_is_escaped() {
        let mut evil = Table::new(["<b>"], [] as [&str; 0]);
        evil.row(["<script>alert(1)</script>".to_owned()]);
        let text = table(&evil).into_string();
        assert!(!text.contains("<script>") && !text.contains("<b>"), "{text}");
    }
}
