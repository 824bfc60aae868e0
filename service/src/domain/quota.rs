//! How many requests are allowed: a bucket for what comes at once, windows for what comes over time.
//!
//! The bucket is the generic cell rate algorithm (ITU-T I.371): it fills by one request every `refill_us`. A window counts
//! its requests and, by the share of it that is less than a width ago, those of the window before; so it slides. The same rules run
//! in Redis, in `app/limiter/judge.lua`: a change here is a change there.

/// Places for what is counted of one client.
pub(crate) const SLOTS: usize = 6;

const MINUTE_US: u64 = 60_000_000;
const HOUR_US: u64 = 60 * MINUTE_US;
const DAY_US: u64 = 24 * HOUR_US;

/// What a limit is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All requests of a user.
    User,
    /// A user's chats.
    Chat,
    /// What a user does with keys.
    Keys,
    /// Requests from an address that are nobody's.
    Ip,
}

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// At most `size` at once, and one more every `refill_us`.
    Bucket { size: u32, refill_us: u64 },
    /// At most `limit` in any `width_us`.
    Window { limit: u32, width_us: u64 },
}

/// A limit, and where it keeps its count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    pub(crate) scope: Scope,
    pub(crate) rule: Rule,
    pub(crate) slot: usize,
}

/// The count of one meter. The default is that of a client who was never here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Of a bucket: when it is full again, in microseconds. Of a window: its number.
    at: u64,
    current: u32,
    previous: u32,
}

/// All counts of one client.
pub(crate) type Slots = [Slot; SLOTS];

/// Which meters apply to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Of a user.
    User,
    /// A user's chat.
    Chat,
    /// What a user does with a key.
    Keys,
    /// Of nobody.
    Ip,
}

/// The limits of a service.
#[derive(Debug)]
pub(crate) struct Quotas {
    user: Vec<Meter>,
    chat: Vec<Meter>,
    keys: Vec<Meter>,
    ip: Vec<Meter>,
}

/// What became of a request, and where its client stands in the limit that says most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Why not, when it is refused: the same request is admitted after this many microseconds.
    pub(crate) wait_us: Option<u64>,
    pub(crate) scope: Scope,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// When the window ends; of a refusal, when to come back.
    pub(crate) reset_us: u64,
}

#[cfg(test)]
impl Slot {
    /// A count as Redis has it.
    pub(crate) fn of([at, current, previous]: [u64; 3]) -> Self {
        Self { at, current: current.try_into().unwrap(), previous: previous.try_into().unwrap() }
    }
}

impl Scope {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Chat => "chat",
            Self::Keys => "keys",
            Self::Ip => "ip",
        }
    }
}

impl Quotas {
    /// The limits of the contract, each multiplied by `factor` and at least 1.
    pub(crate) fn new(factor: f64) -> Self {
        // A float that is too large or negative becomes the nearest integer there is.
        let times = |limit: u32| ((f64::from(limit) * factor).round() as u32).max(1);
        let window =
            |scope, slot, limit, width_us| Meter { scope, slot, rule: Rule::Window { limit: times(limit), width_us } };
        let bucket = Rule::Bucket { size: times(10), refill_us: MINUTE_US / u64::from(times(60)) };
        let user = vec![
            Meter { scope: Scope::User, slot: 0, rule: bucket },
            window(Scope::User, 1, 60, MINUTE_US),
            window(Scope::User, 2, 1_000, HOUR_US),
            window(Scope::User, 3, 10_000, DAY_US),
        ];
        let and = |meter| user.iter().copied().chain([meter]).collect();
        Self {
            chat: and(window(Scope::Chat, 4, 20, MINUTE_US)),
            keys: and(window(Scope::Keys, 5, 10, MINUTE_US)),
            ip: vec![window(Scope::Ip, 0, 12, MINUTE_US)],
            user,
        }
    }

    /// The meters of a request.
    pub(crate) fn of(&self, class: Class) -> &[Meter] {
        match class {
            Class::User => &self.user,
            Class::Chat => &self.chat,
            Class::Keys => &self.keys,
            Class::Ip => &self.ip,
        }
    }

    /// When a client who sends nothing more is as one who was never here, at the latest, in microseconds.
    pub(crate) fn forgotten_after_us(class: Class) -> u64 {
        2 * if class == Class::Ip { MINUTE_US } else { DAY_US }
    }
}

