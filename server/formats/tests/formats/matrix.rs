//! Every format with every type, and what formats promise about themselves.

use crate::check;
use crate::world::{World, config, item, items};
use dateline_formats::{FaultKind, ItemType, Registry};
use serde_json::json;

/// Types by format, as published in the documentation.
const ACCEPTED: [(&str, u16, &[ItemType]); 12] = [
    ("ninjs", 7004, &ItemType::ALL),
    ("ninjs2", 7004, &ItemType::ALL),
    ("ftp ninjs", 7004, &ItemType::ALL),
    ("newsroom ninjs", 7004, &ItemType::ALL),
    ("nitf", 7001, &[ItemType::Text, ItemType::Preformatted, ItemType::Composite]),
    ("newsml12", 7005, &NEWSML),
    ("newsmlg2", 7006, &NEWSML),
    ("email", 7010, &[ItemType::Text]),
    ("idml", 7012, &[ItemType::Text, ItemType::Preformatted]),
    ("json", 7004, &ItemType::ALL),
    ("atom", 7013, &ItemType::ALL),
    ("rss", 7013, &ItemType::ALL),
];
const NEWSML: [ItemType; 6] = [
    ItemType::Text,
    ItemType::Preformatted,
    ItemType::Composite,
    ItemType::Picture,
    ItemType::Video,
    ItemType::Audio,
];

#[test]
fn every_format_with_every_type() {
    let world = World::new();
    let registry = Registry::standard();
    assert_eq!(registry.iter().map(|found| found.id()).collect::<Vec<_>>(), ACCEPTED.map(|(id, ..)| id));
    for (id, code, accepted) in ACCEPTED {
        let formatter = registry.find(id).unwrap();
        assert_eq!(formatter.code(), code, "{id}");
        assert_eq!(formatter.can_preview(), !matches!(id, "newsroom ninjs" | "idml"), "{id}");
        assert_eq!(formatter.can_export(), id != "newsroom ninjs", "{id}");
        for kind in ItemType::ALL {
            let what = format!("{id} {}", kind.as_str());
            assert_eq!(formatter.accepts(kind), accepted.contains(&kind), "{what}");
            let written = world.format(formatter, &item(kind.as_str()));
            if accepted.contains(&kind) {
                let documents = written.unwrap_or_else(|error| panic!("{what}: {error}"));
                documents.iter().for_each(|document| check::document(document, &what));
                let sequence = formatter.varies().by_transmission.then_some(7);
                assert!(documents.iter().all(|document| document.sequence == sequence), "{what}");
            } else {
                let error = written.unwrap_err();
                assert_eq!((error.code, error.fault.kind), (code, FaultKind::Unsupported), "{what}");
                assert_eq!(error.fault.field, "type", "{what}");
            }
        }
    }
}

