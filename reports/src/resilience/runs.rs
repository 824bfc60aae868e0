//! When a journey left its band and when it was back: the first of so many consecutive seconds on one side of it.
use super::{Band, Place, Served};

/// So many consecutive seconds outside the band are an impact. Source: measurement.md E: one alone alarms falsely within an hour for sure,
/// two in 70 % of the hours, three in 17 % (seconds correlated by 0.3; 1 % when they are not).
pub const OUTSIDE_SECONDS: usize = 3;

/// So many consecutive seconds inside are a recovery. Source: measurement.md E: with a true recovery after 53 s the start of the first
/// five is at 54 s (90 %: 45 to 65 s); of one it is at 44 s, of ten at 60 s.
pub const INSIDE_SECONDS: usize = 5;

/// The first second, from `from` to before `to`, that begins so many consecutive ones at a place. Seconds without a request neither add to
/// nor interrupt them.
#[must_use]
pub fn first_run(seconds: &[Served], band: &Band, (from, to): (usize, usize), place: Place) -> Option<usize> {
    let needed = match place {
        Place::Outside => OUTSIDE_SECONDS,
        Place::Inside => INSIDE_SECONDS,
        Place::Empty => return None,
    };
    let (mut first, mut length) = (None, 0);
    for (second, found) in places(seconds, band, from, to) {
        if found != place {
            (first, length) = (None, 0);
            continue;
        }
        first = first.or(Some(second));
        length += 1;
        if length == needed {
            return first;
        }
    }
    None
}

/// The second after the last one outside the band, from `from` to before `to`; `from` when there is none.
///
/// A journey that was not seen to be back cannot have been back before.
#[must_use]
pub fn outside_until(seconds: &[Served], band: &Band, (from, to): (usize, usize)) -> usize {
    let outside = places(seconds, band, from, to).filter(|(_, found)| *found == Place::Outside);
    outside.last().map_or(from, |(second, _)| second + 1)
}

fn places(seconds: &[Served], band: &Band, from: usize, to: usize) -> impl Iterator<Item = (usize, Place)> {
    let within = seconds.iter().enumerate().take(to).skip(from);
    within.map(|(second, served)| (second, band.place(served))).filter(|(_, place)| *place != Place::Empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `i` inside, `o` outside, `-` empty.
    fn check(text: &str, from: usize, outside: Option<usize>, inside: Option<usize>, until: usize) {
        let second = |c: char| match c {
            'i' => Served { total: 10, in_time: 10, ..Served::default() },
            'o' => Served { total: 10, ..Served::default() },
            _ => Served::default(),
        };
        let seconds: Vec<Served> = text.chars().map(second).collect();
        let band = Band {
            second_count: 60,
            per_second: 10.0,
            usual_share: 1.0,
            share_bound: 0.9,
            failing: 0.01,
            lowest_share: 0.9,
            usual_p95_ns: None,
            highest_p95_ns: None,
            stray_count: 0,
        };
        let run = |place| first_run(&seconds, &band, (from, seconds.len()), place);
        assert_eq!((run(Place::Outside), run(Place::Inside)), (outside, inside), "{text} from {from}");
        assert_eq!(outside_until(&seconds, &band, (from, seconds.len())), until, "{text} from {from}");
    }

    #[test]
    fn three_seconds_outside_are_an_impact_and_five_inside_a_recovery() {
        check("iiiii", 0, None, Some(0), 0);
        check("iiii", 0, None, None, 0);
        check("oo", 0, None, None, 2);
        check("ooiooiooo", 0, Some(6), None, 9);
        check("iooiiiioiiiii", 0, None, Some(8), 8);
        check("ooooooiiiii", 3, Some(3), Some(6), 6);
        check("ooooooiiii", 0, Some(0), None, 6);
        check("o-o--oi-iii--i", 0, Some(0), Some(6), 6);
        check("-----", 0, None, None, 0);
        check("", 7, None, None, 7);
    }
}
