//! Positions as they come in: the forms agree, good items pass bad ones, packed records one by one.

use serde_json::{Value, json};

use crate::client::Client;
use crate::errors::problem;
use crate::program::Server;

/// A packed record by its members, as docs/format.md draws it.
fn record(device: &[u8], at_ms: u64, lon: i32, lat: i32, rest: &[u8]) -> Vec<u8> {
    let mut out = vec![u8::try_from(device.len()).expect("a short name")];
    out.extend_from_slice(device);
    out.extend_from_slice(&at_ms.to_le_bytes());
    out.extend_from_slice(&lon.to_le_bytes());
    out.extend_from_slice(&lat.to_le_bytes());
    out.extend_from_slice(rest);
    out
}

fn packed(records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"DLP1\0\0\0\0".to_vec();
    out.extend_from_slice(&u32::try_from(records.len()).expect("few").to_le_bytes());
    records.iter().for_each(|record| out.extend_from_slice(record));
    let length = u32::try_from(out.len() + 4).expect("small").to_le_bytes();
    out[4..8].copy_from_slice(&length);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_forms_agree() {
    let server = Server::start();
    let admin = Client::admin(&server).await;
    let send = |media_type: &'static str, body: Vec<u8>| {
        let admin = admin.clone();
        async move { admin.call("POST", "/api/positions").raw(media_type, body).reply().await.expect(202).json() }
    };
    let item = |device: &str| {
        json!({
            "device": device, "lon": 13.405, "lat": -52.52, "at": "2026-01-31T12:00:00.25Z", "speed": 2.5,
            "heading": 90, "accuracy": 4, "fields": {"b": [1, {"c": null}]},
        })
    };
    let lines = format!("{}\r\n\n{}", item("line"), item("l\u{e9}\"n"));
    assert_eq!(send("application/x-ndjson", lines.into()).await["accepted"], 2);
    assert_eq!(send("application/json", json!([item("array")]).to_string().into()).await["accepted"], 1);
    assert_eq!(send("application/json", item("one").to_string().into()).await["accepted"], 1);
    let at_ms = 1_769_860_800_250_u64;
    let mut rest = vec![15];
    [2.5_f64, 90.0, 4.0].iter().for_each(|number| rest.extend_from_slice(&number.to_le_bytes()));
    let fields = br#"{"b":[1,{"c":null}]}"#;
    rest.extend_from_slice(&u16::try_from(fields.len()).expect("short").to_le_bytes());
    rest.extend_from_slice(fields);
    let good = |name: &[u8]| record(name, at_ms, 134_050_000, -525_200_000, &rest);
    assert_eq!(send("application/vnd.dateline.positions", packed(&[good(b"packed")])).await["accepted"], 1);
    let mut first = admin.read("/api/positions/line").await;
    for device in ["array", "one", "packed", "l%C3%A9%22n"] {
        let mut other = admin.read(&format!("/api/positions/{device}")).await;
        (first["device"], other["device"]) = (Value::Null, Value::Null);
        assert_eq!(first, other, "{device}");
    }

    // Records that mean nothing do not stop those that do.
    let records = [
        good(b"p1"),
        record(b"off", at_ms, 1_800_000_001, 0, &[0]),
        record(b"\xff", at_ms, 0, 0, &[0]),
        record(b"", at_ms, 0, 0, &[0]),
        record(b"soon", 9_999_999_999_999, 0, 0, &[0]),
        record(b"nan", at_ms, 0, 0, &[&[1][..], &f64::NAN.to_le_bytes()].concat()),
        record(b"text", at_ms, 0, 0, &[8, 2, 0, b'[', b']']),
        good(b"p2"),
    ];
    let taken = send("application/vnd.dateline.positions", packed(&records)).await;
    let refused: Vec<u64> = taken["rejected"]
        .as_array()
        .expect("rejected")
        .iter()
        .filter_map(|item| item["index"].as_u64())
        .collect();
    assert_eq!((&taken["accepted"], refused), (&json!(2), vec![1, 2, 3, 4, 5, 6]), "{taken}");
    // A frame that is not whole is no frame.
    let whole = packed(&records);
    for bad in [&whole[..whole.len() - 1], &whole[1..], &[&whole[..], &[0]].concat()] {
        let reply =
            admin.call("POST", "/api/positions").raw("application/vnd.dateline.positions", bad.to_vec());
        problem("a broken frame", &reply.reply().await, 400);
    }
    let many = "{\"device\":\"d\",\"lon\":1,\"lat\":2}\n".repeat(50_001);
    let reply = admin.call("POST", "/api/positions").raw("application/x-ndjson", many).over_a_socket();
    problem("too many", &reply, 413);
}
