//! Which connections a toxic takes hold of: by their order, and by lot.
use serde_json::{Value, json};

use crate::rig::{Rig, echo, ping};

/// Which of the first connections are closed when they talk.
async fn hits(rig: &Rig, attributes: Value, connections: usize) -> Vec<usize> {
    rig.add(json!({ "type": "limit_data", "attributes": attributes })).await;
    let mut hits = Vec::new();
    for place in 0..connections {
        if ping(&mut rig.connect().await).await.is_err() {
            hits.push(place);
        }
    }
    rig.remove("limit_data_downstream").await;
    hits
}

#[tokio::test]
async fn the_first_every_nth_and_a_share_of_the_connections_are_hit() {
    let rig = Rig::new(echo().await).await;
    assert_eq!(hits(&rig, json!({ "count": 2 }), 6).await, [0, 1]);
    assert_eq!(hits(&rig, json!({ "skip": 3 }), 6).await, [3, 4, 5]);
    assert_eq!(hits(&rig, json!({ "skip": 1, "every": 3, "count": 2 }), 9).await, [1, 4]);
    let some = hits(&rig, json!({ "per_mille": 300 }), 200).await.len();
    // Binomial: 60 expected, standard deviation 6.5; four of them.
    assert!((34..=86).contains(&some), "{some}");
    rig.links.stop().await;
}

#[tokio::test]
async fn open_connections_are_counted_before_new_ones() {
    let rig = Rig::new(echo().await).await;
    let (mut first, mut second) = (rig.connect().await, rig.connect().await);
    ping(&mut first).await.unwrap();
    ping(&mut second).await.unwrap();
    rig.add(json!({ "type": "limit_data", "attributes": { "skip": 1, "count": 2 } })).await;
    let mut third = rig.connect().await;
    let mut fourth = rig.connect().await;
    let mut is_hit = Vec::new();
    for stream in [&mut first, &mut second, &mut third, &mut fourth] {
        is_hit.push(ping(stream).await.is_err());
    }
    assert_eq!(is_hit, [false, true, true, false]);
    rig.links.stop().await;
}

#[tokio::test]
async fn what_chooses_is_listed_only_when_it_is_set_and_can_be_changed() {
    let rig = Rig::new(echo().await).await;
    let listed = async || rig.call("GET", "/proxies/link/toxics", Value::Null).await.json()[0]["attributes"].clone();
    rig.add(json!({ "type": "limit_data", "attributes": { "bytes": 0, "skip": 5, "every": 0 } })).await;
    assert_eq!(listed().await, json!({ "bytes": 0, "skip": 5 }));
    ping(&mut rig.connect().await).await.expect("it is skipped");
    let path = "/proxies/link/toxics/limit_data_downstream";
    let changed = rig.call("PATCH", path, json!({ "attributes": { "skip": 0 } })).await;
    assert_eq!((changed.status, listed().await), (200, json!({ "bytes": 0 })));
    assert!(ping(&mut rig.connect().await).await.is_err());
    let wrong = rig.call("PATCH", path, json!({ "attributes": { "count": -1 } })).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    rig.links.stop().await;
}
