//! What the links say they did is what they did.
use serde_json::{Value, json};

use crate::rig::{Rig, echo, ping};

#[tokio::test]
async fn effects_are_counted_live_and_kept_until_reset() {
    let rig = Rig::new(echo().await).await;
    let (mut first, mut second) = (rig.connect().await, rig.connect().await);
    ping(&mut first).await.unwrap();
    rig.add(json!({ "type": "latency", "name": "slow", "attributes": { "latency": 10 } })).await;
    ping(&mut first).await.unwrap();
    ping(&mut first).await.unwrap();

    let seen = rig.effects().await;
    assert_eq!(
        (&seen["connections"], &seen["upstream_bytes"], &seen["downstream_bytes"]),
        (&json!(2), &json!(48), &json!(48))
    );
    let slow = &seen["toxics"][0];
    assert_eq!((&slow["name"], &slow["type"], &slow["removed"]), (&json!("slow"), &json!("latency"), &json!(false)));
    assert_eq!((&slow["connections"], &slow["chunks"], &slow["bytes"]), (&json!(1), &json!(2), &json!(32)));
    assert!(slow["delayed_us"].as_u64().unwrap() >= 20_000, "{slow}");

    rig.remove("slow").await;
    ping(&mut second).await.unwrap();
    rig.add(json!({ "type": "noop", "name": "slow" })).await;
    let seen = rig.effects().await;
    assert_eq!(seen["toxics"].as_array().unwrap().len(), 2, "a name that is used again appears again");
    assert_eq!((&seen["toxics"][0]["removed"], &seen["toxics"][0]["chunks"]), (&json!(true), &json!(2)));
    assert_eq!(seen["toxics"][1]["chunks"], 0);

    rig.call("POST", "/reset", Value::Null).await;
    let seen = rig.effects().await;
    assert_eq!((&seen["connections"], &seen["toxics"], &seen["upstream_bytes"]), (&json!(0), &json!([]), &json!(0)));
    assert_eq!(seen["open"], 2, "reset leaves connections alone");
    rig.links.stop().await;
}
