//! Results go to standard output, everything else to standard error; a reader that has gone away is not an error.
use anstyle::{AnsiColor, Style};
use reports::render::Tone;
use std::io;

/// Prints one line of results. A closed standard output is ignored: the verdict is in the exit code and on disk.
pub fn line(text: &str) {
    print_to(&mut anstream::stdout().lock(), text);
}

/// Colours one piece of a summary; the stream strips it off where colours are not wanted.
#[must_use]
pub fn paint(tone: Tone, text: &str) -> String {
    let style = match tone {
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Unsure => AnsiColor::Yellow.on_default(),
        Tone::Heading => Style::new().bold(),
    };
    format!("{style}{text}{style:#}")
}

/// Prints one line beside the results.
pub fn note(text: &str) {
    print_to(&mut anstream::stderr().lock(), text);
}

fn print_to(out: &mut impl io::Write, text: &str) {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    if let Err(error) = written {
        tracing::debug!("output is closed: {error}");
    }
}
