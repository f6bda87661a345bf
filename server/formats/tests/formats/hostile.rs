//! Values that try to be more than values: in every text of an item, in every format.

use crate::check;
use crate::world::{World, config, items};
use dateline_formats::{FaultKind, Registry};
use serde_json::{Value, json};

const PAYLOADS: [&str; 9] = [
    "]]>",
    "\" onload='x' <y>&z;&#0;&#xd800;",
    "a\r\nBcc: all@example.com\r\n\r\nbody",
    "\u{0}\u{1}\u{8}\u{b}\u{1f}\u{7f}\u{85}\u{fffe}\u{ffff}\u{2028}",
    "\u{202e}evil\u{2066}\u{200f}",
    "../../../etc/passwd",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "<![CDATA[ ]]]]><![CDATA[> ]]><!-- -- --><?php ?>",
    "<script>alert(1)</script><img src=x onerror=alert(1)><a href=\"java\nscript:x\">",
];

/// Dates and types are not texts: other values there are refused, not written.
const KEPT: [&str; 8] = [
    "type",
    "firstcreated",
    "versioncreated",
    "firstpublished",
    "expiry",
    "embargo",
    "utc_embargo",
    "utc_publish_schedule",
];

fn poison(value: &mut Value, payload: &str) {
    match value {
        Value::String(text) => *text = payload.to_owned(),
        Value::Array(list) => list.iter_mut().for_each(|value| poison(value, payload)),
        Value::Object(fields) => {
            let entries = fields.iter_mut().filter(|(field, _)| !KEPT.contains(&field.as_str()));
            entries.for_each(|(_, value)| poison(value, payload));
        }
        _ => {}
    }
}

#[test]
fn every_text_of_every_item() {
    let mut world = World::new();
    world.recipient.config = config(json!({"body_markup": "enriched", "associated_path": "a"}));
    for formatter in Registry::standard().iter() {
        for (name, item) in items() {
            for payload in PAYLOADS {
                let mut item = item.clone();
                poison(&mut item, payload);
                let what = format!("{} {name} {payload:?}", formatter.id());
                match world.format(formatter, &item) {
                    Ok(documents) => documents.iter().for_each(|document| check::document(document, &what)),
                    Err(error) => assert_eq!(error.fault.kind, FaultKind::Unsupported, "{what}: {error}"),
                }
            }
        }
    }
}

#[test]
fn markup_for_others_pages_is_clean() {
    let world = World::new();
    let mut item = crate::world::item("text");
    item["body_html"] = json!(
        "<p onclick=\"x()\">a</p><script>alert(1)</script><a href=\"javascript:x()\">b</a><svg onload=x></svg>"
    );
    for id in ["email", "atom", "rss"] {
        let written = world.format(Registry::standard().find(id).unwrap(), &item).unwrap();
        let text = String::from_utf8(written[0].bytes.clone()).unwrap();
        for sign in ["onclick", "<script", "alert", "javascript:", "onload"] {
            assert!(!text.contains(sign), "{id} has {sign}: {text}");
        }
    }
}

#[test]
fn datelines_stand_in_a_paragraph() {
    let mut item = crate::world::item("text");
    item["dateline"] = json!({"text": "\" onclick=\"x() -"});
    for before in
        ["<script>'<p>'</script>", "<!-- <p> -->", "<a title=\"<p>\">a</a>", "<a title='<p >'>a</a>"]
    {
        item["body_html"] = json!(format!("{before}<p>It rains.</p>"));
        let written = World::new().format(Registry::standard().find("email").unwrap(), &item).unwrap();
        let message = check::json(&written[0], "email");
        let html = message["message_html"].as_str().unwrap();
        assert!(html.contains("<p>\" onclick=\"x() - It rains.</p>"), "{html}");
    }
}

#[test]
fn subjects_are_one_line() {
    let world = World::new();
    for payload in PAYLOADS {
        let item =
            json!({"type": "text", "headline": payload, "format": "HTML", "place": [{"name": payload}]});
        let written = world.format(Registry::standard().find("email").unwrap(), &item).unwrap();
        let message = check::json(&written[0], "email");
        let subject = message["message_subject"].as_str().unwrap();
        assert!(
            !subject.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}')),
            "{subject:?}"
        );
    }
}

#[test]
fn files_stay_in_their_folder() {
    let mut world = World::new();
    world.recipient.config = config(json!({"associated_path": "/out/", "include_original": true}));
    let item = json!({"type": "picture", "renditions": {"original": {"media": "../../etc/passwd", "href": "https://x/y", "mimetype": "image/jpeg"}}});
    let written = world.format(Registry::standard().find("ftp ninjs").unwrap(), &item).unwrap();
    let document = check::json(&written[0], "ftp ninjs");
    assert_eq!(document["renditions"]["original"]["href"], "out/-..-etc-passwd.jpg");
}

#[test]
fn too_much_is_refused_by_name() {
    let world = World::new();
    let dated = |field: &str, value: Value| {
        let mut item = json!({"type": "text", "format": "HTML", "firstcreated": "2026-01-01T00:00:00Z", "versioncreated": "2026-01-01T00:00:00Z"});
        item[field] = value;
        item
    };
    let bomb: String = (0..150).map(|at| format!("<b x={at}>")).collect::<String>() + &"<p>x".repeat(200_000);
    let mut nested = json!("x");
    for _ in 0..200 {
        nested = json!([nested]);
    }
    for (field, item) in [
        ("body_html", dated("body_html", json!("<div>".repeat(1000)))),
        ("body_html", dated("body_html", json!(bomb))),
        ("body_html", dated("body_html", json!("x<".repeat(3 << 20)))),
        ("", dated("extra", nested)),
        ("", dated("extra", json!("x".repeat(17 << 20)))),
    ] {
        for id in ["ninjs", "nitf", "newsml12", "newsmlg2", "email", "idml", "atom", "rss"] {
            let error = world.format(Registry::standard().find(id).unwrap(), &item).unwrap_err();
            assert_eq!((error.fault.field.as_str(), error.fault.kind), (field, FaultKind::TooLarge), "{id}");
        }
    }
}