/// Judges a request at `now_us` by all its meters: it is counted in each of them, or in none.
pub(crate) fn judge(meters: &[Meter], slots: &mut Slots, now_us: u64) -> Verdict {
    let refusal = meters.iter().map(|meter| (meter, meter.rule.wait_us(slots[meter.slot], now_us)));
    if let Some((meter, wait_us)) = refusal.filter(|(_, wait)| *wait > 0).max_by_key(|(_, wait)| *wait) {
        return refused(meter, wait_us);
    }
    let mut least: Option<Verdict> = None;
    for meter in meters {
        let slot = &mut slots[meter.slot];
        *slot = meter.rule.take(*slot, now_us);
        let Rule::Window { limit, width_us } = meter.rule else { continue };
        let remaining = meter.rule.remaining(*slot, now_us);
        if least.is_none_or(|least| remaining < least.remaining) {
            let reset_us = width_us - now_us % width_us;
            least = Some(Verdict { wait_us: None, scope: meter.scope, limit, remaining, reset_us });
        }
    }
    least.expect("each class has a window")
}

/// The answer to a request that `meter` refuses.
pub(crate) fn refused(meter: &Meter, wait_us: u64) -> Verdict {
    let limit = match meter.rule {
        Rule::Bucket { size, .. } => size,
        Rule::Window { limit, .. } => limit,
    };
    Verdict { wait_us: Some(wait_us), scope: meter.scope, limit, remaining: 0, reset_us: wait_us }
}

impl Rule {
    /// How long until one more is allowed; 0 is now.
    fn wait_us(self, slot: Slot, now_us: u64) -> u64 {
        match self {
            Self::Bucket { size, refill_us } => {
                let full_in = slot.at.saturating_sub(now_us);
                full_in.saturating_sub(refill_us * u64::from(size - 1))
            }
            Self::Window { limit, width_us } => {
                let Slot { current, previous, .. } = rolled(slot, now_us, width_us);
                let (limit, current, previous) = (u64::from(limit), u64::from(current), u64::from(previous));
                let elapsed = now_us % width_us;
                if current >= limit {
                    // Not in this window; in the next one its own count wears off.
                    return width_us - elapsed + worn_off(current, limit, width_us);
                }
                worn_off(previous, limit - current, width_us).saturating_sub(elapsed)
            }
        }
    }

    /// Counts one more.
    fn take(self, slot: Slot, now_us: u64) -> Slot {
        match self {
            Self::Bucket { refill_us, .. } => Slot { at: slot.at.max(now_us) + refill_us, ..slot },
            Self::Window { width_us, .. } => {
                let slot = rolled(slot, now_us, width_us);
                Slot { current: slot.current.saturating_add(1), ..slot }
            }
        }
    }

    /// How many more a window allows now.
    fn remaining(self, slot: Slot, now_us: u64) -> u32 {
        let Self::Window { limit, width_us } = self else { return 0 };
        let Slot { current, previous, .. } = rolled(slot, now_us, width_us);
        let still = product(u64::from(previous), width_us - now_us % width_us) / u128::from(width_us);
        limit.saturating_sub(current).saturating_sub(u32::try_from(still).unwrap_or(u32::MAX))
    }
}

/// How far into a window the `count` of the one before has worn off to less than `left`, which is 1 or more.
fn worn_off(count: u64, left: u64, width_us: u64) -> u64 {
    if count < left {
        return 0;
    }
    let remains = (product(left, width_us) - 1) / u128::from(count);
    width_us - u64::try_from(remains).unwrap_or(width_us)
}

/// The slot as it is in the window of `now_us`. A clock that went back stays in the window that was.
fn rolled(slot: Slot, now_us: u64, width_us: u64) -> Slot {
    let at = now_us / width_us;
    match at.saturating_sub(slot.at) {
        0 => slot,
        1 => Slot { at, current: 0, previous: slot.current },
        _ => Slot { at, current: 0, previous: 0 },
    }
}

