//! Positions over a socket.

use serde_json::{Value, json};

use super::{ad, ground, person};
use crate::ws::Socket;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_go_in_and_matches_come_out() {
    let (_server, admin) = ground().await;
    let ann = person(&admin, "ann", "user").await;
    ann.post("/api/devices", &json!({"_id": "phone", "name": "phone"})).reply().await.expect(201);
    let list = json!({"name": "near", "device": "phone", "area": {"around": {"radius_m": 1000}}});
    ann.put_new("/api/adlists/near", &list).reply().await.expect(201);
    ad(&admin, "lamp").await;
    let mut socket = Socket::open(&ann).await;
    socket.subscribe(1, &["matches"], json!({})).await;
    let positions = json!([
        {"device": "phone", "lon": 13.401, "lat": 52.501},
        {"device": "phone", "lon": 999, "lat": 0},
        {"device": "anothers", "lon": 13.4, "lat": 52.5},
    ]);
    let taken = socket.ask(&json!({"op": "pos", "positions": positions})).await;
    assert_eq!((&taken["op"], &taken["accepted"]), (&json!("pos"), &json!(1)), "{taken}");
    let rejected: Vec<&Value> =
        taken["rejected"].as_array().expect("rejected").iter().map(|one| &one["index"]).collect();
    assert_eq!(rejected, [1, 2], "{taken}");
    let told = socket.expect("match").await;
    assert_eq!((&told["data"]["ad"], &told["data"]["event"]), (&json!("lamp"), &json!("enter")), "{told}");
    // The lamp lies 68 m away, so the list loses it after 932 m at the least; less may be said, but not nothing.
    let positions = json!([{"device": "phone", "lon": 13.401, "lat": 52.5}]);
    let taken = socket.ask(&json!({"op": "pos", "positions": positions})).await;
    let safe_m = taken["safe_m"].as_f64().expect("safe_m");
    assert!(safe_m > 0.0 && safe_m <= 932.5, "{taken}");
    // Many on the way at once: answered one by one, in order.
    for n in 0..200 {
        let positions = json!([{"device": "phone", "lon": 13.4 + f64::from(n) * 1e-5, "lat": 52.5}, n]);
        let durability = if n % 2 == 0 { "buffered" } else { "sync" };
        socket.say(&json!({"op": "pos", "positions": positions, "durability": durability})).await;
    }
    let mut last = 0;
    for _ in 0..200 {
        let taken = socket.answer().await;
        assert_eq!((&taken["accepted"], &taken["rejected"][0]["index"]), (&json!(1), &json!(1)), "{taken}");
        let seq = taken["log_seq"].as_u64().expect("log_seq");
        assert!(seq >= last, "{seq} after {last}");
        last = seq;
    }
    let found = ann.read("/api/positions/phone").await;
    assert!((found["lon"].as_f64().expect("lon") - 13.40199).abs() < 1e-9, "{found}");
    let reader = json!({"name": "k", "scopes": ["matches:read"]});
    let key = ann.post("/api/tokens", &reader).reply().await.expect(201).field("token");
    let mut narrow = Socket::open(&ann.with_token(&key)).await;
    let answer = narrow.ask(&json!({"op": "pos", "positions": []})).await;
    assert_eq!((&answer["re"], &answer["status"]), (&json!("pos"), &json!(403)), "{answer}");
}
