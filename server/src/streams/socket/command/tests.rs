use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::*;

fn refused(text: &str) -> Box<Refused> {
    match Command::parse(text) {
        Err(refused) => refused,
        Ok(command) => panic!("{text} was taken: {command:?}"),
    }
}

fn wanted(message: &Value) -> Box<Wanted> {
    match Command::parse(&message.to_string()) {
        Ok(Command::Subscribe(wanted)) => wanted,
        other => panic!("{message}: {other:?}"),
    }
}

#[test]
fn a_subscription_is_read_whole() {
    let plain = wanted(&json!({"op": "sub", "id": 1}));
    assert!(plain.topics.all_changes && plain.filter.is_everything() && plain.with_documents);
    assert_eq!((plain.credit, plain.part, &plain.last, &plain.name), (None, None, &None, &None));
    let full = wanted(&json!({
        "op": "sub", "id": 9_007_199_254_740_991_u64, "topics": ["changes:ads", "matches"], "where": {"price": 1},
        "circle": {"center": [10, 50], "radius_m": 5}, "include": "meta", "last_event_id": "3-42.1", "credit": 7,
        "name": "phone-1",
    }));
    assert!(full.topics.changes.contains("ads") && full.topics.matches && !full.topics.all_changes);
    assert_eq!((full.written.as_str(), full.credit), ("changes:ads,matches", Some(7)));
    assert_eq!(full.part, Some(Part::Circle { lon: 10.0, lat: 50.0, radius_m: 5.0 }));
    assert_eq!((full.last.as_deref(), full.name.as_deref()), (Some("3-42.1"), Some("phone-1")));
    assert!(!full.filter.is_everything() && !full.with_documents);
    assert_eq!(wanted(&json!({"op": "sub", "id": 0, "name": "a"})).credit, Some(CREDIT_NAMED));
    assert_eq!(wanted(&json!({"op": "sub", "id": 0, "name": null, "where": null})).credit, None);
}

#[test]
fn the_other_messages() {
    let read = |message: Value| Command::parse(&message.to_string());
    assert!(matches!(read(json!({"op": "ping"})), Ok(Command::Ping)));
    let ack = read(json!({"op": "ack", "id": 3, "seq": 17}));
    assert!(matches!(ack, Ok(Command::Acknowledge { id: 3, seq }) if seq == Seq::new(17)));
    let unsub = read(json!({"op": "unsub", "id": 3, "forget": true}));
    assert!(matches!(unsub, Ok(Command::Unsubscribe { id: 3, forget: true })));
    let positions = read(json!({"op": "pos", "positions": [1, {}], "durability": "buffered"}));
    assert!(matches!(
        positions,
        Ok(Command::Positions { positions, durability: Durability::Buffered }) if positions.len() == 2
    ));
}

