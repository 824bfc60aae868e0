//! Places: points on earth, what a map knows about a place, and the time there.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const EARTH_RADIUS_KM: f64 = 6371.0;

/// A point on earth, in degrees.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize, ToSchema)]
pub(crate) struct Point {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

/// A place on the map.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Place {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) country: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Point>,
    pub(crate) categories: Vec<String>,
    /// Of 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rating: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timezone: Option<String>,
}

/// What the clocks show somewhere.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
pub(crate) struct LocalTime {
    /// IANA name.
    pub(crate) timezone: String,
    /// With the offset of the zone.
    pub(crate) datetime: String,
}

impl Point {
    /// The distance over ground, to the tenth of a kilometre (haversine formula on a sphere).
    pub(crate) fn distance_km(self, other: Self) -> f64 {
        let (from, to) = (self.latitude.to_radians(), other.latitude.to_radians());
        let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
        let h = half(other.latitude - self.latitude) + from.cos() * to.cos() * half(other.longitude - self.longitude);
        let km = 2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin();
        (km * 10.0).round() / 10.0
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case((0.0, 0.0), (0.0, 0.0), 0.0)]
    // A quarter of the equator: π/2 × 6371 km.
    #[case((0.0, 0.0), (0.0, 90.0), 10_007.5)]
    #[case((90.0, 0.0), (-90.0, 0.0), 20_015.1)]
    #[case((0.0, 179.5), (0.0, -179.5), 111.2)]
    fn distances_are_those_on_a_globe(#[case] from: (f64, f64), #[case] to: (f64, f64), #[case] km: f64) {
        let point = |(latitude, longitude)| Point { latitude, longitude };
        assert_eq!(point(from).distance_km(point(to)), km);
    }
}