#[test]
fn items_with_next_to_nothing() {
    let world = World::new();
    for formatter in Registry::standard().iter() {
        for kind in ItemType::ALL.into_iter().filter(|kind| formatter.accepts(*kind)) {
            let what = format!("{} {}", formatter.id(), kind.as_str());
            let dated = json!({"type": kind.as_str(), "firstcreated": "2026-01-01T00:00:00Z", "versioncreated": "2026-01-01T00:00:00Z"});
            let documents = world.format(formatter, &dated).unwrap_or_else(|error| panic!("{what}: {error}"));
            documents.iter().for_each(|document| check::document(document, &what));
            let needs_dates = matches!(formatter.id(), "newsml12" | "newsmlg2" | "atom" | "rss");
            match world.format(formatter, &json!({"type": kind.as_str()})) {
                Ok(documents) => {
                    assert!(!needs_dates, "{what}");
                    documents.iter().for_each(|document| check::document(document, &what));
                }
                Err(error) => {
                    assert!(needs_dates, "{what}: {error}");
                    assert_eq!(error.fault.kind, FaultKind::Invalid, "{what}");
                    assert!(
                        matches!(error.fault.field.as_str(), "firstcreated" | "versioncreated"),
                        "{error}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_is_no_item_is_refused() {
    let world = World::new();
    for formatter in Registry::standard().iter() {
        for (value, field, kind) in [
            (json!([]), "", FaultKind::Invalid),
            (json!({}), "type", FaultKind::Invalid),
            (json!({"type": 1}), "type", FaultKind::Invalid),
            (json!({"type": "poem"}), "type", FaultKind::Unsupported),
        ] {
            let error = world.format(formatter, &value).unwrap_err();
            assert_eq!(
                (error.fault.field.as_str(), error.fault.kind),
                (field, kind),
                "{} {value}",
                formatter.id()
            );
        }
    }
    let error =
        world.format(Registry::standard().find("nitf").unwrap(), &json!({"type": "poem"})).unwrap_err();
    let text = "FormatterError Error 7001 - NITF could not be written: type: unallowed value poem";
    assert_eq!(error.to_string(), text);
}

#[test]
fn dates_that_are_none_are_named() {
    let world = World::new();
    let mut broken = item("text");
    broken["versioncreated"] = json!("soon");
    for id in ["ninjs", "newsml12", "newsmlg2", "email", "atom", "rss"] {
        let error = world.format(Registry::standard().find(id).unwrap(), &broken).unwrap_err();
        assert_eq!(error.fault.to_string(), "versioncreated: must be a date and time", "{id}");
    }
    let mut broken = item("text");
    broken["associations"]["featuremedia"]["firstcreated"] = json!(12);
    let error = world.format(Registry::standard().find("ninjs").unwrap(), &broken).unwrap_err();
    assert_eq!(error.fault.field, "associations.featuremedia.firstcreated");
}

#[test]
fn headlines_of_members_are_text() {
    let mut world = World::new();
    for member in world.related.items.values_mut() {
        member["headline"] = json!("One <em>storm</em> &amp; two");
    }
    let written = world.format(Registry::standard().find("newsmlg2").unwrap(), &item("composite")).unwrap();
    let text = String::from_utf8(written[0].bytes.clone()).unwrap();
    assert!(text.contains("<headline>One storm &amp; two</headline>"), "{text}");
}

#[test]
fn items_inside_keep_their_body_without_a_type() {
    let mut story = item("text-plain");
    story["associations"] = json!({"editor_0": {"guid": "g", "body_html": "<p>x</p>"}});
    let written = World::new().format(Registry::standard().find("ninjs").unwrap(), &story).unwrap();
    let document = check::json(&written[0], "ninjs");
    assert_eq!(document["associations"]["editor_0"]["body_html"], "<p>x</p>");
}

/// An output that is said not to vary is the same whoever gets it, and whenever.
#[test]
fn outputs_vary_only_as_told() {
    let world = World::new();
    let mut later = World::new();
    later.now = "2027-06-01T00:00:00Z".parse().unwrap();
    later.sequence = 8;
    let mut other = World::new();
    other.recipient.config =
        config(json!({"associated_path": "x", "include_original": true, "body_markup": "enriched"}));
    let mut few = World::new();
    few.recipient.embeds = Some(["editor_1".to_owned()].into());
    for formatter in Registry::standard().iter() {
        let varies = formatter.varies();
        let mut differ = [false; 3];
        for (name, item) in items() {
            let Ok(first) = world.format(formatter, &item) else { continue };
            assert_eq!(world.format(formatter, &item).unwrap(), first, "{} {name}: not pure", formatter.id());
            for (at, world) in [&later, &other, &few].into_iter().enumerate() {
                differ[at] |= world.format(formatter, &item).unwrap() != first;
            }
        }
        let told = [varies.by_transmission, varies.by_destination, varies.by_subscriber];
        assert_eq!(differ, told, "{}", formatter.id());
    }
}

#[test]
fn formats_are_found_and_replaced() {
    struct Loud;
    impl dateline_formats::Formatter for Loud {
        fn id(&self) -> &'static str {
            "nitf"
        }
        fn name(&self) -> &'static str {
            "LOUD"
        }
        fn code(&self) -> u16 {
            7001
        }
        fn accepts(&self, _: ItemType) -> bool {
            true
        }
        fn varies(&self) -> dateline_formats::Varies {
            dateline_formats::Varies::default()
        }
        fn write(
            &self,
            item: dateline_formats::Item<'_>,
            _: &dateline_formats::Context<'_>,
        ) -> Result<Vec<dateline_formats::Document>, dateline_formats::Fault> {
            let bytes = item.text("headline").to_uppercase().into_bytes();
            Ok(vec![dateline_formats::Document {
                bytes,
                content_type: "text/plain",
                extension: "txt",
                sequence: None,
            }])
        }
    }
    let mut registry = Registry::standard();
    assert_eq!(registry.find("Email").unwrap().id(), "email");
    assert!(registry.find("telex").is_none());
    let count = registry.iter().count();
    registry.register(Box::new(Loud));
    assert_eq!(registry.iter().count(), count);
    let written = World::new().format(registry.find("NITF").unwrap(), &item("text-plain")).unwrap();
    assert_eq!(written[0].bytes, b"PLAIN");
}