#[test]
fn what_is_wrong_is_named() {
    let check = |message: Value, re: Option<&str>, id: Option<u64>, member: &str| {
        let refused = refused(&message.to_string());
        assert_eq!((refused.re, refused.id), (re, id), "{message}");
        let problem = refused.problem.to_json();
        assert_eq!(problem["status"], 400, "{message}: {problem}");
        assert!(problem["_issues"].get(member).is_some(), "{message}: {problem}");
    };
    check(json!([]), None, None, "op");
    check(json!({}), None, None, "op");
    check(json!({"op": "subscribe", "id": 4}), None, Some(4), "op");
    check(json!({"op": 1}), None, None, "op");
    check(json!({"op": "ping", "id": 1}), Some("ping"), Some(1), "id");
    check(json!({"op": "sub"}), Some("sub"), None, "id");
    for id in [json!(-1), json!(1.5), json!("1"), json!(1_u64 << 53), Value::Null] {
        check(json!({"op": "sub", "id": id}), Some("sub"), None, "id");
    }
    for (member, value) in [
        ("topics", json!("changes")),
        ("topics", json!([1])),
        ("topics", json!(["everything"])),
        ("topics", json!(vec!["changes"; 65])),
        ("where", json!("{}")),
        ("bbox", json!([1, 2, 3])),
        ("circle", json!({"center": [1], "radius_m": 1})),
        ("include", json!("all")),
        ("last_event_id", json!(17)),
        ("credit", json!(0)),
        ("credit", json!(1001)),
        ("credit", json!("10")),
        ("name", json!("Not Plain")),
        ("name", json!(1)),
        ("topic", json!(["changes"])),
    ] {
        let mut message = json!({"op": "sub", "id": 1});
        message[member] = value;
        check(message, Some("sub"), Some(1), member);
    }
    let both =
        json!({"op": "sub", "id": 1, "bbox": [0, 0, 1, 1], "circle": {"center": [0, 0], "radius_m": 1}});
    check(both, Some("sub"), Some(1), "circle");
    check(json!({"op": "ack", "id": 1}), Some("ack"), Some(1), "seq");
    check(json!({"op": "ack", "id": 1, "seq": -4}), Some("ack"), Some(1), "seq");
    check(json!({"op": "unsub", "id": 1, "forget": 1}), Some("unsub"), Some(1), "forget");
    check(json!({"op": "pos"}), Some("pos"), None, "positions");
    check(json!({"op": "pos", "positions": {}}), Some("pos"), None, "positions");
    check(json!({"op": "pos", "positions": [], "durability": "none"}), Some("pos"), None, "durability");
    assert_eq!(refused("{\"op\": \"sub\", ").problem.status_code(), 400);
    let deep = format!("{{\"op\":\"pos\",\"positions\":{}{}}}", "[".repeat(70), "]".repeat(70));
    assert_eq!(refused(&deep).problem.status_code(), 400);
    let large = format!("{{\"op\":\"{}\"}}", "x".repeat(BYTES_MAX));
    assert_eq!(refused(&large).problem.status_code(), 413);
}

/// Whatever comes is taken or refused with a status, and never a panic; `SEED` replays.
#[test]
fn anything_is_answered() {
    const ROUNDS: usize = 20_000;
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let good = [
        json!({"op": "sub", "id": 1, "topics": ["changes:ads", "queue"], "where": {"$or": [{"a": 1}, {"b": {"$gt": 2}}]}}),
        json!({"op": "sub", "id": 2, "bbox": [-10.5, 0, 10, 80], "last_event_id": "1-2.3", "credit": 5, "name": "x"}),
        json!({"op": "sub", "id": 3, "circle": {"center": [1, 2], "radius_m": 3e4}, "include": "meta"}),
        json!({"op": "ack", "id": 1, "seq": 18_446_744_073_709_551_615_u64}),
        json!({"op": "unsub", "id": 1, "forget": false}),
        json!({"op": "pos", "positions": [{"device": "d", "lon": 1.5, "lat": -2, "fields": {"a": [1, null, true]}}]}),
        json!({"op": "ping"}),
    ];
    let good = good.map(|message| message.to_string().into_bytes());
    let (mut taken, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let mut bytes = if round % 4 == 0 {
            (0..random.usize(..64)).map(|_| random.u8(..)).collect()
        } else {
            good[random.usize(..good.len())].clone()
        };
        for _ in 0..random.usize(..4) {
            disturb(&mut bytes, &mut random);
        }
        // As the library does: what is no UTF-8 does not come here.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match catch_unwind(AssertUnwindSafe(|| Command::parse(&text))) {
            Ok(Ok(_)) => taken += 1,
            Ok(Err(answer)) => {
                refused += 1;
                let status = answer.problem.status_code();
                assert!((400..500).contains(&status), "{status} for {text}");
            }
            Err(_) => panic!("SEED={seed}: a panic for {text}"),
        }
    }
    assert!(taken > ROUNDS / 100 && refused > ROUNDS / 10, "{taken} taken, {refused} refused");
}

fn disturb(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    const MARKS: &[u8] = b"{}[]\",:0-9.eEntf\\ \x00\xff";
    let at = random.usize(..=bytes.len());
    match random.u8(..4) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, MARKS[random.usize(..MARKS.len())]),
        2 if at < bytes.len() => bytes[at] = random.u8(..),
        _ => {
            let piece = bytes[at..].to_vec();
            bytes.extend_from_slice(&piece[..piece.len().min(40)]);
        }
    }
}
