//! How far a booking has come: as the service keeps it, as a client sees it, and why.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a booking has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The provider is or was asked, and what came of it is not known.
    Pending,
    /// Confirmed by the provider.
    Booked,
    /// Held by the provider, or kept without an order for a reason.
    Saved,
    /// Refused before the client was told anything else.
    Failed,
    /// The provider is or was asked to cancel, and what came of it is not known.
    Cancelling,
    /// Cancelled.
    Cancelled,
}

/// What a client sees of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BookingStatus)]
pub(crate) enum Status {
    /// The provider has confirmed it.
    Booked,
    /// Held, or kept without a confirmation: `reason` says why.
    Saved,
    Cancelled,
}

/// Why a booking is not what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BookingReason)]
pub(crate) enum Reason {
    /// The provider has not said yet; it is being asked.
    Unconfirmed,
    /// The provider never said.
    NeverConfirmed,
    /// The offer had expired.
    OfferExpired,
    /// The provider no longer knows the offer.
    OfferUnknown,
    /// The provider refused it.
    Refused,
    /// The hold ran out.
    HoldExpired,
    /// A cancellation is under way.
    CancellationUnconfirmed,
    /// The provider did not cancel it.
    NotCancelled,
}

impl State {
    const ALL: [Self; 6] = [Self::Pending, Self::Booked, Self::Saved, Self::Failed, Self::Cancelling, Self::Cancelled];

    /// Its name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Booked => "booked",
            Self::Saved => "saved",
            Self::Failed => "failed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl Status {
    /// Its name in a filter.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::Saved => "saved",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Reason {
    const ALL: [Self; 8] = [
        Self::Unconfirmed,
        Self::NeverConfirmed,
        Self::OfferExpired,
        Self::OfferUnknown,
        Self::Refused,
        Self::HoldExpired,
        Self::CancellationUnconfirmed,
        Self::NotCancelled,
    ];

    /// Its name in the database and in metrics, the same as in JSON.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::NeverConfirmed => "never_confirmed",
            Self::OfferExpired => "offer_expired",
            Self::OfferUnknown => "offer_unknown",
            Self::Refused => "refused",
            Self::HoldExpired => "hold_expired",
            Self::CancellationUnconfirmed => "cancellation_unconfirmed",
            Self::NotCancelled => "not_cancelled",
        }
    }

    /// The reason of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_database() {
        assert!(State::ALL.into_iter().all(|state| State::named(state.as_str()) == Some(state)));
        assert!(Reason::ALL.into_iter().all(|reason| Reason::named(reason.as_str()) == Some(reason)));
        assert_eq!((State::named("lost"), Reason::named("")), (None, None));
    }
}