fn product(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    const S: u64 = 1_000_000;
    /// As quick as the minute allows: one more may come when the one a minute ago no longer counts.
    const PACE: u64 = S + 1_000;

    /// Sends one request every `pace_us` for `span_us` and says how many were admitted, and when the first was refused.
    fn flood(class: Class, pace_us: u64, span_us: u64) -> (u32, Option<u64>) {
        let (quotas, mut slots) = (Quotas::new(1.0), Slots::default());
        let (mut admitted, mut first_refusal) = (0, None);
        for now in (0..span_us).step_by(usize::try_from(pace_us).unwrap()) {
            match judge(quotas.of(class), &mut slots, now).wait_us {
                None => admitted += 1,
                Some(_) => first_refusal = first_refusal.or(Some(now)),
            }
        }
        (admitted, first_refusal)
    }

    // Arithmetic: 10 at once and one a second are 60 after 50 s; an hour has 1000 after 1000/60 minutes.
    #[rstest]
    #[case("at once, ten pass", Class::User, 1, 100, 10, Some(10))]
    #[case("one a second is never refused by burst or minute", Class::User, PACE, 600 * PACE, 600, None)]
    #[case("a minute has 60, also when more are sent", Class::User, S / 10, 60 * S, 60, Some(11 * S / 10))]
    #[case("an hour has 1000 at 60 a minute", Class::User, PACE, 3600 * S, 1000, Some(1000 * PACE))]
    #[case("a slow user is not refused within the hour", Class::User, 4 * S, 3600 * S, 900, None)]
    #[case("a day has 10 000 at 900 an hour", Class::User, 4 * S, 24 * 3600 * S, 10_000, Some(40_000 * S))]
    #[case("a minute has 20 chats", Class::Chat, 2 * S, 60 * S, 20, Some(40 * S))]
    #[case("a minute has 10 key operations", Class::Keys, 2 * S, 60 * S, 10, Some(20 * S))]
    #[case("an address has 12 a minute", Class::Ip, S, 60 * S, 12, Some(12 * S))]
    fn limits_are_those_of_the_contract(
        #[case] what: &str,
        #[case] class: Class,
        #[case] pace_us: u64,
        #[case] span_us: u64,
        #[case] admitted: u32,
        #[case] first_refusal: Option<u64>,
    ) {
        assert_eq!(flood(class, pace_us, span_us), (admitted, first_refusal), "{what}");
    }

    #[test]
    fn a_refusal_counts_nowhere_and_says_which_limit_it_is() {
        let (quotas, mut slots) = (Quotas::new(1.0), Slots::default());
        for second in 0..20 {
            assert_eq!(judge(quotas.of(Class::Chat), &mut slots, second * S).wait_us, None);
        }
        let before = slots;
        let refused = judge(quotas.of(Class::Chat), &mut slots, 20 * S);
        assert_eq!((refused.scope, refused.limit, refused.remaining), (Scope::Chat, 20, 0));
        assert_eq!(slots, before);
        let other = judge(quotas.of(Class::User), &mut slots, 20 * S);
        assert_eq!((other.wait_us, other.scope, other.limit, other.remaining), (None, Scope::User, 60, 39));
    }

    #[rstest]
    #[case(2.0, 20)]
    #[case(0.01, 1)]
    #[case(1000.0, 10_000)]
    fn a_factor_multiplies_every_limit(#[case] factor: f64, #[case] at_once: usize) {
        let (quotas, mut slots) = (Quotas::new(factor), Slots::default());
        let admitted = (0..20_000).filter(|_| judge(quotas.of(Class::User), &mut slots, 5).wait_us.is_none()).count();
        assert_eq!(admitted, at_once);
    }

    fn class() -> impl Strategy<Value = Class> {
        prop_oneof![Just(Class::User), Just(Class::Chat), Just(Class::Keys), Just(Class::Ip)]
    }

    proptest! {
        /// Whoever waits as told is admitted, and not a hundredth of a second earlier.
        #[test]
        fn the_wait_is_honest(
            gaps in prop::collection::vec(prop_oneof![9 => 0..2 * S, 1 => 0..90 * S, 1 => 0..HOUR_US], 1..600),
            class in class(),
        ) {
            let (quotas, mut slots, mut now) = (Quotas::new(1.0), Slots::default(), 7 * DAY_US);
            for gap in gaps {
                now += gap;
                let before = slots;
                let Some(wait) = judge(quotas.of(class), &mut slots, now).wait_us else { continue };
                let is_admitted = |after| judge(quotas.of(class), &mut before.clone(), now + after).wait_us.is_none();
                prop_assert!(is_admitted(wait));
                prop_assert!(wait < S / 100 || !is_admitted(wait - S / 100));
            }
        }

        /// No count is lost to a clock that jumps, and nothing overflows.
        #[test]
        fn any_clock_will_do(times in prop::collection::vec(0_u64..u64::MAX / 4, 1..50), class in class()) {
            let (quotas, mut slots) = (Quotas::new(1000.0), Slots::default());
            for now in times {
                judge(quotas.of(class), &mut slots, now);
            }
        }
    }
}
