//! Bytes of chance: garbage, and what the formats write with bytes changed. Nothing panics, and what is read is an item.
//! `SEED` replays a run.

use crate::{files, read};
use dateline_formats::{Fields, Site};
use dateline_ingest::{Arriving, Provider, arrive, fetch, references};
use fastrand::Rng;
use serde_json::{Value, json};

const FOLDERS: [&str; 7] = ["ninjs", "ninjs2", "nitf", "newsml12", "newsmlg2", "atom", "rss"];
const KEYS: [Option<&str>; 7] =
    [None, Some("ninjs"), Some("nitf"), Some("newsml12"), Some("newsml2"), Some("rss"), Some("email_rfc822")];
const MAIL: &[u8] = b"From: Ada <ada@example.com>\r\nSubject: =?utf-8?q?Rain?=\r\nMessage-ID: <1@example.com>\r\n\
    Content-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nRain.\r\n--x\r\n\
    Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+UmFpbi48L3A+\r\n--x--\r\n";
/// Pieces that parsers look for.
const PIECES: [&str; 18] = [
    "<",
    ">",
    "&",
    "]]>",
    "<![CDATA[",
    "<!DOCTYPE a [",
    "&#0;",
    "&#x110000;",
    "{",
    "}",
    "[",
    "\"",
    "null",
    "\u{0}",
    "\\u0000",
    "xmlns=\"\"",
    "<script>",
    "--x\r\n",
];

fn rng() -> Rng {
    let seed =
        std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("SEED={seed}");
    Rng::with_seed(seed)
}

fn rounds() -> usize {
    std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4_000)
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..=bytes.len());
        let end = (at + rng.usize(0..40)).min(bytes.len());
        match rng.u8(0..7) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => bytes.splice(at..at, PIECES[rng.usize(..PIECES.len())].bytes()).for_each(drop),
            3 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
            4 if at < bytes.len() => bytes[at] = rng.u8(..),
            5 => {
                let piece = bytes[at..end].to_vec();
                let to = rng.usize(0..=bytes.len());
                bytes.splice(to..to, piece).for_each(drop);
            }
            _ => {
                let mut digits = bytes.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit());
                if let Some((place, _)) = digits.nth(rng.usize(0..20)) {
                    bytes.splice(place..=place, b"99999999999999999999".iter().copied()).for_each(drop);
                }
            }
        }
    }
}

/// Everything that happens to an item afterwards happens to this one too.
fn used(item: Fields) {
    assert!(item.get("guid").and_then(Value::as_str).is_some_and(|guid| !guid.is_empty()), "{item:?}");
    assert!(item.get("type").is_some_and(Value::is_string), "{item:?}");
    let body = item.get("body_html").and_then(Value::as_str).unwrap_or_default();
    let is_legal = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}');
    assert!(!body.contains("<script") && body.chars().all(is_legal), "{item:?}");
    let provider = Provider::read("p", json!({"feeding_service": "http"}).as_object().unwrap(), 2880);
    let site = Site::default();
    let now = "2026-02-01T00:00:00Z".parse().unwrap();
    let arriving = Arriving {
        provider: &provider,
        stored: Some(&item),
        site: &site,
        rule_set: None,
        now,
        id: "i",
        sequence: 1,
    };
    drop(arrive(item.clone(), &arriving));
    references(&item);
    drop(fetch(
        &item,
        &dateline_ingest::Fetching {
            id: "a",
            ingest_id: "i",
            desk: "d",
            stage: "s",
            state: "routed",
            user: "",
            unique_id: 1,
            profile: None,
            now,
        },
    ));
}

#[test]
fn changed_documents() {
    let mut rng = rng();
    let mut sources: Vec<Vec<u8>> = vec![MAIL.to_vec()];
    for folder in FOLDERS {
        sources.extend(files(&format!("golden/{folder}")).into_iter().map(|(_, bytes)| bytes));
    }
    let mut taken = 0;
    for _ in 0..rounds() {
        let mut bytes = sources[rng.usize(..sources.len())].clone();
        mutate(&mut bytes, &mut rng);
        let key = KEYS[rng.usize(..KEYS.len())];
        for key in [None, key] {
            if let Ok(items) = read(key, &bytes) {
                taken += items.len();
                items.into_iter().for_each(used);
            }
        }
    }
    assert!(taken > rounds() / 10, "hardly any document was read: {taken}");
}

#[test]
fn garbage() {
    let mut rng = rng();
    for _ in 0..rounds() {
        let length = rng.usize(0..2_000);
        let mut bytes: Vec<u8> = match rng.u8(0..4) {
            0 => (0..length).map(|_| rng.u8(..)).collect(),
            1 => (0..length).map(|_| rng.u8(32..127)).collect(),
            2 => (0..length / 10).flat_map(|_| PIECES[rng.usize(..PIECES.len())].bytes()).collect(),
            _ => {
                let names = [
                    "nitf",
                    "NewsML",
                    "newsMessage",
                    "rss",
                    "feed",
                    "channel",
                    "item",
                    "entry",
                    "head",
                    "body",
                    "NewsItem",
                ];
                let tags = (0..length / 8)
                    .map(|_| format!("<{}{}>", ["", "/"][rng.usize(..2)], names[rng.usize(..names.len())]));
                tags.collect::<String>().into_bytes()
            }
        };
        let starts: [&[u8]; 5] = [b"", b"<?xml version='1.0'?>", b"<", b"{\"guid\":", b"\xff\xfe"];
        bytes.splice(0..0, starts[rng.usize(..starts.len())].iter().copied()).for_each(drop);
        for key in KEYS {
            if let Ok(items) = read(key, &bytes) {
                items.into_iter().for_each(used);
            }
        }
    }
}

/// JSON of any shape where items are expected.
#[test]
fn items_of_any_shape() {
    let mut rng = rng();
    let names = [
        "guid",
        "uri",
        "type",
        "version",
        "headline",
        "body_html",
        "associations",
        "renditions",
        "service",
        "subject",
        "place",
        "located",
        "authors",
        "organisation",
        "symbols",
        "keywords",
        "embargoed",
        "priority",
        "extra",
        "original",
        "href",
    ];
    fn value(rng: &mut Rng, names: &[&str], depth: usize) -> Value {
        match rng.u8(0..if depth == 0 { 6 } else { 9 }) {
            0 => Value::Null,
            1 => rng.bool().into(),
            2 => rng.i64(..).into(),
            3 => "picture".into(),
            4 => "<p>x<script>y</script>\u{0}".into(),
            5 => "2026-01-01T00:00:00Z".into(),
            6 => (0..rng.usize(0..4)).map(|_| value(rng, names, depth - 1)).collect(),
            _ => object(rng, names, depth - 1).into(),
        }
    }
    fn object(rng: &mut Rng, names: &[&str], depth: usize) -> Fields {
        (0..rng.usize(0..8))
            .map(|_| (names[rng.usize(..names.len())].to_owned(), value(rng, names, depth)))
            .collect()
    }
    let mut taken = 0;
    for _ in 0..rounds() {
        let mut item = object(&mut rng, &names, 4);
        item.insert("guid".to_owned(), "g".into());
        item.entry("type").or_insert("text".into());
        let bytes = Value::Object(item).to_string();
        if let Ok(items) = read(Some("ninjs"), bytes.as_bytes()) {
            taken += items.len();
            items.into_iter().for_each(used);
        }
    }
    assert!(taken > rounds() / 2);
}
